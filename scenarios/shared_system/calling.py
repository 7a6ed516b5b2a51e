"""Calls from one service to another: deadline, retries, circuit breaker, correlation, log line.

What is called is a generated stub's method; what the practices are, and that each can be
switched off, is in `practices`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from shared_system import errand, logs, tracing
from shared_system.breaker import Breaker, BreakerSettings
from shared_system.channels import Channels
from shared_system.discovery import place
from shared_system.failures import FAILURE_TRAILER, Failure
from shared_system.practices import Practices

__all__ = ["Caller", "CallingSettings"]

_LOG = logging.getLogger(__name__)
_Request = TypeVar("_Request", bound=Message)
_Reply = TypeVar("_Reply", bound=Message)
_Make = Callable[[grpc.aio.Channel], grpc.aio.UnaryUnaryMultiCallable[_Request, _Reply]]

# What may go well a moment later. Everything else would only fail again, or did happen.
_PASSING = frozenset({grpc.StatusCode.UNAVAILABLE})
# What says that the service is ill, and not that the request was.
_ILL = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True, kw_only=True)
class CallingSettings:
    """How one service is called."""

    limit_seconds: float = 3.0
    """A call with its retries takes no longer, nor longer than what is left of the errand."""
    attempts: int = 4
    """So many in all, where failures pass."""
    pause_seconds: float = 0.05
    """The longest pause before the second attempt; doubles with each further one."""
    pool: int = 2
    """So many channels are kept."""
    breaker: BreakerSettings = field(default_factory=BreakerSettings)


class Caller:
    """Calls one service. `name` is how logs and messages call it. Lives on one event loop."""

    def __init__(
        self,
        name: str,
        notation: str,
        settings: CallingSettings,
        practices: Practices,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> None:
        """Without `credentials` calls are not encrypted. Raises `ValueError` for a notation of a
        place that cannot be read.
        """
        self.name = name
        self._settings = settings
        self._practices = practices
        self._breaker = Breaker(settings.breaker)
        self._turns = itertools.count()
        self._channels = Channels(
            place(notation, discover=practices.discovery),
            size=settings.pool,
            keep=practices.pooling,
            balance=practices.discovery,
            credentials=credentials,
            interceptors=interceptors,
        )

    async def call(
        self,
        method: str,
        make: _Make[_Request, _Reply],
        request: _Request,
        *,
        repeatable: bool = True,
    ) -> _Reply:
        """Calls the method that `make` binds to a channel, and returns its reply. `repeatable` says
        that it answers the same when it is called again: only then are retries safe.

        Raises `Failure` with the code of what happened.
        """
        limit = self._limit()
        until = None if limit is None else time.monotonic() + limit
        turn = next(self._turns)
        attempts = self._settings.attempts if self._practices.retries and repeatable else 1
        for attempt in range(1, attempts + 1):
            try:
                # Each attempt takes another channel than the one before, which may be the trouble.
                return await self._attempt(
                    method, make, request, attempt=attempt, until=until, turn=turn + attempt
                )
            except Failure as failure:
                pause = self._settings.pause_seconds * 2 ** (attempt - 1) * random.random()
                late = until is not None and time.monotonic() + pause >= until
                if not failure.passing or attempt == attempts or late:
                    # Who called us is not to repeat what was repeated here.
                    failure.passing = False
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt answers or raises")

    async def is_well(self) -> bool:
        """Asks the service for its health."""

        def check(channel: grpc.aio.Channel) -> Any:
            return health_pb2_grpc.HealthStub(channel).Check

        try:
            answer = await self.call("Check", check, health_pb2.HealthCheckRequest())
        except Failure:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Closes the channels."""
        await self._channels.close()

    def _limit(self) -> float | None:
        if not self._practices.timeouts:
            return None
        left = errand.remaining()
        return (
            self._settings.limit_seconds
            if left is None
            else min(left, self._settings.limit_seconds)
        )

    async def _attempt(
        self,
        method: str,
        make: _Make[_Request, _Reply],
        request: _Request,
        *,
        attempt: int,
        until: float | None,
        turn: int,
    ) -> _Reply:
        if self._practices.breaker and not self._breaker.admit():
            self._tell(method, "REFUSED", attempt, 0.0)
            raise Failure(
                grpc.StatusCode.UNAVAILABLE,
                f"the {self.name} service failed repeatedly and is left alone for a moment",
            )
        began = time.monotonic()
        status = "CANCELLED"
        try:
            with tracing.span(f"{self.name}/{method}", "CLIENT"):
                async with self._channels.one(turn) as channel:
                    reply = await make(channel)(
                        request,
                        timeout=None if until is None else max(0.0, until - began),
                        metadata=self._metadata(),
                    )
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            failure, told = self._failure(error)
            self._breaker.record(well=told or failure.code not in _ILL)
            raise failure from error
        except Failure as failure:
            status = failure.code.name
            self._breaker.record(well=False)
            raise
        else:
            status = "OK"
            self._breaker.record(well=True)
            return reply
        finally:
            if status == "CANCELLED":
                self._breaker.forget()
            self._tell(method, status, attempt, time.monotonic() - began)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        own = ((errand.CORRELATION_HEADER, errand.correlation_id()),)
        return (*(own if self._practices.correlation else ()), *tracing.carry())

    def _failure(self, error: grpc.aio.AioRpcError) -> tuple[Failure, bool]:
        """Returns what our own caller is told, and whether the service itself told it. gRPC's
        own words hold addresses.
        """
        code, message = error.code(), error.details() or error.code().name
        kind = dict(error.trailing_metadata() or ()).get(FAILURE_TRAILER)
        if kind is not None:
            return Failure(code, message, passing=kind == "passing"), True
        if code is grpc.StatusCode.UNAVAILABLE:
            message = f"the {self.name} service cannot be reached"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            message = f"the {self.name} service did not answer in time"
        return Failure(code, message, passing=code in _PASSING), False

    def _tell(self, method: str, status: str, attempt: int, seconds: float) -> None:
        if self._practices.logging:
            _LOG.info(
                logs.line(
                    "call",
                    service=self.name,
                    method=method,
                    status=status,
                    attempt=attempt,
                    duration_ms=seconds * 1000,
                    correlation_id=errand.correlation_id(),
                )
            )
