"""What is wrong with a scenario beyond its shape: names that nothing has, and contradictions.

Works on the plain document, tolerant of wrong shapes, so that these problems are told
together with those of the model. Pure; the only thing it may load is the list of fakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from collector_harness.documents import Document, did_you_mean
from collector_harness.errors import Problem
from collector_harness.scenario.definitions import BLOCKS, Library, uses_in
from collector_harness.scenario.expected import Expected
from collector_harness.scenario.findings import Findings, Values, children, mapping
from collector_harness.scenario.matching_syntax import (
    Location,
    expectation_faults,
    payload_faults,
)
from collector_harness.scenario.mentions import Mentions
from collector_harness.scenario.model import ANSWERS, actions_in
from collector_harness.scenario.sight import Known, Sight, path_fault, text_faults
from collector_harness.scenario.values import ROOTS, parse_template
from collector_harness.topology.values import Topology

__all__ = ["check_document"]

_CAPTURE = re.compile(r"[A-Za-z_][\w-]*")
_CASE = re.compile(r"[^\[\]\s](?:[^\[\]\n\r\t]*[^\[\]\s])?")
_NEEDS_VIA = frozenset(
    {"dispatch", "serve", "connect", "register", "validate", "lookup", "list", "call", "stream"}
)
_DEEPEST_USE = 20
"""Definitions inside each other."""
_LOCAL_LATER = frozenset(
    {"when", "foreach", "save", "script", "steps", "together", "expect", "name"}
)
_PAYLOADS = frozenset({"input", "metadata", "hints", "context", "register", "parameters", "send"})


def check_document(
    document: Document, topology: Topology | None, library: Library
) -> list[Problem]:
    """Returns every problem of a scenario's document; `topology` is None where it is broken.

    `library` has the definitions of the document, and those of the files that it uses: these
    are checked as well, as they are meant for the scenario that uses them.
    """
    value = document.value
    if not isinstance(value, dict):
        return []
    problems = _Checker(library, value, topology).check()
    others: dict[int, _Checker] = {}
    for other, name in library.reachable():
        checker = others.setdefault(id(other), _Checker(other, value, topology))
        checker.check_definition(name)
    for checker in others.values():
        problems += checker.problems
    return problems


class _Checker:
    def __init__(self, library: Library, value: Values, topology: Topology | None) -> None:
        """`value` is the scenario, whose names count in the definitions of other files too."""
        self._value = value
        self._library = library
        self._found = Findings(library.document)
        self._nodes = [node.name for node in topology.nodes] if topology is not None else None
        self._peers = list(mapping(value.get("peers")))
        self._cases = mapping(value.get("cases"))
        rows = [row for row in self._cases.values() if isinstance(row, dict)]
        self._known = Known(
            nodes=None if self._nodes is None else tuple(self._nodes),
            cases=tuple(dict.fromkeys(key for row in rows for key in row)),
            services=tuple(mapping(value.get("services"))),
            peers=tuple(mapping(value.get("peers"))),
            secrets=tuple(mapping(value.get("secrets"))),
        )
        self._mentions = Mentions(
            self._found, topology, self._known, shared=value.get("isolation") == "shared"
        )
        self._expected = Expected(self._found)
        self._default_via = mapping(value.get("defaults")).get("via") is not None

    def check(self) -> list[Problem]:
        self._check_cases()
        sight = Sight(captures=set())
        self._check_texts(self._value.get("defaults"), ("defaults",), sight)
        self._check_texts(self._value.get("timeout"), ("timeout",), sight)
        self._mentions.check_caller(mapping(self._value.get("defaults")), ("defaults",))
        for key in ("topology", "services"):
            self._check_secrets(self._value.get(key), (key,))
        for name in self._library.written:
            self.check_definition(name)
        for block in ("before", "steps", "after"):
            self._check_steps(self._value.get(block), (block,), sight)
        return self.problems

    @property
    def problems(self) -> list[Problem]:
        return self._found.problems

    def check_definition(self, name: str) -> None:
        inside = mapping(self._library.written[name])
        here: Location = ("definitions", name)
        parameters = mapping(inside.get("parameters"))
        # What a definition gets from outside is its parameters, and nothing that was saved.
        own = Sight(captures=set(), parameters=tuple(parameters))
        nothing = Sight(captures=set(), parameters=())
        self._check_texts(parameters, (*here, "parameters"), nothing)
        for key, value in parameters.items():
            if _CAPTURE.fullmatch(key) is None:
                hint = "use letters, digits and _"
                place = (*here, "parameters", key)
                self._found.add(place, f"'{key}' cannot be a name", hint, key=True)
            self._found.add_all(expectation_faults(value, (*here, "parameters", key)))
        self._check_steps(inside.get("steps"), (*here, "steps"), own)
        self._check_cycle(name)

    def _check_cycle(self, name: str) -> None:
        """Tells of a definition that comes back to itself, or leads too deep."""
        place = ("definitions", name)
        begun = {(id(self._library), name)}
        level: list[tuple[Library, str, tuple[str, ...]]] = [(self._library, name, (name,))]
        for _ in range(_DEEPEST_USE):
            below = []
            for library, each, way in level:
                inside = mapping(library.written[each]).get("steps")
                for _, step in uses_in(inside, ()):
                    used = str(step["use"])
                    found = library.find(used)
                    if found == (self._library, name):
                        told = " -> ".join((*way, used))
                        hint = "a definition cannot use itself"
                        self._found.add(place, f"'{name}' uses itself: {told}", hint, key=True)
                        return
                    if found is not None and (id(found[0]), found[1]) not in begun:
                        begun.add((id(found[0]), found[1]))
                        below.append((*found, (*way, used)))
            level = below
        if level:
            told = f"'{name}' leads more than {_DEEPEST_USE} definitions deep"
            self._found.add(place, told, "use fewer inside each other", key=True)

    def _check_secrets(self, value: object, place: Location) -> None:
        """Tells of secrets that there are not, in what is started before the steps."""
        if isinstance(value, str) and "${secret" in value:
            try:
                paths = parse_template(value).paths
            except ValueError:
                return  # told with the topology
            for path in paths:
                fault = path_fault(path, Sight(captures=set()), self._known)
                if path.root == "secret" and fault is not None:
                    self._found.add(place, *fault)
        for step, item in children(value):
            self._check_secrets(item, (*place, step))

    # Cases

    def _check_cases(self) -> None:
        if self._value.get("cases") == {}:
            self._found.add(
                ("cases",),
                "there are no cases",
                "add one, or drop the key: without it the steps run once",
                key=True,
            )
        first: tuple[str, set[str]] | None = None
        for name, row in self._cases.items():
            if _CASE.fullmatch(name) is None:
                self._found.add(
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
                self._found.add(("cases", name), *_uneven(name, set(row), first), key=True)
            for key, value in row.items():
                self._check_constant(value, ("cases", name, key))
                self._found.add_all(expectation_faults(value, ("cases", name, key)))

    def _check_constant(self, value: object, place: Location) -> None:
        if isinstance(value, str):
            if "${" in value.replace("$${", ""):
                hint = "put the path into the step; '$${' is a literal '${'"
                self._found.add(place, "a case holds values, not paths", hint)
        else:
            for step, item in children(value):
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
                self._expected.check_conditions(step[key] if key == "when" else None, (*place, key))
        local = {"item", "index"} if "foreach" in step else set()
        if "repeat" in step or "parallel" in step:
            local.add("index")
        inside = replace(sight, local=sight.local | local) if local else sight
        for key, value in step.items():
            if key not in _LOCAL_LATER:
                self._check_texts(value, (*place, key), inside)
                if key in _PAYLOADS:
                    self._found.add_all(payload_faults(value, (*place, key)))
        self._check_modifiers(step, place, action)
        if action:
            self._check_action(action, step, place, inside)
        self._check_inner(step, place, inside)
        if "expect" in step:
            self._check_texts(step["expect"], (*place, "expect"), inside)
            if action in ANSWERS:
                self._expected.check_expectation(step["expect"], (*place, "expect"), action, step)
        if action == "stream":
            self._check_script(step.get("script"), (*place, "script"), inside)
        if action in ANSWERS:
            self._check_save(step.get("save"), (*place, "save"), action, sight)

    def _check_script(self, script: object, place: Location, sight: Sight) -> None:
        """Checks the lines in their order, as each sees what those before it have saved."""
        self._expected.check_script(script, place)
        for index, line in enumerate(script if isinstance(script, list) else ()):
            for key, value in mapping(line).items():
                if key != "save":
                    self._check_texts(value, (*place, index, key), sight)
            for name in mapping(mapping(line).get("save")):
                self._check_name(name, (*place, index, "save", name))
                sight.captures.add(name)

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
            self._found.add(
                (*place, "never"), "a step is either eventually or never", hint, key=True
            )
        # What is expected of these goes without saying.
        calls = action in _NEEDS_VIA or action in (
            "http",
            "routes",
            "sql",
            "start",
            "steps",
            "stop",
            "tcp",
        )
        for key in ("eventually", "never"):
            if key in step and "parallel" in step:
                hint = f"put the parallel step under `steps`, and '{key}' beside that"
                self._found.add((*place, key), f"'{key}' and 'parallel' contradict", hint, key=True)
            if key in step and "expect" not in step and not (key == "eventually" and calls):
                hint = "add what the answer must be, or must not be"
                self._found.add((*place, key), f"'{key}' needs an 'expect'", hint, key=True)
        stop = mapping(mapping(step.get("eventually")).get("stop_if"))
        if stop and action in ANSWERS:
            self._expected.check_fields(stop, (*place, "eventually", "stop_if"), action)

    def _check_action(self, action: str, step: Values, place: Location, sight: Sight) -> None:
        self._mentions.check_caller(step, place)
        if action in _NEEDS_VIA:
            alone = self._nodes is None or len(set(self._nodes) - set(self._peers)) == 1
            if "via" not in step and not self._default_via and not alone:
                hint = f"write via: {(self._nodes or ['hub'])[0]}, or set it under defaults"
                self._found.add(place, "this step does not say which node it calls", hint)
        if action in ("measure", "observe", "start", "stop", "tcp"):
            self._mentions.check_about(step[action], (*place, action), action)
        elif action == "connect":
            peer = step[action]
            if isinstance(peer, dict):
                self._mentions.check_node(peer.get("node"), (*place, action, "node"))
            else:
                self._mentions.check_node(peer, (*place, action))
        elif action == "register":
            self._mentions.check_record(mapping(step[action]), (*place, action))
        elif action == "routes":
            self._mentions.check_routes(mapping(step[action]), (*place, action))
        elif action == "check":
            self._expected.check_conditions(step[action], (*place, action))
        elif action == "fault":
            self._mentions.check_fault(mapping(step[action]), (*place, action))
        elif action == "use":
            self._check_use(step, place, sight)

    def _check_use(self, step: Values, place: Location, sight: Sight) -> None:
        name = step["use"]
        if not isinstance(name, str):
            return
        found = self._library.find(name)
        if found is None:
            path, mark, _ = name.rpartition("#")
            library = self._library if not mark else self._library.files.get(path)
            if library is not None:  # a file that cannot be read is told already
                written = [f"{path}{mark}{each}" for each in library.written]
                hint = did_you_mean(name, written, what="defined are")
                self._found.add((*place, "use"), f"there is no definition '{name}'", hint)
            return
        parameters = mapping(mapping(found[0].written[found[1]]).get("parameters"))
        given = mapping(step.get("with"))
        for key in given:
            if key not in parameters:
                hint = did_you_mean(key, parameters, what="its parameters are")
                self._found.add(
                    (*place, "with", key), f"'{name}' has no parameter '{key}'", hint, key=True
                )
        # Like those of cases, they may be matchers.
        for key, value in given.items():
            self._found.add_all(expectation_faults(value, (*place, "with", key)))
        lacking = [key for key, value in parameters.items() if value is None and key not in given]
        if lacking:
            hint = f"write with: {{{lacking[0]}: ...}}"
            self._found.add(
                (*place, "use"), f"'{name}' needs the parameter '{lacking[0]}'", hint, key=True
            )
        sight.captures.update(_saved(*found, set()))

    def _check_save(self, save: object, place: Location, action: str, sight: Sight) -> None:
        for name, path in mapping(save).items():
            here = (*place, name)
            self._check_name(name, here)
            self._expected.check_field(path, here, ANSWERS[action])
            sight.captures.add(name)

    def _check_name(self, name: str, place: Location) -> None:
        if _CAPTURE.fullmatch(name) is None:
            self._found.add(
                place, f"'{name}' cannot be a name", "use letters, digits and _", key=True
            )
        elif name in ROOTS:
            hint = "choose another name"
            self._found.add(place, f"'{name}' has a meaning of its own in paths", hint, key=True)

    def _check_texts(self, value: object, place: Location, sight: Sight) -> None:
        self._found.add_all(text_faults(value, place, sight, self._known))


def _saved(library: Library, name: str, begun: set[tuple[int, str]]) -> Iterator[str]:
    """Yields the captures that the steps of a definition make."""
    if (id(library), name) in begun:
        return
    begun.add((id(library), name))
    waiting = [mapping(library.written[name]).get("steps")]
    while waiting:
        steps = waiting.pop()
        for step in steps if isinstance(steps, list) else ():
            if isinstance(step, dict):
                yield from mapping(step.get("save"))
                script = step.get("script")
                for line in script if isinstance(script, list) else ():
                    yield from mapping(mapping(line).get("save"))
                waiting += [step.get(block) for block in BLOCKS]
                found = library.find(str(step.get("use", "")))
                if found is not None:
                    yield from _saved(*found, begun)


def _uneven(name: str, keys: set[str], first: tuple[str, set[str]]) -> tuple[str, str]:
    lacking, more = first[1] - keys, keys - first[1]
    told = [f"lacks {', '.join(sorted(lacking))}"] if lacking else []
    told += [f"has {', '.join(sorted(more))} besides"] if more else []
    return (
        f"case '{name}' {' and '.join(told)}, unlike '{first[0]}'",
        "give every case the same keys; null is a value",
    )
