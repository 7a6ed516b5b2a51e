"""Small programs in place of collectors, and a runtime to launch them on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector_harness.launchers.base import Launch
from collector_harness.runtime import Runtime
from collector_harness.targets import ExecTarget
from collector_harness.topology.values import Node

# Listens, says so, and answers each connection with one line about itself.
ANSWERING = """
import os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print("collector listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall((os.environ["COLLECTOR_ID"] + " " + str(os.getpid())).encode())
    connection.close()
"""


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], ExecTarget]:
    """Makes a target of the source of a Python program."""

    def make(source: str) -> ExecTarget:
        path = tmp_path / "program.py"
        path.write_text(source)
        return ExecTarget(command=(sys.executable, "-S", str(path)))

    return make


@pytest.fixture
def answering(program: Callable[[str], ExecTarget]) -> ExecTarget:
    return program(ANSWERING)


@pytest.fixture
def launch() -> Launch:
    return Launch(node=Node(name="west", namespaces=("a", "b"), probe=("a",)))
