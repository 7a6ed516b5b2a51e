"""An author's own generated code for package `collector` works in the same process as ours."""

from __future__ import annotations

import textwrap

import pytest

AUTHORED = "import collector.registry_pb2_grpc, collector.dispatcher_pb2_grpc"
OURS = """\
import collector_reference.wire.registry_pb2_grpc, collector_reference.wire.dispatcher_pb2_grpc"""
DESCRIPTOR_SET = """\
from collector_harness.resources import descriptor_set
from google.protobuf import descriptor_pb2, descriptor_pool
for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set()).file:
    if file.package == "collector":
        descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
WELL_KNOWN = """\
import google.protobuf.any_pb2, google.protobuf.timestamp_pb2, google.protobuf.descriptor_pb2
"""
FILL = textwrap.dedent('''
    def fill(message, depth=0):
        """Sets every field of a message to something that is not its default."""
        for field in message.DESCRIPTOR.fields:
            if depth > 3 or field.name == "options":
                continue
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                getattr(message, field.name)["key"] = "value"
            elif field.message_type is not None:
                value = getattr(message, field.name)
                fill(value.add() if field.is_repeated else value, depth + 1)
            else:
                value = {
                    field.TYPE_STRING: f"{field.name}",
                    field.TYPE_BYTES: b"\\0\\xff",
                    field.TYPE_BOOL: True,
                    field.TYPE_DOUBLE: 1.5,
                    field.TYPE_ENUM: field.enum_type and field.enum_type.values[-1].number,
                }.get(field.type, 7)
                if field.is_repeated:
                    getattr(message, field.name).append(value)
                else:
                    setattr(message, field.name, value)
        return message
''')


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((AUTHORED, OURS), id="the author's first"),
        pytest.param((OURS, AUTHORED), id="ours first"),
        pytest.param((WELL_KNOWN, DESCRIPTOR_SET, OURS), id="the author's descriptors first"),
        pytest.param((OURS, DESCRIPTOR_SET), id="the author's descriptors last"),
    ],
)
def test_both_load_in_any_order(order: tuple[str, ...], fresh) -> None:
    find = """
from google.protobuf import descriptor_pool
find = descriptor_pool.Default().FindMessageTypeByName
print(find("collector.Status").file.name, find("collector_reference.wire.Status").file.name)
"""
    assert fresh("\n".join([*order, find])) == (
        "collector/common.proto collector_reference/wire/common.proto"
    )


def test_every_message_has_the_same_bytes_in_both(fresh) -> None:
    compare = """
from google.protobuf import unknown_fields
compared = []
for name in ("common", "dispatcher", "registry"):
    ours = __import__(f"collector_reference.wire.{name}_pb2", fromlist=["DESCRIPTOR"])
    theirs = __import__(f"collector.{name}_pb2", fromlist=["DESCRIPTOR"])
    messages = list(ours.DESCRIPTOR.message_types_by_name)
    assert messages == list(theirs.DESCRIPTOR.message_types_by_name)
    for message in messages:
        written = fill(getattr(ours, message)()).SerializeToString(deterministic=True)
        expected = fill(getattr(theirs, message)()).SerializeToString(deterministic=True)
        assert written == expected and written, message
        back = getattr(theirs, message).FromString(written)
        assert not len(unknown_fields.UnknownFieldSet(back)), message
        assert back == fill(getattr(theirs, message)()), message
        compared.append(message)
print(len(compared))
"""
    assert fresh(f"{OURS}\n{AUTHORED}\n{FILL}\n{compare}") == "21"


def test_our_packages_leave_the_name_collector_to_the_author(fresh) -> None:
    program = """
import importlib, pkgutil, sys
import collector_reference, collector_harness
for package in (collector_reference, collector_harness):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
assert "collector" not in sys.modules and "harness" not in sys.modules
from google.protobuf import descriptor_pool
try:
    print(descriptor_pool.Default().FindFileByName("collector/common.proto"))
except KeyError:
    print("free")
"""
    assert fresh(program) == "free"


def test_the_authors_client_and_our_server_understand_each_other(fresh) -> None:
    program = """
import asyncio, grpc
from collector import common_pb2, dispatcher_pb2, dispatcher_pb2_grpc
from collector_reference import Collector, CollectorSettings

async def main():
    settings = CollectorSettings(
        collector_id="west", listen="127.0.0.1:0", namespaces=("shop",), probe=("shop",)
    )
    async with Collector(settings) as collector:
        async with grpc.aio.insecure_channel(collector.address) as channel:
            dispatcher = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)
            request = dispatcher_pb2.DispatchRequest(
                namespace="shop",
                service=common_pb2.ServiceTypeRef(service_name="conformance.Probe"),
                method_name="WhoAmI",
            )
            reply = await dispatcher.Dispatch(request, timeout=10)
    print(common_pb2.Status.Code.Name(reply.status.code), reply.handled_by_collector_id)

asyncio.run(main())
"""
    assert fresh(program) == "HTTP_OK west"
