"""Whether a process that was told to stop has stopped: all of its threads, as Linux tells."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["stands_still"]

_PROC = Path("/proc")
_STILL = frozenset("TtZX")
"""Stopped, or ended."""


def stands_still(pid: int) -> bool:
    """Returns whether no thread of a process runs any more; True where nobody can tell, and for
    a process that is gone.
    """
    if sys.platform != "linux":
        return True
    try:
        return all(_state(task) in _STILL for task in (_PROC / str(pid) / "task").iterdir())
    except OSError:
        return True


def _state(task: Path) -> str:
    try:
        # The name before it stands in brackets, and may hold anything.
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
