"""The steps that other packages bring: from how they are written to their answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from pydantic import ValidationError

from collector_harness.errors import HarnessError, InvalidInput, Problem
from collector_harness.plugins import StepContext
from collector_harness.scenario.model.plugin_steps import PluginStep, Written
from collector_harness.scenario.steps.base import Answer, Place

__all__ = ["plugin"]


async def plugin(step: PluginStep, at: Place) -> Answer:
    """Does a step as its package says.

    Raises `InvalidInput`, naming the package, for arguments that do not fit, for a step that takes
    too long or raises, and for an answer that is not what the package has declared.
    """
    written: Written = getattr(step, "arguments")  # noqa: B009 - the class is made at run time
    try:
        arguments = step.kind.arguments.model_validate(at.scope.fill(written.value))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _wrong(step, f"its arguments do not fit: {where}: {first['msg']}") from error
    term = step.deadline if step.deadline is not None else at.defaults.deadline
    limit: float | None = None if term is None else at.deadline(_Asking(term))
    context = StepContext(
        nodes={part.name: part.address for part in at.mesh.parts},
        folder=at.library.document.folder,
        seconds=limit,
        seed=at.scope.seed,
    )
    begin = time.perf_counter()
    try:
        async with asyncio.timeout(limit):
            values: object = await step.kind.perform(arguments, context)
    except TimeoutError as error:
        raise _wrong(step, f"it was not done within {limit}s") from error
    except HarnessError:
        raise
    except Exception as error:
        raise _wrong(step, f"it raised {type(error).__name__}: {error}") from error
    if not isinstance(values, Mapping) or not values.keys() <= step.kind.answers.keys():
        declared = ", ".join(step.kind.answers)
        raise _wrong(step, f"its answer is not a mapping of {declared}")
    nothing = dict.fromkeys(step.kind.answers)
    return Answer(values={**nothing, **values}, seconds=time.perf_counter() - begin)


class _Asking:
    """The deadline of a step that asks nobody by name."""

    via = None

    def __init__(self, deadline: object) -> None:
        self.deadline = deadline


def _wrong(step: PluginStep, told: str) -> InvalidInput:
    return InvalidInput(
        Problem(message=f"the step '{step.action}' of the package {step.package}: {told}")
    )
