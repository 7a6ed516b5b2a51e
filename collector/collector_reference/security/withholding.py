"""What errors keep to themselves: no stack trace and no path of this machine goes over the wire
(SEC-004). The log has all of it.
"""

from __future__ import annotations

import logging
import re

import grpc

from collector_reference.behaviours import Context

__all__ = ["answer_internal", "fitting", "for_the_wire"]

_LOG = logging.getLogger(__name__)

_WITHHELD = "<withheld>"
_TRACE = re.compile(r"Traceback \(most recent call last\)|\n\s+File \"|\n\s+at \S+[(:]")
_PATH = re.compile(
    r"""unix(?:-abstract)?:[^\s'",;)]+      # gRPC's name of a socket that is a file
    | file://[^\s'",;)]+
    | (?<![\w/.:~-])~?(?:/[\w.@+%~-]+){2,}/?    # absolute, or from a home
    | \b[A-Za-z]:\\[^\s'",;)]+
    | \\\\[\w.-]+\\[^\s'",;)]+""",
    re.VERBOSE,
)
_RPC = re.compile(r"/\w+(?:\.\w+)+/[A-Za-z_]\w*")
_LONGEST = 2000
_HEADER_BYTES = 650
"""gRPC leaves out headers above 2 KiB, and writes three bytes for each that is not plain ASCII."""


def for_the_wire(text: str) -> str:
    """Returns a text from elsewhere (gRPC, a library, a peer's error) without paths and traces.

    The full names of RPCs stay, such as `/collector.CollectorRegistry/ListServices`.
    """
    cut = text[:_LONGEST]
    trace = _TRACE.search(cut)
    if trace is not None:
        cut = cut[: trace.start()].rstrip() or _WITHHELD
    return _PATH.sub(
        lambda found: found.group() if _RPC.fullmatch(found.group()) else _WITHHELD, cut
    )


def fitting(text: str) -> str:
    """Returns a text that fits into the header in which gRPC sends what an error says: a longer
    one, such as one with a long name in it, would be left out as a whole.
    """
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= _HEADER_BYTES:
        return text
    return data[:_HEADER_BYTES].decode("utf-8", "ignore") + "..."


async def answer_internal(error: Exception, context: Context) -> None:
    """Ends a call whose handler let an error out that nobody expected."""
    _LOG.error("a call failed for a reason that nobody expected", exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, "internal error")
