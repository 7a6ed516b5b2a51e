"""What `${path}` can see at one place of a running case.

A scope belongs to one case; its children share the captures and add an item, an index
and a stream of fakes of their own. How values are put into texts is in `values`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

from collector_harness.declared import DEFAULT_LIMITS
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.fakes import Fakes
from collector_harness.scenario.model.terms import (
    MethodName,
    ServiceName,
    parse_count,
    parse_duration,
)
from collector_harness.scenario.values import (
    Path,
    Template,
    as_text,
    look_up,
    substitute,
    substitute_expectation,
)

__all__ = ["Scope"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scope:
    """The values of a case, seen from a step."""

    fakes: Fakes
    seed: int = 0
    case: Mapping[str, object] = field(default_factory=dict)
    """The row of `cases`."""
    nodes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """For `${node.NAME.address}`: by name, with at least `name` and `address`."""
    limits: Mapping[str, object] = field(default_factory=DEFAULT_LIMITS.as_values)
    """For `${limit.NAME}`: how far the collector under test goes."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For `${env.NAME}`; usually `os.environ`."""
    captures: dict[str, object] = field(default_factory=dict)
    """What steps have saved; shared by a whole case."""
    local: Mapping[str, object] = field(default_factory=dict)
    """`item` and `index`, inside `foreach`, `repeat` and `parallel`."""

    def child(self, key: str, **local: object) -> Scope:
        """Returns the scope of something inside: a step, or one round of it.

        `key` is unique among its siblings, so that its fakes do not depend on theirs;
        `local` may set `item` and `index`.
        """
        inner = {**self.local, **local} if local else self.local
        return replace(self, fakes=self.fakes.child(key), local=inner)

    def save(self, name: str, value: object) -> None:
        """Keeps a value under a name, for the rest of the case."""
        self.captures[name] = value

    def look_up(self, path: Path) -> object:
        """Returns the value that a path leads to; raises `InvalidInput`."""
        root = path.root
        if root in self.local:
            return look_up(self.local[root], path)
        if root == "case":
            return look_up(self.case, path)
        if root == "seed":
            return look_up(self.seed, path)
        if root == "fake":
            return look_up(self.fakes.draw(str(path.parts[0]) if path.parts else ""), path, 1)
        if root in ("node", "peer"):
            return look_up(self.nodes, path)
        if root == "env":
            return self._variable(path)
        if root == "limit":
            return look_up(self.limits, path)
        if root in self.captures:
            return look_up(self.captures[root], path)
        raise InvalidInput(
            Problem(
                message=f"nothing was saved as '{root}'",
                hint=did_you_mean(root, self.captures, what="saved are")
                or "did the step that saves it run?",
            )
        )

    def fill(self, value: object) -> object:
        """Returns a payload with its paths replaced."""
        return substitute(value, self.look_up)

    def expectation(self, value: object) -> object:
        """Returns an expectation with its paths replaced, ready for `matching.match`."""
        return substitute_expectation(value, self.look_up)

    def text(self, value: str) -> str:
        """Returns a text, such as a name, with its paths replaced."""
        return as_text(substitute(value, self.look_up))

    def texts(self, value: Sequence[str] | Template) -> tuple[str, ...]:
        """Returns texts, such as names, that may be written as a path to a list of them."""
        if not isinstance(value, Template):
            return tuple(self.text(each) for each in value)
        filled = self.fill(value.text)
        if not isinstance(filled, list):
            raise InvalidInput(Problem(message=f"'{value}' became a wrong value: it is not a list"))
        return tuple(as_text(each) for each in filled)

    def duration(self, value: timedelta | Template) -> timedelta:
        """Returns a duration that may be written as a path."""
        if isinstance(value, timedelta):
            return value
        return self._term(value, parse_duration)

    def count(self, value: int | Template) -> int:
        """Returns a whole number that may be written as a path."""
        if isinstance(value, int):
            return value
        return self._term(value, parse_count)

    def method(self, name: MethodName | Template) -> MethodName:
        """Returns the name of a method with its paths replaced."""
        if isinstance(name, Template):
            name = self._term(name, MethodName.parse)
        return MethodName(
            namespace=self._part(name.namespace),
            service=self._part(name.service),
            method=self._part(name.method),
        )

    def service(self, name: ServiceName | Template) -> ServiceName:
        """Returns the name of a service with its paths replaced."""
        if isinstance(name, Template):
            name = self._term(name, ServiceName.parse)
        return ServiceName(namespace=self._part(name.namespace), service=self._part(name.service))

    def _term(self, template: Template, parse: Callable[[object], T]) -> T:
        value = self.fill(template.text)
        try:
            return parse(value)
        except ValueError as error:
            message, _, hint = str(error).partition("\n")
            raise InvalidInput(
                Problem(message=f"'{template}' became a wrong value: {message}", hint=hint or None)
            ) from None

    def _part(self, value: str | None) -> str | None:
        return None if value is None else self.text(value)

    def _variable(self, path: Path) -> str:
        name = str(path.parts[0]) if path.parts else ""
        if name not in self.environment:
            raise InvalidInput(
                Problem(
                    message=f"the environment variable '{name}' is not set",
                    hint=f"set it for this run: {name}=... collector-harness run ...",
                )
            )
        return self.environment[name]
