"""What is sent, held against the types that are known before anything runs: the contract, the
well-known types, and the descriptors that nodes and services bring. What comes back is held
against them in `responses`.

What a node tells only by reflection is known when the call is made. Values with paths in them are
known later, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from collector_harness.documents import Document
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.scenario.captured import OWN_FORMS, Captured
from collector_harness.scenario.fitting import Fitting, Found
from collector_harness.scenario.model import (
    CallStep,
    DispatchStep,
    RegisterStep,
    Registration,
    ServeStep,
    Step,
    StreamStep,
)
from collector_harness.scenario.responses import response_findings
from collector_harness.topology.values import Topology

if TYPE_CHECKING:
    from collector_harness.client.pools import TypePool

__all__ = ["payload_problems"]

Location = tuple[str | int, ...]
_KNOWN = ("google.protobuf.", "collector.")
_CALLED = ("collector.", "conformance.Port", "grpc.health.v1.")


def payload_problems(
    steps: Iterable[tuple[Location, Step, Document]],
    topology: Topology,
    *,
    default_via: str | None = None,
    cases: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
) -> Iterator[Problem]:
    """Yields every field, enum value, type and scalar in a payload that cannot be, with its place.

    `cases` are the rows that `${case.…}` leads to.
    """
    steps = list(steps)
    protos = {node.name: node.protos for node in topology.nodes}
    protos |= {service.name: service.protos for service in topology.services}
    alone = [node.name for node in topology.nodes if node.peer is None]
    pools = _Pools(protos, default_via or (alone[0] if len(alone) == 1 else ""))
    fitting = Fitting(Captured((step for _, step, _ in steps), pools.method_of), cases)
    for location, step, document in steps:
        if isinstance(step, DispatchStep | ServeStep):
            found = _of_input(step.input, fitting)
        elif isinstance(step, CallStep | StreamStep) and "${" not in step.rpc:
            found = _of_call(step, pools, fitting)
        elif isinstance(step, RegisterStep):
            found = _of_registration(step.record, fitting)
        else:
            continue
        for place, message, hint, key in found:
            position = document.position((*location, *place), key=key)
            yield Problem(message=message, position=position, hint=hint)


class _Pools:
    """The descriptors that nodes bring, read when a call first needs them."""

    def __init__(self, protos: Mapping[str, tuple[Path, ...]], default_via: str) -> None:
        """`default_via` is called by steps that name nobody."""
        self._protos = protos
        self._default_via = default_via
        self._pools: dict[str, TypePool | None] = {}

    def of(self, name: str) -> TypePool | None:
        """Returns the pool of a node; None where it brings none, or none that can be read now:
        that is told where it starts.
        """
        if name not in self._pools:
            self._pools[name] = self._read(self._protos.get(name, ()))
        return self._pools[name]

    def methods_of(self, service: str, step: Step) -> tuple[Mapping[str, Any] | None, bool]:
        """Returns the methods of a service that a step calls, by their names, and whether it is the
        node that brings them and not the contract; None where they are not known.
        """
        pool = self.of(getattr(step, "via", None) or self._default_via)
        methods = None if pool is None else pool.methods(service)
        if methods is not None or not service.startswith(_CALLED):
            return methods, methods is not None
        from collector_harness.client.pools import known_types

        return known_types().methods(service), False

    def method_of(self, rpc: str, step: Step) -> Any:
        """Returns the method that a step calls, as `captured.MethodOf` says."""
        service, _, name = rpc.removeprefix("/").rpartition("/")
        return (self.methods_of(service, step)[0] or {}).get(name)

    def _read(self, files: tuple[Path, ...]) -> TypePool | None:
        if not files:
            return None
        # Descriptors are slow to import, and few scenarios need them to be read.
        from collector_harness.client.descriptor_sets import pool_of

        try:
            return pool_of(files)
        except (InvalidInput, EnvironmentLacks):
            return None


def _of_call(step: CallStep | StreamStep, pools: _Pools, fitting: Fitting) -> Iterator[Found]:
    service, _, name = step.rpc.removeprefix("/").rpartition("/")
    requests: list[tuple[object, Location]]
    if isinstance(step, CallStep):
        requests = [(step.input, ("input",))]
    else:
        requests = [
            (line.send, ("script", index, "send"))
            for index, line in enumerate(step.script)
            if "send" in line.model_fields_set
        ]
    methods, given = pools.methods_of(service, step)
    if methods is None:
        return
    if name not in methods:
        # Whether the contract has it is told in `names`; bytes may be sent to anything.
        if not given or any(
            isinstance(value, Mapping) and "$base64" in value for value, _ in requests
        ):
            return
        hint = did_you_mean(name, list(methods), what="its methods are")
        yield (step.action,), f"the service '{service}' has no method '{name}'", hint, False
        return
    for value, place in requests:
        yield from fitting.message(methods[name].input_type, value, place)
    yield from response_findings(step, methods[name])


def _of_registration(record: Registration, fitting: Fitting) -> Iterator[Found]:
    """What is registered is itself a message: of descriptor.proto."""
    if record.descriptor is None and record.proto is None and not record.methods:
        return
    from google.protobuf import descriptor_pb2 as kinds

    place: Location = ("register",)
    if record.proto is not None:
        yield from fitting.message(
            kinds.FileDescriptorProto.DESCRIPTOR, record.proto, (*place, "proto")
        )
    if record.descriptor is not None:
        yield from fitting.message(
            kinds.ServiceDescriptorProto.DESCRIPTOR, record.descriptor, (*place, "descriptor")
        )
    for index, method in enumerate(record.methods or ()):
        yield from fitting.message(
            kinds.MethodDescriptorProto.DESCRIPTOR, method, (*place, "methods", index)
        )


def _of_input(value: object, fitting: Fitting) -> Iterator[Found]:
    if not isinstance(value, Mapping) or "@bytes" in value:
        return
    url = value.get("@type")
    if not isinstance(url, str) or "${" in url:
        return
    name = url.rpartition("/")[2]
    if not name.startswith(_KNOWN):
        return
    from collector_harness.client.pools import known_types

    kind = known_types().message_class(name)
    if kind is None:
        hint = did_you_mean(name, _known_names(), what="send it with @bytes (base64); known are")
        yield ("input", "@type"), f"the message type '{name}' is not known", hint, False
        return
    fields = {key: item for key, item in value.items() if key != "@type"}
    yield from fitting.message(kind.DESCRIPTOR, fields, ("input",))


def _known_names() -> list[str]:
    kinds = (
        *("Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "Empty", "FieldMask"),
        *("FloatValue", "Int32Value", "Int64Value", "ListValue", "StringValue", "Struct"),
        *("Timestamp", "UInt32Value", "UInt64Value", "Value"),
    )
    return [f"{OWN_FORMS}{kind}" for kind in kinds]
