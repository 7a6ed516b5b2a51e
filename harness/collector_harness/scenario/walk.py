"""Doing the steps of a case: which, how often, in what order, and whether they went well.

Modifiers apply from the outside in: `when`, `foreach`, `repeat`, `parallel`, then
`eventually` or `never`, then the action, then `expect` and `save`. What an action does
is in `scenario.steps`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from collector_harness.errors import InvalidInput, Problem
from collector_harness.events import Mismatch, Outcome
from collector_harness.scenario.judging import (
    unmet,
    unmet_by_all,
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
    BlockStep,
    CheckStep,
    Eventually,
    FaultStep,
    HttpStep,
    MeasureStep,
    RoutesStep,
    RpcStep,
    SqlStep,
    StartStep,
    StepBase,
    StopStep,
    StreamStep,
    TcpStep,
    TogetherStep,
    UseStep,
)
from collector_harness.scenario.steps import ANSWERING
from collector_harness.scenario.steps.base import Answer, Place, Unmet
from collector_harness.scenario.steps.faults import fault_of
from collector_harness.scenario.steps.observation import growth, observed
from collector_harness.scenario.values import Path, Template, look_up

__all__ = ["Witness", "do_steps"]

T = TypeVar("T")

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_DEFAULT_EVERY = 0.05


class Witness(Protocol):
    """Is told when steps begin and end."""

    def step_started(self, at: Place) -> None: ...

    def step_finished(self, at: Place, outcome: Outcome, seconds: float) -> None: ...

    def step_broke(self, at: Place, error: Exception) -> None:
        """Is told, innermost step first, where an error that is no unmet expectation passes."""


async def do_steps(
    steps: Sequence[StepBase], at: Place, witness: Witness, *, under: str, key: str = ""
) -> None:
    """Does steps one after the other.

    `under` is the key of the document that they stand under, at the location of `at`; `key`
    begins the numbers of steps that are inside no other. Raises `Unmet` for the first
    expectation that is not met, and `HarnessError` for what cannot be done.
    """
    walk = _Walk(witness)
    for index, step in enumerate(steps):
        await walk.step(step, _inside(step, at, index, under, key))


def _inside(step: StepBase, at: Place, index: int, under: str, key: str = "") -> Place:
    return at.inside(step, index=index + 1, location=(*at.location, under, index), key=key)


class _Walk:
    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def step(self, step: StepBase, at: Place) -> None:
        begin = time.perf_counter()
        self._witness.step_started(at)
        outcome = Outcome.ERROR
        try:
            await self._when(step, at)
            outcome = Outcome.PASSED
        except Unmet:
            outcome = Outcome.FAILED
            raise
        except Exception as error:
            self._witness.step_broke(at, error)
            raise
        finally:
            self._witness.step_finished(at, outcome, time.perf_counter() - begin)

    async def _when(self, step: StepBase, at: Place) -> None:
        if step.when is not None and _conditions(step.when, at):
            return
        if step.foreach is None:
            await self._repeat(step, at)
            return
        items = at.scope.fill(
            step.foreach.text if isinstance(step.foreach, Template) else step.foreach
        )
        if not isinstance(items, list):
            raise InvalidInput(
                Problem(message=f"foreach needs a list, and '{step.foreach}' is none")
            )
        for index, item in enumerate(items):
            await self._repeat(step, at.round(f"each{index}", item=item, index=index))

    async def _repeat(self, step: StepBase, at: Place) -> None:
        if step.repeat is None:
            await self._parallel(step, at)
            return
        for index in range(at.scope.count(step.repeat)):
            await self._parallel(step, at.round(f"repeat{index}", index=index))

    async def _parallel(self, step: StepBase, at: Place) -> None:
        if step.parallel is None:
            await self._once(step, at)
            return
        rounds = [
            at.round(f"parallel{index}", index=index)
            for index in range(at.scope.count(step.parallel))
        ]
        if not isinstance(step, AnsweringStep) or step.eventually or step.never:
            await _all_of([self._once(step, each) for each in rounds])
            return
        perform = ANSWERING[type(step)]
        answers = await _all_of([perform(step, each) for each in rounds])
        for each in answers:
            if each.broken is not None:
                raise each.broken
        expected = _as_mapping(at.scope.expectation(step.expect or {}))
        mismatches = unmet_by_all(
            expected,
            [each.values for each in answers],
            assume=lambda written: _assumed(step, written),
        )
        _judge(mismatches, step, at, answers=answers)
        for name, path in (step.save or {}).items():
            at.scope.save(name, [_part(each, path, name, at) for each in answers])

    async def _once(self, step: StepBase, at: Place) -> None:
        match step:
            case AnsweringStep():
                await self._answering(step, at)
            case CheckStep():
                mismatches = _conditions(step.conditions, at)
                if mismatches:
                    raise Unmet(
                        "a checked value is not what it must be",
                        at=at,
                        location=(*at.location, "check"),
                        mismatches=mismatches,
                    )
            case BlockStep():
                await self._block(step, at)
            case TogetherStep():
                await _all_of(
                    [
                        self.step(inner, _inside(inner, at, index, "together"))
                        for index, inner in enumerate(step.steps)
                    ]
                )
            case MeasureStep():
                await self._measure(step, at)
            case FaultStep():
                async with at.mesh.fault(fault_of(step.fault, at.scope)):
                    await self._steps(step.steps, at)
            case UseStep():
                await self._use(step, at)
            case _:
                raise InvalidInput(
                    Problem(
                        message=f"'{step.action}' is part of the language, "
                        "but this version does not execute it",
                    )
                )

    async def _steps(self, steps: Sequence[StepBase], at: Place) -> None:
        for index, inner in enumerate(steps):
            await self.step(inner, _inside(inner, at, index, "steps"))

    async def _use(self, step: UseStep, at: Place) -> None:
        found = at.library.find(step.definition)
        if found is None:
            raise InvalidInput(f"there is no definition '{step.definition}'")
        library, name = found
        definition = library.definitions[name]
        # What stands beside `use` is filled here; a default, where the definition stands.
        scope = at.scope.inside_definition({**definition.parameters, **step.parameters})
        inner = replace(at, library=library, location=("definitions", name), scope=scope)
        await self._steps(definition.steps, inner)

    async def _block(self, step: BlockStep, at: Place) -> None:
        if step.eventually is None:
            await self._steps(step.steps, at)
            return
        patience = _Patience(step.eventually, at)
        while True:
            try:
                await self._steps(step.steps, at.round(f"try{patience.tries}"))
            except Unmet as error:
                if not await patience.more():
                    error.message += patience.told()
                    raise
            else:
                return

    async def _measure(self, step: MeasureStep, at: Place) -> None:
        node = at.mesh[at.scope.text(step.node)]
        before = observed(node)
        await self._steps(step.steps, at)
        answer = Answer(values=growth(before, observed(node)), route=(node.name,))
        if step.expect is not None:
            expected = _as_mapping(at.scope.expectation(step.expect))
            _judge(unmet(expected, answer.values), step, at, answers=[answer])
        _save(step.save, answer, at)

    async def _answering(self, step: AnsweringStep, at: Place) -> None:
        if step.never is not None:
            await self._never(step, at)
            return
        if step.eventually is None:
            answer = await ANSWERING[type(step)](step, at)
            _judge(_unmet(step, at, answer), step, at, answers=[answer])
        else:
            answer = await self._eventually(step, at)
        _save(step.save, answer, at)

    async def _eventually(self, step: AnsweringStep, at: Place) -> Answer:
        wanted = step.eventually
        assert wanted is not None
        patience = _Patience(wanted, at)
        while True:
            place = at.round(f"try{patience.tries}")
            answer = await ANSWERING[type(step)](step, place)
            mismatches = _unmet(step, place, answer)
            if not mismatches:
                return answer
            if wanted.stop_if is not None and not unmet(
                _as_mapping(at.scope.expectation(wanted.stop_if)), answer.values
            ):
                _judge(mismatches, step, at, answers=[answer], told="; the answer meets stop_if")
            if not await patience.more():
                _judge(mismatches, step, at, answers=[answer], told=patience.told())

    async def _never(self, step: AnsweringStep, at: Place) -> None:
        wanted = step.never
        assert wanted is not None
        every = wanted.every
        pause = _DEFAULT_EVERY if every is None else at.scope.duration(every).total_seconds()
        end = time.monotonic() + at.scope.duration(wanted.during).total_seconds()
        tries = 0
        while tries == 0 or time.monotonic() < end:
            place = at.round(f"try{tries}")
            answer = await ANSWERING[type(step)](step, place)
            tries += 1
            expected = place.scope.expectation(step.expect or {"status": "OK"})
            if answer.broken is None and not unmet(_as_mapping(expected), answer.values):
                raise Unmet(
                    f"what must never be was so at try {tries}",
                    at=at,
                    location=(*at.location, "expect"),
                    answer=answer,
                )
            await asyncio.sleep(min(pause, max(0.0, end - time.monotonic())))


class _Patience:
    """How long something is tried again, and with which pauses in between."""

    def __init__(self, wanted: Eventually, at: Place) -> None:
        self._limit = at.scope.duration(wanted.within).total_seconds()
        self._pause = (
            _FIRST_PAUSE
            if wanted.backoff is None
            else at.scope.duration(wanted.backoff).total_seconds()
        )
        self._end = time.monotonic() + self._limit
        self.tries = 0

    async def more(self) -> bool:
        """Waits for the next try; returns False when the time is up."""
        self.tries += 1
        left = self._end - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, max(_LONGEST_PAUSE, self._pause))
        return True

    def told(self) -> str:
        """Returns what a message adds about the tries."""
        return f" ({self.tries} tries within {self._limit:g}s)"


async def _all_of(work: Sequence[Awaitable[T]]) -> list[T]:
    """Waits for all, and then raises the first error in the order given."""
    results = await asyncio.gather(*work, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


def _unmet(step: AnsweringStep, at: Place, answer: Answer) -> tuple[Mismatch, ...]:
    if answer.broken is not None:
        told = Mismatch(path="", expected="the script", actual=answer.broken.message)
        return answer.broken.mismatches or (told,)
    expected = _as_mapping(at.scope.expectation(step.expect or {}))
    return unmet(_assumed(step, expected), answer.values)


def _assumed(step: AnsweringStep, expected: Mapping[str, object]) -> Mapping[str, object]:
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


def _judge(
    mismatches: Sequence[Mismatch],
    step: StepBase,
    at: Place,
    *,
    answers: Sequence[Answer],
    told: str = "",
) -> None:
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


def _conditions(conditions: dict[str, object], at: Place) -> tuple[Mismatch, ...]:
    found: list[Mismatch] = []
    for text, expected in conditions.items():
        actual = at.scope.fill(text)
        found += [
            Mismatch(
                path=f"{text}{'.' + each.path if each.path else ''}",
                expected=each.expected,
                actual=each.actual,
            )
            for each in match(at.scope.expectation(expected), actual)
        ]
    return tuple(found)


def _save(wanted: Mapping[str, Path] | None, answer: Answer, at: Place) -> None:
    for name, path in (wanted or {}).items():
        at.scope.save(name, _part(answer, path, name, at))


def _part(answer: Answer, path: Path, name: str, at: Place) -> object:
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


def _as_mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInput("an expectation is a mapping of the answer's fields")
    return value
