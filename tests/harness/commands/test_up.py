"""`up` brings up a mesh, says how to use it, and stops it when told to."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Background = Callable[..., subprocess.Popen[str]]


def guide_of(process: subprocess.Popen[str], log: Path) -> list[str]:
    """Returns what `up` printed once the mesh was there."""
    assert process.stdout is not None
    lines: list[str] = []
    for text in process.stdout:
        lines.append(text.rstrip("\n"))
        if "Health/Check" in text and "grpcurl" in text:
            return lines
    raise AssertionError(log.read_text())


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_calls_to_paste_work_until_it_is_told_to_stop(
    run: Run, background: Background, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = background("up", "star:3")
    lines = guide_of(process, tmp_path / "log")
    pasted = [text.strip() for text in lines if "collector-harness call" in text]
    assert len(pasted) == 3
    for text in pasted:
        ended = run(*shlex.split(text)[1:])
        assert ended.returncode == 0, ended.stderr
    assert "handled by leaf1" in run(*shlex.split(pasted[0])[1:]).stderr
    nodes = [text.split() for text in lines if text.startswith(("  hub ", "  leaf"))]
    addresses = [row[1] for row in nodes if row[1] != "->"]
    assert len(addresses) == 3
    assert all(map(listens, addresses))
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert not any(map(listens, addresses))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_topology_that_cannot_be_is_told_before_anything_starts(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("nodes:\n  west: {namespaces: [x]}\nlinks: [west -> esat]\n")
    ended = run("up", "bad.yaml")
    assert ended.returncode == 2
    assert "bad.yaml:3:" in ended.stderr
    assert "esat" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_target_that_exits_ends_it_and_leaves_nothing(run: Run) -> None:
    ended = run("up", "star:2", "--target", f"exec:{sys.executable} -c 'raise SystemExit(3)'")
    assert ended.returncode == 5
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


MORTAL = """\
import asyncio, os
from collector_reference import Collector, CollectorSettings

async def main():
    collector = Collector(CollectorSettings.from_environment(os.environ))
    await collector.start()
    print(f"collector listening on {collector.address}", flush=True)
    while not os.path.exists(f"{collector.collector_id} must die"):
        await asyncio.sleep(0.05)
    os._exit(9)

asyncio.run(main())
"""


def test_a_node_that_dies_ends_it_and_the_other_nodes(
    background: Background, tmp_path: Path
) -> None:
    (tmp_path / "mortal.py").write_text(MORTAL)
    process = background("up", "star:2", "--target", f"exec:{sys.executable} mortal.py")
    lines = guide_of(process, tmp_path / "log")
    addresses = [text.split()[1] for text in lines if text.startswith(("  hub 127", "  hub  "))]
    (tmp_path / "leaf1 must die").touch()
    process.communicate(timeout=60)
    assert process.returncode == 5
    assert "leaf1" in (tmp_path / "log").read_text()
    assert addresses
    assert not any(map(listens, addresses))
