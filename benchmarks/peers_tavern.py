"""Tavern, the peer of P15: the thousand scenarios in its language, and what it needs to run them.

Tavern lives in an environment of its own, `.venv-peers`. Of the ways that its documentation gives,
it is given the quickest: ready stubs, rather than `.proto` files or what a server reflects, and
for many tests in one file the mark `parametrize`, rather than a document for each.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks import thousand
from benchmarks.contests import MeasurementFailed

__all__ = ["generate_stubs", "interpreter", "test_text", "tests_text"]

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
CONTRACT = ("collector/common.proto", "collector/dispatcher.proto")
STUBS = "collector.dispatcher_pb2_grpc"
ANY_OF_STRUCT = "type.googleapis.com/google.protobuf.Struct"


def test_text(number: int, address: str) -> str:
    """Returns a test that makes the call of a scenario to a server, and expects what it expects.

    Only fields that are named are compared, as in ours; both look at the status and the number.
    """
    return _text(f"{number} comes back", str(number), address)


def tests_text(numbers: Iterable[int], address: str) -> str:
    """Returns the same for each number as one test with a parameter."""
    values = ", ".join(map(str, numbers))
    marks = f"marks:\n  - parametrize: {{key: number, vals: [{values}]}}\n"
    return _text("every number comes back", '!int "{number}"', address) + marks


def _text(title: str, number: str, address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"""\
test_name: {title}
strict: false
grpc:
  connect: {{host: {host}, port: {port}, timeout: {thousand.DEADLINE_SECONDS:.0f}}}
  proto: {{module: {STUBS}}}
stages:
  - name: the number is echoed
    grpc_request:
      service: collector.CollectiveDispatcher/Dispatch
      body:
        namespace: {thousand.NAMESPACE}
        service: {{service_name: {thousand.SERVICE}}}
        method_name: {thousand.METHOD}
        input: {{"@type": {ANY_OF_STRUCT}, value: {{number: {number}}}}}
    grpc_response:
      status: OK
      body:
        status: {{code: HTTP_OK}}
        output: {{"@type": {ANY_OF_STRUCT}, value: {{number: {number}}}}}
"""


def interpreter() -> Path:
    """Returns the Python that has Tavern; raises `MeasurementFailed` where there is none."""
    if not PYTHON.exists():
        raise MeasurementFailed("P15 needs an environment with Tavern: `make bench-peers` makes it")
    return PYTHON


async def generate_stubs(folder: Path) -> None:
    """Writes the stubs of the contract into a folder, made for Tavern's version of protobuf.

    Raises `MeasurementFailed` with what the compiler says when it does not.
    """
    process = await asyncio.create_subprocess_exec(
        interpreter(),
        *("-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}"),
        *(f"--python_out={folder}", f"--grpc_python_out={folder}"),
        *CONTRACT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise MeasurementFailed(f"the stubs were not generated:\n{output.decode(errors='replace')}")
