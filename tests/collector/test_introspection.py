"""Health and reflection, and whose descriptor pool they use."""

from __future__ import annotations

import subprocess
import sys

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from collector_reference.descriptors import pool, service_descriptors

SERVICES = [
    "collector.CollectiveDispatcher",
    "collector.CollectorRegistry",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]


@pytest.mark.parametrize("probe", [(), ("users",)])
async def test_the_server_and_every_service_are_serving(field, probe):
    """OPS-001"""
    collector = await field.collector(probe=probe)
    stub = health_pb2_grpc.HealthStub(field.caller(collector.address).channel)
    for service in ["", *SERVICES, *(["conformance.Port"] if probe else [])]:
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="nobody.Here"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def ask(channel, version: str, request):
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )([request])
    (reply,) = [reply async for reply in call]
    return reply


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_what_is_on_the_port(field, version):
    """OPS-002"""
    collector = await field.collector(probe=("users",))
    reply = await ask(
        field.caller(collector.address).channel,
        version,
        reflection_pb2.ServerReflectionRequest(list_services="*"),
    )
    assert [service.name for service in reply.list_services_response.service] == sorted(
        [*SERVICES, "conformance.Port"]
    )


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.parametrize("service", [*SERVICES, "conformance.Port"])
async def test_what_reflection_tells_of_a_service_loads_by_itself(field, version, service):
    """OPS-002"""
    collector = await field.collector(probe=("users",))
    reply = await ask(
        field.caller(collector.address).channel,
        version,
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=service),
    )
    files = {
        file.name: file
        for file in map(
            FileDescriptorProto.FromString,
            reply.file_descriptor_response.file_descriptor_proto,
        )
    }
    loaded = DescriptorPool()

    def add(name: str) -> None:
        for dependency in files[name].dependency:
            add(dependency)
        loaded.Add(files[name])

    for name in files:
        add(name)
    assert loaded.FindServiceByName(service).full_name == service


async def test_an_unknown_symbol_is_told(field):
    collector = await field.collector()
    reply = await ask(
        field.caller(collector.address).channel,
        "v1",
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="nobody.Here"),
    )
    assert reply.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_service_descriptors_bear_their_full_names():
    assert {name: descriptor.name for name, descriptor in service_descriptors().items()} == {
        name: name for name in [*SERVICES, "administration.CollectorAdmin", "conformance.Port"]
    }
    assert pool().FindServiceByName("collector.CollectorRegistry") is not None


def test_the_default_pool_stays_free_of_the_contract():
    script = """
import asyncio
from collector_reference import Collector, CollectorSettings
async def main():
    async with Collector(CollectorSettings(collector_id="west", probe=("users",))):
        pass
asyncio.run(main())
from google.protobuf.descriptor_pool import Default
for name in ("collector.Status", "collector.CollectiveDispatcher", "conformance.Port"):
    try:
        Default().FindFileContainingSymbol(name)
    except KeyError:
        continue
    raise SystemExit(f"{name} is in the default pool")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
