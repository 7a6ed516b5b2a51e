"""Whether a process calls its own port: its established connections, as Linux tells them.

What is seen is that they are there; what is said over them is not. Reading files only.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["CAN_LOOK", "calls_to", "connections_to_itself"]

CAN_LOOK: Final = sys.platform == "linux"
"""Whether this system tells of other processes' sockets."""

_PROC = Path("/proc")
_ESTABLISHED = "01"
_SOCKET = re.compile(r"socket:\[([0-9]+)\]")


def connections_to_itself(pid: int, port: int) -> int:
    """Returns how many established connections a process and the others of its group have that
    they opened to that port; 0 for a process that is gone.
    """
    members = [pid, *(other for other in _processes() if other != pid and _group(other) == pid)]
    sockets = {inode for member in members for inode in _sockets(member)}
    count = 0
    for table in ("tcp", "tcp6"):
        try:
            text = (_PROC / str(pid) / "net" / table).read_text()
        except OSError:
            continue
        count += calls_to(port, text.splitlines()[1:], sockets)
    return count


def calls_to(port: int, rows: Iterable[str], sockets: set[str]) -> int:
    """Returns how many rows of `/proc/net/tcp` are established connections of these sockets, by
    inode, to a remote port. Pure.
    """
    count = 0
    for row in rows:
        fields = row.split()
        if len(fields) < 10 or fields[3] != _ESTABLISHED or fields[9] not in sockets:
            continue
        count += int(fields[2].rpartition(":")[2], 16) == port
    return count


def _processes() -> Iterator[int]:
    for each in os.scandir(_PROC):
        if each.name.isdigit():
            yield int(each.name)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _sockets(pid: int) -> Iterator[str]:
    try:
        for each in os.scandir(_PROC / str(pid) / "fd"):
            try:
                found = _SOCKET.fullmatch(str(Path(each.path).readlink()))
            except OSError:
                continue
            if found is not None:
                yield found[1]
    except OSError:
        return
