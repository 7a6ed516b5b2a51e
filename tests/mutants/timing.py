"""Dispatchers that each get one thing wrong about time, and about callers that have none left."""

from __future__ import annotations

import asyncio

from collector_reference.dispatch.service import DispatcherService, _serve_request
from collector_reference.wire.common_pb2 import Status


class Hoarder(DispatcherService):
    """Takes a place for each call, and gives it back when the call has ended well."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._places = asyncio.Semaphore(64)

    async def Serve(self, request, context):
        await self._places.acquire()
        response = await super().Serve(request, context)
        self._places.release()
        return response


class Generous(DispatcherService):
    """Rounds up: a second more for whoever executes."""

    def _budget(self, context):
        seconds, limited = super()._budget(context)
        return seconds + 1, limited


class Hurried(DispatcherService):
    """Keeps a whole second back for the way."""

    def _budget(self, context):
        seconds, limited = super()._budget(context)
        return max(0.001, seconds - 1), limited


class Doubler(DispatcherService):
    """Counts the time that is left from both ends."""

    def _budget(self, context):
        seconds, limited = super()._budget(context)
        return seconds if limited else seconds * 2, limited


class DeafHop(DispatcherService):
    """Brings to its end what it has passed on, whether somebody still waits or not."""

    async def _forward_to_target(self, peer, request, context):
        return await asyncio.shield(super()._forward_to_target(peer, request, context))

    async def _forward_to_any(self, request, context):
        return await asyncio.shield(super()._forward_to_any(request, context))


class Persistent(DispatcherService):
    """Asks the next one when a peer was too slow for the caller."""

    async def _forward_to_any(self, request, context):
        try:
            response = await super()._forward_to_any(request, context)
        except asyncio.CancelledError:
            self._begin_again(request)
            raise
        if response.status.code == Status.HTTP_GATEWAY_TIMEOUT:
            self._begin_again(request)
        return response

    def _begin_again(self, request):
        peer = next(iter(self._candidates(request)))
        self._again = asyncio.ensure_future(
            peer.serve(
                _serve_request(request),
                seconds=5,
                limited=True,
                connect_limit=self._connect_limit,
                metadata=(),
            )
        )


class Forgiving(DispatcherService):
    """Takes a call that broke off for one that had nothing to answer."""

    async def _forward_to_target(self, peer, request, context):
        response = await super()._forward_to_target(peer, request, context)
        if "UNAVAILABLE" in response.status.message:
            response.status.code = Status.HTTP_OK
            response.status.message = "OK"
        return response


class Faithful(DispatcherService):
    """Waits for a peer as long as the caller does, and for ever where the caller does."""

    def _budget(self, context):
        seconds, limited = super()._budget(context)
        return (24 * 3600.0 if limited else seconds), limited
