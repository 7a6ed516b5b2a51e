"""Dispatchers that each get one thing wrong about a call that another collector executes."""

from __future__ import annotations

import asyncio

from collector_reference.dispatch import routing
from collector_reference.dispatch.service import DispatcherService
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import DispatchRequest, DispatchResponse


def without_target(request):
    anywhere = DispatchRequest()
    anywhere.CopyFrom(request)
    anywhere.ClearField("target_collector_id")
    return anywhere


class ClosestTill(DispatcherService):
    """Gives the right answer from the wrong node: a call that can be served here stays here."""

    async def Dispatch(self, request, context):
        key = (request.namespace, request.service.service_name, request.method_name)
        target = request.target_collector_id
        peer = self._connections.by_id(target) if target else None
        if peer is None or not self._handlers.find(*key):
            return await super().Dispatch(request, context)
        response = await super().Dispatch(without_target(request), context)
        response.handled_by_collector_id = target
        return response


class CreditTaker(DispatcherService):
    """Has a target's work done, and signs it."""

    async def _forward_to_target(self, peer, request, context):
        response = await super()._forward_to_target(peer, request, context)
        response.handled_by_collector_id = self._id
        return response


class GhostWriter(DispatcherService):
    """Serves itself what the target cannot, and signs with the target's name."""

    async def Dispatch(self, request, context):
        response = await super().Dispatch(request, context)
        target = request.target_collector_id
        if not target or response.status.code != Status.HTTP_NOT_FOUND:
            return response
        instead = await super().Dispatch(without_target(request), context)
        if instead.status.code != Status.HTTP_OK:
            return response
        instead.handled_by_collector_id = target
        return instead


class Shrug(DispatcherService):
    """Takes a target that it does not know for one that is down."""

    async def Dispatch(self, request, context):
        target = request.target_collector_id
        complete = not routing.incomplete(
            request.namespace, request.service.service_name, request.method_name, ""
        )
        if complete and target not in ("", self._id) and self._connections.by_id(target) is None:
            return _answer(Status.HTTP_SERVICE_UNAVAILABLE, f"collector '{target}' is away")
        return await super().Dispatch(request, context)


class Optimist(DispatcherService):
    """Holds that somebody who can serve a call will turn up: try again."""

    async def _forward_to_any(self, request, context):
        response = await super()._forward_to_any(request, context)
        if response.status.code == Status.HTTP_NOT_FOUND:
            response.status.code = Status.HTTP_SERVICE_UNAVAILABLE
        return response


class Stranger(DispatcherService):
    """Looks for its own id among its peers."""

    async def Dispatch(self, request, context):
        if request.target_collector_id == self._id:
            return _answer(Status.HTTP_NOT_FOUND, f"no connection to collector '{self._id}'")
        return await super().Dispatch(request, context)


class Diplomat(DispatcherService):
    """Puts the failure of a target into words and a number of its own."""

    async def _forward_to_target(self, peer, request, context):
        response = await super()._forward_to_target(peer, request, context)
        if response.status.code in (Status.HTTP_NOT_FOUND, Status.HTTP_INTERNAL_SERVER_ERROR):
            return _answer(502, f"collector '{peer.collector_id}' failed", peer.collector_id)
        return response


class Discreet(DispatcherService):
    """Tells whoever left the choice to it that there was nobody, whatever went wrong."""

    async def _forward_to_any(self, request, context):
        response = await super()._forward_to_any(request, context)
        if response.status.code != Status.HTTP_OK:
            failure = routing.no_candidate(request.namespace)
            return _answer(failure.code, failure.message)
        return response


class FirstCome(DispatcherService):
    """Asks one peer, and takes its answer whatever it is."""

    def _candidates(self, request):
        for peer in super()._candidates(request):
            yield peer
            return


class WaitAndSee(DispatcherService):
    """Waits for a target that is down until the caller gives up."""

    async def _forward_to_target(self, peer, request, context):
        response = await super()._forward_to_target(peer, request, context)
        while response.status.code == Status.HTTP_SERVICE_UNAVAILABLE:
            await asyncio.sleep(0.1)
            response = await super()._forward_to_target(peer, request, context)
        return response


class OpenHouse(DispatcherService):
    """Checks that a namespace is shared only where it chooses the peer itself."""

    async def Dispatch(self, request, context):
        target = request.target_collector_id
        peer = self._connections.by_id(target) if target else None
        if peer is None or not request.namespace:
            return await super().Dispatch(request, context)
        return await self._forward_to_target(peer, request, context)


class Trusting(DispatcherService):
    """Once it has a peer, takes it that the peer has validated what it sends."""

    async def Serve(self, request, context):
        if not self._connections.snapshot():
            return await super().Serve(request, context)
        validator, self.validator = self.validator, None
        try:
            return await super().Serve(request, context)
        finally:
            self.validator = validator


class SecondOpinion(DispatcherService):
    """Sends a call that its own registry does not know to somebody who may know better."""

    async def Dispatch(self, request, context):
        response = await super().Dispatch(request, context)
        if "not registered" not in response.status.message or request.target_collector_id:
            return response
        return await self._forward_to_any(request, context)


def _answer(code, message, handled_by=""):
    return DispatchResponse(
        status=Status(code=code, message=message), handled_by_collector_id=handled_by
    )
