"""A command that is interrupted cleans up, and a second interrupt leaves at once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from collector_harness.commands.signals import run_until_signalled

async def work():
    print("started", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaning", flush=True)
        if sys.argv[1] == "hangs":
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        print("clean", flush=True)
    return 0

sys.exit(run_until_signalled(work, terminated=7, give_back=lambda: print("given back", flush=True)))
"""


def start(how: str, *, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if first != "started\n":
        process.kill()
        process.communicate()
        raise AssertionError(first)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 7)])
def test_the_first_signal_lets_the_work_clean_up(number: signal.Signals, code: int) -> None:
    with start("ends") as process:
        process.send_signal(number)
        assert process.communicate(timeout=30)[0] == "cleaning\nclean\n"
        assert process.returncode == code


def test_work_is_cleaned_up_where_nobody_reads_any_more_what_is_told() -> None:
    with start("ends", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == "cleaning\nclean\n"


def test_the_second_signal_leaves_at_once() -> None:
    with start("hangs") as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "cleaning\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0] == "given back\n"
        assert process.returncode == 130


def test_work_that_ends_by_itself_gives_its_own_code() -> None:
    program = PROGRAM.replace("await asyncio.Event().wait()\n    finally", "return 3\n    finally")
    ended = subprocess.run([sys.executable, "-c", program, "ends"], check=False, timeout=30)
    assert ended.returncode == 3
