"""Names in calls that can be known to be wrong before anything runs.

A name is only wrong where the call is expected to go well: scenarios ask for names that
do not exist on purpose. Names with paths in them, and services that are registered while
the scenario runs, are known later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from collector_harness.documents import Document
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import Problem
from collector_harness.scenario.handlers import Handlers
from collector_harness.scenario.model import (
    CallStep,
    DispatchStep,
    LookupStep,
    MethodName,
    RpcStep,
    ServeStep,
    ServiceName,
    Step,
    StreamStep,
    ValidateStep,
)
from collector_harness.scenario.values import Template
from collector_harness.topology.values import Topology

__all__ = ["PROBE_METHODS", "name_problems"]

_PROBE = "conformance.Probe"
PROBE_METHODS = (
    "Echo",
    "WhoAmI",
    "Count",
    "Fail",
    "FailAfterCount",
    "Crash",
    "Sleep",
    "Cancelled",
    "Silent",
    "WrongType",
    "Unregistered",
    "Declared",
    "Context",
)
"""The methods of the probe service (PROTOCOL.md, section 4)."""

_KNOWN_PACKAGES = ("collector.", "conformance.Port", "grpc.health.v1.")

Location = tuple[str | int, ...]


def name_problems(
    steps: Iterable[tuple[Location, Step, Document]], topology: Topology
) -> Iterator[Problem]:
    """Yields every name in a call that cannot be meant, with its place and a did-you-mean."""
    namespaces = sorted(
        {
            name
            for node in topology.nodes
            for name in (*node.namespaces, *node.probe, *(each.namespace for each in node.serves))
        }
    )
    steps = list(steps)
    handlers = Handlers(topology, (step for _, step, _ in steps))
    for location, step, document in steps:
        if not isinstance(step, RpcStep | StreamStep) or not _expects_ok(step):
            continue
        if isinstance(step, DispatchStep | ServeStep):
            if isinstance(step.method, MethodName):
                for message, hint in _of_method(step.method, namespaces, handlers):
                    place = document.position((*location, step.action))
                    yield Problem(message=message, position=place, hint=hint)
        elif isinstance(step, LookupStep | ValidateStep):
            for message, hint in _of_record(step, handlers):
                place = document.position((*location, step.action))
                yield Problem(message=message, position=place, hint=hint)
        elif isinstance(step, CallStep | StreamStep) and "${" not in step.rpc:
            for message, hint, field in _of_call(step.rpc, _requests(step)):
                within = field or (step.action,)
                place = document.position((*location, *within), key=bool(field))
                yield Problem(message=message, position=place, hint=hint)


def _expects_ok(step: RpcStep | StreamStep) -> bool:
    if step.never is not None:
        return False
    told = step.expect or {}
    if not told.keys() & {"status", "code", "layer", "message", "any", "counts", "all"}:
        return True
    return told.get("status") == "OK"


def _of_method(
    name: MethodName, namespaces: list[str], handlers: Handlers
) -> Iterator[tuple[str, str | None]]:
    if not name.namespace or "${" in f"{name.namespace}{name.service}{name.method}":
        return
    if namespaces and name.namespace not in namespaces:
        yield (
            f"no node has the namespace '{name.namespace}', and the call is expected to go well",
            did_you_mean(name.namespace, namespaces, what="the namespaces are"),
        )
    elif name.service == _PROBE and name.method and name.method not in PROBE_METHODS:
        yield (
            f"{_PROBE} has no method '{name.method}', and the call is expected to go well",
            did_you_mean(name.method, PROBE_METHODS, what="its methods are"),
        )
    elif name.service and name.service != _PROBE and name.method:
        yield from handlers.faults(name.namespace, name.service, name.method)


def _of_record(
    step: LookupStep | ValidateStep, handlers: Handlers
) -> Iterator[tuple[str, str | None]]:
    """Holds what is asked of a registry against what is registered, where it must be there."""
    name: MethodName | ServiceName | Template
    if isinstance(step, LookupStep):
        name = step.service
    else:
        name, response = step.method, (step.expect or {}).get("response")
        if not isinstance(response, Mapping) or response.get("is_valid") is not True:
            return  # that it is not valid is an answer like any other
    method = name.method if isinstance(name, MethodName) else None
    if isinstance(name, Template) or not name.namespace or not name.service:
        return
    if "${" not in f"{name.namespace}{name.service}{method}":
        yield from handlers.registry_faults(name.namespace, name.service, method)


def _requests(step: CallStep | StreamStep) -> list[tuple[Location, object]]:
    """Returns what a step sends, with its place in the step."""
    if isinstance(step, CallStep):
        return [(("input",), step.input)]
    return [
        (("script", index, "send"), line.send)
        for index, line in enumerate(step.script)
        if "send" in line.model_fields_set
    ]


def _of_call(
    rpc: str, requests: list[tuple[Location, object]]
) -> Iterator[tuple[str, str | None, Location]]:
    service, _, method = rpc.removeprefix("/").rpartition("/")
    raw = any(isinstance(each, Mapping) and "$base64" in each for _, each in requests)
    if raw or not service.startswith(_KNOWN_PACKAGES):
        return
    # Descriptors are slow to import, and few scenarios need them to be read.
    from collector_harness.client.pools import known_types

    methods = known_types().methods(service)
    if methods is None:
        services = [each for each in known_types().services if each.startswith(_KNOWN_PACKAGES)]
        yield f"there is no service '{service}'", did_you_mean(service, services, what="some"), ()
        return
    if method not in methods:
        hint = did_you_mean(method, list(methods), what="its methods are")
        yield f"the service '{service}' has no method '{method}'", hint, ()
        return
    kind = methods[method].input_type
    fields = [field.name for field in kind.fields]
    spelt = {*fields, *(field.json_name for field in kind.fields)}
    for place, request in requests:
        for key in request if isinstance(request, Mapping) else ():
            if "${" not in key and not key.startswith("$") and key not in spelt:
                hint = did_you_mean(key, fields, what="its fields are")
                yield f"{kind.name} has no field '{key}'", hint, (*place, key)
