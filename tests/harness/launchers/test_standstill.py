"""Whether a process has stopped is seen at each of its threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from collector_harness.launchers.standstill import stands_still

BUSY = """
import threading
def work():
    while True:
        pass
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
print("busy", flush=True)
threading.Event().wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_a_process_stands_still_once_each_of_its_threads_does() -> None:
    words = [sys.executable, "-c", BUSY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "busy\n"
            assert not stands_still(process.pid)
            process.send_signal(signal.SIGSTOP)
            until = time.monotonic() + 20
            while not stands_still(process.pid):
                assert time.monotonic() < until
            before = os.times().elapsed, _used(process.pid)
            while os.times().elapsed < before[0] + 0.1:
                pass
            assert _used(process.pid) == before[1]
        finally:
            process.kill()
    assert stands_still(process.pid)


def _used(pid: int) -> list[str]:
    """Returns the processor time of a process so far."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - as the kernel writes it
        return file.read().rpartition(")")[2].split()[11:13]
