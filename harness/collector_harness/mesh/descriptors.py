"""How many open files a mesh needs, and room for them in the limit of this process."""

from __future__ import annotations

import errno
import os

from collector_harness.errors import EnvironmentLacks
from collector_harness.topology.values import Topology

__all__ = ["descriptors_needed", "make_room"]

_PER_NODE = 12
_PER_LINK = 6
_PER_DOOR = 4
_SPARE = 64


def descriptors_needed(topology: Topology, *, doors: int = 0) -> int:
    """Returns an upper estimate of the open files of a mesh: `64 + 12 nodes + 6 links + 4 doors`.

    A node in process has a listening socket, both ends of its loopback and both ends of the
    harness's channel; one that is a process has three pipes, a front and both sides of each
    connection through it. A link is dialled from both sides: in process, each connection has two
    ends here; through a front, up to three. `doors` are those that faults need besides: each has
    a listening socket and both sides of what is connected through it.
    """
    return (
        _SPARE
        + _PER_NODE * len(topology.nodes)
        + _PER_LINK * len(topology.links)
        + _PER_DOOR * doors
    )


def make_room(needed: int, *, what: str) -> None:
    """Raises the soft limit of open files as far as needed.

    Raises `EnvironmentLacks` that says how many are lacking where the hard limit is too low.
    """
    import resource

    total = needed + _open_now()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= total:
        return
    if hard != resource.RLIM_INFINITY and hard < total:
        raise EnvironmentLacks(
            f"{what} needs about {total} open files, but this process may have {hard}: "
            f"raise the limit with `ulimit -n {total}`, as root where the hard limit is reached, "
            "or use a smaller topology"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (total, hard))


def ran_out(error: BaseException) -> bool:
    """Whether an error, or what it came from, says that there are no more descriptors."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.EMFILE, errno.ENFILE):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _open_now() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    except OSError:
        return _SPARE
