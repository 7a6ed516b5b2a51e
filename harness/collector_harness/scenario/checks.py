"""What is wrong with a scenario beyond its shape: names that nothing has, and contradictions.

Works on the plain document, tolerant of wrong shapes, so that these problems are told
together with those of the model. Pure; the only thing it may load is the list of fakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from collector_harness.documents import Document, did_you_mean
from collector_harness.errors import Problem
from collector_harness.scenario.matching_syntax import (
    Finding,
    Location,
    expectation_faults,
    payload_faults,
    status_faults,
)
from collector_harness.scenario.model import AGGREGATE, ANSWERS, actions_in
from collector_harness.scenario.sight import Known, Sight, text_faults
from collector_harness.scenario.values import ROOTS, parse_path
from collector_harness.topology.values import REFERENCE, Topology

__all__ = ["check_document"]

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


class _Checker:
    def __init__(self, document: Document, value: Values, topology: Topology | None) -> None:
        self._document = document
        self._value = value
        self._problems: list[Problem] = []
        self._topology = topology
        self._nodes = [node.name for node in topology.nodes] if topology is not None else None
        self._peers = list(_mapping(value.get("peers")))
        self._definitions = _mapping(value.get("definitions"))
        self._cases = _mapping(value.get("cases"))
        rows = [row for row in self._cases.values() if isinstance(row, dict)]
        self._known = Known(
            nodes=None if self._nodes is None else tuple(self._nodes),
            cases=tuple(dict.fromkeys(key for row in rows for key in row)),
            services=tuple(_mapping(value.get("services"))),
            peers=tuple(_mapping(value.get("peers"))),
            secrets=tuple(_mapping(value.get("secrets"))),
        )
        self._default_via = _mapping(value.get("defaults")).get("via") is not None

    def check(self) -> list[Problem]:
        self._check_cases()
        sight = Sight(captures=set())
        self._check_texts(self._value.get("defaults"), ("defaults",), sight)
        self._check_texts(self._value.get("timeout"), ("timeout",), sight)
        self._check_caller(_mapping(self._value.get("defaults")), ("defaults",))
        for name, definition in self._definitions.items():
            inside = _mapping(definition)
            parameters = tuple(_mapping(inside.get("parameters")))
            own = Sight(captures=set(), parameters=parameters)
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
                self._add_all(expectation_faults(value, ("cases", name, key)))

    def _check_constant(self, value: object, place: Location) -> None:
        if isinstance(value, str):
            if "${" in value.replace("$${", ""):
                hint = "put the path into the step; '$${' is a literal '${'"
                self._add(place, "a case holds values, not paths", hint)
        else:
            for step, item in _children(value):
                self._check_constant(item, (*place, step))

    # Steps

    def _check_steps(self, steps: object, place: Location, sight: Sight) -> None:
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            if isinstance(step, dict):
                self._check_step(step, (*place, index), sight)

    def _check_step(self, step: Values, place: Location, sight: Sight) -> None:
        actions = actions_in(step)
        # A step with no action, or several, is the model's to tell: it has no answer either.
        action = actions[0] if len(actions) == 1 else ""
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
                    self._add_all(payload_faults(value, (*place, key)))
        self._check_modifiers(step, place, action)
        if action:
            self._check_action(action, step, place, inside)
        self._check_inner(step, place, inside)
        if "expect" in step:
            self._check_texts(step["expect"], (*place, "expect"), inside)
            if action in ANSWERS:
                self._check_expectation(step["expect"], (*place, "expect"), action, step)
        if action in ANSWERS:
            self._check_save(step.get("save"), (*place, "save"), action, sight)

    def _check_inner(self, step: Values, place: Location, sight: Sight) -> None:
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

    def _check_modifiers(self, step: Values, place: Location, action: str) -> None:
        if "eventually" in step and "never" in step:
            hint = "make them two steps"
            self._add((*place, "never"), "a step is either eventually or never", hint, key=True)
        # What is expected of these goes without saying.
        calls = action in _NEEDS_VIA or action in ("routes", "steps")
        for key in ("eventually", "never"):
            if key in step and "parallel" in step:
                hint = f"put the parallel step under `steps`, and '{key}' beside that"
                self._add((*place, key), f"'{key}' and 'parallel' contradict", hint, key=True)
            if key in step and "expect" not in step and not (key == "eventually" and calls):
                hint = "add what the answer must be, or must not be"
                self._add((*place, key), f"'{key}' needs an 'expect'", hint, key=True)
        stop = _mapping(_mapping(step.get("eventually")).get("stop_if"))
        if stop and action in ANSWERS:
            self._check_fields(stop, (*place, "eventually", "stop_if"), action)

    def _check_action(self, action: str, step: Values, place: Location, sight: Sight) -> None:
        self._check_caller(step, place)
        if action in _NEEDS_VIA:
            alone = self._nodes is None or len(set(self._nodes) - set(self._peers)) == 1
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
        elif action == "routes":
            self._check_routes(_mapping(step[action]), (*place, action))
        elif action == "check":
            self._check_conditions(step[action], (*place, action))
        elif action == "fault":
            self._check_fault(_mapping(step[action]), (*place, action))
        elif action == "use":
            self._check_use(step, place, sight)

    def _check_caller(self, step: Values, place: Location) -> None:
        known = [*(self._nodes or ()), *self._known.services, *self._known.peers]
        self._check_name(step.get("via"), (*place, "via"), known)

    def _check_node(self, name: object, place: Location) -> None:
        self._check_name(name, place, [*(self._nodes or ()), *self._known.peers])

    def _check_name(self, name: object, place: Location, known: list[str]) -> None:
        if self._nodes is None or not isinstance(name, str) or "${" in name or name in known:
            return
        hint = did_you_mean(name, known, what="the nodes are")
        self._add(place, f"there is no node '{name}'", hint)

    def _check_record(self, record: Values, place: Location) -> None:
        # None of them is allowed too: a registry must refuse it (REG-002).
        forms = [key for key in ("service", "descriptor", "proto") if key in record]
        if len(forms) > 1:
            hint = f"keep one of: {', '.join(forms)}"
            self._add(place, "one thing is registered at a time", hint)
        elif "methods" in record and forms and forms[0] != "service":
            hint = "methods belong to service"
            self._add((*place, "methods"), f"methods do not go with {forms[0]}", hint, key=True)

    def _check_routes(self, selection: Values, place: Location) -> None:
        if self._topology is None:
            return
        nodes = self._topology.nodes
        known = sorted({name for node in nodes for name in (*node.namespaces, *node.probe)})
        names = selection.get("namespaces")
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and "${" not in name and name not in known:
                hint = did_you_mean(name, known, what="the namespaces are")
                self._add(
                    (*place, "namespaces", index), f"no node has the namespace '{name}'", hint
                )

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
        if self._value.get("isolation") == "shared":
            hint = "leave isolation out, or write isolation: fresh"
            self._add(place, "a fault would hurt the cases that share the mesh", hint)
        self._check_rpc_fault(_mapping(fault.get("grpc")), (*place, "grpc"))

    def _check_rpc_fault(self, fault: Values, place: Location) -> None:
        for node in self._topology.nodes if self._topology is not None else ():
            collector = node.collector
            if node.name == fault.get("node") and collector not in (None, REFERENCE):
                self._add(
                    (*place, "node"),
                    f"a gRPC fault needs a reference node in process, and '{node.name}' is "
                    f"'{collector}'",
                    "leave out its `collector`, or use a fault of a link",
                )

    def _check_link(self, link: object, place: Location) -> None:
        if not isinstance(link, str) or "${" in link or self._topology is None:
            return
        ends = [end.strip() for end in link.split("->")]
        known = [node.name for node in self._topology.nodes]
        if not set(ends) <= set(known):
            for end in ends:
                self._check_node(end, place)
        elif len(ends) == 2:
            links = self._topology.links
            if not any({each.source, each.target} == set(ends) for each in links):
                hint = did_you_mean(link, map(str, links), what="the links are")
                self._add(place, f"there is no link '{link}'", hint)

    def _check_use(self, step: Values, place: Location, sight: Sight) -> None:
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
            self._add_all(expectation_faults(expected, (*place, key)))

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
                    self._add_all(expectation_faults(counts, (*here, field)))
            elif key in AGGREGATE:
                self._add_all(expectation_faults(value, here))
            elif key in fields:
                hint = f"write expect: {{all: {{{key}: ...}}}}"
                self._add(here, f"'{key}' of which of the parallel answers?", hint, key=True)
            else:
                known = did_you_mean(key, AGGREGATE, what="of parallel steps one expects")
                self._add(here, f"unknown key '{key}'", known, key=True)

    def _check_fields(self, expect: Values, place: Location, action: str) -> None:
        fields = ANSWERS[action]
        for key, value in expect.items():
            here = (*place, key)
            if key in fields:
                self._add_all(expectation_faults(value, here))
                if key == "status" and action != "http":
                    self._add_all(status_faults(value, here))
            elif key in AGGREGATE:
                hint = "it needs `parallel` beside it"
                self._add(here, f"'{key}' is for parallel steps", hint, key=True)
            else:
                known = did_you_mean(key, fields, what="an answer has")
                self._add(here, f"unknown key '{key}'", known, key=True)

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

    def _check_save(self, save: object, place: Location, action: str, sight: Sight) -> None:
        for name, path in _mapping(save).items():
            here = (*place, name)
            if _CAPTURE.fullmatch(name) is None:
                self._add(here, f"'{name}' cannot be a name", "use letters, digits and _", key=True)
            elif name in ROOTS:
                hint = "choose another name"
                self._add(here, f"'{name}' has a meaning of its own in paths", hint, key=True)
            self._check_field(path, here, ANSWERS[action])
            sight.captures.add(name)

    def _check_texts(self, value: object, place: Location, sight: Sight) -> None:
        self._add_all(text_faults(value, place, sight, self._known))

    def _add_all(self, findings: Iterator[Finding]) -> None:
        for finding in findings:
            self._add(finding.place, finding.message, finding.hint, key=finding.key)


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


def _children(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
