"""The table of peers: who is in it, who shares a namespace, and in which order they are tried.

Nothing here opens or closes a connection.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from collector_reference.dispatch.balancing import least_pending, rendezvous, rotated
from collector_reference.dispatch.peers import Peer
from collector_reference.dispatch.tuning import Balancing

__all__ = ["Key", "PeerTable", "key_of"]

# Peers without an id must never be found by one, not even by a made-up one (CON-008): so the two
# kinds have keys of their own.
Key = tuple[str, str]

Order = Callable[[Sequence[Peer], int], Iterator[Peer]]


def key_of(collector_id: str, address: str) -> Key:
    """Returns what a peer is found by."""
    return ("id", collector_id) if collector_id else ("address", address)


class PeerTable:
    """One entry per peer. Lives on the collector's loop."""

    def __init__(self, balancing: Balancing) -> None:
        self._order: Order = _least_pending if balancing is Balancing.LEAST_PENDING else rotated
        self._peers: dict[Key, Peer] = {}
        self._sharing: dict[str, dict[Peer, None]] = {}
        self._in_order: dict[str, tuple[Peer, ...]] = {}
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._peers.values()))

    def get(self, key: Key) -> Peer | None:
        """Returns the peer of that key, or None."""
        return self._peers.get(key)

    def keys(self) -> tuple[Key, ...]:
        """Returns every key."""
        return tuple(self._peers)

    def items(self) -> tuple[tuple[Key, Peer], ...]:
        """Returns every key with its peer."""
        return tuple(self._peers.items())

    def put(self, key: Key, peer: Peer, shared: tuple[str, ...]) -> Peer | None:
        """Enters a peer with the namespaces it shares now; returns the one whose place it takes."""
        before = self._peers.get(key)
        if before is not None:
            self._unindex(before)
        self._peers[key] = peer
        peer.shared = shared
        for namespace in shared:
            self._sharing.setdefault(namespace, {})[peer] = None
            self._in_order.pop(namespace, None)
        return None if before is peer else before

    def remove(self, key: Key) -> Peer:
        """Takes a peer out, and returns it."""
        peer = self._peers.pop(key)
        self._unindex(peer)
        return peer

    def first_dead(self) -> Key | None:
        """Returns the key of a peer whose last try to connect failed, or None."""
        return next((key for key, peer in self._peers.items() if peer.is_dead()), None)

    def clear(self) -> None:
        """Takes everybody out."""
        self._peers.clear()
        self._sharing.clear()
        self._in_order.clear()

    def candidates(self, namespace: str, hint: str = "") -> Iterator[Peer]:
        """Yields the peers that share the namespace, in the order in which to try them.

        With a hint in the order of that hint. Those that say that they do not serve are left out,
        and those that would first have to be connected again come last (DSP-015).
        """
        peers = self._in_order.get(namespace)
        if peers is None:
            sharing = self._sharing.get(namespace)
            if not sharing:
                return
            # A copy, because the table may change while the caller waits for a peer.
            peers = self._in_order[namespace] = tuple(sharing)
        order = (
            rendezvous(peers, hint, _name)
            if hint
            else self._order(peers, next(self._turns[namespace]))
        )
        later: list[Peer] = []
        for peer in order:
            if not peer.serving:
                continue
            if peer.is_ready():
                yield peer
            else:
                later.append(peer)
        yield from later

    def _unindex(self, peer: Peer) -> None:
        for namespace in peer.shared:
            sharing = self._sharing.get(namespace)
            if sharing is not None:
                sharing.pop(peer, None)
                if not sharing:
                    # Peers announce what they like: nothing is kept of what nobody shares.
                    del self._sharing[namespace]
                    self._turns.pop(namespace, None)
            self._in_order.pop(namespace, None)


def _name(peer: Peer) -> str:
    return peer.collector_id or peer.address


def _least_pending(peers: Sequence[Peer], turn: int) -> Iterator[Peer]:
    return least_pending(peers, turn, lambda peer: peer.pending)
