"""Validation: the dispatcher asks the registry over gRPC, and a guard stands before every RPC."""

from __future__ import annotations

import time
from typing import Any

from grpclib.client import Channel
from grpclib.const import Status as GrpcStatus
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from grpclib_collector import contract
from grpclib_collector.admin import Counts
from grpclib_collector.calls import CallFailed, NotSent, call
from grpclib_collector.registry import RegistryStore

__all__ = ["RegistryUnreachable", "Validator", "guard"]

CACHE_SECONDS = 2.0
CACHE_ENTRIES = 10_000


class RegistryUnreachable(Exception):
    """The registry could not be asked, which says nothing about the method."""


class Validator:
    """Asks a registry whether a method is registered, and remembers the answer for 2 s."""

    def __init__(self, channel: Channel, counts: Counts) -> None:
        self._channel = channel
        self._counts = counts
        self._answers: dict[tuple[str, str, str], tuple[float, bool]] = {}

    def forget(self) -> None:
        """Makes the next question go to the registry again."""
        self._answers.clear()

    async def is_valid(self, namespace: str, service: str, method: str, *, seconds: float) -> bool:
        """Raises `RegistryUnreachable` where there is no answer within `seconds`."""
        key = (namespace, service, method)
        known = self._answers.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        request = contract.ValidateMethodRequest(
            namespace=namespace, service_name=service, method_name=method
        )
        self._counts.loopback_calls += 1
        try:
            answer = await call(self._channel, contract.VALIDATE, request, seconds=seconds)
        except (NotSent, CallFailed) as error:
            raise RegistryUnreachable(str(error)) from error
        if not answer.HasField("status"):
            raise RegistryUnreachable("the registry answered without a status")
        if len(self._answers) >= CACHE_ENTRIES:
            self._answers.clear()
        valid = answer.is_valid and answer.status.code == 0
        self._answers[key] = (time.monotonic() + CACHE_SECONDS, valid)
        return bool(valid)


def guard(server: Server, store: RegistryStore, namespace: str) -> None:
    """Refuses every RPC that is not registered in the system namespace, before its handler.

    The store is asked directly: asking over the port would have to pass this guard itself.
    """

    async def check(event: RecvRequest) -> None:
        service, _, method = event.method_name.removeprefix("/").rpartition("/")
        if not store.has_method(namespace, service, method):
            message = f"{event.method_name} is not registered"

            async def refuse(stream: Any) -> None:  # noqa: ARG001 - its name in grpclib
                raise GRPCError(GrpcStatus.UNIMPLEMENTED, message)

            event.method_func = refuse

    listen(server, RecvRequest, check)
