"""A service's addresses in a collector's registry.

The registry keeps descriptors of services, not addresses, and each only once. So every instance
registers a record of its own, `package.Service@host:port`. Records cannot be taken back: who
calls leaves out an address at which nobody answers.
"""

from __future__ import annotations

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference.wire import registry_pb2, registry_pb2_grpc

__all__ = ["addresses_of", "register"]

_LIMIT = 2.0


async def addresses_of(registry: str, namespace: str, service: str) -> tuple[str, ...]:
    """Returns the addresses at which a service is registered, in order. Raises gRPC's error when
    the registry cannot be asked.
    """
    async with grpc.aio.insecure_channel(registry) as channel:
        answer = await registry_pb2_grpc.CollectorRegistryStub(channel).ListServices(
            registry_pb2.ListServicesRequest(namespace=namespace), timeout=_LIMIT
        )
    named = (each.service_name.partition("@") for each in answer.services)
    return tuple(sorted(address for name, _, address in named if name == service and address))


async def register(registry: str, namespace: str, service: ServiceDescriptor, address: str) -> None:
    """Adds an address of a service, unless it is there. Raises gRPC's error when the registry
    refuses.
    """
    descriptor = ServiceDescriptorProto()
    service.CopyToProto(descriptor)
    descriptor.name = f"{service.full_name}@{address}"
    async with grpc.aio.insecure_channel(registry) as channel:
        try:
            await registry_pb2_grpc.CollectorRegistryStub(channel).RegisterService(
                registry_pb2.RegisterServiceRequest(
                    namespace=namespace, service_descriptor=descriptor
                ),
                timeout=_LIMIT,
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
