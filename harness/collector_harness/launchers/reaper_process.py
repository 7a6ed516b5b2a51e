"""The program of the reaper: waits until the harness is gone, then ends what it left behind.

It runs alone (`python -I -S reaper_process.py VARIABLE=VALUE`) with the standard library only,
so that it starts fast. Its standard input is the other end of a pipe that only the
harness holds; the end of that pipe is the end of the harness, however it came.
Each line on it is a JSON list: ["group", pgid], ["server", pgid] for a PostgreSQL server,
["ended", pgid], ["folder", path] or ["forget", path].
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress


def main() -> None:
    """Reads what is to be guarded until the harness is gone, then clears up."""
    marker = sys.argv[1].encode()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, str | None] = {}
    servers: set[int] = set()
    folders: set[str] = set()
    for line in sys.stdin:
        # A harness that is killed in mid-write leaves half a line.
        with suppress(ValueError, TypeError):
            note(json.loads(line), groups, servers, folders)
    for group in servers.intersection(groups):
        if start_of(group) == groups[group]:
            end_server(group)
    for group, start in groups.items():
        # A leader with another start time is a stranger that got the number anew.
        if start_of(group) in (start, None):
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)
    end_marked(marker)
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


def note(
    message: object, groups: dict[int, str | None], servers: set[int], folders: set[str]
) -> None:
    """Notes what one message of the harness says; the groups with the start of their leaders."""
    match message:
        case ["group", int(group)]:
            groups[group] = start_of(group)
        case ["server", int(group)]:
            groups[group] = start_of(group)
            servers.add(group)
        case ["ended", int(group)]:
            groups.pop(group, None)
        case ["folder", str(path)]:
            folders.add(path)
        case ["forget", str(path)]:
            folders.discard(path)


def end_server(pid: int) -> None:
    """Lets a PostgreSQL server end at once, and waits for it a little: its immediate way to end
    cuts off its own children and leaves no shared memory.
    """
    begun = start_of(pid)
    with suppress(OSError):
        os.kill(pid, signal.SIGQUIT)
    end = time.monotonic() + 5
    while start_of(pid) == begun is not None and time.monotonic() < end:
        # It is nobody's child here, so there is nothing to wait on.
        time.sleep(0.01)


def end_marked(marker: bytes) -> None:
    """Kills every process of ours whose environment holds `marker` (`NAME=value`).

    Repeats until none is left, because a process may start another while it is being looked
    for. Does nothing where there is no /proc.
    """
    for _ in range(50):
        found = marked(marker)
        if not found:
            return
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        # Not for synchronisation: a killed process is seen until the kernel has let it go.
        time.sleep(0.02)


def marked(marker: bytes) -> list[int]:
    """Returns the ids of running processes whose environment holds `marker`."""
    try:
        entries = os.listdir("/proc")  # noqa: PTH208
    except OSError:
        return []
    found = []
    for entry in entries:
        if entry.isdigit() and int(entry) != os.getpid():
            with suppress(OSError):
                with open(f"/proc/{entry}/environ", "rb") as file:  # noqa: PTH123
                    environment = file.read()
                if marker in environment.split(b"\0"):
                    found.append(int(entry))
    return found


def start_of(pid: int) -> str | None:
    """Returns when a process started, in the kernel's ticks; None when that is unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            # The name in parentheses may itself hold spaces and parentheses.
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return None


if __name__ == "__main__":
    main()
