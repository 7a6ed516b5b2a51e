"""Services of ordinary gRPC servers in a namespace, on real servers."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from collector_reference import Collector, CollectorSettings
from collector_reference.backends.values import BackendSettings
from collector_reference.errors import BackendUnusable

SERVICE = "shop.v1.Orders"


def packed(message) -> Any:
    payload = Any()
    payload.Pack(message)
    return payload


def struct(**values) -> Any:
    made = Struct()
    made.update(values)
    return packed(made)


def order_of(shop, reply):
    assert reply.output.type_url == "type.googleapis.com/shop.v1.Order"
    return shop.Order.FromString(reply.output.value)


@pytest.mark.parametrize("by", ["reflection", "descriptor set"])
async def test_a_service_of_an_ordinary_server_is_served_in_a_namespace(field, shop_in, by):
    shop = await shop_in(reflects=by == "reflection")
    collector = await field.collector("west", namespaces=("shop",))
    names = await collector.add_backend(
        "shop",
        SERVICE,
        shop.address,
        descriptor_set=None if by == "reflection" else shop.files.SerializeToString(),
    )
    assert names == ("Create", "Fail", "Wait", "Context")
    caller = field.caller(collector.address)
    for payload in (packed(shop.Order(sku="A1", count=41)), struct(sku="A1", count=41)):
        reply = await caller.dispatch("shop", SERVICE, "Create", payload)
        assert (reply.status.code, reply.handled_by_collector_id) == (200, "west")
        assert order_of(shop, reply) == shop.Order(sku="A1", count=42, note="made")
    empty = await caller.serve("shop", SERVICE, "Create")
    assert order_of(shop, empty).count == 1
    assert shop.runs == 3
    assert (await caller.validate("shop", SERVICE, "Create")).is_valid


async def test_it_is_dispatched_to_over_a_hop_with_deadline_and_correlation(field, shop_in):
    shop = await shop_in()
    east = Collector(
        CollectorSettings(
            collector_id="east",
            namespaces=("shop",),
            backends=(BackendSettings(namespace="shop", service=SERVICE, address=shop.address),),
        )
    )
    await field.running(east)
    west = await field.collector("west", namespaces=("shop",))
    await west.connect_to(east.address)
    reply = await field.caller(west.address).dispatch(
        "shop",
        SERVICE,
        "Create",
        packed(shop.Order(sku="B2")),
        timeout=25,
        metadata=(("x-correlation-id", "errand-9"), ("authorization", "Bearer secret")),
    )
    assert (reply.status.code, reply.handled_by_collector_id) == (200, "east")
    assert order_of(shop, reply).sku == "B2"
    assert shop.metadata["x-correlation-id"] == "errand-9"
    assert "authorization" not in shop.metadata
    # gRPC rounds what is left up.
    assert 0 < shop.remaining < 26


async def test_the_call_to_it_is_a_span_that_it_is_told_of(field, shop_in):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    shop = await shop_in()
    settings = CollectorSettings(collector_id="west", namespaces=("shop",))
    collector = await field.running(Collector(settings, tracer_provider=provider))
    await collector.add_backend("shop", SERVICE, shop.address)
    exporter.clear()
    reply = await field.caller(collector.address).dispatch("shop", SERVICE, "Create")
    assert reply.status.code == 200
    await field.until(lambda: len(exporter.get_finished_spans()) == 4)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    dispatch = spans["/collector.CollectiveDispatcher/Dispatch"]
    backend = spans[f"/{SERVICE}/Create"]
    assert backend.kind is SpanKind.CLIENT
    assert backend.parent.span_id == dispatch.context.span_id
    told = f"00-{dispatch.context.trace_id:032x}-{backend.context.span_id:016x}-"
    assert shop.metadata["traceparent"].startswith(told)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("NOT_FOUND", 404),
        ("INVALID_ARGUMENT", 400),
        ("UNAVAILABLE", 503),
        ("ABORTED", 9),
        ("RESOURCE_EXHAUSTED", 429),
        ("INTERNAL", 500),
    ],
)
async def test_its_failure_is_relayed_with_its_number_and_not_tried_elsewhere(
    field, shop_in, name, number
):
    first, second = await shop_in(), await shop_in()
    west = await field.collector("west", namespaces=("shop",))
    for collector_id, shop in (("east", first), ("south", second)):
        peer = await field.collector(collector_id, namespaces=("shop",))
        await peer.add_backend("shop", SERVICE, shop.address)
        await west.connect_to(peer.address)
    reply = await field.caller(west.address).dispatch(
        "shop", SERVICE, "Fail", packed(first.Order(sku=name, note="sold out"))
    )
    assert (reply.status.code, reply.status.message) == (number, "no: sold out")
    assert reply.handled_by_collector_id in ("east", "south")
    assert first.runs + second.runs == 1


async def test_a_method_that_the_server_lacks_is_skipped_for_a_collector_that_has_it(
    field, shop_in
):
    shop = await shop_in()
    west = await field.collector("west", namespaces=("shop",))
    east = await field.collector("east", namespaces=("shop",))
    await east.add_backend("shop", SERVICE, shop.address)
    await west.connect_to(east.address)
    caller = field.caller(west.address)
    served = await field.caller(east.address).serve("shop", SERVICE, "Context")
    assert served.status.code == 501
    dispatched = await caller.dispatch("shop", SERVICE, "Context")
    assert dispatched.status.code == 404


async def test_a_server_that_is_gone_is_503_without_its_address(field, shop_in, closed_port):
    shop = await shop_in()
    collector = await field.collector("west", namespaces=("shop",))
    await collector.add_backend("shop", SERVICE, closed_port["address"], descriptor_set=shop.files)
    reply = await field.caller(collector.address).dispatch("shop", SERVICE, "Create")
    assert (reply.status.code, reply.status.message) == (
        503,
        f"the backend of {SERVICE}/Create cannot be reached",
    )


async def test_cancelling_the_caller_cancels_the_call_at_the_server(field, shop_in):
    shop = await shop_in()
    collector = await field.collector("west", namespaces=("shop",))
    await collector.add_backend("shop", SERVICE, shop.address)
    call = asyncio.create_task(field.caller(collector.address).dispatch("shop", SERVICE, "Wait"))
    await shop.waiting.wait()
    call.cancel()
    await shop.cancelled.wait()


async def test_the_deadline_reaches_the_server(field, shop_in):
    shop = await shop_in()
    collector = await field.collector("west", namespaces=("shop",))
    await collector.add_backend("shop", SERVICE, shop.address)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await field.caller(collector.address).dispatch("shop", SERVICE, "Wait", timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await shop.cancelled.wait()


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (
            struct(skew="A1"),
            (
                'the Struct does not fit into shop.v1.Order: Message type "shop.v1.Order" has no '
                'field named "skew"'
            ),
        ),
        (
            Any(type_url="type.googleapis.com/shop.v1.Other", value=b"x"),
            (
                "shop.v1.Orders/Create takes shop.v1.Order or google.protobuf.Struct, "
                "not 'shop.v1.Other'"
            ),
        ),
    ],
)
async def test_an_input_of_another_type_is_400_and_not_sent(field, shop_in, payload, text):
    shop = await shop_in()
    collector = await field.collector("west", namespaces=("shop",))
    await collector.add_backend("shop", SERVICE, shop.address)
    reply = await field.caller(collector.address).dispatch("shop", SERVICE, "Create", payload)
    assert reply.status.code == 400
    assert reply.status.message.startswith(text)
    assert shop.runs == 0


async def test_streaming_methods_are_refused_when_they_are_added(field, shop_in):
    shop = await shop_in()
    collector = await field.collector("west", namespaces=("shop",))
    with pytest.raises(BackendUnusable, match=r"Watch, Upload of it streams, and only unary"):
        await collector.add_backend("shop", "shop.v1.Feed", shop.address, descriptor_set=shop.files)
    names = await collector.add_backend(
        "shop", "shop.v1.Feed", shop.address, descriptor_set=shop.files, methods=("Create",)
    )
    assert names == ("Create",)
    reply = await field.caller(collector.address).dispatch("shop", "shop.v1.Feed", "Create")
    assert reply.status.code == 200


async def test_what_cannot_be_used_says_why(field, shop_in, closed_port):
    silent = await shop_in(reflects=False)
    shop = await shop_in()
    collector = await field.collector("west", namespaces=("shop",))

    async def refusal(service, address, **how) -> str:
        with pytest.raises(BackendUnusable) as caught:
            await collector.add_backend("shop", service, address, **how)
        return caught.value.reason

    assert "it serves no reflection" in await refusal(SERVICE, silent.address)
    assert "its reflection knows no 'shop.v1.Nope'" in await refusal("shop.v1.Nope", shop.address)
    assert "it cannot be asked: UNAVAILABLE" in await refusal(SERVICE, closed_port["address"])
    assert "it has no method Nope" in await refusal(
        SERVICE, shop.address, descriptor_set=shop.files, methods=("Nope",)
    )
    assert "its descriptor set is broken" in await refusal(
        SERVICE, shop.address, descriptor_set=b"\xff"
    )
    del shop.files.file[1]
    assert "its descriptors cannot be used" in await refusal(
        SERVICE, shop.address, descriptor_set=shop.files
    )
