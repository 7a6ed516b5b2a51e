"""The names and numbers on the wire are those of the protocol, whatever the code is called."""

from __future__ import annotations

import itertools

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from collector_harness.resources import descriptor_set, protos_dir
from collector_reference.wire import (
    common_pb2,
    dispatcher_pb2,
    dispatcher_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)

RPCS = {
    "collector.CollectiveDispatcher": ["Serve", "Connect", "Dispatch"],
    "collector.CollectorRegistry": [
        "RegisterProto",
        "RegisterService",
        "LookupService",
        "ValidateMethod",
        "ListServices",
    ],
}

MESSAGES = {
    "Status": "1 code, 2 message, 3 details{}",
    "ServiceTypeRef": "1 namespace, 2 service_name",
    "ConnectRequest": "1 collector_id, 2 address, 3 namespaces[]",
    "ConnectResponse": ("1 status, 2 connection_id, 3 shared_namespaces[], 4 target_collector_id"),
    "ServeRequest": ("1 namespace, 2 service, 3 method_name, 4 input, 5 execution_context{}"),
    "ServeResponse": "1 status, 2 output, 3 executor_id",
    "DispatchRequest": (
        "1 namespace, 2 service, 3 method_name, 4 input, 5 target_collector_id, 6 routing_hints{}"
    ),
    "DispatchResponse": "1 status, 2 output, 3 handled_by_collector_id",
    "RegisterProtoRequest": "1 namespace, 2 file_descriptor, 3 dependencies[]",
    "RegisterProtoResponse": "1 status, 2 proto_id, 3 registered_messages[]",
    "RegisterServiceRequest": "1 namespace, 2 service_descriptor, 3 file_descriptor",
    "RegisterServiceResponse": "1 status, 2 service_id, 3 registered_methods[]",
    "LookupServiceRequest": "1 namespace, 2 service_name",
    "LookupServiceResponse": "1 status, 2 service",
    "ValidateMethodRequest": "1 namespace, 2 service_name, 3 method_name",
    "ValidateMethodResponse": "1 status, 2 is_valid, 3 message",
    "ListServicesRequest": "1 namespace",
    "ListServicesResponse": "1 status, 2 services[]",
    "RegisteredService": (
        "1 id, 2 namespace, 3 service_name, 4 service_descriptor, 5 method_names[], 6 metadata"
    ),
    "RegisteredProto": (
        "1 id, 2 namespace, 3 message_names[], 4 file_descriptor, 5 dependencies[], 6 metadata"
    ),
    "Metadata": "1 created_at, 2 updated_at, 3 labels{}",
}

FIELD_TYPES = {
    "Status.code": "collector.Status.Code",
    "Status.details": "map<string, string>",
    "ServeRequest.service": "collector.ServiceTypeRef",
    "ServeRequest.input": "google.protobuf.Any",
    "ServeRequest.execution_context": "map<string, string>",
    "ServeResponse.output": "google.protobuf.Any",
    "DispatchRequest.service": "collector.ServiceTypeRef",
    "DispatchRequest.input": "google.protobuf.Any",
    "DispatchRequest.routing_hints": "map<string, string>",
    "DispatchResponse.output": "google.protobuf.Any",
    "RegisterProtoRequest.file_descriptor": "google.protobuf.FileDescriptorProto",
    "RegisterProtoRequest.dependencies": "google.protobuf.FileDescriptorProto",
    "RegisterServiceRequest.service_descriptor": "google.protobuf.ServiceDescriptorProto",
    "RegisterServiceRequest.file_descriptor": "google.protobuf.FileDescriptorProto",
    "LookupServiceResponse.service": "collector.RegisteredService",
    "ValidateMethodResponse.is_valid": "bool",
    "ListServicesResponse.services": "collector.RegisteredService",
    "RegisteredService.service_descriptor": "google.protobuf.ServiceDescriptorProto",
    "RegisteredService.metadata": "collector.Metadata",
    "RegisteredProto.file_descriptor": "google.protobuf.FileDescriptorProto",
    "RegisteredProto.metadata": "collector.Metadata",
    "Metadata.created_at": "google.protobuf.Timestamp",
    "Metadata.updated_at": "google.protobuf.Timestamp",
    "Metadata.labels": "map<string, string>",
}
"""What is neither a string nor, where it is called `status`, a `collector.Status`."""

CODES = {
    "OK": 0,
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 4,
    "ALREADY_EXISTS": 5,
    "PERMISSION_DENIED": 6,
    "RESOURCE_EXHAUSTED": 7,
    "FAILED_PRECONDITION": 8,
    "ABORTED": 9,
    "OUT_OF_RANGE": 10,
    "UNIMPLEMENTED": 11,
    "INTERNAL": 12,
    "UNAVAILABLE": 13,
    "DATA_LOSS": 14,
    "HTTP_OK": 200,
    "HTTP_BAD_REQUEST": 400,
    "HTTP_UNAUTHORIZED": 401,
    "HTTP_FORBIDDEN": 403,
    "HTTP_NOT_FOUND": 404,
    "HTTP_CONFLICT": 409,
    "HTTP_PRECONDITION_FAILED": 412,
    "HTTP_TOO_MANY_REQUESTS": 429,
    "HTTP_CLIENT_CLOSED_REQUEST": 499,
    "HTTP_INTERNAL_SERVER_ERROR": 500,
    "HTTP_NOT_IMPLEMENTED": 501,
    "HTTP_SERVICE_UNAVAILABLE": 503,
    "HTTP_GATEWAY_TIMEOUT": 504,
}


@pytest.fixture(scope="module")
def pool() -> descriptor_pool.DescriptorPool:
    """A pool of the shipped descriptor set alone."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set()).file:
        pool.Add(file)
    return pool


def layout(message: Descriptor) -> str:
    """Returns the fields of a message as the table of the protocol writes them."""
    return ", ".join(
        f"{field.number} {field.name}" + ("{}" if is_map(field) else "[]" * field.is_repeated)
        for field in message.fields
    )


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def type_of(field: FieldDescriptor) -> str:
    if is_map(field):
        key, value = field.message_type.fields
        return f"map<{type_of(key)}, {type_of(value)}>"
    if field.message_type is not None:
        return field.message_type.full_name
    if field.enum_type is not None:
        return field.enum_type.full_name
    return {field.TYPE_STRING: "string", field.TYPE_BOOL: "bool"}[field.type]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_the_fields_of_the_protocol(
    name: str, pool: descriptor_pool.DescriptorPool
) -> None:
    described = pool.FindMessageTypeByName(f"collector.{name}")
    ours = next(
        module.DESCRIPTOR.message_types_by_name[name]
        for module in (common_pb2, dispatcher_pb2, registry_pb2)
        if name in module.DESCRIPTOR.message_types_by_name
    )

    assert layout(described) == MESSAGES[name]
    assert layout(ours) == MESSAGES[name]
    assert {field.name: type_of(field) for field in described.fields} == {
        field.name: FIELD_TYPES.get(
            f"{name}.{field.name}", "collector.Status" if field.name == "status" else "string"
        )
        for field in described.fields
    }


def test_there_is_no_message_beside_those_of_the_protocol() -> None:
    modules = (common_pb2, dispatcher_pb2, registry_pb2)
    assert {name for module in modules for name in module.DESCRIPTOR.message_types_by_name} == set(
        MESSAGES
    )


def test_the_status_codes_have_the_numbers_of_the_protocol() -> None:
    assert dict(common_pb2.Status.Code.items()) == CODES


def test_an_unnamed_code_survives_a_round_trip() -> None:
    status = common_pb2.Status.FromString(b"\x08\xaa\x07")

    assert status.code == 938
    assert status.SerializeToString() == b"\x08\xaa\x07"


def test_the_shipped_services_are_those_of_the_protocol(
    pool: descriptor_pool.DescriptorPool,
) -> None:
    for service, methods in RPCS.items():
        described = pool.FindServiceByName(service)
        assert [method.name for method in described.methods] == methods
        for method in described.methods:
            assert method.input_type.full_name == f"collector.{method.name}Request"
            assert method.output_type.full_name == f"collector.{method.name}Response"
            assert not method.client_streaming
            assert not method.server_streaming


class ListeningChannel(grpc.Channel):
    """Keeps the paths that a stub wants to call."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def unary_unary(self, method, *rest, **options):
        self.paths.append(method)

    def _refuse(self, *rest, **options):
        raise AssertionError("the contract has unary calls alone")

    unary_stream = stream_unary = stream_stream = _refuse
    subscribe = unsubscribe = close = __enter__ = __exit__ = _refuse


class ListeningServer:
    """Keeps the paths that a servicer is attached by."""

    def __init__(self) -> None:
        self.paths: dict[str, list[str]] = {}
        self.registered: dict[str, list[str]] = {}

    def add_generic_rpc_handlers(self, handlers) -> None:
        for handler in handlers:
            self.paths[handler.service_name()] = [
                method
                for method in RPCS[handler.service_name()]
                if handler.service(CallTo(f"/{handler.service_name()}/{method}")) is not None
            ]

    def add_registered_method_handlers(self, service, handlers) -> None:
        self.registered[service] = list(handlers)


class CallTo:
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


def test_stubs_call_the_true_paths() -> None:
    channel = ListeningChannel()

    dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)
    registry_pb2_grpc.CollectorRegistryStub(channel)

    assert channel.paths == [
        f"/{service}/{method}" for service, methods in RPCS.items() for method in methods
    ]


def test_servicers_are_attached_by_their_true_names() -> None:
    server = ListeningServer()

    dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(
        dispatcher_pb2_grpc.CollectiveDispatcherServicer(), server
    )
    registry_pb2_grpc.add_CollectorRegistryServicer_to_server(
        registry_pb2_grpc.CollectorRegistryServicer(), server
    )

    assert server.paths == RPCS
    assert server.registered == RPCS


def test_every_message_field_and_rpc_is_documented_in_the_sources() -> None:
    undocumented = []
    for path in sorted(protos_dir().glob("collector/*.proto")):
        lines = [line.strip() for line in path.read_text().splitlines()]
        for number, (before, line) in enumerate(itertools.pairwise(lines), start=2):
            is_field = line.endswith(";") and " = " in line and not line[0].isupper()
            declares = line.startswith(("message ", "service ", "enum ", "rpc ")) or (
                is_field and not line.startswith("syntax")
            )
            if declares and not before.startswith("//"):
                undocumented.append(f"{path.name}:{number}: {line}")
    assert undocumented == []
