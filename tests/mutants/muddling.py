"""Dispatchers that misread what they carry, or mix up calls that are under way at once."""

from __future__ import annotations

import asyncio

import grpc

from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.dialects import Dialect
from collector_reference.dispatch.handlers import HandlerTable
from collector_reference.dispatch.service import DispatcherService
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import DispatchRequest


class ForeignTongue(Connections):
    """Reads a request to connect in the dialect that it grew up with."""

    def accept(self, request, **others):
        return super().accept(Dialect.ACCRETIONAL.read(request.SerializeToString()), **others)


class Monoglot(Connections):
    """Reads a request to connect natively, whatever dialect it was told to speak."""

    def accept(self, request, **others):
        return super().accept(
            type(request).FromString(Dialect.ACCRETIONAL.write(request)), **others
        )


class SmallTalk(Connections):
    """Takes the metadata in which the accretional dialect has the id for HTTP headers."""

    def accept(self, request, **others):
        if self._settings.dialect is Dialect.ACCRETIONAL:
            request.collector_id = request.collector_id.lower()
        return super().accept(request, **others)


class Rounder(DispatcherService):
    """Passes on only numbers that it has a name for."""

    async def Dispatch(self, request, context):
        response = await super().Dispatch(request, context)
        if response.status.code not in Status.Code.values():
            response.status.code = Status.HTTP_INTERNAL_SERVER_ERROR
        return response


class Stickler(DispatcherService):
    """Refuses what it does not know all of."""

    async def Serve(self, request, context):
        known = type(request)()
        known.CopyFrom(request)
        known.DiscardUnknownFields()
        if known.ByteSize() != request.ByteSize():
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "there is a field too many")
        return await super().Serve(request, context)


class OpenPlan(HandlerTable):
    """Has one room for all namespaces."""

    def find(self, namespace, service, method):
        own = super().find(namespace, service, method)
        if own is not None:
            return own
        elsewhere = (each for each in self.runs() if each[1:] == (service, method))
        return next((super(OpenPlan, self).find(*each) for each in elsewhere), None)


class OneTrackMind(DispatcherService):
    """Keeps the namespace of the call at hand where the next call puts its own."""

    _namespace = ""

    async def Dispatch(self, request, context):
        self._namespace = request.namespace
        await asyncio.sleep(0.005)
        remembered = DispatchRequest()
        remembered.CopyFrom(request)
        remembered.namespace = self._namespace
        return await super().Dispatch(remembered, context)


class SharedTray(DispatcherService):
    """Puts every answer on one tray, and takes away what lies there."""

    _answer = None

    async def Serve(self, request, context):
        self._answer = await super().Serve(request, context)
        await asyncio.sleep(0.005)
        return self._answer


class Turnstile(DispatcherService):
    """Gives out a number, and then turns to the next."""

    _next = 0

    async def Connect(self, request, context):
        number = self._next
        response = await super().Connect(request, context)
        await asyncio.sleep(0.05)
        self._next = number + 1
        response.connection_id = f"connection-{number}"
        return response
