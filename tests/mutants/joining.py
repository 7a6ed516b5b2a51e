"""Collectors that each get one thing wrong when a peer asks to connect, or comes back."""

from __future__ import annotations

import asyncio

from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.service import DispatcherService
from collector_reference.errors import PeerError
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, ConnectResponse


class RubberStamp(Connections):
    """Has one id of a connection for each peer."""

    def accept(self, request, **others):
        response = super().accept(request, **others)
        if response.connection_id:
            response.connection_id = f"connection-of-{request.collector_id}"
        return response


class Librarian(Connections):
    """Puts everything into order."""

    def accept(self, request, **others):
        response = super().accept(request, **others)
        response.shared_namespaces[:] = sorted(response.shared_namespaces)
        return response


class SoftHeart(Connections):
    """Writes down also those whom it sends away."""

    def accept(self, request, **others):
        response = super().accept(request, **others)
        if not request.address:
            super().accept(
                ConnectRequest(
                    collector_id=request.collector_id,
                    address="127.0.0.1:9",
                    namespaces=request.namespaces,
                )
            )
        return response


class DoubleBooking(DispatcherService):
    """Delivers to a peer once for each time that it asked to connect."""

    def __init__(self, settings, **others):
        super().__init__(settings, **others)
        self._asked = {}

    async def Connect(self, request, context):
        self._asked[request.collector_id] = self._asked.get(request.collector_id, 0) + 1
        return await super().Connect(request, context)

    async def Dispatch(self, request, context):
        response = await super().Dispatch(request, context)
        for _ in range(1, self._asked.get(response.handled_by_collector_id, 1)):
            response = await super().Dispatch(request, context)
        return response


class SmallPrint(Connections):
    """Writes every id in small letters."""

    def accept(self, request, **others):
        request.collector_id = request.collector_id.lower()
        return super().accept(request, **others)


class Namegiver(Connections):
    """Has a name for those who have none."""

    def accept(self, request, **others):
        request.collector_id = request.collector_id or "unknown"
        return super().accept(request, **others)


class YesMan(Connections):
    """Says yes to any address, and keeps those that it can use."""

    def accept(self, request, **others):
        response = super().accept(request, **others)
        if request.address and response.status.code == Status.HTTP_BAD_REQUEST:
            return ConnectResponse(
                status=Status(code=Status.HTTP_OK, message="OK"),
                connection_id="1",
                target_collector_id=self._settings.collector_id,
            )
        return response


class Mirror(Connections):
    """Does not know itself."""

    def _is_self(self, collector_id, address):
        return False


class Ouroboros(DispatcherService):
    """Asks itself until somebody has an answer."""

    async def _forward_to_any(self, request, context):
        response = await super()._forward_to_any(request, context)
        while (
            self._connections.by_id(self._id) is not None
            and response.status.code == Status.HTTP_NOT_FOUND
        ):
            await asyncio.sleep(0.01)
            response = await super()._forward_to_any(request, context)
        return response


class EasilyDiscouraged(Connections):
    """Asks each address once."""

    def __init__(self, settings, **others):
        super().__init__(settings, **others)
        self._disappointments = set()

    async def connect_to(self, address, namespaces=None, **others):
        if address in self._disappointments:
            await asyncio.Event().wait()
        try:
            return await super().connect_to(address, namespaces, **others)
        except PeerError:
            self._disappointments.add(address)
            raise


class CoatCheck(Connections):
    """Knows a peer by the number of its ticket."""

    def _store_outbound(self, peer, response):
        for other in self.snapshot():
            if (
                other.connection_id == response.connection_id
                and other.collector_id != response.target_collector_id
            ):
                self.forget(other.collector_id)
        return super()._store_outbound(peer, response)


class SecondHome(Connections):
    """Keeps the address that a peer had before."""

    def accept(self, request, **others):
        before = self.by_id(request.collector_id)
        was_at = None if before is None else before.address
        response = super().accept(request, **others)
        if was_at is not None and was_at != request.address:
            super().accept(ConnectRequest(address=was_at, namespaces=request.namespaces))
        return response


class Grudge(Connections):
    """Has nothing more to do with a peer whose connection was lost."""

    def __init__(self, settings, **others):
        super().__init__(settings, **others)
        self.returned = set()

    def _store_outbound(self, peer, response):
        if self.by_id(response.target_collector_id) is peer:
            self.returned.add(response.target_collector_id)
        return super()._store_outbound(peer, response)

    def by_id(self, collector_id):
        peer = super().by_id(collector_id)
        return None if collector_id in self.returned else peer


class Remembering(Grudge):
    """Knows whose connection was lost, and holds nothing against them."""

    def by_id(self, collector_id):
        return Connections.by_id(self, collector_id)


class Stutterer(DispatcherService):
    """Sends a call again to a peer that has come back: the first one may have been lost."""

    async def Dispatch(self, request, context):
        response = await super().Dispatch(request, context)
        if response.handled_by_collector_id in self._connections.returned:
            response = await super().Dispatch(request, context)
        return response


class Homebody(Connections):
    """Tells its peers where it is bound, whatever it was told to tell them."""

    def open(self, addresses):
        super().open(addresses[::-1])
