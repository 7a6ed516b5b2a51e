"""No stack trace and no path goes over the wire, whatever goes wrong (SEC-004)."""

from __future__ import annotations

import re

import grpc
import grpc.aio
import pytest

from collector_reference import HandlerError
from collector_reference.errors import RegistryUnavailable
from collector_reference.security.withholding import for_the_wire
from collector_reference.wire import registry_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ServeResponse
from collector_reference.wire.registry_pb2 import ValidateMethodResponse

SECRET = "/srv/secret/place/data.db"
TRACE = f'Traceback (most recent call last):\n  File "{SECRET}", line 7, in run\nValueError: x'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("all is well", "all is well"),
        (f"cannot open {SECRET}", "cannot open <withheld>"),
        (f"No such file: '{SECRET}'", "No such file: '<withheld>'"),
        ("see ~/.config/x and /a/b/", "see <withheld> and <withheld>"),
        ("unix:/run/collector.sock: refused", "<withheld> refused"),
        (r"C:\Users\ann\x.txt is locked", "<withheld> is locked"),
        ("file:///etc/passwd", "<withheld>"),
        ("method /collector.CollectorRegistry/ListServices", None),
        ("ipv4:127.0.0.1:50051: refused; 3/4 of https://example.com/a/b", None),
        ("id shop/Orders.Get and a/b/c", None),
        (TRACE, "<withheld>"),
        (f"failed\n{TRACE}", "failed"),
    ],
)
def test_paths_and_traces_are_withheld_and_the_rest_is_not(text, told):
    assert for_the_wire(text) == (text if told is None else told)


def test_a_text_of_megabytes_is_cut():
    assert len(for_the_wire("/a" * 1_000_000)) <= 2000


def is_clean(text):
    return not re.search(r"/srv|/usr|/work|/home|\.py\b|Traceback|File \"|line \d+|data\.db", text)


def raising(error):
    def handler(value, context):
        raise error

    return handler


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"cannot parse {SECRET}"),
        FileNotFoundError(2, "No such file", SECRET),
        RuntimeError(TRACE),
        AssertionError(SECRET),
        SystemExit(SECRET),
        KeyError(SECRET),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_sec_004_a_handler_that_crashes_tells_no_path(field, error):
    west = await field.collector()
    west.register_service("shop", "S", "M", raising(error))
    caller = field.caller(west.address)
    for reply in (await caller.serve("shop", "S", "M"), await caller.dispatch("shop", "S", "M")):
        assert reply.status.code == 500
        assert is_clean(reply.status.message)


async def test_what_a_handler_says_on_purpose_is_relayed_as_it_is(field):
    west = await field.collector()
    west.register_service("shop", "S", "M", raising(HandlerError("see /a/b")))
    reply = await field.caller(west.address).serve("shop", "S", "M")
    assert reply.status.message == "handler error: see /a/b"


async def test_sec_004_a_handler_of_the_wrong_type_tells_no_path(field):
    class Odd:
        def __repr__(self):
            return SECRET

    west = await field.collector()
    west.register_service("shop", "S", "M", lambda value, context: Odd())
    reply = await field.caller(west.address).serve("shop", "S", "M")
    assert reply.status.code == 500
    assert is_clean(reply.status.message)


@pytest.mark.parametrize("error", [RegistryUnavailable(f"unix:{SECRET}"), ValueError(SECRET)])
async def test_sec_004_a_validator_that_fails_tells_no_path(field, error):
    class Failing:
        async def validate_service_method(self, namespace, service, method, *, time_left=None):
            raise error

    west = await field.collector()
    west.register_service("shop", "S", "M", lambda value, context: None)
    west.set_registry_validator(Failing())
    reply = await field.caller(west.address).serve("shop", "S", "M")
    assert reply.status.code == 503
    assert is_clean(reply.status.message)


async def test_sec_004_a_remote_registry_that_fails_tells_no_path(field, tmp_path):
    class Broken(registry_pb2_grpc.CollectorRegistryServicer):
        def __init__(self):
            self.good = True

        async def ValidateMethod(self, request, context):
            if not self.good:
                await context.abort(grpc.StatusCode.INTERNAL, TRACE)
            return ValidateMethodResponse(status=Status(), is_valid=True)

        async def LookupService(self, request, context):
            await context.abort(grpc.StatusCode.INTERNAL, SECRET)

    broken = Broken()
    address = await field.registry(broken)
    west = await field.collector(registry_address=address)
    west.register_service("shop", "S", "M", lambda value, context: None)
    broken.good = False
    reply = await field.caller(west.address).serve("shop", "S", "M")
    assert reply.status.code == 503
    assert is_clean(reply.status.message)


async def test_sec_004_a_peer_that_breaks_tells_no_path_of_its_machine(field):
    east = await field.peer("east")
    west = await field.collector(namespaces=("shop",))
    await west.connect_to(east.address)

    async def fail(request, context):
        raise RuntimeError(TRACE)

    async def silent(request, context):
        return ServeResponse()

    caller = field.caller(west.address)
    for on_serve in (fail, silent):
        east.on_serve = on_serve
        for target in ("", "east"):
            reply = await caller.dispatch("shop", "S", "M", target=target)
            assert reply.status.code != 200
            assert is_clean(reply.status.message)


async def test_sec_004_a_store_that_breaks_tells_no_path(field, monkeypatch):
    west = await field.collector(validation=False)

    def fail(*_):
        raise OSError(5, "disk I/O error", SECRET)

    for name in ("add_service", "service", "services", "has_method"):
        monkeypatch.setattr(west._store, name, fail)
    caller = field.caller(west.address)
    for call in (
        caller.register("shop", "S", "M"),
        caller.validate("shop", "S", "M"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert is_clean(caught.value.details())


async def test_sec_004_what_nobody_expected_is_internal_and_tells_nothing(field, monkeypatch):
    west = await field.collector(validation=False)

    def fail(*_):
        raise RuntimeError(TRACE)

    monkeypatch.setattr(west._connections, "accept", fail)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await field.caller(west.address).connect("east", "127.0.0.1:1")
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == "internal error"


async def test_sec_004_undecodable_bytes_tell_no_path(field):
    west = await field.collector()
    channel = field.caller(west.address).channel
    for path in (
        "/collector.CollectiveDispatcher/Dispatch",
        "/collector.CollectiveDispatcher/Connect",
        "/collector.CollectorRegistry/RegisterProto",
        "/grpc.health.v1.Health/Check",
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(path)(b"\xff\xff\xff")
        assert is_clean(caught.value.details())
