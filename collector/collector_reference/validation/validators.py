"""What the dispatcher asks before it executes a method: a registry over gRPC, with a cache.

Whether that registry is the collector's own, over the loopback, or a remote one
is only a matter of the channel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference.errors import NotRegistered, RegistryUnavailable
from collector_reference.observability.correlation import calling, carried
from collector_reference.status import CanonicalStatus, from_status_code
from collector_reference.wire.registry_pb2 import (
    LookupServiceRequest,
    LookupServiceResponse,
    RegisterServiceRequest,
    ValidateMethodRequest,
    ValidateMethodResponse,
)
from collector_reference.wire.registry_pb2_grpc import CollectorRegistryStub

__all__ = ["CachedValidator", "ChannelValidator", "RegisterProbe", "RegistryValidator"]

VALIDATE = "/collector.CollectorRegistry/ValidateMethod"
REGISTER = "/collector.CollectorRegistry/RegisterService"

_MAX_ANSWERS = 100_000
_FEW_ANSWERS = 10_000
"""So many are kept without looking which of them still count."""
_LONGEST_KEPT = 1_000
"""Characters of the longest question whose answer is kept: names are the callers' own choice."""


class RegistryValidator(Protocol):
    """Tells whether a method may be executed (S1)."""

    async def validate_service_method(
        self, namespace: str, service: str, method: str, *, time_left: timedelta | None = None
    ) -> None:
        """Returns when the method is registered.

        `time_left` is what remains until the caller's deadline, None without one (LOOP-007).
        Raises `NotRegistered` when it is not registered, and `RegistryUnavailable` when that
        could not be found out (VAL-008).
        """


class ChannelValidator:
    """Asks a registry over a channel, each time."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        limit: timedelta,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """`limit` bounds an ask whose caller set no earlier deadline."""
        self._stub = CollectorRegistryStub(channel)
        self._limit = limit.total_seconds()
        self._metadata = metadata
        self.calls = 0
        """How many times a method was asked about."""

    async def validate_service_method(
        self, namespace: str, service: str, method: str, *, time_left: timedelta | None = None
    ) -> None:
        """Asks ValidateMethod; see `RegistryValidator`."""
        timeout = self._count_one(time_left)
        request = ValidateMethodRequest(
            namespace=namespace, service_name=service, method_name=method
        )
        try:
            with calling(VALIDATE, carried()) as headers:
                response = await self._stub.ValidateMethod(
                    request, timeout=timeout, metadata=(*self._metadata, *headers)
                )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise NotRegistered(error.details() or "") from error
            raise RegistryUnavailable(_reason(error)) from error
        if not (response.is_valid and response.status.code == 0 and response.HasField("status")):
            _raise_refusal(response)

    def _count_one(self, time_left: timedelta | None) -> float:
        """Counts a question, and returns the seconds that it may take."""
        self.calls += 1
        return self._limit if time_left is None else min(self._limit, time_left.total_seconds())

    async def prove(self, namespace: str, service: str, method: str | None = None) -> bool:
        """Returns whether the registry knows the method, or the service where none is given.

        Not counted in `calls`. Raises `RegistryUnavailable` when it gives no answer.
        """
        response: LookupServiceResponse | ValidateMethodResponse
        try:
            if method is None:
                response = await self._stub.LookupService(
                    LookupServiceRequest(namespace=namespace, service_name=service),
                    timeout=self._limit,
                    metadata=self._metadata,
                )
            else:
                response = await self._stub.ValidateMethod(
                    ValidateMethodRequest(
                        namespace=namespace, service_name=service, method_name=method
                    ),
                    timeout=self._limit,
                    metadata=self._metadata,
                )
        except grpc.aio.AioRpcError as error:
            raise RegistryUnavailable(_reason(error)) from error
        if not response.HasField("status"):
            raise RegistryUnavailable("the registry answered without a status")
        status = from_status_code(response.status.code)
        if status not in (CanonicalStatus.OK, CanonicalStatus.NOT_FOUND):
            raise RegistryUnavailable(f"the registry answered {status or response.status.code}")
        return status is CanonicalStatus.OK


class RegisterProbe(ChannelValidator):
    """Asks a registry without ValidateMethod, by registering: what exists already is valid (S0).

    It has a **side effect**: a service that was not there is there afterwards, so that asking
    again finds it. And it cannot see methods (VAL-003 and VAL-004 do not hold).
    """

    async def validate_service_method(
        self,
        namespace: str,
        service: str,
        method: str,  # noqa: ARG002 - not to be seen this way
        *,
        time_left: timedelta | None = None,
    ) -> None:
        """Asks RegisterService; see `RegistryValidator`."""
        timeout = self._count_one(time_left)
        request = RegisterServiceRequest(
            # Without methods: should it be stored, then nothing of it can be executed.
            namespace=namespace,
            service_descriptor=ServiceDescriptorProto(name=service),
        )
        try:
            with calling(REGISTER, carried()) as headers:
                await self._stub.RegisterService(
                    request, timeout=timeout, metadata=(*self._metadata, *headers)
                )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                return
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise NotRegistered(error.details() or "") from error
            raise RegistryUnavailable(_reason(error)) from error
        raise NotRegistered(
            f"service '{service}' was not registered in namespace '{namespace}' before it was "
            "asked about"
        )

    async def prove(self, namespace: str, service: str, method: str | None = None) -> bool:  # noqa: ARG002
        """Returns whether the registry knows the service; see `ChannelValidator`."""
        return await super().prove(namespace, service)


class CachedValidator:
    """Believes another validator's answers for a while.

    An answer is also dropped when the collector's own registry changed after
    the question was put, so that a registration there takes effect at once.
    That the registry is unavailable is not an answer, and never kept.
    """

    def __init__(
        self,
        inner: RegistryValidator,
        *,
        life: timedelta,
        generation: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._life = life.total_seconds()
        self._generation = generation
        self._clock = clock
        self._answers: dict[tuple[str, str, str], tuple[float, int, str | None]] = {}
        self._look_at = _FEW_ANSWERS
        self.hits = 0
        """How often a believed answer was enough."""

    @property
    def kept(self) -> int:
        """How many answers are kept, those included that are not believed any more."""
        return len(self._answers)

    def knows(self, namespace: str, service: str, method: str) -> bool:
        """Whether a believed answer says that the method is registered."""
        answer = self._answers.get((namespace, service, method))
        if (
            answer is not None
            and answer[2] is None
            and answer[1] == self._generation()
            and answer[0] > self._clock()
        ):
            self.hits += 1
            return True
        return False

    async def validate_service_method(
        self, namespace: str, service: str, method: str, *, time_left: timedelta | None = None
    ) -> None:
        """See `RegistryValidator`."""
        key = (namespace, service, method)
        generation = self._generation()
        answer = self._answers.get(key)
        if answer and answer[1] == generation and answer[0] > self._clock():
            self.hits += 1
            if answer[2] is None:
                return
            raise NotRegistered(answer[2])
        try:
            await self._inner.validate_service_method(
                namespace, service, method, time_left=time_left
            )
        except NotRegistered as error:
            self._keep(key, generation, str(error))
            raise
        self._keep(key, generation, None)

    def _keep(self, key: tuple[str, str, str], generation: int, refusal: str | None) -> None:
        if self._life <= 0 or sum(map(len, key)) > _LONGEST_KEPT:
            return
        if len(self._answers) >= self._look_at:
            self._drop_what_is_over()
        self._answers[key] = (self._clock() + self._life, generation, refusal)

    def _drop_what_is_over(self) -> None:
        """So that what is kept is in proportion to what is asked in a life, however many names
        callers make up. Each look is paid for by as many answers as it finds.
        """
        now, generation = self._clock(), self._generation()
        self._answers = {
            key: answer
            for key, answer in self._answers.items()
            if answer[0] > now and answer[1] == generation
        }
        if len(self._answers) >= _MAX_ANSWERS:
            self._answers.clear()
        self._look_at = min(max(_FEW_ANSWERS, 2 * len(self._answers)), _MAX_ANSWERS)

    def forget(self) -> None:
        """Drops every answer."""
        self._answers.clear()


def _raise_refusal(response: ValidateMethodResponse) -> None:
    if not response.HasField("status"):
        raise RegistryUnavailable("the registry answered without a status")
    status = from_status_code(response.status.code)
    if status is CanonicalStatus.OK and response.is_valid:
        return
    if status in (
        CanonicalStatus.OK,
        CanonicalStatus.NOT_FOUND,
        CanonicalStatus.INVALID_ARGUMENT,
    ):
        raise NotRegistered(response.message or response.status.message)
    raise RegistryUnavailable(f"the registry answered {status or response.status.code}")


def _reason(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name}: {error.details() or 'no details'}"
