"""What of the language can be executed so far; the grammar is larger than the engine.

The tables name what an engine exists for. Everything else is found in a scenario with
its place, so that it is refused before anything runs, and not half done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collector_harness.documents import Document
from collector_harness.errors import Problem
from collector_harness.scenario.model import actions_in

__all__ = [
    "EXECUTABLE_ACTIONS",
    "EXECUTABLE_KEYS",
    "EXECUTABLE_MODIFIERS",
    "unsupported",
]

EXECUTABLE_ACTIONS = frozenset(
    {
        "call",
        "check",
        "connect",
        "dispatch",
        "fault",
        "http",
        "list",
        "lookup",
        "measure",
        "observe",
        "register",
        "routes",
        "serve",
        "start",
        "sql",
        "steps",
        "stop",
        "stream",
        "tcp",
        "together",
        "use",
        "validate",
    }
)
"""The actions that have an engine."""

EXECUTABLE_MODIFIERS = frozenset({"eventually", "foreach", "never", "parallel", "repeat", "when"})
"""The modifiers that have one."""

EXECUTABLE_KEYS = frozenset(
    {
        "version",
        "scenario",
        "description",
        "requirements",
        "needs",
        "tags",
        "isolation",
        "timeout",
        "defaults",
        "topology",
        "services",
        "peers",
        "secrets",
        "cases",
        "definitions",
        "before",
        "steps",
        "after",
    }
)
"""The top-level keys that have one."""

_MODIFIERS = ("when", "foreach", "repeat", "parallel", "eventually", "never")
_LATER_ANSWERS: Mapping[str, frozenset[str]] = {}
_LATER_OF_CALLS: frozenset[str] = frozenset()
_LATER_OF_PARALLEL: frozenset[str] = frozenset()
_LATER = "is part of the language, but not yet executable in this version"


def unsupported(document: Document) -> tuple[Problem, ...]:
    """Returns what the scenario in `document` uses that no engine exists for, in order."""
    value = document.value
    if not isinstance(value, dict):
        return ()
    found = [*_of_file(value)]
    for block in ("before", "steps", "after"):
        if block in EXECUTABLE_KEYS:
            found += _of_steps(value.get(block), (block,))
    positioned = [
        Problem(message=f"'{what}' {_LATER}", position=document.position(place, key=True))
        for place, what in found
    ]
    return tuple(sorted(positioned, key=_place))


def _place(problem: Problem) -> tuple[int, int]:
    assert problem.position is not None
    return problem.position.line, problem.position.column


Found = tuple[tuple[str | int, ...], str]


def _of_file(value: Mapping[str, object]) -> Iterator[Found]:
    for key in value:
        if key not in EXECUTABLE_KEYS:
            yield (key,), key


def _of_steps(steps: object, place: tuple[str | int, ...]) -> Iterator[Found]:
    if not isinstance(steps, list):
        return
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            yield from _of_step(step, (*place, index))


def _of_step(step: dict[str, object], place: tuple[str | int, ...]) -> Iterator[Found]:
    actions = actions_in(step)
    for action in actions:
        if action not in EXECUTABLE_ACTIONS:
            yield (*place, action), action
    for modifier in _MODIFIERS:
        if modifier in step and modifier not in EXECUTABLE_MODIFIERS:
            yield (*place, modifier), modifier
    if actions and actions[0] in EXECUTABLE_ACTIONS:
        later = _LATER_ANSWERS.get(actions[0], _LATER_OF_CALLS)
        yield from _of_expectation(step.get("expect"), later, (*place, "expect"))
        saved = step.get("save")
        if isinstance(saved, dict):
            for name, path in saved.items():
                if isinstance(path, str) and path.partition(".")[0].partition("[")[0] in later:
                    yield (*place, "save", name), path
    for block in ("steps", "together"):
        yield from _of_steps(step.get(block), (*place, block))


def _of_expectation(
    expect: object, later: frozenset[str], place: tuple[str | int, ...]
) -> Iterator[Found]:
    if not isinstance(expect, dict):
        return
    for key, value in expect.items():
        if key in later or key in _LATER_OF_PARALLEL:
            yield (*place, key), key
        elif key in ("all", "any"):
            yield from _of_expectation(value, later, (*place, key))
