"""One answer of a step: got, held against what is expected, and kept under the names to save.

How often a step is done, and in which order, is in `walk`; what a value must be, in `judging`
and `matching`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from collector_harness.errors import InvalidInput
from collector_harness.events import Mismatch
from collector_harness.scenario.judging import (
    unmet,
    with_connection,
    with_good_end,
    with_good_start,
    with_no_error,
    with_nothing_wrong,
    with_status,
)
from collector_harness.scenario.matching import match
from collector_harness.scenario.model import (
    AnsweringStep,
    HttpStep,
    RoutesStep,
    RpcStep,
    SqlStep,
    StartStep,
    StepBase,
    StopStep,
    StreamStep,
    TcpStep,
)
from collector_harness.scenario.steps import performer_of
from collector_harness.scenario.steps.base import Answer, Place, Unmet
from collector_harness.scenario.steps.reach import Reach
from collector_harness.scenario.values import Path, look_up

__all__ = [
    "as_mapping",
    "assumed",
    "judge",
    "part_of",
    "performed",
    "save",
    "unmet_conditions",
    "unmet_of",
]


async def performed(step: AnsweringStep, at: Place) -> Answer:
    """Does a step once, and looks whom it reached, where it wants to know."""
    if not isinstance(step, RpcStep) or not _names(step, "reached"):
        return await performer_of(step)(step, at)
    reach = await Reach.begin(at.mesh)
    answer = await performer_of(step)(step, at)
    return replace(answer, values={**answer.values, "reached": await reach.reached()})


def _names(step: AnsweringStep, field: str) -> bool:
    """Tells whether a step expects or saves something of a field of its answer."""
    if step.expect is not None and field in step.expect:
        return True
    return step.save is not None and any(path.root == field for path in step.save.values())


def unmet_of(step: AnsweringStep, at: Place, answer: Answer) -> tuple[Mismatch, ...]:
    """Returns every difference between an answer and what its step expects."""
    if answer.broken is not None:
        told = Mismatch(path="", expected="the script", actual=answer.broken.message)
        return answer.broken.mismatches or (told,)
    expected = as_mapping(at.scope.expectation(step.expect or {}))
    return unmet(assumed(step, expected), answer.values)


def assumed(step: AnsweringStep, expected: Mapping[str, object]) -> Mapping[str, object]:
    """Returns an expectation with what goes without saying for that kind of step."""
    if isinstance(step, RpcStep | StreamStep):
        return with_status(expected)
    if isinstance(step, HttpStep | SqlStep):
        return with_no_error(expected, http=isinstance(step, HttpStep))
    if isinstance(step, RoutesStep):
        return with_nothing_wrong(expected)
    if isinstance(step, TcpStep):
        return with_connection(expected)
    if isinstance(step, StopStep):
        return with_good_end(expected)
    if isinstance(step, StartStep):
        return with_good_start(expected)
    return expected


def judge(
    mismatches: Sequence[Mismatch],
    step: StepBase,
    at: Place,
    *,
    answers: Sequence[Answer],
    told: str = "",
) -> None:
    """Raises `Unmet` where there are mismatches, with the answer that the first is about."""
    if not mismatches:
        return
    if len(answers) == 1 and answers[0].broken is not None:
        answers[0].broken.message += told
        raise answers[0].broken
    of = f" of {len(answers)} answers" if len(answers) > 1 else ""
    told = f"the expectation{of} was not met{told}"
    # The answer that explains most: the first one that a mismatch is about.
    shown = answers[_first_index(mismatches, len(answers))]
    has_expect = getattr(step, "expect", None) is not None
    raise Unmet(
        told,
        at=at,
        location=(*at.location, "expect") if has_expect else at.location,
        mismatches=mismatches,
        answer=shown,
    )


def _first_index(mismatches: Sequence[Mismatch], count: int) -> int:
    head = mismatches[0].path.partition("]")[0].removeprefix("[")
    return int(head) if head.isdigit() and int(head) < count else 0


def unmet_conditions(conditions: dict[str, object], at: Place) -> tuple[Mismatch, ...]:
    """Returns where values that are known are not as they must be."""
    found: list[Mismatch] = []
    for text, expected in conditions.items():
        actual = at.scope.fill(text)
        found += [
            Mismatch(
                path=text + ("." * bool(each.path and each.path[0] != "[")) + each.path,
                expected=each.expected,
                actual=each.actual,
            )
            for each in match(at.scope.expectation(expected), actual)
        ]
    return tuple(found)


def save(wanted: Mapping[str, Path] | None, answer: Answer, at: Place) -> None:
    """Keeps the parts of an answer under their names, and what was to be kept on the way to it."""
    for name, value in answer.saved.items():
        at.scope.save(name, value)
    for name, path in (wanted or {}).items():
        at.scope.save(name, part_of(answer, path, name, at))


def part_of(answer: Answer, path: Path, name: str, at: Place) -> object:
    """Returns the part of an answer to save; an answer without it is not what was expected."""
    if path.root == ".":
        return dict(answer.values)
    try:
        return look_up(answer.values[path.root], path)
    except (InvalidInput, KeyError):
        wanted = Mismatch(path=str(path), expected=f"a value to save as '{name}'", actual="nothing")
        raise Unmet(
            "the answer lacks what was to be saved",
            at=at,
            location=(*at.location, "save", name),
            mismatches=[wanted],
            answer=answer,
        ) from None


def as_mapping(value: object) -> dict[str, object]:
    """Returns an expectation as the mapping that it must be once its paths are replaced."""
    if not isinstance(value, dict):
        raise InvalidInput("an expectation is a mapping of the answer's fields")
    return value
