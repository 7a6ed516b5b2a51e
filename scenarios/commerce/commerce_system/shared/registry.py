"""A service's addresses in a collector's registry.

The registry keeps descriptors of services, not addresses. So each instance writes its own
into the options of the descriptor that it registers, beside those of the others.
"""

from __future__ import annotations

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto, UninterpretedOption

from collector_reference.wire import registry_pb2, registry_pb2_grpc

__all__ = ["addresses_of", "register", "withdraw"]

_OPTION = "address"
_LIMIT = 2.0


async def addresses_of(registry: str, namespace: str, service: str) -> tuple[str, ...]:
    """Returns the addresses at which a service is registered. Raises gRPC's error when the
    registry cannot be asked.
    """
    async with grpc.aio.insecure_channel(registry) as channel:
        return _addresses(await _descriptor(channel, namespace, service))


async def register(registry: str, namespace: str, service: ServiceDescriptor, address: str) -> None:
    """Adds an address to a service's record. Raises gRPC's error when the registry refuses."""
    async with grpc.aio.insecure_channel(registry) as channel:
        known = _addresses(await _descriptor(channel, namespace, service.full_name))
        await _write(channel, namespace, service, (*known, address))


async def withdraw(registry: str, namespace: str, service: ServiceDescriptor, address: str) -> None:
    """Takes an address out of a service's record. Raises gRPC's error when the registry refuses."""
    async with grpc.aio.insecure_channel(registry) as channel:
        known = _addresses(await _descriptor(channel, namespace, service.full_name))
        await _write(
            channel, namespace, service, tuple(other for other in known if other != address)
        )


async def _descriptor(
    channel: grpc.aio.Channel, namespace: str, service: str
) -> ServiceDescriptorProto:
    answer = await registry_pb2_grpc.CollectorRegistryStub(channel).LookupService(
        registry_pb2.LookupServiceRequest(namespace=namespace, service_name=service),
        timeout=_LIMIT,
    )
    return answer.service.service_descriptor


def _addresses(descriptor: ServiceDescriptorProto) -> tuple[str, ...]:
    return tuple(
        option.string_value.decode()
        for option in descriptor.options.uninterpreted_option
        if [part.name_part for part in option.name] == [_OPTION]
    )


async def _write(
    channel: grpc.aio.Channel,
    namespace: str,
    service: ServiceDescriptor,
    addresses: tuple[str, ...],
) -> None:
    descriptor = ServiceDescriptorProto()
    service.CopyToProto(descriptor)
    descriptor.name = service.full_name
    for address in dict.fromkeys(addresses):
        descriptor.options.uninterpreted_option.append(
            UninterpretedOption(
                name=[UninterpretedOption.NamePart(name_part=_OPTION, is_extension=False)],
                string_value=address.encode(),
            )
        )
    await registry_pb2_grpc.CollectorRegistryStub(channel).RegisterService(
        registry_pb2.RegisterServiceRequest(namespace=namespace, service_descriptor=descriptor),
        timeout=_LIMIT,
    )
