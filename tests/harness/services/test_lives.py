"""Steps end services and start them again, and tell how processes ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.events import CaseFinished, Event, Outcome
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import load_scenario

PROGRAM = """
import os, signal, sys, threading

def serve(port):
    import http.server
    def leave(*_):
        print("leaving", flush=True)
        os._exit(7 if os.path.exists(os.environ["NOTE"]) else 0)
    signal.signal(signal.SIGTERM, leave)
    answer = http.server.SimpleHTTPRequestHandler
    http.server.HTTPServer(("127.0.0.1", port), answer).serve_forever()
"""


def run(folder: Path, steps: str, *, rest: str = "") -> CaseFinished:
    (folder / "lives.py").write_text(PROGRAM)
    path = folder / "s.scenario.yaml"
    path.write_text(
        'version: 1\nscenario: t\ntopology: {nodes: {hub: {collector: "exec:{executable} -m '
        f'collector_reference"}}}}}}\n{rest}'
        'services:\n  shop: {python: "lives.py:serve", protocol: http, ready: {http: /}, '
        f'environment: {{NOTE: "{folder}/note"}}}}\n'
        f"steps:\n{steps}"
    )
    events: list[Event] = []
    asyncio.run(run_cases(load_scenario(path).cases, emit=events.append))
    (finished,) = (event for event in events if isinstance(event, CaseFinished))
    return finished


def test_a_service_is_ended_in_good_order_and_started_again_on_its_address(folder: Path) -> None:
    pytest.importorskip("httpx")
    finished = run(
        folder,
        """\
  - stop: shop
    expect: {exit: 0, logs: {$contains: leaving}}
  - http: GET /
    via: shop
    expect: {error: {$any: true}}
  - start: shop
    expect: {ready: true}
  - http: GET /
    via: shop
  - stop: hub
    expect: {exit: 0}
  - start: hub
""",
    )
    assert finished.outcome is Outcome.PASSED, finished.failure


def test_a_service_that_ends_badly_is_told(folder: Path) -> None:
    (folder / "note").touch()
    finished = run(folder, "  - stop: shop\n")
    assert finished.failure is not None
    assert [(each.path, each.actual) for each in finished.failure.mismatches] == [("exit", "7")]


@pytest.mark.parametrize("step", ["stop: shop", "start: hub"])
def test_lives_are_refused_where_cases_share_a_mesh(folder: Path, step: str) -> None:
    with pytest.raises(InvalidInput, match="would hurt the cases that share the mesh"):
        run(folder, f"  - {step}\n", rest="isolation: shared\n")
