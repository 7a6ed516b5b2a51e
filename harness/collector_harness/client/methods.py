# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Methods by their names: the known ones, and those that a node tells of by reflection."""

from __future__ import annotations

import difflib

import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from collector_harness.client.decoding import json_values
from collector_harness.client.pools import TypePool, known_types
from collector_harness.client.reflection import Reflection
from collector_harness.client.reply import Metadata
from collector_harness.client.unfit import read_json
from collector_harness.errors import InvalidInput, Problem

__all__ = ["Methods", "method_path", "request_message"]

_LEAST_PATIENCE = 1.0
"""Seconds. A call may be short on purpose, and what is asked before it is no part of it."""
_MOST_PATIENCE = 10.0
_REFUSALS = ("UNAUTHENTICATED", "PERMISSION_DENIED")


class Methods:
    """The methods that can be called on one node."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        node: str,
        metadata: Metadata = (),
        given: TypePool | None = None,
    ) -> None:
        """`metadata` goes with what is asked by reflection; `given` is the node's own pool, where
        something is known of it beforehand.
        """
        self._given = given
        self._channel = channel
        self._metadata = metadata
        self._node = node
        self._reflection: Reflection | None = None
        """Made when first needed: most nodes are never asked what they offer."""

    @property
    def types(self) -> TypePool | None:
        """What is known of the node's own types so far, in a pool that no other node sees."""
        return self._given if self._reflection is None else self._reflection.types

    async def find(self, path: str, *, timeout: float | None = None) -> MethodDescriptor:
        """Returns the method of `/package.Service/Method`, for a call that has so many seconds.

        Raises `InvalidInput` with a did-you-mean where neither the harness nor the node knows it,
        and `Unanswered` where nobody answers.
        """
        service, _, name = path[1:].rpartition("/")
        methods = known_types().methods(service)
        if methods is None and self._given is not None:
            methods = self._given.methods(service)
        if methods is None:
            if self._reflection is None:
                self._reflection = Reflection(
                    self._channel, metadata=self._metadata, types=self._given
                )
            if await self._reflection.find(service, timeout=_patience(timeout)):
                methods = self._reflection.types.methods(service)
        if methods is None:
            told = await self._reflection.services() if self._reflection is not None else ()
            given = () if self._given is None else self._given.services
            known = {*known_types().services, *told, *given}
            close = difflib.get_close_matches(service, sorted(known), n=1)
            refused = "" if self._reflection is None or told else self._reflection.refused
            why = f": it refuses reflection, by {refused}" if refused in _REFUSALS else ""
            raise InvalidInput(
                Problem(
                    message=f"node '{self._node}' tells nothing of a service '{service}'{why}",
                    hint=f"did you mean '{close[0]}'?"
                    if close
                    else "turn server reflection on, or name its descriptors under `protos`",
                )
            )
        if name not in methods:
            close = difflib.get_close_matches(name, list(methods), n=1)
            raise InvalidInput(
                Problem(
                    message=f"the service '{service}' has no method '{name}'",
                    hint=f"did you mean '{close[0]}'?"
                    if close
                    else f"its methods are: {', '.join(methods)}",
                )
            )
        return methods[name]


def _patience(timeout: float | None) -> float:
    """Returns how long to wait for what a node tells of itself, for a call of so many seconds."""
    return _MOST_PATIENCE if timeout is None else max(_LEAST_PATIENCE, min(timeout, _MOST_PATIENCE))


def request_message(method: MethodDescriptor, request: object) -> Message:
    """Returns a request as the method's message: a message as it is, anything else in protobuf's
    JSON form. Raises `InvalidInput` for what does not fit.
    """
    if isinstance(request, Message):
        # A reply shows it later, when whoever made it may have changed it.
        own = type(request)()
        own.CopyFrom(request)
        return own
    message: Message = GetMessageClass(method.input_type)()
    if request is None:
        return message
    try:
        # In JSON bytes are base64: taken as they are, they would be read as if they were that.
        return read_json(
            json_values(request), message, pool=method.input_type.file.pool, what="the request"
        )
    except InvalidInput as error:
        error.about = ("input",)
        raise


def method_path(full_method: str) -> str:
    """Returns `/package.Service/Method`; raises `InvalidInput` for what is no such name."""
    service, slash, method = full_method.removeprefix("/").rpartition("/")
    if not (service and slash and method) or not full_method.isprintable() or " " in full_method:
        raise InvalidInput(
            Problem(
                message=f"{full_method!r} is not the name of a method",
                hint="write package.Service/Method",
            )
        )
    return f"/{service}/{method}"
