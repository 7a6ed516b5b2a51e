"""What a collector executes: named functions, and how their outcome becomes an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from grpclib_collector import contract
from grpclib_collector.admin import Counts

__all__ = ["Call", "Deliberate", "Handler", "Handlers"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a handler can know about the call that it serves."""

    seconds: float | None
    """How long the caller waits; None without a limit."""
    metadata: Any
    """A multi-dictionary; binary values are bytes."""


class Deliberate(Exception):
    """A handler's own failure, whose text is meant for the caller."""


Handler = Callable[[AnyMessage | None, Call], Awaitable[Message | None]]


class Handlers:
    """The handlers of all namespaces."""

    def __init__(self, executor_id: str, counts: Counts) -> None:
        self._executor_id = executor_id
        self._counts = counts
        self._table: dict[str, dict[tuple[str, str], Handler]] = {}

    def add(self, namespace: str, service: str, methods: Mapping[str, Handler]) -> None:
        table = self._table.setdefault(namespace, {})
        table.update({(service, name): handler for name, handler in methods.items()})

    def has(self, namespace: str, service: str, method: str) -> bool:
        return (service, method) in self._table.get(namespace, {})

    async def run(self, request: Any, call: Call) -> Any:
        """Returns the ServeResponse of a request that may be served."""
        names = request.service.service_name, request.method_name
        table = self._table.get(request.namespace)
        if table is None:
            return self._answer(404, f"namespace '{request.namespace}' not found", ran=False)
        if names not in table:
            text = "method '{}.{}' not found in namespace '{}'".format(*names, request.namespace)
            return self._answer(404, text, ran=False)
        self._counts.executions[request.namespace, *names] += 1
        try:
            output = await table[names](request.input if request.HasField("input") else None, call)
            packed = _packed(output)
        except asyncio.CancelledError:
            raise
        except Deliberate as failure:
            return self._answer(500, f"handler error: {failure}")
        except BaseException:  # noqa: BLE001 - whatever it is, it must not take the process along
            _log.exception("the handler of %s.%s crashed", *names)
            return self._answer(500, "handler error: internal error")
        answer = self._answer(200, "OK")
        if packed is not None:
            answer.output.CopyFrom(packed)
        return answer

    def _answer(self, code: int, message: str, *, ran: bool = True) -> Any:
        return contract.ServeResponse(
            status=contract.Status(code=code, message=message),
            executor_id=self._executor_id if ran else "",
        )


def _packed(output: Message | None) -> AnyMessage | None:
    if output is None or isinstance(output, AnyMessage):
        return output
    if not isinstance(output, Message):
        raise TypeError(f"a handler returned {type(output).__name__}, which is no message")
    packed = AnyMessage()
    packed.Pack(output)
    return packed
