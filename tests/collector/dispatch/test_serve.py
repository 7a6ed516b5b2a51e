"""What Serve executes and refuses, over a real port."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import DoubleValue, StringValue

from collector_reference import HandlerError, NotRegistered, RegistryUnavailable
from collector_reference.wire.common_pb2 import ServiceTypeRef, Status
from collector_reference.wire.dispatcher_pb2 import ServeRequest, ServeResponse

OK = Status(code=Status.HTTP_OK, message="OK")


def failure(code: int, message: str) -> ServeResponse:
    return ServeResponse(status=Status(code=code, message=message), executor_id="west")


async def test_a_handler_runs_and_its_output_comes_back(field, text):
    """SRV-001, WIR-010"""
    collector = await field.collector()
    collector.register_service("users", "UserService", "GetUser", lambda name, _: f"user {name}")
    reply = await field.caller(collector.address).serve("users", "UserService", "GetUser", "ann")
    assert reply == ServeResponse(status=OK, output=text("user ann"), executor_id="west")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ServeRequest(), "namespace is required"),
        (ServeRequest(namespace="users"), "service is required"),
        (
            ServeRequest(namespace="users", service=ServiceTypeRef(namespace="users")),
            "service is required",
        ),
        (
            ServeRequest(namespace="users", service=ServiceTypeRef(service_name="S")),
            "method_name is required",
        ),
        (
            ServeRequest(
                namespace="users",
                service=ServiceTypeRef(service_name="S", namespace="orders"),
                method_name="M",
            ),
            "service.namespace 'orders' contradicts namespace 'users'",
        ),
    ],
)
async def test_an_incomplete_request_is_refused(field, request_, message):
    """SRV-002, SRV-013, SRV-014"""
    caller = field.caller((await field.collector()).address)
    assert await caller.dispatcher.Serve(request_) == failure(400, message)


async def test_unregistered_unhandled_and_unknown_are_told_apart(field):
    """SRV-003, SRV-004, SRV-005"""
    collector = await field.collector(probe=("users",))
    caller = field.caller(collector.address)
    assert await caller.serve("users", "conformance.Probe", "Unregistered", "k") == failure(
        404,
        "service not registered in registry: service 'conformance.Probe' in namespace 'users' "
        "has no method 'Unregistered'",
    )
    assert await caller.serve("users", "conformance.Probe", "Declared") == failure(
        404, "method 'conformance.Probe.Declared' not found in namespace 'users'"
    )
    collector.declare_method("empty", "S", "M")
    assert await caller.serve("empty", "S", "M") == failure(404, "namespace 'empty' not found")
    assert collector.statistics().executions == {}


async def test_without_validation_only_the_handler_table_decides(field):
    """SRV-003"""
    collector = await field.collector(probe=("users",), validation=False)
    caller = field.caller(collector.address)
    assert (await caller.serve("users", "conformance.Probe", "Unregistered", "k")).status == OK
    assert await caller.serve("users", "S", "M") == failure(
        404, "method 'S.M' not found in namespace 'users'"
    )
    assert await caller.serve("nowhere", "S", "M") == failure(404, "namespace 'nowhere' not found")
    assert collector.statistics().loopback_calls == 0


class Recording:
    """A validator that says what it is told to, and remembers what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, str, str]] = []
        self.time_left: timedelta | None = None

    async def validate_service_method(self, namespace, service, method, *, time_left=None):
        self.asked.append((namespace, service, method))
        self.time_left = time_left
        if self.error:
            raise self.error


async def test_a_validator_is_attached_and_taken_away_at_run_time(field):
    """SRV-004, SRV-006"""
    collector = await field.collector(probe=("users",))
    caller = field.caller(collector.address)
    validator = Recording(NotRegistered("the test says so"))
    collector.set_registry_validator(validator)
    assert await caller.serve("users", "conformance.Probe", "Count", "k") == failure(
        404, "service not registered in registry: the test says so"
    )
    assert validator.asked == [("users", "conformance.Probe", "Count")]
    collector.set_registry_validator(None)
    assert (await caller.serve("users", "conformance.Probe", "Count", "k")).status == OK
    assert validator.asked == [("users", "conformance.Probe", "Count")]
    assert collector.statistics().executions == {"users/conformance.Probe/Count": 1}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RegistryUnavailable("it is gone"), "the registry cannot be asked: it is gone"),
        (OSError("/secret/socket"), "the registry cannot be asked: internal error"),
    ],
)
async def test_a_registry_that_cannot_be_asked_is_not_a_miss(field, error, message):
    """VAL-008, SEC-004"""
    collector = await field.collector(probe=("users",))
    collector.set_registry_validator(Recording(error))
    reply = await field.caller(collector.address).serve("users", "conformance.Probe", "WhoAmI")
    assert reply == failure(503, message)


async def test_the_validator_is_told_what_is_left_of_the_deadline(field):
    """LOOP-007"""
    collector = await field.collector(probe=("users",))
    collector.set_registry_validator(validator := Recording())
    caller = field.caller(collector.address)
    await caller.serve("users", "conformance.Probe", "WhoAmI", timeout=7)
    assert validator.time_left is not None
    assert timedelta(seconds=5) < validator.time_left < timedelta(seconds=8)
    await caller.serve("users", "conformance.Probe", "WhoAmI")
    assert validator.time_left is None


async def test_one_real_loopback_call_answers_for_many(field):
    """LOOP-001, VAL-004"""
    collector = await field.collector(probe=("users",), advertise="203.0.113.1:9")
    caller = field.caller(collector.address)
    for _ in range(3):
        assert (await caller.serve("users", "conformance.Probe", "WhoAmI")).status == OK
    await caller.serve("users", "conformance.Probe", "Silent")
    statistics = collector.statistics()
    assert statistics.loopback_calls == 2
    assert statistics.rpcs == {
        "/collector.CollectiveDispatcher/Serve": 4,
        "/collector.CollectorRegistry/ValidateMethod": 2,
    }


async def test_without_a_cache_every_call_asks(field):
    collector = await field.collector(probe=("users",), validation_cache=timedelta(0))
    caller = field.caller(collector.address)
    for _ in range(3):
        await caller.serve("users", "conformance.Probe", "WhoAmI")
    assert collector.statistics().loopback_calls == 3


async def test_a_registration_takes_effect_at_once(field):
    """VAL-010"""
    collector = await field.collector()
    collector.register_service("users", "S", "M", lambda value, _: "ran", declare=False)
    caller = field.caller(collector.address)
    assert (await caller.serve("users", "S", "M")).status.code == 404
    await caller.register("users", "S", "M")
    assert (await caller.serve("users", "S", "M")).status == OK


async def test_many_calls_validate_over_the_loopback_without_a_deadlock(field, text):
    """LOOP-006, CNC-001"""
    collector = await field.collector(
        probe=("users",), validation_cache=timedelta(0), worker_threads=1
    )
    caller = field.caller(collector.address)
    replies = await asyncio.gather(
        *(caller.serve("users", "conformance.Probe", "Echo", str(n)) for n in range(200))
    )
    assert [reply.output for reply in replies] == [text(str(n)) for n in range(200)]


async def test_failures_of_handlers_are_answers(field):
    """SRV-007, SRV-008, SEC-004"""
    collector = await field.collector()

    async def cancels(value, context):
        raise asyncio.CancelledError

    def fails(error):
        def handler(value, context):
            raise error

        return handler

    handlers = {
        "Deliberate": (fails(HandlerError("out of stock: \u2603")), "out of stock: \u2603"),
        "Value": (fails(ValueError("no such sku")), "no such sku"),
        "Wordless": (fails(LookupError()), "LookupError"),
        "Surrogate": (fails(ValueError("\ud800")), "\\ud800"),
        "Crash": (fails(SystemExit("/secret")), "internal error"),
        "Stop": (fails(StopIteration("/secret")), "internal error"),
        "Os": (fails(FileNotFoundError(2, "gone", "/secret")), "internal error"),
        "Type": (fails(TypeError("bug")), "internal error"),
        "Cancels": (cancels, "internal error"),
        "Wrong": (
            lambda value, context: object(),
            "a handler cannot return a value of type object",
        ),
    }
    caller = field.caller(collector.address)
    for method, (handler, _) in handlers.items():
        collector.register_service("users", "S", method, handler)
    answers = {method: await caller.serve("users", "S", method) for method in handlers}
    assert answers == {
        method: failure(500, f"handler error: {expected}")
        for method, (_, expected) in handlers.items()
    }


async def test_a_handler_without_output_leaves_it_unset(field):
    """SRV-009, SRV-012"""
    collector = await field.collector()
    got: list[object] = []
    collector.register_service("users", "S", "M", lambda value, _: got.append(value))
    reply = await field.caller(collector.address).serve("users", "S", "M")
    assert reply == ServeResponse(status=OK, executor_id="west")
    assert not reply.HasField("output")
    assert got == [None]


async def test_services_methods_and_namespaces_are_kept_apart(field, text):
    """SRV-010, SRV-011, ISO-001"""
    collector = await field.collector()
    keys = [
        ("users", "A", "M"),
        ("users", "B", "M"),
        ("orders", "A", "M"),
        ("users", "pkg.Svc", "M"),
        ("users", "pkg", "Svc.M"),
    ]
    for key in keys:
        collector.register_service(*key, lambda value, _, key=key: "/".join(key))
    caller = field.caller(collector.address)
    for key in keys:
        assert (await caller.serve(*key)).output == text("/".join(key))
    assert (await caller.serve("orders", "B", "M")).status.code == 404


@pytest.mark.parametrize(
    "payload",
    [
        Any(),
        Any(value=b"no type"),
        Any(type_url="type.googleapis.com/shop.Unknown", value=b"\xff\xff\xff"),
        Any(type_url="type.googleapis.com/google.protobuf.Struct", value=b"\xff\xff\xff"),
        # A string written in two pieces of which only the last counts: decoding would lose one.
        Any(
            type_url="type.googleapis.com/google.protobuf.StringValue",
            value=b"\x0a\x01a\x0a\x01b",
        ),
    ],
)
async def test_a_payload_comes_back_byte_for_byte(field, payload):
    """WIR-006"""
    collector = await field.collector(probe=("users",))
    reply = await field.caller(collector.address).serve(
        "users", "conformance.Probe", "Echo", payload
    )
    assert reply.HasField("output")
    assert reply.output == payload


async def test_a_plain_handler_does_not_hold_up_the_others(field, text):
    collector = await field.collector(probe=("users",))
    entered, gate = threading.Event(), threading.Event()

    def blocks(value, context):
        entered.set()
        return "freed" if gate.wait(20) else "stuck"

    collector.register_service("users", "S", "Block", blocks)
    caller = field.caller(collector.address)
    blocked = asyncio.create_task(_awaited(caller.serve("users", "S", "Block")))
    await field.until(entered.is_set)
    assert (await caller.serve("users", "conformance.Probe", "WhoAmI")).output == text("west")
    gate.set()
    assert (await blocked).output == text("freed")


async def _awaited(call):
    return await call


async def test_handlers_of_every_kind_get_input_and_context(field, text):
    collector = await field.collector()

    async def coroutine(value, context):
        return f"{value} {context.method}"

    def returns_a_coroutine(value, context):
        return coroutine(value, context)

    class Object:
        async def __call__(self, value, context):
            return f"{value} {context.method}"

    class UserService:
        def Plain(self, value, context):
            return f"{value} {context.method}"

        async def Async(self, value, context):
            return f"{value} {context.method}"

        @staticmethod
        def Static(value, context):
            return f"{value} {context.method}"

        def _private(self, value, context):
            raise AssertionError

    collector.register_service("users", "UserService", "Function", coroutine)
    collector.register_service("users", "UserService", "Object", Object())
    collector.register_service("users", "UserService", "Returns", returns_a_coroutine)
    collector.add_implementation("users", UserService)
    caller = field.caller(collector.address)
    for method in ("Function", "Object", "Returns", "Plain", "Async", "Static"):
        reply = await caller.serve("users", "UserService", method, "x")
        assert reply == ServeResponse(status=OK, output=text(f"x {method}"), executor_id="west")
    assert (await caller.serve("users", "UserService", "_private")).status.code == 404


class Greeter:
    """Its inputs are annotated with messages: by name, as with a `from __future__` import, and
    beside names that are there for checkers only."""

    def Wait(self, pause: Duration, context: OnlyForCheckers) -> float:  # noqa: F821
        return pause.seconds + pause.nanos / 1e9

    def Name(self, service: ServiceTypeRef, _context: object) -> str:
        return f"{service.namespace}/{service.service_name}"

    async def Wrapped(self, text: StringValue, _context: object) -> str:
        return type(text).__name__ + text.value

    def Whatever(self, value: Any, _context: object) -> Any:
        return value

    def Nowhere(self, value: NobodyKnows, _context: object) -> str:  # noqa: F821
        return type(value).__name__


def as_any(message):
    payload = Any()
    payload.Pack(message)
    return payload


async def test_an_input_that_is_annotated_with_a_message_arrives_as_one(field, text):
    collector = await field.collector()
    collector.add_implementation("users", Greeter)
    caller = field.caller(collector.address)
    by_json_names = Struct()
    by_json_names.update({"namespace": "users", "serviceName": "Greeter"})
    for payload, seconds in (
        (as_any(Duration(seconds=7, nanos=500_000_000)), 7.5),
        (as_any(Empty()), 0.0),
        (None, 0.0),
    ):
        reply = await caller.serve("users", "Greeter", "Wait", payload)
        assert (reply.status.code, reply.status.message) == (200, "OK")
        assert reply.output == as_any(DoubleValue(value=seconds))
    named = await caller.serve("users", "Greeter", "Name", as_any(by_json_names))
    assert named.output == text("users/Greeter")
    assert (await caller.serve("users", "Greeter", "Wrapped", "x")).output == text("StringValuex")
    untyped = await caller.serve("users", "Greeter", "Whatever", "x")
    assert untyped.output == text("x")
    assert (await caller.serve("users", "Greeter", "Nowhere", "x")).output == text("str")


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (as_any(StringValue(value="x")), "not 'google.protobuf.StringValue'"),
        (Any(type_url="a/google.protobuf.Duration", value=b"\xff"), "is no google.protobuf"),
    ],
)
async def test_an_input_of_another_type_is_400_and_the_handler_does_not_run(
    field, payload, problem
):
    collector = await field.collector()
    collector.add_implementation("users", Greeter)
    reply = await field.caller(collector.address).serve("users", "Greeter", "Wait", payload)
    assert reply.status.code == 400
    assert problem in reply.status.message
    assert collector.statistics().executions == {}


async def test_the_context_tells_about_the_call(field):
    collector = await field.collector()
    seen: dict[str, object] = {}

    async def handler(value, context):
        seen.update(
            ids=(context.collector_id, context.namespace, context.service, context.method),
            execution_context=dict(context.execution_context),
            tenant=dict(context.metadata)["tenant"],
            time_left=context.time_left,
            cancelled=context.cancelled,
        )

    collector.register_service("users", "S", "M", handler)
    caller = field.caller(collector.address)
    await caller.dispatcher.Serve(
        ServeRequest(
            namespace="users",
            service=ServiceTypeRef(service_name="S"),
            method_name="M",
            execution_context={"trace": "1"},
        ),
        metadata=(("tenant", "t1"),),
    )
    assert seen == {
        "ids": ("west", "users", "S", "M"),
        "execution_context": {"trace": "1"},
        "tenant": "t1",
        "time_left": None,
        "cancelled": False,
    }


async def test_a_cancelled_call_cancels_its_handler_and_frees_it(field, text):
    """FLT-001, FLT-002"""
    collector = await field.collector(probe=("users",))
    caller = field.caller(collector.address)
    minute = Any()
    minute.Pack(Duration(seconds=60))
    calls = [
        asyncio.create_task(
            _awaited(caller.serve("users", "conformance.Probe", "Sleep", minute, timeout=0.3))
        )
        for _ in range(20)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {outcome.code() for outcome in outcomes} == {grpc.StatusCode.DEADLINE_EXCEEDED}

    async def all_were_cancelled() -> bool:
        reply = await caller.serve("users", "conformance.Probe", "Cancelled", "k")
        return reply.output.value == b"\x08\x14"

    await field.eventually(all_were_cancelled)
    assert (await caller.serve("users", "conformance.Probe", "WhoAmI")).output == text("west")


@pytest.mark.parametrize(
    ("implementation", "message"),
    [
        (lambda value: value, "must take .input, context., but takes .value."),
        (lambda value, context, more: value, "must take"),
        ("not callable", "cannot be called"),
    ],
)
async def test_a_handler_that_cannot_be_called_is_refused_when_it_is_registered(
    field, implementation, message
):
    collector = field.unstarted()
    with pytest.raises(TypeError, match=message):
        collector.register_service("users", "S", "M", implementation)


async def test_an_implementation_without_methods_is_refused(field):
    class Nothing:
        _hidden = 1

    with pytest.raises(TypeError, match="Nothing has no public method to serve"):
        field.unstarted().add_implementation("users", Nothing)


async def test_an_implementation_is_called_as_it_says(field, text):
    class Implementation:
        service_name = "shop.Orders"

        def Create(self, value, context):
            return context.service

    collector = await field.collector()
    collector.add_implementation("orders", Implementation())
    reply = await field.caller(collector.address).serve("orders", "shop.Orders", "Create")
    assert reply.output == text("shop.Orders")


async def test_where_an_unexpected_failure_came_from_is_logged_and_not_answered(field, caplog):
    """SRV-007, SEC-004"""

    def handler(_value, _context):
        return {}["sku"]

    collector = await field.collector()
    collector.register_service("users", "S", "M", handler)
    reply = await field.caller(collector.address).serve("users", "S", "M")
    assert (reply.status.code, reply.status.message) == (500, "handler error: 'sku'")
    assert "KeyError: 'sku'" in caplog.text
    assert Path(__file__).name in caplog.text
