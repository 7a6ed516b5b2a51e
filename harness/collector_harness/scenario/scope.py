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
    Written,
    as_text,
    look_up,
    parse_template,
    substitute,
    substitute_expectation,
)

__all__ = ["Parameter", "Scope"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parameter:
    """What a parameter of a definition is, in each of the two places where it can stand."""

    value: object
    """In payloads."""
    expected: object
    """In expectations: `Written` where the scenario's author wrote it, and else data."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scope:
    """The values of a case, seen from a step."""

    fakes: Fakes
    seed: int = 0
    case: Mapping[str, object] = field(default_factory=dict)
    """The row of `cases`."""
    nodes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """For `${node.NAME.address}` and `${service.NAME.url}`: by name, with at least `name` and
    `address`."""
    limits: Mapping[str, object] = field(default_factory=DEFAULT_LIMITS.as_values)
    """For `${limit.NAME}`: how far the collector under test goes."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For `${env.NAME}`; usually `os.environ`."""
    captures: dict[str, object] = field(default_factory=dict)
    """What steps have saved; shared by a whole case."""
    local: Mapping[str, object] = field(default_factory=dict)
    """`item` and `index`, inside `foreach`, `repeat` and `parallel`."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """For `${secret.NAME}`."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """For `${with.NAME}`, inside a definition."""

    def inside_definition(self, written: Mapping[str, object]) -> Scope:
        """Returns the scope of the steps of a definition, with these values for its parameters
        as they are written here.
        """
        given = {
            name: Parameter(value=self.fill(value), expected=self._as_expectation(value))
            for name, value in written.items()
        }
        return replace(self, parameters=given, local={})

    def child(self, key: str, **local: object) -> Scope:
        """Returns the scope of something inside: a step, or one round of it.

        `key` is unique among its siblings, so that its fakes do not depend on theirs;
        `local` may set `item` and `index`.
        """
        # Not `replace`, which takes several times as long: there is a child for every step.
        return Scope(
            fakes=self.fakes.child(key),
            seed=self.seed,
            case=self.case,
            nodes=self.nodes,
            limits=self.limits,
            environment=self.environment,
            captures=self.captures,
            local={**self.local, **local} if local else self.local,
            secrets=self.secrets,
            parameters=self.parameters,
        )

    def seeing(self, values: Mapping[str, object]) -> Scope:
        """Returns the scope in which these names have values too, for whoever is given it."""
        return replace(self, local={**self.local, **values})

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
        if root in ("node", "peer", "service"):
            return look_up(self.nodes, path)
        if root == "env":
            return self._variable(path)
        if root == "limit":
            return look_up(self.limits, path)
        if root == "secret":
            return look_up(self.secrets, path)
        if root == "with":
            return look_up({name: each.value for name, each in self.parameters.items()}, path)
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
        return substitute_expectation(value, self._look_up_expected)

    def text(self, value: str) -> str:
        """Returns a text, such as a name, with its paths replaced."""
        if "${" not in value:
            return value
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

    def _look_up_expected(self, path: Path) -> object:
        if path.root != "with":
            return self.look_up(path)
        given = self.parameters.get(str(path.parts[0]) if path.parts else "")
        if given is None or not isinstance(given.expected, Written):
            return self.look_up(path)
        return Written(value=look_up(given.expected.value, path, 1))

    def _as_expectation(self, written: object) -> object:
        """Returns what a parameter is in expectations: data, where it comes from a path."""
        if isinstance(written, str) and "${" in written:
            whole = parse_template(written).whole
            if whole is not None and whole.root == "case":
                return Written(value=self.expectation(written))
            if whole is not None and whole.root == "with":
                return self._look_up_expected(whole)
            return self.fill(written)
        return Written(value=self.expectation(written))

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
