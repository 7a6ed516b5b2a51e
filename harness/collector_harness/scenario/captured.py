"""What kinds of values the paths of a scenario lead to, as far as that is known before it runs: of
what steps save by the types of their answers, of the rest by what it is.

A name that steps save differently, or that anything saves whose type nobody knows, is not known.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from collector_harness.scenario.model import (
    CallStep,
    DispatchStep,
    HttpStep,
    Line,
    ListStep,
    LookupStep,
    RpcStep,
    ServeStep,
    SqlStep,
    Step,
    StreamStep,
    ValidateStep,
)
from collector_harness.scenario.values import Path

__all__ = ["OWN_FORMS", "Captured", "Kind", "kind_of_field"]

OWN_FORMS: Final = "google.protobuf."
"""Messages of this package have forms of their own in JSON, and not fields."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What a value is known to be."""

    name: Literal["text", "number", "boolean", "list", "mapping"]
    message: Any = None
    """The type of message that a mapping shows; None where it is another one."""
    items: Kind | None = None
    """What the items of a list are, where that is known."""


TEXT: Final = Kind(name="text")
NUMBER: Final = Kind(name="number")
MAPPING: Final = Kind(name="mapping")
LIST: Final = Kind(name="list")

_CALL: Mapping[str, Kind] = {
    "status": TEXT,
    "layer": TEXT,
    "code": NUMBER,
    "message": TEXT,
    "handled_by": TEXT,
    "headers": MAPPING,
    "trailers": MAPPING,
    "seconds": NUMBER,
    "node": TEXT,
    "rpc": TEXT,
    "route": LIST,
    "reached": LIST,
}
_HTTP: Mapping[str, Kind] = {
    "status": NUMBER,
    "headers": MAPPING,
    "text": TEXT,
    "error": TEXT,
    "seconds": NUMBER,
}
_SQL: Mapping[str, Kind] = {"rows": LIST, "count": NUMBER, "error": TEXT, "seconds": NUMBER}
_NODE: Mapping[str, Kind] = {
    "address": TEXT,
    "host": TEXT,
    "name": TEXT,
    "namespaces": LIST,
    "port": NUMBER,
    "url": TEXT,
    "database_url": TEXT,
}
_CONTRACT: Mapping[type, str] = {
    DispatchStep: "collector.CollectiveDispatcher/Dispatch",
    ServeStep: "collector.CollectiveDispatcher/Serve",
    ListStep: "collector.CollectorRegistry/ListServices",
    LookupStep: "collector.CollectorRegistry/LookupService",
    ValidateStep: "collector.CollectorRegistry/ValidateMethod",
}

MethodOf = Callable[[str, Step], Any]
"""Returns the descriptor of an RPC that a step calls, by its full name; None where there is none
that is known."""


class Captured:
    """The kinds of everything that a path can lead to. Types are looked at when one is asked for:
    they are slow to import, and few scenarios need them.
    """

    def __init__(self, steps: Iterable[Step], method_of: MethodOf) -> None:
        self._method_of = method_of
        self._kinds: dict[str, Kind | None] = {}
        self._saves: dict[str, list[Callable[[], Kind | None]]] = {}
        """By name, how to know what each step that saves it saves."""
        for step in steps:
            self._take(step)

    def kind_of(self, path: Path) -> Kind | None:
        """Returns what a path leads to; None where that is not known."""
        match path.root:
            case "index" | "seed":
                return NUMBER
            case "env" | "secret":
                return TEXT
            case "node" | "peer" | "service":
                attribute = path.parts[1:]
                kind = _NODE.get(str(attribute[0])) if attribute else None
                return _followed(kind, attribute[1:])
            case root:
                if root not in self._kinds:
                    kinds = [saved() for saved in self._saves.get(root, ())]
                    alike = kinds and all(each == kinds[0] for each in kinds)
                    self._kinds[root] = kinds[0] if alike else None
                return _followed(self._kinds[root], path.parts)

    def _take(self, step: Step) -> None:
        for name, path in (getattr(step, "save", None) or {}).items():
            self._keep(name, functools.partial(self._saved, step, path), step)
        if isinstance(step, StreamStep):
            for line in step.script:
                for name, path in (line.save or {}).items():
                    self._keep(name, functools.partial(self._of_line, step, line, path), step)

    def _keep(self, name: str, saved: Callable[[], Kind | None], step: Step) -> None:
        if step.parallel is not None:
            one = saved
            saved = lambda: Kind(name="list", items=one())  # noqa: E731 - a word for several of it
        self._saves.setdefault(name, []).append(saved)

    def _of_line(self, step: StreamStep, line: Line, path: Path) -> Kind | None:
        if "receive" not in line.model_fields_set:
            return None
        return _followed(
            self._message_of(step), () if path.root == "." else (path.root, *path.parts)
        )

    def _message_of(self, step: StreamStep) -> Kind | None:
        method = self._method_of(step.rpc, step)
        return None if method is None else _kind_of_message(method.output_type)

    def _saved(self, step: Step, path: Path) -> Kind | None:
        if path.root == ".":
            return MAPPING
        return _followed(self._part(step, path.root), path.parts)

    def _part(self, step: Step, root: str) -> Kind | None:
        """Returns what one field of a step's answer is."""
        match step:
            case HttpStep():
                return _HTTP.get(root)
            case SqlStep():
                return _SQL.get(root)
            case StreamStep() if root == "messages":
                return Kind(name="list", items=self._message_of(step))
            case StreamStep():
                return _CALL.get(root)
            case CallStep() if root in ("response", "output"):
                return self._response(step.rpc, step, root)
            case RpcStep() if root == "response" and type(step) in _CONTRACT:
                return self._response(_CONTRACT[type(step)], step, root)
            case RpcStep():
                return _CALL.get(root)
            case _:
                return None

    def _response(self, rpc: str, step: Step, root: str) -> Kind | None:
        method = self._method_of(rpc, step)
        if method is None:
            return None
        # Where the response has an `output`, that is what an answer's is.
        if root == "output" and "output" in method.output_type.fields_by_name:
            return kind_of_field(method.output_type.fields_by_name["output"])
        kind = _kind_of_message(method.output_type)
        return Kind(name="list", items=kind) if method.server_streaming else kind


def kind_of_field(field: Any) -> Kind | None:
    """Returns what the value of a field is in an answer; None for what has a form of its own."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return MAPPING
    if field.is_repeated:
        return Kind(name="list", items=_kind_of_single(field))
    return _kind_of_single(field)


def _kind_of_single(field: Any) -> Kind | None:
    if field.message_type is not None:
        return _kind_of_message(field.message_type)
    if field.enum_type is not None or field.type == field.TYPE_BYTES:
        return None  # by name or by number; and bytes are written in several ways
    if field.cpp_type == field.CPPTYPE_STRING:
        return TEXT
    return Kind(name="boolean") if field.cpp_type == field.CPPTYPE_BOOL else NUMBER


def _kind_of_message(kind: Any) -> Kind | None:
    return None if kind.full_name.startswith(OWN_FORMS) else Kind(name="mapping", message=kind)


def _followed(kind: Kind | None, way: Sequence[str | int]) -> Kind | None:
    """Returns what a way into a value leads to."""
    for part in way:
        if kind is None:
            return None
        if kind.name == "list":
            kind = kind.items
        elif kind.message is not None:
            field = kind.message.fields_by_name.get(str(part))
            kind = None if field is None else kind_of_field(field)
        else:
            return None
    return kind
