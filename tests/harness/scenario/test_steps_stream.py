"""Calls of every kind are made by a script, and judged line by line and as a whole."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, descriptor_pb2, struct_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import parse_scenario

STRUCT = struct_pb2.Struct
SERVICE = "shop.Cart"
KINDS = {
    "Get": (False, False),
    "Watch": (False, True),
    "Fill": (True, False),
    "Talk": (True, True),
    "Endless": (False, True),
    "Huge": (False, True),
    "Garbage": (False, True),
    "Refuse": (False, False),
    "Mute": (True, True),
}


def _struct(**values: Any) -> struct_pb2.Struct:
    message = STRUCT()
    message.update(values)
    return message


class Cart:
    """A service with all four kinds of RPC, and with some that nobody wants to meet."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def Get(self, request: Any, context: Any) -> Any:
        metadata = dict(context.invocation_metadata())
        context.send_initial_metadata((("tenant", str(metadata.get("tenant", "none"))),))
        context.set_trailing_metadata((("count", "1"), ("count", "2")))
        return _struct(id=request["id"], state="NEW")

    def Watch(self, request: Any, context: Any) -> Iterator[Any]:
        context.send_initial_metadata((("tenant", "t1"),))
        for number in range(int(request["count"])):
            yield _struct(id=number, state="NEW")

    def Fill(self, requests: Any, context: Any) -> Any:
        return _struct(ids=[message["id"] for message in requests])

    def Talk(self, requests: Any, context: Any) -> Iterator[Any]:
        for message in requests:
            yield _struct(echo=message["id"])
        yield _struct(echo="bye")

    def Endless(self, request: Any, context: Any) -> Iterator[Any]:
        context.add_callback(self.cancelled.set)
        while context.is_active():
            yield _struct(id=1)

    def Huge(self, request: Any, context: Any) -> Iterator[Any]:
        while context.is_active():
            yield _struct(text="x" * 4_000_000)

    def Garbage(self, request: Any, context: Any) -> Iterator[Any]:
        yield b"\xff\xff"

    def Refuse(self, request: Any, context: Any) -> Any:
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason="SOLD_OUT", domain="shop"))
        unknown = any_pb2.Any(type_url="type.googleapis.com/some.Thing", value=b"abc")
        status = status_pb2.Status(code=9, message="sold out", details=[detail, unknown])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "sold out")

    def Mute(self, requests: Any, context: Any) -> Iterator[Any]:
        context.add_callback(self.cancelled.set)
        self.cancelled.wait(10)
        yield from ()


def _handler(cart: Cart, name: str, kinds: tuple[bool, bool]) -> Any:
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[kinds]
    raw = name == "Garbage"
    return make(
        getattr(cart, name),
        request_deserializer=STRUCT.FromString,
        response_serializer=None if raw else STRUCT.SerializeToString,
    )


def _pool() -> DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="shop.proto",
        package="shop",
        syntax="proto3",
        dependency=["google/protobuf/struct.proto"],
    )
    service = file.service.add(name="Cart")
    for name, (client, server) in KINDS.items():
        service.method.add(
            name=name,
            input_type=".google.protobuf.Struct",
            output_type=".google.protobuf.Struct",
            client_streaming=client,
            server_streaming=server,
        )
    pool = DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@pytest.fixture
def cart() -> Iterator[Cart]:
    cart = Cart()
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    handlers = {name: _handler(cart, name, kinds) for name, kinds in KINDS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    reflection.enable_server_reflection([SERVICE], server, _pool())
    cart.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield cart
    cart.cancelled.set()
    server.stop(None).wait()


def _text(cart: Any, steps: str) -> str:
    return (
        "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"
        f"services: {{orders: {{address: '{cart.address}', ready: {{port: true}}}}}}\n"
        f"defaults: {{via: orders, deadline: 30s}}\nsteps:\n{steps}"
    )


def test_all_four_kinds_are_called_by_a_script(run_all: Any, cart: Any) -> None:
    ran = run_all(
        _text(
            cart,
            """\
  - stream: shop.Cart/Get
    metadata: {tenant: t7}
    script:
      - send: {id: "7"}
      - half_close: true
      - headers: {tenant: [t7]}
      - receive: {id: "7", state: {$in: [NEW, OPEN]}}
        within: 2s
    expect: {messages: {$len: 1}, trailers: {count: ["1", "2"]}, seconds: {$lt: 30s}}
    save: {state: "messages[0].state"}
  - stream: shop.Cart/Watch
    script: [{send: {count: 3}}]
    expect: {messages: [{id: 0}, {id: 1}, {id: 2}], headers: {tenant: [t1]}}
  - stream: shop.Cart/Fill
    deadline: none
    script: [{send: {id: "${state}"}}, {send: {id: b}}, {half_close: true}]
    expect: {messages: [{ids: [NEW, b]}]}
  - stream: shop.Cart/Talk
    script:
      - send: {id: one}
      - receive: {echo: one}
      - send: {id: two}
      - receive: {echo: two}
    expect: {messages: [{echo: one}, {echo: two}, {echo: bye}]}
""",
        )
    )
    assert ran.passed()
    assert [call.rpc for call in ran.calls][-1] == "/shop.Cart/Talk"
    assert ran.calls[-1].request == [{"id": "one"}, {"id": "two"}]


def test_a_line_keeps_what_came_for_the_lines_and_the_steps_after_it(
    run_all: Any, cart: Any
) -> None:
    ran = run_all(
        _text(
            cart,
            """\
  - stream: shop.Cart/Talk
    script:
      - send: {id: one}
      - receive: {echo: {$any: true}}
        save: {first: echo, whole: .}
      - send: {id: "${first}-two"}
      - receive: {echo: one-two}
        save: {second: echo}
  - stream: shop.Cart/Get
    metadata: {tenant: t7}
    script:
      - send: {id: "${second}"}
      - headers: {}
        save: {tenant: "tenant[0]"}
      - receive: {id: "${second}"}
  - check: {"${first}": one, "${second}": one-two, "${tenant}": t7, "${whole}": {echo: one}}
""",
        )
    )
    assert ran.passed()


def test_of_calls_at_once_each_has_its_own_and_all_are_kept(run_all: Any, cart: Any) -> None:
    ran = run_all(
        _text(
            cart,
            """\
  - parallel: 5
    stream: shop.Cart/Talk
    script:
      - send: {id: "${index}"}
      - receive: {}
        save: {mine: echo}
      - send: {id: {$text: "${mine}"}}
      - receive: {echo: {$text: "${index}"}}
    expect: {all: {messages: {$len: 3}}}
  - check: {"${mine}": [0, 1, 2, 3, 4]}
""",
        )
    )
    assert ran.passed()


@pytest.mark.parametrize("path", ["state.name", "nope", "'[0]'"])
def test_what_is_to_be_kept_and_did_not_come_is_told_at_its_line(
    run_all: Any, cart: Any, path: str
) -> None:
    steps = f"""\
  - stream: shop.Cart/Watch
    script:
      - send: {{count: 1}}
      - receive: {{}}
        save: {{what: {path}}}
"""
    if path == "'[0]'":
        with pytest.raises(InvalidInput, match="is not a path"):
            run_all(_text(cart, steps))
        return
    failure = run_all(_text(cart, steps)).failure
    assert failure.message == "what came lacks what was to be saved"
    assert [(each.path, each.actual) for each in failure.mismatches] == [(path, "nothing")]
    assert failure.position.text.strip() == f"save: {{what: {path}}}"


def test_a_field_that_no_message_has_cannot_be_kept() -> None:
    script = "[{receive: {status: SERVING}, save: {was: statsu}}]"
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(
            "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"
            f"steps: [{{stream: grpc.health.v1.Health/Watch, script: {script}}}]\n"
        )
    (problem,) = caught.value.problems
    assert problem.message == "a response of type HealthCheckResponse has no field 'statsu'"
    assert problem.hint == "did you mean 'status'?"


def test_the_details_of_a_status_are_decoded(run_all: Any, cart: Any) -> None:
    details = (
        "[{'@type': type.googleapis.com/google.rpc.ErrorInfo, reason: SOLD_OUT, domain: shop},"
        " {'@type': type.googleapis.com/some.Thing, value: YWJj}]"
    )
    expect = f"expect: {{status: FAILED_PRECONDITION, message: sold out, details: {details}}}"
    ran = run_all(
        _text(
            cart,
            f"  - {{stream: shop.Cart/Refuse, script: [{{send: {{}}}}], {expect}}}\n"
            f"  - {{call: shop.Cart/Refuse, input: {{}}, {expect}}}\n",
        )
    )
    assert ran.passed()


def test_a_cancelled_call_reaches_the_server(run_all: Any, cart: Any) -> None:
    steps = """\
  - stream: shop.Cart/Endless
    script: [{send: {}}, {receive: {id: 1}}, {receive: {id: 1}}, {cancel: true}]
    expect: {status: CANCELLED, messages: {$len: {$ge: 2}}}
"""
    assert run_all(_text(cart, steps)).passed()
    assert cart.cancelled.wait(5)


@pytest.mark.parametrize(
    ("script", "message", "position", "mismatches"),
    [
        (
            "[{send: {count: 2}}, {receive: {id: 0}}, {receive: {id: 5, state: OLD}}]",
            "message 2 is not as expected",
            "{id: 5",
            [("id", "5", "1"), ("state", '"OLD"', '"NEW"')],
        ),
        (
            "[{send: {count: 0}}, {receive: {id: 0}}]",
            "there is no message 1: the call ended with OK",
            "receive",
            [],
        ),
        (
            "[{send: {count: 1}}, {headers: {tenant: [t2]}}]",
            "the headers are not as expected",
            "t2",
            [("tenant[0]", '"t2"', '"t1"')],
        ),
    ],
)
def test_a_line_that_is_not_met_is_told_at_its_place(
    run_all: Any, cart: Any, script: str, message: str, position: str, mismatches: Any
) -> None:
    failure = run_all(_text(cart, f"  - stream: shop.Cart/Watch\n    script: {script}\n")).failure
    assert failure.message == message
    assert [(each.path, each.expected, each.actual) for each in failure.mismatches] == mismatches
    assert failure.position.text[failure.position.column - 1 :].startswith(
        position.removeprefix("{")
    )


def test_a_message_that_does_not_come_is_not_waited_for_longer(run_all: Any, cart: Any) -> None:
    steps = "  - {stream: shop.Cart/Mute, script: [{receive: {}, within: 100ms}]}\n"
    failure = run_all(_text(cart, steps)).failure
    assert failure.message == "no message came within 0.1s"
    assert cart.cancelled.wait(5)


def test_what_a_hostile_server_sends_is_bounded(run_all: Any, cart: Any) -> None:
    ran = run_all(
        _text(
            cart,
            """\
  - stream: shop.Cart/Mute
    deadline: 100ms
    script: [{send: {}}]
    expect: {status: DEADLINE_EXCEEDED}
  - stream: shop.Cart/Endless
    deadline: 20s
    script: [{send: {}}]
    expect: {status: RESOURCE_EXHAUSTED, message: {$regex: stopped}, messages: {$len: 10000}}
  - stream: shop.Cart/Huge
    deadline: 20s
    script: [{send: {}}]
    expect: {status: RESOURCE_EXHAUSTED, messages: {$len: {$lt: 20}}}
  - stream: shop.Cart/Garbage
    script: [{send: {}}]
    expect: {status: UNDECODABLE, message: {$regex: message 0 is not a google.protobuf.Struct}}
""",
        )
    )
    assert ran.passed()


def test_a_script_is_tried_again_until_it_is_met(run_all: Any, cart: Any) -> None:
    steps = """\
  - stream: shop.Cart/Watch
    eventually: {within: 300ms, backoff: 50ms}
    script: [{send: {count: 1}}, {receive: {id: 9}}]
"""
    failure = run_all(_text(cart, steps)).failure
    assert failure.message.startswith("message 1 is not as expected (")
    assert " tries within 0.3s)" in failure.message


@pytest.fixture
def paused() -> Iterator[Any]:
    """A service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield SimpleNamespace(address="{}:{}".format(*listening.getsockname()))


def test_a_service_that_stands_still_is_told_as_that_by_the_first_call(
    run_all: Any, paused: Any
) -> None:
    steps = """\
  - call: shop.Cart/Get
    input: {id: 7}
    deadline: 200ms
    expect: {status: {$in: [DEADLINE_EXCEEDED, UNAVAILABLE]}, layer: grpc}
  - stream: shop.Cart/Fill
    deadline: 200ms
    script: [{send: {id: 7}}, {half_close: true}]
    expect: {status: {$in: [DEADLINE_EXCEEDED, UNAVAILABLE]}, messages: []}
"""
    ran = run_all(_text(paused, steps))
    assert ran.passed()
    assert [call.rpc for call in ran.calls] == ["/shop.Cart/Get", "/shop.Cart/Fill"]


def test_a_line_that_waits_for_a_service_that_stands_still_is_told(
    run_all: Any, paused: Any
) -> None:
    script = "[{send: {}}, {receive: {id: 1}}]"
    steps = f"  - {{stream: shop.Cart/Watch, deadline: 200ms, script: {script}}}\n"
    failure = run_all(_text(paused, steps)).failure
    assert re.match(
        "there is no message 1: the call ended with (DEADLINE_EXCEEDED|UNAVAILABLE)",
        failure.message,
    )
    assert failure.position.text[failure.position.column - 1 :].startswith("receive:")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("[{half_close: true}, {send: {}}]", "nothing can be sent after half_close"),
        ("[{cancel: true}, {receive: {}}]", "the call is cancelled before this"),
        ("[{receive: {$rgex: a}}]", "unknown matcher '$rgex'"),
        ("[{send: {}, receive: {}}]", "exactly one thing"),
        ("[{send: {servce: ''}}]", "HealthCheckRequest has no field 'servce'"),
    ],
)
def test_a_wrong_script_is_refused_when_the_file_is_read(script: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(
            "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"
            f"steps: [{{stream: grpc.health.v1.Health/Watch, script: {script}}}]\n"
        )
    assert told in str(caught.value)
