"""The step that makes a call of any kind by a script of what is sent and received."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from collector_harness.client import Reply
from collector_harness.client.reflection import Unanswered
from collector_harness.client.streams import StreamCall
from collector_harness.errors import InvalidInput
from collector_harness.events import Mismatch
from collector_harness.scenario.matching import match
from collector_harness.scenario.model import Line, StreamStep
from collector_harness.scenario.steps.base import Answer, Location, Place, Unmet, answer_of
from collector_harness.scenario.values import look_up

__all__ = ["stream"]

_FIELDS = ("status", "message", "details", "messages", "headers", "trailers", "seconds")


async def stream(step: StreamStep, at: Place) -> Answer:
    """Does the lines of the script in order, sends nothing more, and reads what still comes.

    A line that is not met ends the call, and is what the answer says was `broken`.
    """
    node, rpc = at.node(step), at.scope.text(step.rpc)
    try:
        call = await node.client.open_stream(
            rpc, metadata=at.metadata(step), timeout=at.deadline(step)
        )
    except Unanswered as error:
        reply = node.client.unanswered(error, rpc, [])
        return _answer(reply, (), at, broken=_without_answer(step))
    broken: _Broken | None = None
    saved: dict[str, object] = {}
    try:
        try:
            for index, line in enumerate(step.script):
                # What one of several calls at once has saved is for its own lines alone.
                here = replace(at, scope=at.scope.seeing(saved)) if saved else at
                await _do(line, call, here, index, saved)
        except _Broken as error:
            broken = error
            call.cancel()
        reply = await call.finish()
    finally:
        call.cancel()
    return _answer(reply, call.messages, at, broken=broken, saved=saved)


def _without_answer(step: StreamStep) -> _Broken | None:
    """Returns the first line that waits for something, where nobody answers; None without one."""
    for index, line in enumerate(step.script):
        for kind, told in (("receive", "there is no message 1"), ("headers", "no headers came")):
            if kind in line.model_fields_set:
                return _Broken(told, (index, kind), ended=True)
    return None


def _answer(
    reply: Reply,
    messages: Sequence[object],
    at: Place,
    *,
    broken: _Broken | None,
    saved: Mapping[str, object] = MappingProxyType({}),
) -> Answer:
    at.tell(at, reply)
    whole = answer_of(reply)
    values = {key: whole.values.get(key) for key in _FIELDS if key != "messages"}
    values["messages"] = list(messages)
    values["details"] = values["details"] or []
    answer = Answer(values=values, route=(reply.node,), seconds=reply.seconds, saved=saved)
    if broken is None:
        return answer
    told = broken.message
    if broken.ended and reply.status != "CANCELLED":
        told += f": the call ended with {reply.status}"
        told += f", {reply.message[:200]!r}" if reply.message else ""
    unmet = Unmet(
        told,
        at=at,
        location=(*at.location, "script", *broken.location),
        mismatches=broken.mismatches,
        answer=answer,
    )
    return replace(answer, broken=unmet)


class _Broken(Exception):
    """A line of the script was not met."""

    def __init__(
        self,
        message: str,
        location: Location,
        mismatches: Sequence[Mismatch] = (),
        *,
        ended: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.mismatches = tuple(mismatches)
        self.ended = ended
        """Whether it is that the call was over."""


async def _do(
    line: Line, call: StreamCall, at: Place, index: int, saved: dict[str, object]
) -> None:
    limit = None if line.within is None else at.scope.duration(line.within).total_seconds()
    told = "" if limit is None else f" within {limit:g}s"
    (kind,) = line.model_fields_set - {"within", "save"}
    try:
        async with asyncio.timeout(limit):
            match kind:
                case "send":
                    if not await call.send(at.scope.fill(line.send)):
                        raise _Broken("a message could not be sent", (index, "send"), ended=True)
                case "receive":
                    saved |= _parts(line, await _receive(line, call, at, index), index)
                case "headers":
                    headers = await call.headers()
                    found = match(at.scope.expectation(line.headers), headers)
                    if found:
                        raise _Broken("the headers are not as expected", (index, "headers"), found)
                    saved |= _parts(line, headers, index)
                case "half_close":
                    await call.half_close()
                case _:
                    call.cancel()
    except TimeoutError:
        what = {"send": "the message was not taken", "headers": "no headers came"}
        raise _Broken(what.get(kind, "no message came") + told, (index, kind)) from None


async def _receive(line: Line, call: StreamCall, at: Place, index: int) -> object:
    number = len(call.messages) + 1
    if not await call.receive():
        raise _Broken(f"there is no message {number}", (index, "receive"), ended=True)
    message = call.messages[-1]
    found = match(at.scope.expectation(line.receive), message)
    if found:
        raise _Broken(f"message {number} is not as expected", (index, "receive"), found)
    return message


def _parts(line: Line, came: object, index: int) -> dict[str, object]:
    """Returns what a line saves of what came."""
    parts: dict[str, object] = {}
    for name, path in (line.save or {}).items():
        try:
            way = replace(path, parts=(path.root, *path.parts))
            parts[name] = came if path.root == "." else look_up(came, way)
        except InvalidInput:
            wanted = f"a value to save as '{name}'"
            found = (Mismatch(path=str(path), expected=wanted, actual="nothing"),)
            told = "what came lacks what was to be saved"
            raise _Broken(told, (index, "save", name), found) from None
    return parts
