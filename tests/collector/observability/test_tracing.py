"""The spans of an errand are one trace, from a client that is traced itself to the last loopback:
as the application's own provider gets them, and as processes export them.
"""

from __future__ import annotations

import contextlib
import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import NamedTuple

import grpc
import pytest

from collector_reference import Collector, CollectorSettings
from collector_reference.wire import dispatcher_pb2_grpc
from collector_reference.wire.common_pb2 import ServiceTypeRef
from collector_reference.wire.dispatcher_pb2 import DispatchRequest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

DISPATCH = "collector.CollectiveDispatcher/Dispatch"
SERVE = "collector.CollectiveDispatcher/Serve"
VALIDATE = "collector.CollectorRegistry/ValidateMethod"
ERRAND = [DISPATCH, DISPATCH, SERVE, SERVE, VALIDATE, VALIDATE]
"""From a client to the loopback of who executes: each call as the caller sees it, and as the called
does."""


class Span(NamedTuple):
    """What is looked at of a span, however it came."""

    trace: str
    id: str
    parent: str
    name: str
    attributes: dict[str, object]
    by: tuple[str, str] | None = None
    """The name and the instance of the service that exported it."""

    @property
    def is_of_the_caller(self) -> bool:
        """Whether it is of the side that calls, not of the side that is called."""
        return "collector.status" not in self.attributes


def path_to(last: Span, spans: list[Span]) -> list[Span]:
    """From the span without a parent to this one."""
    by_id = {span.id: span for span in spans}
    path = [last]
    while path[0].parent:
        path.insert(0, by_id[path[0].parent])
    return path


def request(namespace: str, service: str, method: str) -> DispatchRequest:
    return DispatchRequest(
        namespace=namespace, service=ServiceTypeRef(service_name=service), method_name=method
    )


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


@pytest.fixture
def traced(field, provider):
    """Starts a collector whose spans go where the test's do."""

    async def start(collector_id: str, *namespaces: str, **settings: object) -> Collector:
        made = CollectorSettings(collector_id=collector_id, namespaces=namespaces, **settings)
        return await field.running(Collector(made, tracer_provider=provider))

    return start


def read(exporter: InMemorySpanExporter) -> list[Span]:
    return [
        Span(
            trace=f"{span.context.trace_id:032x}",
            id=f"{span.context.span_id:016x}",
            parent="" if span.parent is None else f"{span.parent.span_id:016x}",
            name=span.name.lstrip("/"),
            attributes=dict(span.attributes),
        )
        for span in exporter.get_finished_spans()
    ]


@contextlib.asynccontextmanager
async def traced_client(address: str, provider: TracerProvider):
    interceptors = aio_client_interceptors(tracer_provider=provider)
    async with grpc.aio.insecure_channel(address, interceptors=interceptors) as channel:
        yield dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)


async def test_client_dispatch_serve_and_loopback_are_one_trace(field, traced, provider, exporter):
    east = await traced("east", "users", probe=("users",))
    west = await traced("west", "users")
    await west.connect_to(east.address)
    exporter.clear()
    async with traced_client(west.address, provider) as client:
        reply = await client.Dispatch(request("users", "conformance.Probe", "WhoAmI"))
    assert reply.handled_by_collector_id == "east"
    await field.until(lambda: len(exporter.get_finished_spans()) == 6)
    spans = read(exporter)
    assert len({span.trace for span in spans}) == 1
    (loopback,) = (span for span in spans if span.attributes.get("collector.loopback"))
    path = path_to(loopback, spans)
    assert [span.name for span in path] == ERRAND
    assert [span.is_of_the_caller for span in path] == [True, False] * 3
    assert path[2].attributes["collector.peer"] == "east"
    assert path[3].attributes["collector.handled_by"] == "east"
    assert path[3].attributes["collector.method"] == "WhoAmI"


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_what_a_handler_calls_belongs_to_the_errand_over_a_second_hop(
    field, traced, provider, exporter, kind
):
    """`HandlerContext.correlation` is given on, and this call is the parent of those."""
    stock = await traced("stock", "stock", probe=("stock",))
    shop = await traced("shop", "shop", "stock")
    gate = await traced("gate", "shop")
    await gate.connect_to(shop.address)
    await shop.connect_to(stock.address)
    onward = request("stock", "conformance.Probe", "WhoAmI")

    async def buy(_order, context):
        async with grpc.aio.insecure_channel(shop.address) as channel:
            stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)
            return (await stub.Dispatch(onward, metadata=context.correlation)).output

    def plainly_buy(_order, context):
        with grpc.insecure_channel(shop.address) as channel:
            stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)
            return stub.Dispatch(onward, metadata=context.correlation).output

    shop.register_service("shop", "Till", "Buy", buy if kind == "async" else plainly_buy)
    exporter.clear()
    async with traced_client(gate.address, provider) as client:
        reply = await client.Dispatch(request("shop", "Till", "Buy"))
    assert (reply.status.code, reply.handled_by_collector_id) == (200, "shop")
    assert b"stock" in reply.output.value
    await field.until(lambda: len(exporter.get_finished_spans()) == 11)
    spans = read(exporter)
    assert len({span.trace for span in spans}) == 1
    loopbacks = [span for span in spans if span.attributes.get("collector.loopback")]
    paths = sorted((path_to(span, spans) for span in loopbacks), key=len)
    served = ERRAND[:4]
    assert [[span.name for span in path] for path in paths] == [
        ERRAND,
        # The handler's own call is not traced by anybody but who is called.
        [*served, DISPATCH, *ERRAND[2:]],
    ]
    handled_by = [span.attributes.get("collector.handled_by") for span in paths[1]]
    assert [each for each in handled_by if each] == ["shop", "shop", "stock", "stock", "stock"]


async def test_each_peer_that_is_tried_has_a_span(field, traced, provider, exporter):
    """Also where it could not be reached, so that one sees where the time went."""
    east = await traced("east", "users", probe=("users",))
    west = await traced("west", "users")
    gone = await traced("gone", "users", probe=("users",))
    for peer in (gone, east):
        await west.connect_to(peer.address)
    await gone.kill()
    exporter.clear()
    async with traced_client(west.address, provider) as client:
        reply = await client.Dispatch(request("users", "conformance.Probe", "WhoAmI"), timeout=20)
        assert reply.handled_by_collector_id == "east"
        reply = await client.Dispatch(
            DispatchRequest(
                namespace="users",
                service=ServiceTypeRef(service_name="conformance.Probe"),
                method_name="WhoAmI",
                target_collector_id="gone",
            ),
            timeout=20,
        )
        assert reply.status.code == 503
    tried = [span for span in read(exporter) if "collector.peer" in span.attributes]
    assert [span.attributes["collector.peer"] for span in tried][-2:] == ["east", "gone"]
    failed = exporter.get_finished_spans()[[span.id for span in read(exporter)].index(tried[-1].id)]
    assert failed.status.description.startswith("PeerUnreachable: ")


class Counting(grpc.aio.ServerInterceptor):
    """Counts what comes to a port, looks included."""

    def __init__(self) -> None:
        self.calls = 0

    async def intercept_service(self, continuation, details):
        self.calls += 1
        return await continuation(details)


async def test_looks_at_the_own_health_are_no_spans(field, provider, exporter):
    counting = Counting()
    made = CollectorSettings(collector_id="west", health_interval=timedelta(milliseconds=20))
    await field.running(Collector(made, tracer_provider=provider, interceptors=(counting,)))
    exporter.clear()
    before = counting.calls
    await field.until(lambda: counting.calls > before + 20)
    assert read(exporter) == []


async def test_an_untraced_handler_passes_on_what_came(field):
    """Without tracing, the headers of the caller go on as they came."""
    told = []
    west = await field.collector("west", namespaces=("users",))
    west.register_service(
        "users", "S", "M", lambda _input, context: told.append(context.correlation)
    )
    came = (("x-correlation-id", "errand-7"), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"))
    await field.caller(west.address).dispatch("users", "S", "M", metadata=(*came, ("tenant", "t1")))
    (correlation,) = told
    assert sorted(correlation) == sorted(came)


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """A collector of traces over HTTP: its address, and what it was sent."""
    received: list[bytes] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def exported(received: list[bytes]) -> Iterator[Span]:
    """Yields the spans that were sent."""
    for data in received:
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            of = {each.key: each.value.string_value for each in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                yield Span(
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name.lstrip("/"),
                    attributes={
                        each.key: each.value.bool_value or each.value.string_value
                        for each in span.attributes
                    },
                    by=(of["service.name"], of["service.instance.id"]),
                )


@pytest.fixture
def exporting(launched) -> Callable[..., AbstractContextManager[str]]:
    """Runs a collector that exports its traces as a process, to the end of the block, and lends
    its address.
    """

    @contextlib.contextmanager
    def run(
        collector_id: str, endpoint: str, environment: Mapping[str, str] = {}, **settings: str
    ) -> Iterator[str]:
        own = {"ID": collector_id, "NAMESPACES": "users", "TRACING": "otlp", **settings}
        variables = {
            **{f"COLLECTOR_{name}": text for name, text in own.items()},
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            **environment,
        }
        with launched(stderr=subprocess.DEVNULL, **variables) as process:
            yield process.stdout.readline().split()[-1]
            process.terminate()
            assert process.wait(30) == 0

    return run


async def test_processes_export_one_trace_before_they_have_ended(
    field, receiver, provider, exporter, exporting
):
    endpoint, received = receiver
    with (
        exporting("east", endpoint, PROBE="users") as east,
        exporting("west", endpoint, {"OTEL_SERVICE_NAME": "shop"}, CONNECT=east) as west,
    ):
        async with traced_client(west, provider) as client:

            async def served() -> bool:
                reply = await client.Dispatch(request("users", "conformance.Probe", "WhoAmI"))
                return reply.handled_by_collector_id == "east"

            # Until the two are connected there is nobody to serve it.
            await field.eventually(served)
    client_span = read(exporter)[-1]
    sent = [span for span in exported(received) if span.trace == client_span.trace]
    (loopback,) = (span for span in sent if span.attributes.get("collector.loopback"))
    path = path_to(loopback, [client_span, *sent])
    assert [span.name for span in path] == ERRAND
    west_s, east_s = ("shop", "west"), ("collector", "east")
    assert [span.by for span in path] == [None, west_s, west_s, east_s, east_s, east_s]
