"""`serve` takes the launch contract from flags and environment alike."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable

import pytest

from collector_harness.commands.serve import FLAGS, environment_with

Run = Callable[..., subprocess.CompletedProcess[str]]
Background = Callable[..., subprocess.Popen[str]]


def test_a_flag_beats_its_variable() -> None:
    environment = {"COLLECTOR_ID": "west", "COLLECTOR_NAMESPACES": "users", "HOME": "/"}
    given = {"collector_id": "east", "collector_namespaces": None}
    assert environment_with(given, environment) == environment | {"COLLECTOR_ID": "east"}


def test_every_variable_of_the_contract_has_a_flag(run: Run) -> None:
    contract = {
        *("COLLECTOR_ID", "COLLECTOR_LISTEN", "COLLECTOR_NAMESPACES", "COLLECTOR_ADVERTISE"),
        *("COLLECTOR_CONNECT", "COLLECTOR_SYSTEM_NAMESPACE", "COLLECTOR_REGISTRY_ADDRESS"),
        *("COLLECTOR_PROBE", "COLLECTOR_DIALECT", "COLLECTOR_VALIDATION", "COLLECTOR_REGISTRY"),
        *("COLLECTOR_TLS_CERT", "COLLECTOR_TLS_KEY", "COLLECTOR_TLS_CA"),
    }
    assert set(FLAGS) >= contract
    shown = run("serve", "--help").stdout
    assert all(flag in shown for flag, _, _ in FLAGS.values())


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["--listen", "nonsense"], {}, "--listen (COLLECTOR_LISTEN)"),
        ([], {"COLLECTOR_VALIDATION": "maybe"}, "--validation (COLLECTOR_VALIDATION)"),
        (["--lsten", "x"], {}, "--listen"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_by_flag_and_variable(
    run: Run, words: list[str], environment: dict[str, str], said: str
) -> None:
    ended = run("serve", *words, environment=environment)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_it_says_when_it_is_ready_and_ends_well_on_sigterm(background: Background) -> None:
    process = background("serve", "--id", "west", "--probe", "demo")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[0]
    assert re.fullmatch(r"collector listening on 127\.0\.0\.1:[1-9][0-9]*\n", first)
    assert rest == ""
    assert process.returncode == 0


def test_a_taken_port_is_told_in_one_message(run: Run, served: str) -> None:
    ended = run("serve", "--id", "east", "--listen", served)
    assert ended.returncode == 3
    assert served in ended.stderr
    assert any(line.startswith("error: ") for line in ended.stderr.splitlines())
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
