"""Dispatchers that each get one thing wrong."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct

from collector_reference.dispatch import routing
from collector_reference.dispatch.service import DispatcherService
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import (
    DispatchRequest,
    DispatchResponse,
    ServeResponse,
)


class TidyPostman(DispatcherService):
    """Unpacks what it relays, and packs nothing where that fails."""

    async def Serve(self, request, context):
        _tidy(request)
        return await super().Serve(request, context)

    async def Dispatch(self, request, context):
        _tidy(request)
        return await super().Dispatch(request, context)


def _tidy(request):
    if request.input.Is(Struct.DESCRIPTOR):
        try:
            Struct.FromString(request.input.value)
        except DecodeError:
            request.input.value = b""


class Bilingual(DispatcherService):
    """Takes the number of NOT_FOUND from the wrong table."""

    async def Serve(self, request, context):
        return _in_band(await super().Serve(request, context))

    async def Dispatch(self, request, context):
        return _in_band(await super().Dispatch(request, context))


def _in_band(response):
    if response.status.code == Status.HTTP_NOT_FOUND:
        response.status.code = Status.NOT_FOUND
    return response


class RelayRunner(DispatcherService):
    """Passes on what it was asked to execute itself."""

    async def Serve(self, request, context):
        response = await super().Serve(request, context)
        if response.status.code != Status.HTTP_NOT_FOUND:
            return response
        relayed = await self._forward_to_any(
            DispatchRequest(
                namespace=request.namespace,
                service=request.service,
                method_name=request.method_name,
                input=request.input if request.HasField("input") else None,
            ),
            context,
        )
        return ServeResponse(
            status=relayed.status,
            output=relayed.output if relayed.HasField("output") else None,
            executor_id=relayed.handled_by_collector_id,
        )


class Anonymous(DispatcherService):
    """Leaves out who executed a call."""

    async def Serve(self, request, context):
        response = await super().Serve(request, context)
        response.executor_id = ""
        return response


class BackToFront(DispatcherService):
    """Checks a request from its end."""

    async def Serve(self, request, context):
        missing = _missing(request)
        if missing is None:
            return await super().Serve(request, context)
        return ServeResponse(status=missing)

    async def Dispatch(self, request, context):
        missing = _missing(request)
        if missing is None:
            return await super().Dispatch(request, context)
        return DispatchResponse(status=missing)


def _missing(request):
    for name, value in (
        ("method_name", request.method_name),
        ("service", request.service.service_name),
        ("namespace", request.namespace),
    ):
        if not value:
            return Status(code=Status.HTTP_BAD_REQUEST, message=f"{name} is required")
    return None


class Wanderer(DispatcherService):
    """Looks around before it looks at home."""

    async def Dispatch(self, request, context):
        if request.namespace and not request.target_collector_id:
            response = await self._forward_to_any(request, context)
            if response.status.code != Status.HTTP_NOT_FOUND:
                return response
        return await super().Dispatch(request, context)


class Hermit(DispatcherService):
    """Forwards on command only."""

    async def _forward_to_any(self, request, context):
        failure = routing.no_candidate(request.namespace)
        return DispatchResponse(status=Status(code=failure.code, message=failure.message))


class HelpfulNeighbour(DispatcherService):
    """Takes a target for a wish."""

    async def Dispatch(self, request, context):
        response = await super().Dispatch(request, context)
        if request.target_collector_id and response.status.code == Status.HTTP_NOT_FOUND:
            anywhere = DispatchRequest()
            anywhere.CopyFrom(request)
            anywhere.ClearField("target_collector_id")
            return await super().Dispatch(anywhere, context)
        return response


class SecondChance(DispatcherService):
    """Retries what has already run."""

    async def _forward_to_any(self, request, context):
        response = await super()._forward_to_any(request, context)
        if response.status.code == Status.HTTP_INTERNAL_SERVER_ERROR:
            response = await super()._forward_to_any(request, context)
        return response
