"""A launched node is heard, signalled, restarted and ended; one that fails leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from collector_harness.errors import TargetFailed
from collector_harness.launchers.base import Launch
from collector_harness.launchers.process import ProcessNode
from collector_harness.runtime import Runtime
from collector_harness.targets import ExecTarget

Program = Callable[[str], ExecTarget]


async def opened(target: ExecTarget, *, ready_limit: float = 10) -> ProcessNode:
    node = ProcessNode("west", target, ready_limit=timedelta(seconds=ready_limit))
    await node.open()
    return node


async def asked(node: ProcessNode) -> str:
    host, port = node.address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)


def failure(
    runtime: Runtime, target: ExecTarget, launch: Launch, limit: float = 10
) -> TargetFailed:
    async def check() -> TargetFailed:
        node = await opened(target, ready_limit=limit)
        try:
            with pytest.raises(TargetFailed) as caught:
                await node.start(launch)
            assert not node.alive
            assert node.pid is None
        finally:
            await node.stop(None)
        return caught.value

    return runtime.run(check())


def test_a_node_is_reached_at_its_front_address(
    runtime: Runtime, answering: ExecTarget, launch: Launch
) -> None:
    async def check() -> None:
        node = await opened(answering)
        try:
            await node.start(launch)
            assert await asked(node) == f"west {node.pid}"
            assert node.alive
            assert node.failure is None
            assert "collector listening on" in node.logs()
        finally:
            await node.stop(None)
        assert not node.alive

    runtime.run(check())


def test_a_restarted_node_keeps_its_address(
    runtime: Runtime, answering: ExecTarget, launch: Launch
) -> None:
    async def check() -> None:
        node = await opened(answering)
        try:
            address = node.address
            await node.start(launch)
            before = node.pid
            await node.kill()
            assert not node.alive
            assert node.failure is None
            assert await asked_or_refused(node) is None
            await node.start(launch)
            assert node.address == address
            assert node.pid != before
            assert await asked(node) == f"west {node.pid}"
        finally:
            await node.stop(None)

    runtime.run(check())


async def asked_or_refused(node: ProcessNode) -> str | None:
    try:
        return await asked(node) or None
    except ConnectionError:
        return None


def test_a_paused_node_answers_when_it_is_resumed(
    runtime: Runtime, answering: ExecTarget, launch: Launch
) -> None:
    async def check() -> None:
        node = await opened(answering)
        try:
            await node.start(launch)
            await node.pause()
            process = psutil.Process(node.pid)
            await until(lambda: process.status() == psutil.STATUS_STOPPED)
            answer = asyncio.create_task(asked(node))
            done, _ = await asyncio.wait([answer], timeout=0.2)
            assert not done
            await node.resume()
            assert (await answer).startswith("west ")
        finally:
            await node.stop(None)

    runtime.run(check())


def test_a_paused_node_can_be_stopped(
    runtime: Runtime, answering: ExecTarget, launch: Launch
) -> None:
    async def check() -> None:
        node = await opened(answering)
        await node.start(launch)
        await node.pause()
        await node.stop(None)
        assert not node.alive

    runtime.run(check())


def test_sigterm_ends_a_node_gracefully(runtime: Runtime, program: Program, launch: Launch) -> None:
    target = program("""
import signal, sys
def bye(*_):
    print("bye", file=sys.stderr, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
print("collector listening on 127.0.0.1:9", flush=True)
while True:
    signal.pause()
""")

    async def check() -> None:
        node = await opened(target)
        await node.start(launch)
        assert await node.end() == 0
        await node.stop(None)
        assert node.log_tail(1) == "bye"

    runtime.run(check())


def test_a_node_that_ignores_sigterm_is_killed_after_the_grace(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    target = program("""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("collector listening on 127.0.0.1:9", flush=True)
while True:
    signal.pause()
""")

    async def check() -> None:
        node = await opened(target)
        await node.start(launch)
        assert await node.end(timedelta(seconds=0.1)) == -signal.SIGKILL
        await node.stop(None)

    runtime.run(check())


def test_children_of_a_node_end_with_it(runtime: Runtime, program: Program, launch: Launch) -> None:
    target = program("""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
print("child", child.pid, flush=True)
print("collector listening on 127.0.0.1:9", flush=True)
child.wait()
""")

    async def check() -> None:
        node = await opened(target)
        await node.start(launch)
        child = psutil.Process(int(node.logs().split()[1]))
        await node.kill()
        await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        await node.stop(None)

    runtime.run(check())


def test_it_is_told_what_the_contract_says(
    runtime: Runtime, program: Program, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLECTOR_REGISTRY", "somebody's own")
    target = program("""
import os
for name in sorted(os.environ):
    if name.startswith("COLLECTOR_"):
        print(name, "=", os.environ[name], sep="")
print("collector listening on 127.0.0.1:9", flush=True)
import signal; signal.pause()
""")

    async def check() -> dict[str, str]:
        node = await opened(target)
        await node.start(
            Launch(node=launch.node, connect=("127.0.0.1:1", "127.0.0.1:2"), registry_address=None)
        )
        told = dict(line.split("=", 1) for line in node.logs().splitlines() if "=" in line)
        assert told.pop("COLLECTOR_ADVERTISE") == node.address
        await node.stop(timedelta(0))
        return told

    told = runtime.run(check())
    assert told.pop("COLLECTOR_HARNESS_RUN")
    assert told == {
        "COLLECTOR_ID": "west",
        "COLLECTOR_LISTEN": "127.0.0.1:0",
        "COLLECTOR_NAMESPACES": "a,b",
        "COLLECTOR_PROBE": "a",
        "COLLECTOR_VALIDATION": "on",
        "COLLECTOR_CONNECT": "127.0.0.1:1,127.0.0.1:2",
    }


def test_a_program_that_is_not_there_fails(runtime: Runtime, launch: Launch) -> None:
    error = failure(runtime, ExecTarget(command=("no-such-collector", "--x")), launch)
    assert str(error) == (
        "node 'west' could not be started: No such file or directory "
        "(command: no-such-collector --x); 'no-such-collector' is in no folder of PATH"
    )
    assert error.node == "west"


def test_a_relative_program_that_is_not_there_says_where_it_was_looked_for(
    runtime: Runtime, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = failure(runtime, ExecTarget(command=("bin/collector",)), launch)
    assert str(error).endswith(f"(command: bin/collector); it was looked for from {tmp_path}")


def test_a_program_that_exits_fails_with_its_status_and_log(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    target = program("import sys; print('no config', file=sys.stderr); sys.exit(7)")
    error = failure(runtime, target, launch)
    assert str(error) == "node 'west' exited with status 7 before it was ready\nno config"
    assert error.log_tail == "no config"


def test_a_program_that_is_killed_by_a_signal_says_which(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    error = failure(runtime, program("import os; os.abort()"), launch)
    assert "was ended by SIGABRT before it was ready" in str(error)


def test_a_program_that_hangs_fails_after_the_limit(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    error = failure(
        runtime, program("import signal; print('loading'); signal.pause()"), launch, limit=0.5
    )
    assert "did not print its ready line within 0.5 s" in str(error)


def test_garbage_before_the_ready_line_goes_to_the_log(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    target = program(r"""
import os, signal
os.write(1, b"\xff\xfe\x1b[2Jhello\x00\r\n" + b"x" * 200_000 + b"\n")
os.write(1, b"collector listening on 127.0.0.1:9\n")
signal.pause()
""")

    async def check() -> str:
        node = await opened(target)
        try:
            await node.start(launch)
            return node.logs()
        finally:
            await node.stop(timedelta(0))

    log = runtime.run(check())
    assert "\\xff\\xfe\\x1b[2Jhello\\x00" in log
    assert "\x1b" not in log
    assert len(log) < 300_000


def test_a_ready_line_inside_a_line_that_is_too_long_does_not_count(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    target = program("""
print("x" * 4096 + "collector listening on 127.0.0.1:9", flush=True)
import signal; signal.pause()
""")
    error = failure(runtime, target, launch, limit=1)
    assert "did not print its ready line" in str(error)


def test_endless_garbage_is_bounded(runtime: Runtime, program: Program, launch: Launch) -> None:
    target = program("""
import os
while True:
    os.write(1, os.urandom(65536))
""")
    error = failure(runtime, target, launch, limit=0.5)
    assert "did not print its ready line" in str(error)
    assert len(error.log_tail) < 2_000_000


@pytest.mark.parametrize(
    "address", ["example.com:80", "127.0.0.1:0", "127.0.0.1", "8.8.8.8:53", "[::]:99999"]
)
def test_a_ready_line_with_an_address_that_cannot_be_used_fails(
    runtime: Runtime, program: Program, launch: Launch, address: str
) -> None:
    target = program(
        f"print('collector listening on {address}', flush=True); import signal; signal.pause()"
    )
    error = failure(runtime, target, launch)
    assert "printed a ready line that cannot be used" in str(error)
    assert address in str(error)


def test_a_node_that_dies_later_says_so(
    runtime: Runtime, answering: ExecTarget, launch: Launch
) -> None:
    async def check() -> None:
        node = await opened(answering)
        try:
            await node.start(launch)
            assert node.pid is not None
            os.kill(node.pid, signal.SIGKILL)
            await until(lambda: not node.alive)
            await until(lambda: node.failure is not None)
            assert "died: it was ended by SIGKILL" in str(node.failure)
            assert await asked_or_refused(node) is None
        finally:
            await node.stop(None)

    runtime.run(check())


def test_a_start_that_is_cancelled_leaves_nothing(
    runtime: Runtime, program: Program, launch: Launch
) -> None:
    target = program("print('loading', flush=True); import signal; signal.pause()")

    async def check() -> None:
        node = await opened(target)
        starting = asyncio.create_task(node.start(launch))
        await until(lambda: "loading" in node.logs())
        process = psutil.Process(node.pid)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not node.alive
        assert not process.is_running()
        await node.stop(None)

    runtime.run(check())
