"""Each call can be made again by grpcurl, without the harness."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from collector_harness.by_hand import grpcurl_line
from collector_harness.mesh import Mesh
from collector_harness.resources import write_protos
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import parse_scenario
from collector_harness.targets import Reference
from collector_harness.topology.values import Node, Topology

PROBE = "conformance.Probe"
SERVE = "/collector.CollectiveDispatcher/Serve"


def test_a_line_is_quoted_for_a_shell_and_leaves_out_what_is_unset() -> None:
    request = {"namespace": "it's; rm -rf $HOME", "service": {}, "method_name": "", "input": "a b"}
    line = grpcurl_line(SERVE, request, address="127.0.0.1:7", descriptors="x.binpb")
    assert line is not None
    words = shlex.split(line)
    assert words[:5] == ["grpcurl", "-plaintext", "-protoset", "x.binpb", "-d"]
    assert words[6:] == ["127.0.0.1:7", "collector.CollectiveDispatcher/Serve"]
    assert json.loads(words[5]) == {
        "namespace": "it's; rm -rf $HOME",
        "input": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "a b"},
    }


def test_what_is_not_of_the_contract_is_found_by_reflection() -> None:
    line = grpcurl_line("/grpc.health.v1.Health/Check", {"service": ""}, address="h:1")
    assert line == "grpcurl -plaintext -use-reflection h:1 grpc.health.v1.Health/Check"


@pytest.mark.parametrize(
    "request_",
    [{"@bytes": "AA=="}, {"input": {"@type": "type.googleapis.com/x.Unknown", "value": "AA=="}}],
)
def test_what_no_json_can_say_has_no_line(request_: object) -> None:
    assert grpcurl_line(SERVE, request_, address="h:1") is None


def test_a_breach_tells_the_call_that_showed_it() -> None:
    scenario = parse_scenario(
        "version: 1\nscenario: x\ntopology: {nodes: {hub: {namespaces: [shop]}}}\n"
        "steps: [{lookup: shop/Nothing, expect: {status: OK}}]\n"
    )
    events: list[Any] = []
    asyncio.run(run_cases(scenario.cases, emit=events.append))
    (failure,) = [event.failure for event in events if getattr(event, "failure", None)]
    words = shlex.split(failure.by_hand)
    assert words[0] == "grpcurl"
    assert words[-1] == "collector.CollectorRegistry/LookupService"
    assert json.loads(words[words.index("-d") + 1]) == {
        "namespace": "shop",
        "service_name": "Nothing",
    }


@pytest.mark.parametrize(
    "value", [{"a": [1, None, "x"]}, "it's $HOME", 7, True, 1.5, [1, "two"]], ids=repr
)
def test_grpcurl_gets_the_same_answer(tmp_path: Path, value: object) -> None:
    program = shutil.which("grpcurl", path=os.environ.get("PATH", "") + f":{Path.home()}/go/bin")
    if program is None:
        pytest.skip("there is no grpcurl on this machine (go install .../cmd/grpcurl@latest)")
    write_protos(tmp_path)

    async def run() -> tuple[Any, str]:
        node = Node(name="hub", namespaces=("shop",), probe=("shop",))
        mesh = Mesh(Topology(nodes=(node,)), target=Reference())
        try:
            await mesh.start()
            reply = await mesh["hub"].client.serve("shop", PROBE, "Echo", value)
            line = grpcurl_line(
                reply.rpc,
                reply.request,
                address=mesh["hub"].address,
                descriptors=str(tmp_path / "collector.binpb"),
            )
            assert line is not None
            command = shlex.join([program, *shlex.split(line)[1:]])
            ended = await asyncio.create_subprocess_shell(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            out, err = await ended.communicate()
            assert ended.returncode == 0, err
            return reply.output, out.decode()
        finally:
            await mesh.stop()

    output, printed = asyncio.run(run())
    answer = json.loads(printed)
    assert answer["executorId"] == "hub"
    shown = answer["output"]["value"]
    assert (int(shown) if isinstance(shown, str) and shown.isdigit() else shown) == output
