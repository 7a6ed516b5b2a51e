"""What a played peer does, as frozen values. Playing it is in `play` and `node`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

__all__ = ["ANSWER_FIELDS", "LINK_SERVICE", "OddAnswer", "PlayedPeer"]

LINK_SERVICE: Final = "collector_harness.Link"
"""The service that no collector has, by which a connection is probed from outside. A peer answers
for it as an honest collector does, and does not record it."""

ANSWER_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Connect": ("status", "connection_id", "shared_namespaces", "target_collector_id"),
    "Dispatch": ("status", "output", "handled_by_collector_id"),
    "ListServices": ("status", "services"),
    "LookupService": ("status", "service"),
    "RegisterProto": ("status", "proto_id", "registered_messages"),
    "RegisterService": ("status", "service_id", "registered_methods"),
    "Serve": ("status", "output", "executor_id"),
    "ValidateMethod": ("status", "is_valid", "message"),
}
"""The RPCs that a peer can answer oddly, each with the fields of its answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OddAnswer:
    """How one RPC is answered otherwise than an honest collector would."""

    grpc: str | None = None
    """The canonical name of the gRPC status that it fails with."""
    message: str = ""
    """The text of that status."""
    response: Mapping[str, object] | None = None
    """The whole answer, as JSON values; nothing is executed."""
    patch: Mapping[str, object] = field(default_factory=dict)
    """Fields of the honest answer that are replaced; None unsets one."""
    silent: bool = False
    """Whether there is no answer at all."""
    delay: timedelta = timedelta()
    """How late the answer is."""
    times: int | None = None
    """How many calls are answered so before the peer is honest; None for all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedPeer:
    """How the harness plays a peer."""

    collector_id: str | None = None
    """The id that it gives; None for its name."""
    silent: bool = False
    """Whether it accepts connections and never answers."""
    delay: timedelta = timedelta()
    """How late it answers."""
    answers: Mapping[str, OddAnswer] = field(default_factory=dict)
    """How it answers single RPCs, by name such as `Serve`."""

    def connects(self) -> bool:
        """Returns whether it can be relied on to accept a connection as a collector does."""
        return not self.silent and "Connect" not in self.answers
