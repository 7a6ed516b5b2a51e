"""Services that do not do what they should: the message names them, the reason and their log."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from collector_harness.errors import EnvironmentLacks, ExitCode, InvalidInput, TargetFailed
from collector_harness.events import CaseFinished, Event
from collector_harness.launchers import service as launcher
from collector_harness.launchers.ports import reserved_port
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import load_scenario
from collector_harness.topology import parse_topology

MeshOf = Callable[..., Mesh]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            'command: "no-such-program --port ${port}"',
            ("could not be started: No such file or directory", "no-such-program --port "),
        ),
        ('python: "app.py:dies"', ("exited with status 3 before it was ready", "about to die")),
        (
            'python: "app.py:deaf", ready: {within: 4s}',
            ("was not ready within 4 s: nothing listens on", "PORT", "not listening to"),
        ),
        (
            'python: "app.py:bare", ready: {health: true, within: 4s}',
            ("UNIMPLEMENTED", "write ready: {port: true}", "serving on"),
        ),
        (
            'python: "app.py:not_serving", ready: {within: 4s}',
            ("its health service answers: {'status': 'NOT_SERVING'}",),
        ),
        (
            'python: "app.py:told", ready: {log: "^never$", within: 4s}',
            ("it wrote no line that matches '^never$'", "told everything"),
        ),
        (
            'command: "{executable} -m http.server ${port}", ready: {http: /x, within: 4s}',
            ("GET /x is answered: HTTP/1.0 404",),
        ),
        ('python: "app.py:nothing"', ("is no grpc service: found a int", "name a factory")),
        ('python: "app.py:bear"', ("has no 'bear'", "did you mean 'bare'?")),
        ('python: "no_such_module:x"', ("there is no module 'no_such_module'",)),
    ],
)
def test_a_service_that_does_not_come_up_is_explained(
    mesh_of: MeshOf, runtime: Runtime, written: str, told: tuple[str, ...]
) -> None:
    mesh = mesh_of(f"  shop: {{{written}}}\n")
    with pytest.raises(TargetFailed) as raised:
        runtime.run(mesh.start())
    assert raised.value.node == "shop"
    message = str(raised.value)
    assert message.startswith("service 'shop' ")
    for part in told:
        assert part in message, message


def test_what_a_service_writes_is_bounded_and_escaped(mesh_of: MeshOf, runtime: Runtime) -> None:
    mesh = mesh_of('  loud: {python: "app.py:garbage", ready: {log: now ready}}\n')
    runtime.run(mesh.start())
    logs = mesh["loud"].logs()
    assert "now ready" in logs
    assert "\x1b" not in logs
    assert max(map(len, mesh["loud"].log_tail().splitlines())) < 500


def test_a_port_that_a_stranger_took_is_given_up_for_another(
    mesh_of: MeshOf, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger, reserved_port() as free:
        taken: int = stranger.getsockname()[1]
        given = iter([taken, free])
        monkeypatch.setattr(launcher, "reserved_port", lambda: nullcontext(next(given)))
        mesh = mesh_of('  told: {python: "app.py:told", ready: {log: told everything}}\n')
        runtime.run(mesh.start())
        assert mesh["told"].alive
        runtime.run(mesh.stop())

        monkeypatch.setattr(launcher, "reserved_port", lambda: nullcontext(taken))
        mesh = mesh_of('  told: {python: "app.py:told", ready: {log: told everything}}\n')
        with pytest.raises(EnvironmentLacks, match="service 'told' cannot listen"):
            runtime.run(mesh.start())


def test_a_run_with_a_service_that_does_not_start_ends_with_5(
    folder: Path,
) -> None:
    path = folder / "s.scenario.yaml"
    path.write_text(
        "version: 1\nscenario: t\ntopology: {nodes: {hub: }}\n"
        'services: {shop: {python: "app.py:dies"}}\n'
        'steps:\n  - check: {"${seed}": {$ge: 0}}\n'
    )
    events: list[Event] = []
    code = asyncio.run(run_cases(load_scenario(path).cases, emit=events.append))
    assert code is ExitCode.TARGET_FAILED
    (finished,) = (event for event in events if isinstance(event, CaseFinished))
    assert finished.failure is not None
    assert "exited with status 3 before it was ready" in finished.failure.message
    assert "about to die" in finished.failure.message


def test_a_service_that_dies_in_mid_case_is_told_with_its_log(folder: Path) -> None:
    (folder / "mortal.py").write_text(
        "import os, socket\n"
        "def serve(port):\n"
        "    listener = socket.create_server(('127.0.0.1', port))\n"
        "    listener.accept()[0].close()\n"  # who looks whether it is ready
        "    listener.accept()\n"
        "    print('somebody called', flush=True)\n"
        "    os._exit(9)\n"
    )
    path = folder / "s.scenario.yaml"
    path.write_text(
        "version: 1\nscenario: t\ntopology: {nodes: {hub: }}\n"
        'services: {shop: {python: "mortal.py:serve", ready: {port: true}, protocol: http}}\n'
        "steps:\n  - call: grpc.health.v1.Health/Check\n    via: shop\n"
        "    expect: {status: {$any: true}}\n"
    )
    events: list[Event] = []
    code = asyncio.run(run_cases(load_scenario(path).cases, emit=events.append))
    assert code is ExitCode.TARGET_FAILED
    (finished,) = (event for event in events if isinstance(event, CaseFinished))
    assert finished.failure is not None
    assert finished.failure.message.startswith("service 'shop' died: it exited with status 9")
    assert "somebody called" in finished.failure.message


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ("shop: {}", "a service is exactly one of: command, python, address"),
        ('shop: {command: x, address: "a:1"}', "keep one of command, address"),
        ("shop: {command: 'x \"'}", "the command cannot be split into words"),
        ("shop: {address: nowhere}", "'nowhere' is not an address"),
        ("hub: {command: x}", "service 'hub' has the name of a node, or of another service"),
        ("shop: {python: nothing.py:f}", "there is no file 'nothing.py' with handlers"),
        ("shop: {command: x, database: ../orders.db}", "'../orders.db' is not a database"),
        ("shop: {command: x, database: 'sqlite:../x'}", "'sqlite:../x' is not a database"),
        ("shop: {command: x, ready: {health: true, port: true}}", "ready in one way"),
        ("shop: {command: x, ready: {log: '('}}", "'(' is not a regular expression"),
        ("shop: {command: x, ready: {http: healthz}}", "'healthz' is not a path"),
        ("shop: {command: x, protocol: http, ready: {health: true}}", "health is asked over gRPC"),
        ("shop: {command: x, ready: {within: 5}}", "'5' is not a duration"),
        ("shop: {address: 'a:1', ready: {log: x}}", "nothing is known of the log"),
        ("shop: {address: 'a:1', reset: keep}", "'reset' is for services that the harness starts"),
        ("shop: {address: 'a:1', tls: true}", "runs already, and cannot be given a certificate"),
        ("shop: {command: x, environment: {A: '${service.shpo.url}'}}", "did you mean 'shop'?"),
        ("shop: {command: x, environment: {A: '${node.hub.uri}'}}", "a node has no 'uri'"),
        ("shop: {command: x, environment: {A: '${what}'}}", "'${what}' leads nowhere before"),
        ("shop: {command: x, prots: [a]}", "did you mean 'protos'?"),
    ],
)
def test_a_service_that_cannot_be_meant_is_refused_at_its_line(services: str, told: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_topology(f"nodes: {{hub: }}\nservices:\n  {services}\n")
    message = str(raised.value)
    assert told in message
    assert raised.value.problems[0].position is not None
    assert raised.value.problems[0].position.line == 3
