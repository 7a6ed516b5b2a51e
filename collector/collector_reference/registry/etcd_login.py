"""The channels to the members of an etcd cluster, and the token of a user that is logged in.

What is asked over them is in `etcd_client.py`.
"""

from __future__ import annotations

import grpc
import grpc.aio
from aetcd import rpc

from collector_reference.addresses import resolved_target
from collector_reference.errors import SettingsError
from collector_reference.registry.etcd_access import TLS_VARIABLES
from collector_reference.registry.notation import EtcdPlace
from collector_reference.security import diagnosis
from collector_reference.security.client_tls import ClientTls

__all__ = ["EtcdLogin"]

Metadata = tuple[tuple[str, str], ...]

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class EtcdLogin:
    """One client of a cluster. Belongs to the loop on which it is first used."""

    def __init__(self, place: EtcdPlace) -> None:
        self._place = place
        self._access = place.access
        self._tls: ClientTls | None = None
        self._token: str | None = None

    def dial(self, endpoint: str) -> grpc.aio.Channel:
        """Returns a new channel to a member; raises `SettingsError` for files that cannot be used
        when the first member is dialled.
        """
        target = resolved_target(endpoint)
        if not self._place.tls:
            return grpc.aio.insecure_channel(target, options=_OPTIONS)
        if self._tls is None:
            access = self._access
            self._tls = ClientTls(
                ca=access.ca,
                cert=access.cert,
                key=access.key,
                variables=TLS_VARIABLES,
                what="the certificate for etcd",
            )
        return self._tls.channel(target, _OPTIONS)

    async def metadata(self, channel: grpc.aio.Channel, time: float) -> Metadata:
        """Returns what a call carries; logs in where that is needed.

        Raises `AioRpcError` when the member does not let it in, or does not answer in time, and
        `SettingsError` for a password that cannot be read.
        """
        user = self._access.user
        if user is None:
            return ()
        if self._token is None:
            request = rpc.AuthenticateRequest(name=user, password=self._access.password())
            self._token = (await rpc.AuthStub(channel).Authenticate(request, timeout=time)).token
        return (("token", self._token),)

    def is_refused(self, error: grpc.aio.AioRpcError, sent: Metadata) -> bool:
        """Returns whether a token that was sent does not count any more; the next call gets a new
        one then.
        """
        if not sent or error.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return False
        self.forget(sent)
        return True

    def forget(self, sent: Metadata) -> None:
        """Has the next call log in again, unless another one did so since this was sent."""
        if sent == (("token", self._token),):
            self._token = None

    async def why_unreachable(self, endpoint: str, *, seconds: float) -> str | None:
        """Returns why a member that listens is not understood; None where that is not it."""
        try:
            context = None if self._tls is None else self._tls.context()
        except SettingsError:
            # The files are being changed; the channels go on with the former.
            return None
        return await diagnosis.why_unreachable(endpoint, context, seconds=seconds)
