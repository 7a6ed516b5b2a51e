"""The steps that ask a node's registry: register, validate, lookup and list."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

from collector_harness.client import Reply
from collector_harness.client.bulk import Directly, register_many
from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.model import (
    ListStep,
    LookupStep,
    RegisterStep,
    Registration,
    ValidateStep,
)
from collector_harness.scenario.steps.base import Answer, Place, answer_of

__all__ = ["list_services", "lookup", "register", "validate"]

M = TypeVar("M", bound=Message)
_REGISTER = "collector.CollectorRegistry/RegisterService"


async def register(step: RegisterStep, at: Place) -> Answer:
    """Registers a service, or the file of a proto."""
    record, client = step.record, at.client(step)
    namespace = at.scope.text(record.namespace) if record.namespace is not None else ""
    metadata, timeout = at.metadata(step), at.deadline(step)
    if record.services is not None:
        reply = await _register_many(record, namespace, at.scope.count(record.services), step, at)
    elif record.proto is not None:
        file = _parsed(record.proto, FileDescriptorProto(), at)
        reply = await client.register_proto(namespace, file, metadata=metadata, timeout=timeout)
    else:
        descriptor = _service(record, at)
        if descriptor is None:
            reply = await client.call(
                _REGISTER, {"namespace": namespace}, metadata=metadata, timeout=timeout
            )
        else:
            reply = await client.register_service(
                namespace, descriptor=descriptor, metadata=metadata, timeout=timeout
            )
    at.tell(at, reply)
    return answer_of(reply)


async def _register_many(
    record: Registration, namespace: str, count: int, step: RegisterStep, at: Place
) -> Reply:
    client, collector = at.client(step), at.mesh[at.client(step).node].collector
    # A collector of somebody's own may have less than the reference.
    directly: Directly | None = getattr(collector, "register_descriptor", None)

    async def register(first: int) -> Reply:
        return await register_many(
            client,
            namespace,
            count,
            first=first,
            directly=directly,
            metadata=at.metadata(step),
            timeout=at.deadline(step),
        )

    if not record.once:
        return await register(1)
    return await at.mesh.crowds.grow(client.node, namespace, count, register)


async def validate(step: ValidateStep, at: Place) -> Answer:
    """Asks whether a method is registered."""
    name = at.scope.method(step.method)
    reply = await at.client(step).validate(
        name.namespace or "",
        name.service or "",
        name.method or "",
        metadata=at.metadata(step),
        timeout=at.deadline(step),
    )
    at.tell(at, reply)
    return answer_of(reply)


async def lookup(step: LookupStep, at: Place) -> Answer:
    """Looks one service up."""
    name = at.scope.service(step.service)
    reply = await at.client(step).lookup_service(
        name.namespace or "",
        name.service or "",
        metadata=at.metadata(step),
        timeout=at.deadline(step),
    )
    at.tell(at, reply)
    return answer_of(reply)


async def list_services(step: ListStep, at: Place) -> Answer:
    """Lists the services of a namespace, or of all."""
    reply = await at.client(step).list_services(
        at.scope.text(step.namespace), metadata=at.metadata(step), timeout=at.deadline(step)
    )
    # Fifty thousand records take seconds to decode, in which the collectors of this process would
    # answer nobody.
    await asyncio.to_thread(getattr, reply, "response")
    at.tell(at, reply)
    return answer_of(reply)


def _service(record: Registration, at: Place) -> ServiceDescriptorProto | None:
    """Returns the descriptor that a registration carries; None where it carries none (REG-002)."""
    if record.descriptor is not None:
        return _parsed(record.descriptor, ServiceDescriptorProto(), at)
    if record.service is None and record.methods is None:
        return None
    descriptor = ServiceDescriptorProto()
    if record.service is not None:
        descriptor.name = at.scope.text(record.service)
    for method in record.methods or ():
        added = descriptor.method.add()
        filled = at.scope.fill(method)
        if isinstance(filled, dict):
            _parsed(filled, added, at)
        else:
            # A method that is only named is unary and takes and returns an Any.
            kind = ".google.protobuf.Any"
            added.MergeFrom(
                MethodDescriptorProto(name=str(filled), input_type=kind, output_type=kind)
            )
    return descriptor


def _parsed(written: dict[str, object], message: M, at: Place) -> M:
    try:
        json_format.ParseDict(at.scope.fill(written), message)  # type: ignore[arg-type]
    except (json_format.ParseError, TypeError, ValueError) as error:
        kind = message.DESCRIPTOR
        raise InvalidInput(
            Problem(
                message=f"this is not a {kind.name}: {error}",
                hint=f"its fields are: {', '.join(field.name for field in kind.fields)}",
            )
        ) from error
    return message
