"""How this collector dials: the options of every channel that it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc.aio

from collector_reference.addresses import resolved_target
from collector_reference.errors import SettingsError

if TYPE_CHECKING:
    from collector_reference.security.client_tls import ClientTls
    from collector_reference.security.outgoing import Outgoing

__all__ = ["dial", "why_unreachable"]

# Room for what surrounds a payload on its way back: a request just under the limit must not fail
# because its answer also carries a status and an id.
_ENVELOPE_BYTES = 64 * 1024


def dial(
    address: str,
    *,
    max_message_bytes: int,
    outgoing: Outgoing | None = None,
    own_port: bool = False,
    name: str | None = None,
    tls: ClientTls | None = None,
) -> grpc.aio.Channel:
    """Returns a channel of its own connection; nothing is sent before it is used.

    `outgoing` is what it carries, None for plaintext without a token; `own_port` is whether the
    collector dials itself, and `name` what a certificate must carry where that is not the host of
    the address. `tls` is for who is no collector, in the place of `outgoing`.
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
    if tls is not None:
        return tls.channel(target, options)
    if outgoing is None:
        return grpc.aio.insecure_channel(target, options=options)
    return outgoing.channel(target, options, own_port=own_port, name=name)


async def why_unreachable(
    address: str, *, outgoing: Outgoing | None, seconds: float, name: str | None = None
) -> str | None:
    """Returns why who listens at the address and this collector do not understand each other:
    that one speaks TLS and the other does not, or whose certificate is not trusted.

    `name` is as for `dial`. None where that is not it, or it is not found within `seconds`.
    """
    from collector_reference.security import diagnosis

    identity = None if outgoing is None else outgoing.identity
    try:
        context = None if identity is None else identity.client_context()
    except SettingsError:
        # The files are being changed; channels go on with the former.
        return None
    return await diagnosis.why_unreachable(address, context, name=name, seconds=seconds)
