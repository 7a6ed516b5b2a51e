"""A correct collector that shares no code with ours is accused of nothing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from collector_harness.errors import ExitCode
from collector_harness.events import CaseFinished
from collector_harness.resources import descriptor_set
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import load_scenario
from collector_harness.targets import parse_target
from collector_reference import wire

EXAMPLE = "examples/grpclib-collector"
CANNOT = {"SEC-001", "SEC-002", "OPS-005", "CNC-003", "OPS-006", "SRV-006"}
"""TLS, tokens, persistence, and what only a Python API shows."""


@pytest.fixture
def start(repository, clean_environment):
    """Starts the collector with these variables beside its id."""
    started = []

    def run(**variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, repository / EXAMPLE],
            env=clean_environment | {"COLLECTOR_ID": "west"} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def test_it_is_accused_of_nothing(repository, expect_verdict):
    expect_verdict(repository / EXAMPLE, cannot=CANNOT, known=set(), at_least=101)


def test_ten_of_it_route_as_the_model_says(repository):
    """Every call that the mesh can be asked for, and collectors that dial each other."""
    (file,) = (repository / "scenarios/mesh").glob("*random*.scenario.yaml")
    events = []
    code = asyncio.run(
        run_cases(
            load_scenario(file).cases,
            target=parse_target(str(repository / EXAMPLE / "target.yaml")),
            emit=events.append,
        )
    )
    failures = [each.failure for each in events if isinstance(each, CaseFinished)]
    assert (code, failures) == (ExitCode.OK, [None])


def test_its_contract_is_the_one_that_authors_are_handed(repository):
    """Where this fails, the contract has changed: hand the example out anew, with
    `collector-harness protos`."""
    folder = repository / EXAMPLE / "grpclib_collector"
    ours = Path(wire.__file__).with_name("administration.binpb")
    assert (folder / "administration.binpb").read_bytes() == ours.read_bytes()
    copy = (folder / "collector.binpb").read_bytes()
    handed = {file.name: file for file in FileDescriptorSet.FromString(descriptor_set()).file}
    used = {file.name: file for file in FileDescriptorSet.FromString(copy).file}
    assert {"common", "dispatcher", "registry"} <= {
        name.removeprefix("collector/").removesuffix(".proto") for name in used
    }
    assert used == {name: handed[name] for name in used}


def test_it_imports_nothing_of_ours_and_no_grpcio(repository):
    code = (
        "import sys, grpclib_collector.server;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository / EXAMPLE,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()
    assert "grpclib" in loaded
    assert not {"grpc", "collector_reference", "collector_harness"} & set(loaded)


def test_it_ends_gracefully_when_it_is_asked_to(start):
    process = start()
    assert process.stdout.readline().startswith("collector listening on 127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("COLLECTOR_ID", ""),
        ("COLLECTOR_LISTEN", "nowhere"),
        ("COLLECTOR_CONNECT", "127.0.0.1:0"),
        ("COLLECTOR_DIALECT", "accretional"),
        ("COLLECTOR_VALIDATION", "maybe"),
        ("COLLECTOR_REGISTRY", "sqlite:x"),
        ("COLLECTOR_TLS_CERT", "x.pem"),
    ],
)
def test_a_variable_that_it_cannot_use_ends_it_with_a_message(start, variable, value):
    process = start(**{variable: value})
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 2
    assert variable in complaint


def test_a_taken_port_ends_it_with_a_message(start):
    first = start()
    address = first.stdout.readline().split()[-1]
    second = start(COLLECTOR_LISTEN=address)
    _, complaint = second.communicate(timeout=30)
    assert second.returncode == 3
    assert f"cannot listen on {address}" in complaint


def test_a_registry_that_cannot_be_asked_is_found_before_the_ready_line(start):
    process = start(COLLECTOR_REGISTRY_ADDRESS="127.0.0.1:9")
    output, complaint = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert "the registry cannot be asked" in complaint
