"""The messages and methods of the contract, made at start from its descriptor set.

`collector.binpb` is what `collector-harness protos` hands out to authors; nothing here is
generated. The process has no other code for package `collector`, so the files go into the
default pool, where server reflection finds them.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    timestamp_pb2,
)
from google.protobuf.message import Message
from grpclib.const import Cardinality, Handler

__all__ = [
    "DISPATCHER",
    "REGISTER",
    "REGISTRY",
    "SERVE",
    "VALIDATE",
    "ConnectRequest",
    "ConnectResponse",
    "DispatchResponse",
    "ListServicesResponse",
    "LookupServiceResponse",
    "RegisterProtoResponse",
    "RegisterServiceRequest",
    "RegisterServiceResponse",
    "RegisteredService",
    "ServeRequest",
    "ServeResponse",
    "Status",
    "ValidateMethodRequest",
    "ValidateMethodResponse",
    "handlers_of",
    "load",
    "message",
    "method_types",
    "service_descriptor",
    "unary",
]

DISPATCHER = "collector.CollectiveDispatcher"
REGISTRY = "collector.CollectorRegistry"
SERVE = f"/{DISPATCHER}/Serve"
VALIDATE = f"/{REGISTRY}/ValidateMethod"
REGISTER = f"/{REGISTRY}/RegisterService"

# Imported above so that the pool has the well-known files before ours, which import them.
_WELL_KNOWN = {module.DESCRIPTOR.name for module in (any_pb2, descriptor_pb2, timestamp_pb2)}
_POOL: Any = descriptor_pool.Default()


def load(name: str) -> None:
    """Makes the types of a descriptor set in this folder known."""
    data = resources.files(__package__).joinpath(name).read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        if file.name not in _WELL_KNOWN:
            _POOL.AddSerializedFile(file.SerializeToString())


load("collector.binpb")


def message(full_name: str) -> type[Any]:
    """Returns the class of a message that is known."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(full_name))


def _message(name: str) -> type[Any]:
    return message(f"collector.{name}")


Status = _message("Status")
ConnectRequest = _message("ConnectRequest")
ConnectResponse = _message("ConnectResponse")
ServeRequest = _message("ServeRequest")
ServeResponse = _message("ServeResponse")
DispatchResponse = _message("DispatchResponse")
RegisterProtoResponse = _message("RegisterProtoResponse")
RegisterServiceRequest = _message("RegisterServiceRequest")
RegisterServiceResponse = _message("RegisterServiceResponse")
LookupServiceResponse = _message("LookupServiceResponse")
ValidateMethodRequest = _message("ValidateMethodRequest")
ValidateMethodResponse = _message("ValidateMethodResponse")
ListServicesResponse = _message("ListServicesResponse")
RegisteredService = _message("RegisteredService")


def service_descriptor(full_name: str) -> descriptor_pb2.ServiceDescriptorProto:
    """Returns a service's descriptor under its full name, as a registry keeps it."""
    proto = descriptor_pb2.ServiceDescriptorProto()
    _POOL.FindServiceByName(full_name).CopyToProto(proto)
    proto.name = full_name
    return proto


def method_types(path: str) -> tuple[type[Message], type[Message]]:
    """Returns the request and response classes of a method given by its path."""
    service, _, method = path.removeprefix("/").rpartition("/")
    descriptor = _POOL.FindServiceByName(service).methods_by_name[method]
    return (
        message_factory.GetMessageClass(descriptor.input_type),
        message_factory.GetMessageClass(descriptor.output_type),
    )


def handlers_of(full_name: str, servicer: object) -> dict[str, Handler]:
    """Returns a servicer's methods by path, as grpclib mounts them.

    The servicer has one coroutine `(request, call) -> response` for each method of the
    service, under the method's name.
    """
    return {
        (path := f"/{full_name}/{method.name}"): Handler(
            unary(getattr(servicer, method.name)), Cardinality.UNARY_UNARY, *method_types(path)
        )
        for method in service_descriptor(full_name).method
    }


def unary(function: Any) -> Any:
    """Returns a function on messages as a function on grpclib's stream."""

    async def handle(stream: Any) -> None:
        request = await stream.recv_message()
        await stream.send_message(await function(request, stream))

    return handle
