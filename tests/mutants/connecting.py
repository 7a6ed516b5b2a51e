"""Connection tables that each get one thing wrong."""

from __future__ import annotations

from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.routing import shared
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectResponse


class Wallflower(Connections):
    """Sees no point in a connection without a shared namespace."""

    def __init__(self, settings, **others):
        super().__init__(settings, **others)
        self._mine = settings.namespaces

    def accept(self, request, **others):
        if request.address and not shared(request.namespaces, self._mine):
            return ConnectResponse(
                status=Status(code=Status.HTTP_PRECONDITION_FAILED, message="nothing is shared")
            )
        return super().accept(request, **others)


class OneWayStreet(Connections):
    """Calls only the peers that it asked itself."""

    def __init__(self, settings, **others):
        super().__init__(settings, **others)
        self._guests = set()

    def accept(self, request, **others):
        self._guests.add(request.collector_id)
        return super().accept(request, **others)

    def by_id(self, collector_id):
        return None if collector_id in self._guests else super().by_id(collector_id)

    def candidates(self, namespace):
        for peer in super().candidates(namespace):
            if peer.collector_id not in self._guests:
                yield peer


class Favourite(Connections):
    """Has an order of preference, and keeps to it."""

    def candidates(self, namespace):
        yield from sorted(super().candidates(namespace), key=lambda peer: peer.collector_id)


class Blabbermouth(Connections):
    """Asks around, last of all also those whom it does not concern."""

    def candidates(self, namespace):
        asked = list(super().candidates(namespace))
        yield from asked
        for connection in self.snapshot():
            peer = self.by_id(connection.collector_id)
            if peer not in asked:
                yield peer
