"""Connection tables that each get one thing wrong."""

from __future__ import annotations

from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.routing import shared
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectResponse


class Wallflower(Connections):
    """Sees no point in a connection without a shared namespace."""

    def accept(self, request):
        if request.address and not shared(request.namespaces, self._own):
            return ConnectResponse(
                status=Status(code=Status.HTTP_PRECONDITION_FAILED, message="nothing is shared")
            )
        return super().accept(request)


class OneWayStreet(Connections):
    """Knows only the peers that it asked itself."""

    def accept(self, request):
        known = set(self._peers)
        response = super().accept(request)
        for key in set(self._peers) - known:
            self._drop(key)
        return response


class Favourite(Connections):
    """Never changes its mind."""

    def candidates(self, namespace):
        yield from self._sharing.get(namespace, ())


class Blabbermouth(Connections):
    """Asks around, last of all also those whom it does not concern."""

    def candidates(self, namespace):
        asked = list(super().candidates(namespace))
        yield from asked
        yield from (peer for peer in self._peers.values() if peer not in asked)
