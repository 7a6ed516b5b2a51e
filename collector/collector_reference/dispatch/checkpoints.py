"""What a checkpoint keeps of the connections of a collector, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import grpc.aio

from collector_reference.dispatch.breaker import Breaker
from collector_reference.dispatch.dialects import Dialect
from collector_reference.dispatch.peers import Peer
from collector_reference.dispatch.table import Key

__all__ = ["Checkpoint", "PeerRecord"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerRecord:
    """What is known of a peer. The fields are those of `Peer`."""

    connection_id: str
    collector_id: str
    address: str
    shared: tuple[str, ...]
    offered: tuple[str, ...] | None
    keeps: bool
    kept: bool
    chosen: tuple[str, ...] | None
    dialect: Dialect
    advertised: str | None

    @classmethod
    def of(cls, peer: Peer) -> Self:
        """Returns the record of a peer."""
        return cls(
            connection_id=peer.connection_id,
            collector_id=peer.collector_id,
            address=peer.address,
            shared=peer.shared,
            offered=peer.offered,
            keeps=peer.keeps,
            kept=peer.kept,
            chosen=peer.chosen,
            dialect=peer.dialect,
            advertised=peer.advertised,
        )

    def peer(self, channel: grpc.aio.Channel, breaker: Breaker | None) -> Peer:
        """Returns a new peer of this record."""
        return Peer(
            address=self.address,
            channel=channel,
            kept=self.kept,
            dialect=self.dialect,
            advertised=self.advertised,
            breaker=breaker,
        )

    def write_to(self, peer: Peer) -> None:
        """Makes a peer at the same address what it was, but for what it shares: the table's."""
        peer.collector_id = self.collector_id
        peer.connection_id = self.connection_id
        peer.offered = self.offered
        peer.keeps = self.keeps
        peer.chosen = self.chosen
        peer.is_back()


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """The connections of a collector."""

    own: tuple[str, ...]
    """The namespaces that it shared."""
    peers: dict[Key, PeerRecord]
