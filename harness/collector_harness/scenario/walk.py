"""Doing the steps of a case: which, how often, in what order, and whether they went well.

Modifiers apply from the outside in: `when`, `foreach`, `repeat`, `parallel`, then
`eventually` or `never`, then the action, then `expect` and `save`. What an action does
is in `scenario.steps`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from collector_harness.errors import InvalidInput, Problem
from collector_harness.events import Outcome
from collector_harness.scenario.answering import (
    as_mapping,
    assumed,
    judge,
    part_of,
    performed,
    save,
    unmet_conditions,
    unmet_of,
)
from collector_harness.scenario.judging import unmet, unmet_by_all
from collector_harness.scenario.model import (
    AnsweringStep,
    BlockStep,
    CheckStep,
    DispatchStep,
    FaultStep,
    MeasureStep,
    ServeStep,
    StepBase,
    TogetherStep,
    UseStep,
)
from collector_harness.scenario.patience import Patience
from collector_harness.scenario.steps.base import Answer, Place, Unmet
from collector_harness.scenario.steps.delivery import Deliveries
from collector_harness.scenario.steps.faults import fault_of
from collector_harness.scenario.steps.observation import growth, observed, wanted_by
from collector_harness.scenario.values import Template

__all__ = ["Witness", "do_steps"]

T = TypeVar("T")

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
        if step.when is not None and unmet_conditions(step.when, at):
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
        promise = (step.expect or {}).get("delivery")
        deliveries: Deliveries | None = None
        if promise is not None and isinstance(step, DispatchStep | ServeStep):
            deliveries = await Deliveries.begin(step, rounds, at)
        answers = await _all_of([performed(step, each) for each in rounds])
        for each in answers:
            if each.broken is not None:
                raise each.broken
        expected = as_mapping(at.scope.expectation(step.expect or {}))
        mismatches = unmet_by_all(
            expected,
            [each.values for each in answers],
            assume=lambda written: assumed(step, written),
        )
        if deliveries is not None:
            mismatches += await deliveries.judge(at.scope.text(str(promise)), answers)
        judge(mismatches, step, at, answers=answers)
        for name in answers[0].saved:
            at.scope.save(name, [each.saved[name] for each in answers])
        for name, path in (step.save or {}).items():
            at.scope.save(name, [part_of(each, path, name, at) for each in answers])

    async def _once(self, step: StepBase, at: Place) -> None:
        match step:
            case AnsweringStep():
                await self._answering(step, at)
            case CheckStep():
                mismatches = unmet_conditions(step.conditions, at)
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
        patience = Patience(step.eventually, at)
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
        before = await observed(node, wanted_by(step))
        await self._steps(step.steps, at)
        answer = Answer(
            values=growth(before, await observed(node, wanted_by(step))), route=(node.name,)
        )
        if step.expect is not None:
            expected = as_mapping(at.scope.expectation(step.expect))
            judge(unmet(expected, answer.values), step, at, answers=[answer])
        save(step.save, answer, at)

    async def _answering(self, step: AnsweringStep, at: Place) -> None:
        if step.never is not None:
            await self._never(step, at)
            return
        if step.eventually is None:
            answer = await performed(step, at)
            judge(unmet_of(step, at, answer), step, at, answers=[answer])
        else:
            answer = await self._eventually(step, at)
        save(step.save, answer, at)

    async def _eventually(self, step: AnsweringStep, at: Place) -> Answer:
        wanted = step.eventually
        assert wanted is not None
        patience = Patience(wanted, at)
        while True:
            place = at.round(f"try{patience.tries}")
            answer = await performed(step, place)
            mismatches = unmet_of(step, place, answer)
            if not mismatches:
                return answer
            if wanted.stop_if is not None and not unmet(
                as_mapping(at.scope.expectation(wanted.stop_if)), answer.values
            ):
                judge(mismatches, step, at, answers=[answer], told="; the answer meets stop_if")
            if not await patience.more():
                judge(mismatches, step, at, answers=[answer], told=patience.told())

    async def _never(self, step: AnsweringStep, at: Place) -> None:
        wanted = step.never
        assert wanted is not None
        every = wanted.every
        pause = _DEFAULT_EVERY if every is None else at.scope.duration(every).total_seconds()
        end = time.monotonic() + at.scope.duration(wanted.during).total_seconds()
        tries = 0
        while tries == 0 or time.monotonic() < end:
            place = at.round(f"try{tries}")
            answer = await performed(step, place)
            tries += 1
            expected = as_mapping(place.scope.expectation(step.expect or {"status": "OK"}))
            if answer.broken is None and not unmet(expected, answer.values):
                raise Unmet(
                    f"what must never be was so at try {tries}",
                    at=at,
                    location=(*at.location, "expect"),
                    mismatches=unmet(
                        {key: {"$not": value} for key, value in expected.items()}, answer.values
                    ),
                    answer=answer,
                )
            await asyncio.sleep(min(pause, max(0.0, end - time.monotonic())))


async def _all_of(work: Sequence[Awaitable[T]]) -> list[T]:
    """Waits for all, and then raises the first error in the order given."""
    results = await asyncio.gather(*work, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
