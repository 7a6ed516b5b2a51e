"""What is wrong with a scenario beyond its shape: names that nothing has, and contradictions.

Works on the plain document, tolerant of wrong shapes, so that these problems are told
together with those of the model. Pure; the only thing it may load is the list of fakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from collector_harness.documents import Document, did_you_mean
from collector_harness.errors import Problem
from collector_harness.scenario.matching_syntax import (
    Location,
    expectation_faults,
    payload_faults,
    status_faults,
)
from collector_harness.scenario.fakes import fake_problem
from collector_harness.scenario.model import AGGREGATE, ANSWERS, actions_in
from collector_harness.scenario.values import ROOTS, Path, parse_path, parse_template
from collector_harness.topology.values import Topology

__all__ = ["NODE_ATTRIBUTES", "check_document"]

NODE_ATTRIBUTES = ("address", "name")
"""What `${node.NAME.…}` leads to."""

_CAPTURE = re.compile(r"[A-Za-z_][\w-]*")
_CASE = re.compile(r"[^\[\]\s](?:[^\[\]\n\r\t]*[^\[\]\s])?")
_NEEDS_VIA = frozenset(
    {"dispatch", "serve", "connect", "register", "validate", "lookup", "list", "call"}
)
_BLOCKS = frozenset({"steps", "together"})
_LOCAL_LATER = frozenset({"when", "foreach", "save", "steps", "together", "expect", "name"})
_PAYLOADS = frozenset({"input", "metadata", "hints", "context", "register", "with", "parameters"})

Values = Mapping[str, object]


def check_document(document: Document, topology: Topology | None) -> list[Problem]:
    """Returns every problem of a scenario's document; `topology` is None where it is broken."""
    value = document.value
    if not isinstance(value, dict):
        return []
    return _Checker(document, value, topology).check()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sight:
    """What a path can see at one place."""

    captures: set[str]
    """Names saved so far; shared by the steps of a case."""
    local: frozenset[str] = frozenset()
    """`item` and `index`, where there are some."""
    parameters: frozenset[str] | None = None
    """The parameters of the definition that this is in; None outside of any."""


class _Checker:
    def __init__(self, document: Document, value: Values, topology: Topology | None) -> None:
        self._document = document
        self._value = value
        self._problems: list[Problem] = []
        self._nodes = [node.name for node in topology.nodes] if topology is not None else None
        self._named = {
            root: list(_mapping(value.get(key)))
            for root, key in (("service", "services"), ("peer", "peers"), ("secret", "secrets"))
        }
        self._definitions = _mapping(value.get("definitions"))
        self._cases = _mapping(value.get("cases"))
        rows = [row for row in self._cases.values() if isinstance(row, dict)]
        self._case_keys: list[str] = list(dict.fromkeys(key for row in rows for key in row))
        self._default_via = _mapping(value.get("defaults")).get("via") is not None

    def check(self) -> list[Problem]:
        self._check_cases()
        sight = _Sight(captures=set())
        self._check_texts(self._value.get("defaults"), ("defaults",), sight)
        self._check_texts(self._value.get("timeout"), ("timeout",), sight)
        self._check_caller(_mapping(self._value.get("defaults")), ("defaults",))
        for name, definition in self._definitions.items():
            inside = _mapping(definition)
            parameters = frozenset(_mapping(inside.get("parameters")))
            own = _Sight(captures=set(), parameters=parameters)
            self._check_steps(inside.get("steps"), ("definitions", name, "steps"), own)
        for block in ("before", "steps", "after"):
            self._check_steps(self._value.get(block), (block,), sight)
        return self._problems

    def _add(self, place: Location, message: str, hint: str | None, *, key: bool = False) -> None:
        position = self._document.position(place, key=key)
        self._problems.append(Problem(message=message, position=position, hint=hint))

    # Cases

    def _check_cases(self) -> None:
        first: tuple[str, set[str]] | None = None
        for name, row in self._cases.items():
            if _CASE.fullmatch(name) is None:
                self._add(
                    ("cases", name),
                    f"'{name}' cannot be the name of a case",
                    "use a short text without brackets and line breaks",
                    key=True,
                )
            if not isinstance(row, dict):
                continue
            if first is None:
                first = (name, set(row))
            elif set(row) != first[1]:
                self._add(("cases", name), *_uneven(name, set(row), first), key=True)
            for key, value in row.items():
                self._check_constant(value, ("cases", name, key))
                for fault in expectation_faults(value, ("cases", name, key)):
                    self._add(fault[0], fault[1], fault[2], key=True)

    def _check_constant(self, value: object, place: Location) -> None:
        if isinstance(value, str):
            if "${" in value.replace("$${", ""):
                hint = "put the path into the step; '$${' is a literal '${'"
                self._add(place, "a case holds values, not paths", hint)
        else:
            for step, item in _children(value):
                self._check_constant(item, (*place, step))

    # Steps

    def _check_steps(self, steps: object, place: Location, sight: _Sight) -> None:
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            if isinstance(step, dict):
                self._check_step(step, (*place, index), sight)

    def _check_step(self, step: Values, place: Location, sight: _Sight) -> None:
        actions = actions_in(step)
        action = actions[0] if len(actions) == 1 else None
        # `when` and `foreach` are outside of the rounds that they decide about.
        for key in ("when", "foreach"):
            if key in step:
                self._check_texts(step[key], (*place, key), sight)
                self._check_conditions(step[key] if key == "when" else None, (*place, key))
        local = {"item", "index"} if "foreach" in step else set()
        if "repeat" in step or "parallel" in step:
            local.add("index")
        inside = replace(sight, local=sight.local | local) if local else sight
        for key, value in step.items():
            if key not in _LOCAL_LATER:
                self._check_texts(value, (*place, key), inside)
                if key in _PAYLOADS:
                    self._add_faults(payload_faults(value, (*place, key)))
        self._check_modifiers(step, place, action)
        if action is not None:
            self._check_action(action, step, place, inside)
        self._check_inner(step, place, inside)
        if "expect" in step:
            self._check_texts(step["expect"], (*place, "expect"), inside)
            if action in ANSWERS:
                self._check_expectation(step["expect"], (*place, "expect"), action, step)
        if action in ANSWERS:
            self._check_save(step.get("save"), (*place, "save"), action, sight)

    def _check_inner(self, step: Values, place: Location, sight: _Sight) -> None:
        self._check_steps(step.get("steps"), (*place, "steps"), sight)
        together = step.get("together")
        if not isinstance(together, list):
            return
        saved: set[str] = set()
        for index, inner in enumerate(together):
            if isinstance(inner, dict):
                # What one saves, the others cannot see: they run at the same time.
                alone = replace(sight, captures=set(sight.captures))
                self._check_step(inner, (*place, "together", index), alone)
                saved |= alone.captures
        sight.captures.update(saved)

    def _check_modifiers(self, step: Values, place: Location, action: str | None) -> None:
        if "eventually" in step and "never" in step:
            hint = "make them two steps"
            self._add((*place, "never"), "a step is either eventually or never", hint, key=True)
        for key in ("eventually", "never"):
            if key in step and "parallel" in step:
                hint = f"put the parallel step under `steps`, and '{key}' beside that"
                self._add((*place, key), f"'{key}' and 'parallel' contradict", hint, key=True)
            if key in step and "expect" not in step and action != "steps":
                hint = (
                    "add what the answer must be" if key == "eventually" else "add what it is not"
                )
                self._add((*place, key), f"'{key}' needs an 'expect'", hint, key=True)
        stop = _mapping(_mapping(step.get("eventually")).get("stop_if"))
        if stop and action in ANSWERS:
            self._check_fields(stop, (*place, "eventually", "stop_if"), action)

    def _check_action(self, action: str, step: Values, place: Location, sight: _Sight) -> None:
        if action in _NEEDS_VIA:
            self._check_caller(step, place)
            alone = self._nodes is None or len(self._nodes) == 1
            if "via" not in step and not self._default_via and not alone:
                hint = f"write via: {(self._nodes or ['hub'])[0]}, or set it under defaults"
                self._add(place, "this step does not say which node it calls", hint)
        if action in ("observe", "measure"):
            self._check_node(step[action], (*place, action))
        elif action == "connect":
            peer = step[action]
            if isinstance(peer, dict):
                self._check_node(peer.get("node"), (*place, action, "node"))
            else:
                self._check_node(peer, (*place, action))
        elif action == "register":
            self._check_record(_mapping(step[action]), (*place, action))
        elif action == "check":
            self._check_conditions(step[action], (*place, action))
        elif action == "fault":
            self._check_fault(_mapping(step[action]), (*place, action))
        elif action == "use":
            self._check_use(step, place, sight)

    def _check_caller(self, step: Values, place: Location) -> None:
        known = [*(self._nodes or ()), *self._named["service"], *self._named["peer"]]
        self._check_name(step.get("via"), (*place, "via"), known)

    def _check_node(self, name: object, place: Location) -> None:
        self._check_name(name, place, [*(self._nodes or ()), *self._named["peer"]])

    def _check_name(self, name: object, place: Location, known: list[str]) -> None:
        if self._nodes is None or not isinstance(name, str) or "${" in name or name in known:
            return
        hint = did_you_mean(name, known, what="the nodes are")
        self._add(place, f"there is no node '{name}'", hint)

    def _check_record(self, record: Values, place: Location) -> None:
        forms = [key for key in ("service", "descriptor", "proto") if key in record]
        if len(forms) != 1:
            hint = "write service (with methods), or descriptor, or proto"
            self._add(place, "exactly one thing is registered at a time", hint)
        elif "methods" in record and forms[0] != "service":
            hint = "methods belong to service"
            self._add((*place, "methods"), f"methods do not go with {forms[0]}", hint, key=True)

    def _check_fault(self, fault: Values, place: Location) -> None:
        for key, value in fault.items():
            here = (*place, key)
            if isinstance(value, dict):
                self._check_node(value.get("node"), (*here, "node"))
                self._check_link(value.get("link"), (*here, "link"))
            elif isinstance(value, list):
                for outer, group in enumerate(value):
                    for inner, name in enumerate(group if isinstance(group, list) else ()):
                        self._check_node(name, (*here, outer, inner))
            elif isinstance(value, str) and "->" in value:
                self._check_link(value, here)
            else:
                self._check_node(value, here)

    def _check_link(self, link: object, place: Location) -> None:
        if isinstance(link, str) and "${" not in link:
            for end in link.split("->"):
                self._check_node(end.strip(), place)

    def _check_use(self, step: Values, place: Location, sight: _Sight) -> None:
        name = step["use"]
        if not isinstance(name, str) or "#" in name:
            return
        definition = self._definitions.get(name)
        if definition is None:
            hint = did_you_mean(name, self._definitions, what="defined are")
            self._add((*place, "use"), f"there is no definition '{name}'", hint)
            return
        parameters = _mapping(_mapping(definition).get("parameters"))
        given = _mapping(step.get("with"))
        for key in given:
            if key not in parameters:
                hint = did_you_mean(key, parameters, what="its parameters are")
                self._add(
                    (*place, "with", key), f"'{name}' has no parameter '{key}'", hint, key=True
                )
        sight.captures.update(self._saved(name, set()))

    def _saved(self, name: str, seen: set[str]) -> Iterator[str]:
        """Yields the captures that the steps of a definition make."""
        if name in seen:
            return
        seen.add(name)
        waiting = [_mapping(self._definitions.get(name)).get("steps")]
        while waiting:
            steps = waiting.pop()
            for step in steps if isinstance(steps, list) else ():
                if isinstance(step, dict):
                    yield from _mapping(step.get("save"))
                    waiting += [step.get(block) for block in _BLOCKS]
                    if isinstance(step.get("use"), str):
                        yield from self._saved(str(step["use"]), seen)

    # Expectations and captures

    def _check_conditions(self, conditions: object, place: Location) -> None:
        for key, expected in _mapping(conditions).items():
            if "${" not in key:
                hint = 'write the value that is looked at as a path: "${...}"'
                self._add((*place, key), f"'{key}' is the same in every run", hint, key=True)
            self._add_faults(expectation_faults(expected, (*place, key)))

    def _check_expectation(
        self, expect: object, place: Location, action: str, step: Values
    ) -> None:
        if not isinstance(expect, dict):
            return
        if "parallel" not in step:
            self._check_fields(expect, place, action)
            return
        fields = ANSWERS[action]
        for key, value in expect.items():
            here = (*place, key)
            if key in ("all", "any"):
                self._check_fields(_mapping(value), here, action)
            elif key == "counts":
                for field, counts in _mapping(value).items():
                    self._check_field(field, (*here, field), fields)
                    self._add_faults(expectation_faults(counts, (*here, field)))
            elif key in AGGREGATE:
                self._add_faults(expectation_faults(value, here))
            elif key in fields:
                hint = f"write expect: {{all: {{{key}: ...}}}}"
                self._add(here, f"'{key}' of which of the parallel answers?", hint, key=True)
            else:
                hint = did_you_mean(key, AGGREGATE, what="of parallel steps one expects")
                self._add(here, f"unknown key '{key}'", hint, key=True)

    def _check_fields(self, expect: Values, place: Location, action: str) -> None:
        fields = ANSWERS[action]
        for key, value in expect.items():
            here = (*place, key)
            if key in fields:
                self._add_faults(expectation_faults(value, here))
                if key == "status" and action != "http":
                    self._add_faults(status_faults(value, here))
            elif key in AGGREGATE:
                hint = "it needs `parallel` beside it"
                self._add(here, f"'{key}' is for parallel steps", hint, key=True)
            else:
                hint = did_you_mean(key, fields, what="an answer has")
                self._add(here, f"unknown key '{key}'", hint, key=True)

    def _check_field(self, path: object, place: Location, fields: Mapping[str, str]) -> None:
        if not isinstance(path, str) or path == "." or "${" in path:
            return
        try:
            root = parse_path(path).root
        except ValueError:
            return  # the model tells
        if root not in fields:
            hint = did_you_mean(root, fields, what="an answer has")
            self._add(place, f"an answer has no '{root}'", hint)

    def _check_save(self, save: object, place: Location, action: str, sight: _Sight) -> None:
        for name, path in _mapping(save).items():
            here = (*place, name)
            if _CAPTURE.fullmatch(name) is None:
                self._add(here, f"'{name}' cannot be a name", "use letters, digits and _", key=True)
            elif name in ROOTS:
                hint = "choose another name"
                self._add(here, f"'{name}' has a meaning of its own in paths", hint, key=True)
            self._check_field(path, here, ANSWERS[action])
            sight.captures.add(name)

    # Paths

    def _check_texts(self, value: object, place: Location, sight: _Sight) -> None:
        if isinstance(value, str):
            if "${" in value:
                self._check_text(value, place, sight)
        elif isinstance(value, dict):
            for key, item in value.items():
                if "${" in key:
                    self._check_text(key, (*place, key), sight, key=True)
                self._check_texts(item, (*place, key), sight)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._check_texts(item, (*place, index), sight)

    def _check_text(self, text: str, place: Location, sight: _Sight, *, key: bool = False) -> None:
        try:
            paths = parse_template(text).paths
        except ValueError as error:
            message, _, hint = str(error).partition("\n")
            self._add(place, message, hint or None, key=key)
            return
        for path in paths:
            found = self._path_fault(path, sight)
            if found is not None:
                self._add(place, found[0], found[1], key=key)

    def _path_fault(self, path: Path, sight: _Sight) -> tuple[str, str | None] | None:
        root, first = path.root, str(path.parts[0]) if path.parts else ""
        if root in ("item", "index"):
            if root in sight.local:
                return None
            needs = "foreach" if root == "item" else "foreach, repeat or parallel"
            return f"'${{{path}}}' has a value only in a step with {needs}", None
        if root == "case":
            return self._known(path, first, self._case_keys, "cases", "a case has")
        if root == "node":
            return self._node_fault(path, first)
        if root in self._named:
            return self._known(path, first, self._named[root], f"{root}s", f"the {root}s are")
        if root == "with":
            if sight.parameters is None:
                return "'${with...}' has a value only inside definitions", None
            return self._known(path, first, sight.parameters, "parameters", "there are")
        if root == "fake":
            return _fake_fault(path, first)
        if root == "env":
            return None if len(path.parts) == 1 else ("a variable is ${env.NAME}", None)
        if root == "seed":
            return None if not path.parts else ("the seed is a number: ${seed}", None)
        if root in sight.captures:
            return None
        names = [*sight.captures, *ROOTS]
        saved = ", ".join(sorted(sight.captures)) or "nothing"
        close = did_you_mean(root, names, what="")
        hint = close if close and close.startswith("did") else f"saved before this: {saved}"
        return f"no step before this one saves '{root}'", hint

    def _known(
        self, path: Path, name: str, known: object, key: str, what: str
    ) -> tuple[str, str | None] | None:
        names = sorted(known) if isinstance(known, frozenset) else list(_names(known))
        if name in names:
            return None
        if not names:
            return f"'${{{path}}}' leads nowhere: there are no {key}", None
        hint = did_you_mean(name, names, what=what)
        return f"'${{{path}}}' leads nowhere: there is no '{name}' in {key}", hint

    def _node_fault(self, path: Path, name: str) -> tuple[str, str | None] | None:
        if self._nodes is None:
            return None
        fault = self._known(path, name, self._nodes, "nodes", "the nodes are")
        attribute = str(path.parts[1]) if len(path.parts) > 1 else ""
        if fault is not None or (len(path.parts) == 2 and attribute in NODE_ATTRIBUTES):
            return fault
        hint = did_you_mean(attribute, NODE_ATTRIBUTES, what="a node has")
        return f"'${{{path}}}' leads nowhere: a node has no '{attribute}'", hint

    def _add_faults(self, faults: Iterator[tuple[Location, str, str | None]]) -> None:
        for place, message, hint in faults:
            self._add(place, message, hint, key=str(place[-1]).startswith("$"))


def _fake_fault(path: Path, name: str) -> tuple[str, str | None] | None:
    if not name:
        return "a fake needs a name", "write for example ${fake.sentence}"
    problem = fake_problem(name)
    return (problem.message, problem.hint) if problem is not None else None


def _uneven(name: str, keys: set[str], first: tuple[str, set[str]]) -> tuple[str, str]:
    lacking, more = first[1] - keys, keys - first[1]
    told = [f"lacks {', '.join(sorted(lacking))}"] if lacking else []
    told += [f"has {', '.join(sorted(more))} besides"] if more else []
    return (
        f"case '{name}' {' and '.join(told)}, unlike '{first[0]}'",
        "give every case the same keys; null is a value",
    )


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _children(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
