"""What is sent, held against the types that are known before anything runs: the contract, the
well-known types, and the descriptors that nodes and services bring. What comes back is held
against them in `responses`.

What a node tells only by reflection is known when the call is made. Values with paths in them are
known later, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector_harness.documents import Document
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
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
    from google.protobuf.descriptor import FieldDescriptor

    from collector_harness.client.pools import TypePool

__all__ = ["payload_problems"]

Location = tuple[str | int, ...]
Found = tuple[Location, str, str | None, bool]
"""A place below the step, what is wrong there, what to do, and whether its key is meant."""

_OWN_FORMS = "google.protobuf."
"""Types that have forms of their own in JSON."""
_DESCRIPTORS = "google/protobuf/descriptor.proto"
"""The file of those among them that have not."""
_KNOWN = ("google.protobuf.", "collector.")
_CALLED = ("collector.", "conformance.Port", "grpc.health.v1.")
_DEEPEST = 64


def payload_problems(
    steps: Iterable[tuple[Location, Step, Document]],
    topology: Topology,
    *,
    default_via: str | None = None,
) -> Iterator[Problem]:
    """Yields every field, enum value and type in a payload that there is not, with its place."""
    protos = {node.name: node.protos for node in topology.nodes}
    protos |= {service.name: service.protos for service in topology.services}
    alone = [node.name for node in topology.nodes if node.peer is None]
    pools = _Pools(protos)
    for location, step, document in steps:
        if isinstance(step, DispatchStep | ServeStep):
            found = _of_input(step.input)
        elif isinstance(step, CallStep | StreamStep) and "${" not in step.rpc:
            via = step.via or default_via or (alone[0] if len(alone) == 1 else "")
            found = _of_call(step, pools.of(via))
        elif isinstance(step, RegisterStep):
            found = _of_registration(step.record)
        else:
            continue
        for place, message, hint, key in found:
            position = document.position((*location, *place), key=key)
            yield Problem(message=message, position=position, hint=hint)


class _Pools:
    """The descriptors that nodes bring, read when a call first needs them."""

    def __init__(self, protos: Mapping[str, tuple[Path, ...]]) -> None:
        self._protos = protos
        self._pools: dict[str, TypePool | None] = {}

    def of(self, name: str) -> TypePool | None:
        """Returns the pool of a node; None where it brings none, or none that can be read now:
        that is told where it starts.
        """
        if name not in self._pools:
            self._pools[name] = self._read(self._protos.get(name, ()))
        return self._pools[name]

    def _read(self, files: tuple[Path, ...]) -> TypePool | None:
        if not files:
            return None
        # Descriptors are slow to import, and few scenarios need them to be read.
        from collector_harness.client.descriptor_sets import pool_of

        try:
            return pool_of(files)
        except (InvalidInput, EnvironmentLacks):
            return None


def _of_call(step: CallStep | StreamStep, pool: TypePool | None) -> Iterator[Found]:
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
    methods = None if pool is None else pool.methods(service)
    given = methods is not None
    if methods is None and service.startswith(_CALLED):
        from collector_harness.client.pools import known_types

        methods = known_types().methods(service)
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
        yield from _of_message(methods[name].input_type, value, place)
    yield from response_findings(step, methods[name])


def _of_registration(record: Registration) -> Iterator[Found]:
    """What is registered is itself a message: of descriptor.proto."""
    if record.descriptor is None and record.proto is None and not record.methods:
        return
    from google.protobuf import descriptor_pb2 as kinds

    place: Location = ("register",)
    if record.proto is not None:
        yield from _of_message(
            kinds.FileDescriptorProto.DESCRIPTOR, record.proto, (*place, "proto")
        )
    if record.descriptor is not None:
        yield from _of_message(
            kinds.ServiceDescriptorProto.DESCRIPTOR, record.descriptor, (*place, "descriptor")
        )
    for index, method in enumerate(record.methods or ()):
        yield from _of_message(
            kinds.MethodDescriptorProto.DESCRIPTOR, method, (*place, "methods", index)
        )


def _of_input(value: object) -> Iterator[Found]:
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
    yield from _of_message(kind.DESCRIPTOR, fields, ("input",))


def _known_names() -> list[str]:
    kinds = (
        *("Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "Empty", "FieldMask"),
        *("FloatValue", "Int32Value", "Int64Value", "ListValue", "StringValue", "Struct"),
        *("Timestamp", "UInt32Value", "UInt64Value", "Value"),
    )
    return [f"{_OWN_FORMS}{kind}" for kind in kinds]


def _of_message(kind: Any, value: object, place: Location, depth: int = 0) -> Iterator[Found]:
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return
    if kind.full_name.startswith(_OWN_FORMS) and kind.file.name != _DESCRIPTORS:
        return
    fields: dict[str, FieldDescriptor] = {}
    for field in kind.fields:
        fields |= {field.name: field, field.json_name: field}
    for key, item in value.items():
        if not isinstance(key, str) or key.startswith(("$", "@", "[")) or "${" in key:
            continue
        if key not in fields:
            names = [field.name for field in kind.fields]
            hint = did_you_mean(key, names, what="its fields are")
            yield (*place, key), f"{kind.name} has no field '{key}'", hint, True
            continue
        yield from _of_field(fields[key], item, (*place, key), depth)


def _of_field(field: FieldDescriptor, value: Any, place: Location, depth: int) -> Iterator[Found]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _of_field(field, item, (*place, index), depth + 1)
    elif value is None or (isinstance(value, str) and "${" in value):
        return
    elif field.message_type is not None:
        entry = field.message_type
        if entry.GetOptions().map_entry and isinstance(value, Mapping):
            for key, item in value.items():
                yield from _of_field(
                    entry.fields_by_name["value"], item, (*place, str(key)), depth + 1
                )
        else:
            yield from _of_message(entry, value, place, depth + 1)
    elif field.enum_type is not None:
        names = list(field.enum_type.values_by_name)
        if isinstance(value, str) and value not in names:
            hint = did_you_mean(value, names, what="its values are")
            yield place, f"{field.enum_type.name} has no value '{value}'", hint, False
    elif field.cpp_type == field.CPPTYPE_STRING and isinstance(value, int | float):
        what = "bytes, in base64" if field.type == field.TYPE_BYTES else "text"
        yield (
            place,
            f"the field '{field.name}' takes {what}, not {value}",
            "put it in quotes",
            False,
        )
    elif field.cpp_type == field.CPPTYPE_BOOL and not isinstance(value, bool):
        yield place, f"the field '{field.name}' takes true or false, not {value!r}", None, False
