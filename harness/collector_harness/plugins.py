"""Steps and matchers that other packages bring, by entry points.

A package names a `StepKind` under the group `collector_harness.steps`, or a `MatcherKind` under
`collector_harness.matchers`; the name of the entry point is the key in a scenario, for matchers
without its `$`. How they are read and done is in `scenario`; nothing is loaded before a scenario
is.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

__all__ = [
    "MATCHERS_GROUP",
    "STEPS_GROUP",
    "Found",
    "MatcherKind",
    "StepContext",
    "StepKind",
    "installed_matchers",
    "installed_steps",
]

STEPS_GROUP = "collector_harness.steps"
MATCHERS_GROUP = "collector_harness.matchers"

_NAME = re.compile(r"[a-z][a-z0-9_]*")

K = TypeVar("K")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepContext:
    """What a step of a plugin may use while it is done."""

    nodes: Mapping[str, str]
    """The address of every node and service of the mesh, by name."""
    folder: Path | None
    """Where the scenario's file lies; None for mere text."""
    seconds: float | None
    """How long the step may take; None for as long as its case."""
    seed: int
    """Of the run: what is random comes from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepKind:
    """A kind of step: `- NAME: arguments`, with `expect`, `save` and all modifiers."""

    description: str
    """What it does, in one line; editors show it."""
    arguments: type[BaseModel]
    """What stands under the key. It is checked when the file is read, as far as there are no paths
    in it, and again with their values before each time that the step is done."""
    answers: Mapping[str, str]
    """The fields of its answer, each with a description; what `expect` and `save` can name."""
    perform: Callable[[Any, StepContext], Awaitable[Mapping[str, object]]]
    """Does it once with its arguments, and returns the fields of the answer as plain values. What
    is not as hoped for is an answer too: raise only where the step itself cannot be done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatcherKind:
    """A matcher: `{$NAME: argument}` in expectations."""

    description: str
    """What it matches, in one line; editors show it."""
    matches: Callable[[Any, Any], bool]
    """Tells, for an argument and the value of an answer, whether they match. The value is hostile:
    of any type, and as long as a target likes."""
    expected: Callable[[Any], str] = repr
    """Says for a person what an argument expects."""
    fault: Callable[[Any], str | None] = lambda _argument: None
    """Says what is wrong with an argument; None where nothing is. Asked when the file is read."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """The JSON Schema of the argument."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found(Generic[K]):
    """What one entry point leads to."""

    name: str
    package: str
    """The package that brings it, with its version."""
    kind: K | None
    """None where it cannot be used."""
    fault: str = ""
    """Why it cannot be used."""


@functools.cache
def installed_steps() -> tuple[Found[StepKind], ...]:
    """Returns the steps that installed packages bring, by name; broken ones too."""
    return _installed(STEPS_GROUP, StepKind)


@functools.cache
def installed_matchers() -> tuple[Found[MatcherKind], ...]:
    """Returns the matchers that installed packages bring, by name; broken ones too."""
    return _installed(MATCHERS_GROUP, MatcherKind)


def _installed(group: str, kind: type[K]) -> tuple[Found[K], ...]:
    points = sorted(importlib.metadata.entry_points(group=group), key=lambda each: each.name)
    return tuple(_found(point, kind) for point in points)


def _found(point: importlib.metadata.EntryPoint, kind: type[K]) -> Found[K]:
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "?"
    if _NAME.fullmatch(point.name) is None:
        return Found(name=point.name, package=package, kind=None, fault="its name is no key")
    try:
        loaded = point.load()
    except Exception as error:  # noqa: BLE001 - whatever a package does when it is imported
        told = f"{type(error).__name__}: {error}"
        return Found(name=point.name, package=package, kind=None, fault=told)
    if not isinstance(loaded, kind):
        told = f"'{point.value}' is no {kind.__name__}, but a {type(loaded).__name__}"
        return Found(name=point.name, package=package, kind=None, fault=told)
    return Found(name=point.name, package=package, kind=loaded)
