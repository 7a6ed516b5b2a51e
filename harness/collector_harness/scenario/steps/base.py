"""What every step works with: where it stands, the mesh it works on, and what it gets.

How each kind of step is done is in the other modules here, one for each family; how a
step is chosen, repeated and judged is in `scenario.walk`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from collector_harness.client import NodeClient, Reply
from collector_harness.client.status_details import details_of
from collector_harness.errors import InvalidInput, Problem
from collector_harness.events import Mismatch
from collector_harness.mesh import Mesh, MeshNode
from collector_harness.scenario.definitions import Library
from collector_harness.scenario.loading import DEFAULT_DEADLINE
from collector_harness.scenario.model import Defaults, FaultStep, RpcStep, StepBase
from collector_harness.scenario.model.terms import NO_DEADLINE
from collector_harness.scenario.scope import Scope
from collector_harness.scenario.values import Template

__all__ = ["DEFAULT_DEADLINE", "Answer", "Place", "Unmet", "answer_of", "title_of"]

Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a step got."""

    values: Mapping[str, object]
    """What `expect` and `save` can name (`scenario.model.answers`)."""
    route: tuple[str, ...] = ()
    """The collectors that the call is known to have reached, in order."""
    seconds: float = 0.0
    broken: Unmet | None = None
    """What was not met on the way to it; then nothing more is expected of it."""
    saved: Mapping[str, object] = field(default_factory=dict)
    """What was to be kept on the way to it, by name."""


class Calling(Protocol):
    """A step that asks somebody: who, with which metadata, and how long."""

    @property
    def via(self) -> str | None: ...
    @property
    def deadline(self) -> object: ...


class Sending(Calling, Protocol):
    """A step whose call carries metadata."""

    @property
    def metadata(self) -> Mapping[str, object] | None: ...


class Unmet(Exception):
    """An expectation was not met."""

    def __init__(
        self,
        message: str,
        *,
        at: Place,
        location: Location = (),
        mismatches: Sequence[Mismatch] = (),
        answer: Answer | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        """The step."""
        self.location = location or at.location
        """The place of the expectation in the document."""
        self.mismatches = tuple(mismatches)
        self.answer = answer


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """Where a running step stands, and everything that it may use there."""

    number: str
    """Its place in the case, such as `2` or `3.1`."""
    title: str
    location: Location
    """Its place in the document."""
    mesh: Mesh
    scope: Scope
    defaults: Defaults
    tell: Callable[[Place, Reply], None]
    """Takes every answer to a call that was made for the step."""
    library: Library
    """The definitions that there are where it stands; its location is in the document of these."""
    action: str = ""
    """What kind of step it is, such as `dispatch`."""

    def inside(self, step: StepBase, *, index: int, location: Location, key: str = "") -> Place:
        """Returns the place of a step inside this one, counted from 1."""
        number = f"{self.number}.{index}" if self.number else f"{key}{index}"
        # Not `replace`, which takes several times as long: there is a place for every step.
        return Place(
            number=number,
            title=self._filled(title_of(step)),
            action=step.action,
            location=location,
            mesh=self.mesh,
            scope=self.scope.child(number),
            defaults=self.defaults,
            tell=self.tell,
            library=self.library,
        )

    def _filled(self, title: str) -> str:
        # A fake would be another one in the title than in the step, and what the step itself
        # sets, such as its item, has no value here yet: such titles stay as they are written.
        if "${" not in title or "${fake" in title:
            return title
        try:
            return self.scope.text(title)
        except InvalidInput:
            return title

    def round(self, key: str, **local: object) -> Place:
        """Returns the same place in one of several rounds; `local` is as in `Scope.child`."""
        return replace(self, scope=self.scope.child(key, **local))

    def node(self, step: Calling) -> MeshNode:
        """Returns the node that the step calls."""
        via = step.via if step.via is not None else self.defaults.via
        if via is not None:
            return self.mesh[self.scope.text(via)]
        nodes = [node for node in self.mesh.topology.nodes if node.peer is None]
        if len(nodes) == 1:
            return self.mesh[nodes[0].name]
        raise InvalidInput(
            Problem(
                message="the step does not say which node to call",
                hint=f"add via: one of {', '.join(node.name for node in nodes)}",
            )
        )

    def client(self, step: RpcStep) -> NodeClient:
        """Returns the client of the node that the step calls, as patient as the step is."""
        client = self.node(step).client
        if step.cancel_after is None:
            return client
        return client.giving_up(self.scope.duration(step.cancel_after).total_seconds())

    def deadline(self, step: Calling) -> float | None:
        """Returns the deadline of a call of the step, in seconds; None where it has none."""
        term: Any = step.deadline if step.deadline is not None else self.defaults.deadline
        if term == NO_DEADLINE:
            return None
        return self.scope.duration(DEFAULT_DEADLINE if term is None else term).total_seconds()

    def metadata(self, step: Sending) -> tuple[tuple[str, str | bytes], ...]:
        """Returns the metadata that a call of the step carries."""
        written = {**(self.defaults.metadata or {}), **(step.metadata or {})}
        if not written:
            return ()
        pairs: list[tuple[str, str | bytes]] = []
        for key, value in written.items():
            filled = self.scope.fill(value)
            pairs += [
                (key, item if isinstance(item, bytes) else str(item))
                for item in (filled if isinstance(filled, list) else [filled])
            ]
        return tuple(pairs)


def answer_of(reply: Reply) -> Answer:
    """Returns the answer that a call's reply is."""
    return Answer(values=_ReplyValues(reply), route=_route_of(reply), seconds=reply.seconds)


class _ReplyValues(Mapping[str, object]):
    """What `expect` and `save` can name of a reply, each made when somebody looks at it."""

    __slots__ = ("_reply",)

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __getitem__(self, name: str) -> object:
        return _REPLY_VALUES[name](self._reply)

    def __contains__(self, name: object) -> bool:
        return name in _REPLY_VALUES

    def __iter__(self) -> Iterator[str]:
        return iter(_REPLY_VALUES)

    def __len__(self) -> int:
        return len(_REPLY_VALUES)


def title_of(step: StepBase) -> str:
    """Returns what reports call a step: its name, or its action and what that is about."""
    if step.name:
        return step.name
    if isinstance(step, FaultStep):
        return f"{step.action} {' '.join(_told_fault(step.fault))}"
    name = _main_field(type(step))
    if name is None:
        return step.action
    about = getattr(step, name)
    return f"{step.action} {about}" if isinstance(about, str) else _named(step, about)


@functools.cache
def _main_field(kind: type[StepBase]) -> str | None:
    """Returns the field for what stands under the key of the action, where that is its alias."""
    fields = kind.model_fields.items()
    return next((name for name, each in fields if each.alias == kind.action), None)


def _named(step: StepBase, about: object) -> str:
    if isinstance(about, tuple | dict):
        return step.action
    fields = getattr(type(about), "model_fields", None)
    if fields is None:
        return f"{step.action} {about}"
    told = [str(value) for key in fields if isinstance(value := getattr(about, key), str)]
    return f"{step.action} {' '.join(told)}".rstrip()


def _told_fault(written: Any) -> Iterator[str]:
    """Yields what kind of fault it is, and the node, link or RPC that it is done to."""
    for kind in sorted(written.model_fields_set):
        yield kind.replace("_", " ")
        about = getattr(written, kind)
        if isinstance(about, str | Template):
            yield _text(about)
        elif isinstance(about, list | tuple):
            yield " | ".join(", ".join(map(_text, group)) for group in about)
        else:
            places = ("link", "node", "rpc", "method", "status")
            yield from (_text(place) for name in places if (place := getattr(about, name, None)))


def _text(value: object) -> str:
    return value.text if isinstance(value, Template) else str(value)


def _route_of(reply: Reply) -> tuple[str, ...]:
    if reply.handled_by and reply.handled_by != reply.node:
        return reply.node, reply.handled_by
    return (reply.node,)


def _grouped(metadata: tuple[tuple[str, str | bytes], ...]) -> dict[str, list[str | bytes]]:
    grouped: dict[str, list[str | bytes]] = {}
    for key, value in metadata:
        grouped.setdefault(key, []).append(value)
    return grouped


_REPLY_VALUES: Mapping[str, Callable[[Reply], object]] = {
    "status": lambda reply: reply.status,
    "layer": lambda reply: reply.layer,
    "code": lambda reply: reply.code,
    "message": lambda reply: reply.message,
    "details": details_of,
    "output": lambda reply: reply.output,
    "handled_by": lambda reply: reply.handled_by,
    "response": lambda reply: reply.response,
    "headers": lambda reply: _grouped(reply.headers),
    "trailers": lambda reply: _grouped(reply.trailers),
    "seconds": lambda reply: reply.seconds,
    "node": lambda reply: reply.node,
    "rpc": lambda reply: reply.rpc.removeprefix("/"),
    "route": lambda reply: list(_route_of(reply)),
}
