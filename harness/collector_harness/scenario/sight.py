"""What a path in a scenario can lead to at one place, known before anything runs.

Pure, but for the list of fakes. Where in a case names become known is in `checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from collector_harness.declared import LIMITS
from collector_harness.documents import did_you_mean
from collector_harness.scenario.fakes import fake_problem
from collector_harness.scenario.matching_syntax import Finding, Location
from collector_harness.scenario.values import ROOTS, Path, parse_template

__all__ = ["NODE_ATTRIBUTES", "Known", "Sight", "path_fault", "text_faults"]

NODE_ATTRIBUTES = ("address", "host", "name", "namespaces", "port", "url")
"""What `${node.NAME.…}` leads to."""
SERVICE_ATTRIBUTES = ("address", "database_url", "host", "name", "port", "url")
"""What `${service.NAME.…}` leads to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The names that a scenario has everywhere."""

    nodes: tuple[str, ...] | None
    """None where the topology is broken: then nothing is said about nodes."""
    cases: tuple[str, ...]
    """The keys of a case."""
    services: tuple[str, ...]
    peers: tuple[str, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """The names that there are at one place besides."""

    captures: set[str]
    """Names saved so far; shared by the steps of a case."""
    local: frozenset[str] = frozenset()
    """`item` and `index`, where there are some."""
    parameters: tuple[str, ...] | None = None
    """The parameters of the definition that this is in; None outside of any."""


Fault = tuple[str, str | None]
"""What is wrong with a path, and what to do."""


def text_faults(value: object, place: Location, sight: Sight, known: Known) -> Iterator[Finding]:
    """Yields what is wrong with the paths in all texts of a value, keys included."""
    if isinstance(value, str):
        if "${" in value:
            yield from _faults(value, place, sight, known)
    elif isinstance(value, dict):
        for key, item in value.items():
            if "${" in key:
                yield from _faults(key, (*place, key), sight, known, key=True)
            yield from text_faults(item, (*place, key), sight, known)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from text_faults(item, (*place, index), sight, known)


def _faults(
    text: str, place: Location, sight: Sight, known: Known, *, key: bool = False
) -> Iterator[Finding]:
    try:
        paths = parse_template(text).paths
    except ValueError as error:
        message, _, hint = str(error).partition("\n")
        yield Finding(place, message, hint or None, key)
        return
    for path in paths:
        fault = path_fault(path, sight, known)
        if fault is not None:
            yield Finding(place, *fault, key)


def path_fault(path: Path, sight: Sight, known: Known) -> Fault | None:
    """Returns what is wrong with a path at a place; None where it leads somewhere."""
    check = _CHECKS.get(path.root)
    if check is not None:
        return check(path, _first(path), sight, known)
    if path.root in sight.captures:
        return None
    saved = ", ".join(sorted(sight.captures)) or "nothing"
    close = did_you_mean(path.root, [*sight.captures, *ROOTS], what="")
    hint = close if close and close.startswith("did") else f"saved before this: {saved}"
    return f"no step before this one saves '{path.root}'", hint


def _first(path: Path) -> str:
    return str(path.parts[0]) if path.parts else ""


def _local(path: Path, _first: str, sight: Sight, _known: Known) -> Fault | None:
    if path.root in sight.local:
        return None
    needs = "foreach" if path.root == "item" else "foreach, repeat or parallel"
    return f"'${{{path}}}' has a value only in a step with {needs}", None


def _case(path: Path, first: str, _sight: Sight, known: Known) -> Fault | None:
    return _among(path, first, known.cases, "cases", "a case has")


def _node(path: Path, first: str, _sight: Sight, known: Known) -> Fault | None:
    if known.nodes is None:
        return None
    return _among(path, first, known.nodes, "nodes", "the nodes are") or _attribute(path)


def _attribute(
    path: Path, known: tuple[str, ...] = NODE_ATTRIBUTES, what: str = "node"
) -> Fault | None:
    attribute = str(path.parts[1]) if len(path.parts) > 1 else ""
    if attribute in known:
        return None
    hint = did_you_mean(attribute, known, what=f"a {what} has")
    return f"'${{{path}}}' leads nowhere: a {what} has no '{attribute}'", hint


def _service(path: Path, first: str, _sight: Sight, known: Known) -> Fault | None:
    fault = _among(path, first, known.services, "services", "the services are")
    return fault or _attribute(path, SERVICE_ATTRIBUTES, "service")


def _peer(path: Path, first: str, _sight: Sight, known: Known) -> Fault | None:
    return _among(path, first, known.peers, "peers", "the peers are") or _attribute(path)


def _secret(path: Path, first: str, _sight: Sight, known: Known) -> Fault | None:
    return _among(path, first, known.secrets, "secrets", "the secrets are")


def _parameter(path: Path, first: str, sight: Sight, _known: Known) -> Fault | None:
    if sight.parameters is None:
        return f"'${{{path}}}' has a value only inside definitions", None
    return _among(path, first, sight.parameters, "parameters", "the parameters are")


def _fake(_path: Path, first: str, _sight: Sight, _known: Known) -> Fault | None:
    if not first:
        return "a fake needs a name", "write for example ${fake.sentence}"
    problem = fake_problem(first)
    return (problem.message, problem.hint) if problem is not None else None


def _variable(path: Path, _first: str, _sight: Sight, _known: Known) -> Fault | None:
    return None if len(path.parts) == 1 else ("a variable is ${env.NAME}", None)


def _seed(path: Path, _first: str, _sight: Sight, _known: Known) -> Fault | None:
    return ("the seed is a number: ${seed}", None) if path.parts else None


def _limit(path: Path, first: str, _sight: Sight, _known: Known) -> Fault | None:
    if len(path.parts) > 1:
        return f"'${{{path}}}' leads nowhere: a limit is ${{limit.NAME}}", None
    return _among(path, first, LIMITS, "limits", "the limits are")


_CHECKS: Mapping[str, Callable[[Path, str, Sight, Known], Fault | None]] = {
    "case": _case,
    "env": _variable,
    "fake": _fake,
    "index": _local,
    "item": _local,
    "limit": _limit,
    "node": _node,
    "peer": _peer,
    "secret": _secret,
    "seed": _seed,
    "service": _service,
    "with": _parameter,
}


def _among(path: Path, name: str, names: tuple[str, ...], key: str, what: str) -> Fault | None:
    if name in names:
        return None
    if not names:
        return f"'${{{path}}}' leads nowhere: there are no {key}", None
    hint = did_you_mean(name, names, what=what)
    return f"'${{{path}}}' leads nowhere: there is no '{name}' in {key}", hint
