"""The counters of a collector in another process, which its admin service tells."""

from __future__ import annotations

from typing import Any

import pytest

SHOP = """\
version: 1
scenario: t
topology:
  defaults: {namespaces: [shop]}
  nodes:
    hub: {collector: "process:reference", environment: {COLLECTOR_ADMIN: "WHOM"}}
    a: {probe: [shop], collector: "process:reference", environment: {COLLECTOR_ADMIN: "WHOM"}}
    b: {probe: [shop]}
  links: [hub -> a, hub -> b]
"""


def scenario(steps: str, admin: str = "local") -> str:
    return SHOP.replace("WHOM", admin) + "steps:\n" + steps


def test_what_a_process_counts_is_measured_as_in_this_one(run_all: Any) -> None:
    steps = """\
- measure: a
  steps:
    - measure: hub
      steps:
        - repeat: 5
          dispatch: shop/conformance.Probe.WhoAmI
          via: hub
          target: a
      expect:
        loopback_calls: 0
        executions: {$exact: {}}
        rpcs: {$exact: {collector.CollectiveDispatcher/Dispatch: 5}}
  expect:
    loopback_calls: 1
    executions: {$exact: {shop/conformance.Probe/WhoAmI: 5}}
    rpcs:
      $exact:
        collector.CollectiveDispatcher/Serve: 5
        collector.CollectorRegistry/ValidateMethod: 1
- observe: a
  expect:
    executions: {$exact: {shop/conformance.Probe/WhoAmI: 5}}
    connections: [{collector_id: hub, shared_namespaces: [shop], established: true}]
"""
    assert run_all(scenario(steps)).passed()


def test_whom_a_call_reached_and_how_often_it_ran_is_known_of_processes(run_all: Any) -> None:
    steps = """\
- dispatch: shop/conformance.Probe.WhoAmI
  via: hub
  target: a
  expect: {reached: [hub, a]}
- parallel: 20
  dispatch: shop/conformance.Probe.Echo
  via: hub
  input: ${index}
  expect: {delivery: exactly_once}
"""
    ran = run_all(scenario(steps))
    assert ran.passed(), ran.failure


DISPATCH = "dispatch: shop/conformance.Probe.Echo\n  via: hub"


@pytest.mark.parametrize(
    "step",
    [
        "- observe: a\n  expect: {executions: {}}\n",
        f"- {DISPATCH}\n  expect: {{reached: [hub, a]}}\n",
        f"- parallel: 2\n  {DISPATCH}\n  expect: {{delivery: exactly_once}}\n",
    ],
)
def test_a_process_that_does_not_tell_says_how_it_could(run_all: Any, step: str) -> None:
    failure = run_all(scenario(step, admin="off")).failure
    assert "is not in this process: its counters are out of sight" in failure.message
    assert "COLLECTOR_ADMIN: local" in failure.message
    assert "it was asked, and said: method /administration.CollectorAdmin/" in failure.message


def test_an_answer_that_cannot_be_read_is_told(run_all: Any, tmp_path: Any) -> None:
    """Everything that comes from a target is hostile."""
    program = tmp_path / "liar.py"
    program.write_text(
        """\
import asyncio, grpc
from collector_reference.serving import process_settings
from collector_reference import Collector
import os

class Garbage(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation, details):
        if "CollectorAdmin" not in details.method:
            return await continuation(details)
        async def answer(request, context):
            return b"\\xff\\xff\\xff"
        return grpc.unary_unary_rpc_method_handler(answer)

async def main():
    collector = Collector(process_settings(os.environ), interceptors=(Garbage(),))
    await collector.start()
    print(f"collector listening on {collector.address}", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    )
    text = scenario("- observe: a\n  expect: {executions: {}}\n").replace(
        'a: {probe: [shop], collector: "process:reference"',
        f"a: {{probe: [shop], collector: 'exec:{{executable}} {program}'",
    )
    failure = run_all(text).failure
    assert "its answer cannot be read" in failure.message
