"""A collector as a process of its own, by the launch contract."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

PROBE = "conformance.Probe"


def ready_address(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline()
    match = re.fullmatch(r"collector listening on (127\.0\.0\.1:\d+)\n", line)
    assert match, line
    return match[1]


async def test_it_serves_what_the_environment_says(field, text, launched):
    """OPS-004"""
    with launched(COLLECTOR_ID="east", COLLECTOR_NAMESPACES="users", COLLECTOR_PROBE="users") as p:
        west = await field.collector("west", namespaces=("users",), connect=(ready_address(p),))
        await field.until(lambda: bool(west.connections()))
        reply = await field.caller(west.address).dispatch("users", PROBE, "WhoAmI")
        assert (reply.output, reply.handled_by_collector_id) == (text("east"), "east")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_gracefully(number, code, launched):
    with launched(stderr=subprocess.PIPE) as process:
        ready_address(process)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest) == (code, "")
    assert "Traceback" not in errors


def test_a_second_signal_ends_it_at_once(launched):
    with launched(COLLECTOR_PROBE="users") as process:
        address = ready_address(process)
        script = f"""
import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from collector_reference.wire.common_pb2 import ServiceTypeRef
from collector_reference.wire.dispatcher_pb2 import ServeRequest
from collector_reference.wire.dispatcher_pb2_grpc import CollectiveDispatcherStub
payload = Any()
payload.Pack(Duration(seconds=60))
channel = grpc.insecure_channel("{address}")
grpc.channel_ready_future(channel).result(20)
call = CollectiveDispatcherStub(channel).Serve.future(
    ServeRequest(namespace="users", service=ServiceTypeRef(service_name="{PROBE}"),
                 method_name="Sleep", input=payload))
print("called", flush=True)
call.exception()
"""
        client = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert client.stdout.readline() == "called\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=8)
        client.communicate(timeout=20)
    # Whichever of the two the process was told of first: they go to different threads.
    assert process.returncode in (0, 130)


def test_a_registry_that_cannot_be_asked_ends_it_without_a_ready_line(closed_port, launched):
    """LOOP-003"""
    with launched(
        stderr=subprocess.PIPE, COLLECTOR_REGISTRY_ADDRESS=closed_port["address"]
    ) as process:
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (5, "")
    assert f"not ready: the registry at {closed_port['address']} could not be asked" in errors
    assert "Traceback" not in errors


def test_a_signal_while_it_is_not_ready_ends_it(closed_port, launched):
    with launched(
        stderr=subprocess.PIPE, COLLECTOR_REGISTRY_ADDRESS=closed_port["address"]
    ) as process:
        # The log tells that it has begun; before that the signal would meet bare Python.
        while "starting" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        (
            {"COLLECTOR_LISTEN": "nowhere"},
            2,
            "COLLECTOR_LISTEN: 'nowhere' is not host:port, such as 127.0.0.1:0 or [::1]:0\n",
        ),
        (
            {"COLLECTOR_LISTEN": "203.0.113.7:0"},
            3,
            "cannot listen on 203.0.113.7:0: Cannot assign requested address\n",
        ),
    ],
)
def test_what_cannot_be_started_says_so_in_one_line(variables, code, message, launched):
    with launched(stderr=subprocess.PIPE, **variables) as process:
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (code, "")
    assert message in errors
    assert "Traceback" not in errors
