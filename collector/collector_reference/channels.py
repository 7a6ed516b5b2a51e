"""How this collector dials: the options of every channel that it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc.aio

from collector_reference.addresses import resolved_target

if TYPE_CHECKING:
    from collector_reference.security.outgoing import Outgoing

__all__ = ["dial"]

# Room for what surrounds a payload on its way back: a request just under the limit must not fail
# because its answer also carries a status and an id.
_ENVELOPE_BYTES = 64 * 1024


def dial(
    address: str,
    *,
    max_message_bytes: int,
    outgoing: Outgoing | None = None,
    own_port: bool = False,
) -> grpc.aio.Channel:
    """Returns a channel of its own connection; nothing is sent before it is used.

    `outgoing` is what it carries, None for plaintext without a token; `own_port` is whether the
    collector dials itself.
    """
    target = resolved_target(address)
    options = (
        # Otherwise the collectors of one process silently share connections.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.max_receive_message_length", max_message_bytes + _ENVELOPE_BYTES),
        # gRPC's own reconnecting has the jitter; these keep a restarted peer's absence short.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    )
    if outgoing is None:
        return grpc.aio.insecure_channel(target, options=options)
    return outgoing.channel(target, options, own_port=own_port)
