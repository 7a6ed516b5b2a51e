"""A case that did not pass, explained on a card: pure, from one event to lines.

Short by default, whole on demand; either way bounded, because a target may answer with
anything of any length.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from collector_harness.events import CaseFinished, Failure, Mismatch, Outcome
from collector_harness.reports.escaping import block, one_line
from collector_harness.reports.json_values import json_values
from collector_harness.reports.lines import Line, Span, line, source_excerpt

__all__ = ["SHORT", "WHOLE", "Bounds", "Describe", "brief", "card", "duration"]

Describe = Callable[[str], str | None]
"""Returns level, text and source of a requirement by its id; None for one that it does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much of each part a card shows."""

    mismatches: int
    answer_lines: int
    log_nodes: int
    log_lines: int
    """Of each node."""
    columns: int
    """Of a line of text that came from elsewhere."""


SHORT: Final = Bounds(mismatches=10, answer_lines=32, log_nodes=4, log_lines=6, columns=160)
WHOLE: Final = Bounds(
    mismatches=10_000, answer_lines=20_000, log_nodes=1_000, log_lines=2_000, columns=20_000
)

_MESSAGE_COLUMNS: Final = 1_000

_LABELS: Final = {
    Outcome.PASSED: "PASSED",
    Outcome.FAILED: "FAILED",
    Outcome.CRASHED: "CRASHED",
    Outcome.ERROR: "ERROR",
    Outcome.UNSUPPORTED: "UNSUPPORTED",
}


def duration(seconds: float) -> str:
    """Returns a duration for a person."""
    if seconds < 60:
        return f"{seconds:.3f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def brief(seconds: float) -> str:
    """Returns a duration for a place with little room, where a call of a millisecond counts too."""
    if seconds < 0.0995:
        return f"{seconds * 1_000:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    return duration(seconds)


def card(
    finished: CaseFinished, *, bounds: Bounds, describe: Describe, request: bool = False
) -> tuple[Line, ...]:
    """Returns the card of a case that did not pass.

    It holds where the expectation is written, every mismatch, the answer, the requirements,
    the route, the logs of the nodes, and the command that reproduces it; a part that the
    failure does not have is left out, and a part that is cut says so. With `request` it holds
    what was sent in the last call too, for whoever has not written the scenario.
    """
    failure = finished.failure or Failure(message="the engine gave no reason")
    return tuple(_parts(finished, failure, bounds, describe, request))


def _parts(
    finished: CaseFinished, failure: Failure, bounds: Bounds, describe: Describe, request: bool
) -> Iterator[Line]:
    yield line(
        Span(_LABELS[finished.outcome], "bad"),
        "  ",
        Span(one_line(finished.case, bounds.columns), "strong"),
        Span(f"  {duration(finished.seconds)}", "faint"),
    )
    if failure.position is not None:
        yield from source_excerpt(failure.position, indent="  ")
    if failure.step:
        yield line("  ", Span("step: ", "accent"), one_line(failure.step, bounds.columns))
    # What we say ends with the remedy: it is cut only where somebody else's text makes it endless.
    columns = max(bounds.columns, _MESSAGE_COLUMNS)
    first, *rest = block(failure.message, lines=bounds.answer_lines, columns=columns) or ("",)
    yield line("  ", Span(first, "strong"))
    for text in rest:
        yield line("  ", text)
    yield from _mismatches(failure.mismatches, bounds)
    if request and failure.request is not None:
        yield _heading(f"request to {one_line(failure.called, bounds.columns)}")
        yield from _indented(
            block(_json(failure.request), lines=bounds.answer_lines, columns=bounds.columns)
        )
    if failure.answer is not None:
        yield _heading("answer")
        yield from _indented(
            block(_json(failure.answer), lines=bounds.answer_lines, columns=bounds.columns)
        )
    yield from _requirements(failure.requirements or finished.requirements, describe)
    if failure.route:
        route = " -> ".join(failure.route)
        yield line("  ", Span("route: ", "accent"), one_line(route, bounds.columns))
    yield from _logs(failure, bounds)
    if failure.reproduce:
        yield _heading("reproduce")
        # Never cut: half a command is of no use to whoever pastes it.
        yield line("    ", one_line(failure.reproduce, 100_000))
    if failure.by_hand:
        needs = ", with `collector-harness protos protos`" if "-protoset" in failure.by_hand else ""
        yield _heading(f"by hand{needs}")
        yield line("    ", one_line(failure.by_hand, 100_000))


def _heading(text: str) -> Line:
    return line("  ", Span(f"{text}:", "accent"))


def _indented(texts: Iterable[str]) -> Iterator[Line]:
    for text in texts:
        yield line("    ", text)


def _mismatches(mismatches: tuple[Mismatch, ...], bounds: Bounds) -> Iterator[Line]:
    if not mismatches:
        return
    yield _heading("mismatches")
    for mismatch in mismatches[: bounds.mismatches]:
        yield line(
            "    ", Span(one_line(mismatch.path, bounds.columns) or "(the answer)", "strong")
        )
        yield line(
            "      ", Span(f"- expected {one_line(mismatch.expected, bounds.columns)}", "good")
        )
        yield line("      ", Span(f"+ was      {one_line(mismatch.actual, bounds.columns)}", "bad"))
    over = len(mismatches) - bounds.mismatches
    if over > 0:
        yield line("    ", f"… {over} more mismatch{'es' if over > 1 else ''}")


def _requirements(ids: tuple[str, ...], describe: Describe) -> Iterator[Line]:
    if not ids:
        return
    yield _heading("requirements")
    for requirement in ids:
        text = describe(requirement)
        yield line("    ", one_line(f"{requirement} {text}" if text else requirement, 1000))


def _logs(failure: Failure, bounds: Bounds) -> Iterator[Line]:
    nodes = [(node, text) for node, text in failure.logs.items() if text.strip()]
    for node, text in nodes[: bounds.log_nodes]:
        yield _heading(f"log of {one_line(node, bounds.columns)}")
        for each in block(text, lines=bounds.log_lines, columns=bounds.columns, tail=True):
            yield line("    ", Span("| ", "faint"), each)
    over = len(nodes) - bounds.log_nodes
    if over > 0:
        yield line("  ", f"… logs of {over} more node{'s' if over > 1 else ''}")


def _json(value: object) -> str:
    return json.dumps(json_values(value), indent=2, ensure_ascii=False)
