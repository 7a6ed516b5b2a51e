"""The log of calls, which goes through standard logging and is seen in the process only."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from collector_harness.conformance.lib.checks import Bench, library_check
from collector_harness.targets import PythonTarget, Reference
from collector_harness.topology.values import Node, Topology
from collector_reference.observability.values import CallLog

_PROBE = "conformance.Probe"
_LOGGER = "collector_reference.calls"
_DURATION = re.compile(r"duration\w*\"?\s*[=:]\s*\"?[0-9]+(\.[0-9]+)?")


class _Lines(logging.Handler):
    """Keeps every line that any logger of the process writes."""

    _listening: ClassVar[list[_Lines]] = []
    _former: ClassVar[int] = logging.NOTSET

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[_Lines]:
        """Has calls logged; how much is logged is as before when the last one stops listening."""
        lines, calls = cls(), logging.getLogger(_LOGGER)
        if not cls._listening:
            cls._former = calls.level
            calls.setLevel(logging.INFO)
        cls._listening.append(lines)
        logging.getLogger().addHandler(lines)
        try:
            yield lines
        finally:
            logging.getLogger().removeHandler(lines)
            cls._listening.remove(lines)
            if not cls._listening:
                calls.setLevel(cls._former)


@library_check(
    "OPS-006",
    title="each call leaves one line, with its duration and correlation id",
    settings="call_log=CallLog.TEXT",
    by_hand="""
logging.basicConfig(level=logging.INFO)
lines = []
logging.getLogger().handlers[0].addFilter(lambda each: lines.append(each.getMessage()) or True)
await serve("WhoAmI", metadata=(("x-correlation-id", "by-hand"),))
about = [line for line in lines if "by-hand" in line and "/Serve" in line]
show("lines about the call", len(about), 1)
show("lines with a duration", sum("duration" in line for line in about), 1)
""",
)
async def one_line_per_call(bench: Bench) -> None:
    assert isinstance(bench.target, PythonTarget | Reference)
    settings = (*bench.target.settings, ("call_log", CallLog.TEXT))
    logging_target = replace(bench.target, settings=settings)
    node = Node(name="hub", namespaces=("shop",), probe=("shop",))
    with _Lines.listening() as lines:
        async with bench.mesh(Topology(nodes=(node,)), target=logging_target) as mesh:
            client = mesh["hub"].client
            wanted = {}
            for method, status in {"Echo": "OK", "Fail": "INTERNAL", "Nope": "NOT_FOUND"}.items():
                mark = f"{bench.seed}-{id(lines)}-{method}"
                reply = await client.serve(
                    "shop", _PROBE, method, "text", metadata={"x-correlation-id": mark}
                )
                bench.expect(f"{method} is answered", {"status": reply.status}, {"status": status})
                wanted[method] = mark
    for method, mark in wanted.items():
        # The question to the registry, a call of its own, belongs to the same errand.
        about = [each for each in lines.kept if mark in each and "/Serve" in each]
        bench.expect(
            f"the call to {method} left one line with its correlation id",
            {"lines": len(about)},
            {"lines": 1},
        )
        bench.expect(
            f"the line of {method} tells how long it took",
            {"line": about[0], "has a duration": bool(_DURATION.search(about[0]))},
            {"has a duration": True},
        )
