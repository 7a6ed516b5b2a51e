"""What a collector's settings ask for of security, put together: the guard of its port, the
credentials of its port, and what its channels carry.
"""

from __future__ import annotations

import grpc

from collector_reference.addresses import dialable, parse_listen
from collector_reference.descriptors import HEALTH, REFLECTION, REFLECTION_ALPHA
from collector_reference.security.access import AccessGuard
from collector_reference.security.authorization import read_policy
from collector_reference.security.outgoing import Outgoing
from collector_reference.security.own_token import own_token
from collector_reference.security.reloading import Reloaded
from collector_reference.security.tls import TlsIdentity
from collector_reference.security.tokens import TokenVerifier
from collector_reference.security.values import Exposure
from collector_reference.settings import CollectorSettings, ValidatorKind

__all__ = ["Gate"]


class Gate:
    """The security of one collector."""

    def __init__(self, settings: CollectorSettings, *, loopback_token: str) -> None:
        """Reads every file. Raises `SettingsError` for what cannot be used."""
        own_host = dialable(parse_listen(settings.listen).host, 0).rpartition(":")[0].strip("[]")
        tls = settings.tls
        identity = None if tls is None else TlsIdentity(tls, own_host=own_host)
        token = (
            None
            if settings.own_token is None
            else own_token(settings.own_token, settings.collector_id)
        )
        self._identity = identity
        self.outgoing = Outgoing(identity=identity, token=token)
        """What the collector's channels carry."""
        self.guard: AccessGuard | None = None
        """None where everybody who can connect may do everything."""
        certificates = tls is not None and tls.client_auth
        if settings.tokens is not None or certificates or settings.policy is not None:
            path = settings.policy
            self.guard = AccessGuard(
                verifier=None if settings.tokens is None else TokenVerifier(settings.tokens),
                certificates=certificates,
                policy=None
                if path is None
                else Reloaded((path,), lambda: read_policy(path), what="the policy"),
                system_namespace=settings.system_namespace,
                loopback_token=loopback_token,
                open_services=_open_services(settings),
                asks_by_registering=settings.validator is ValidatorKind.REGISTER_PROBE,
            )

    def server_credentials(self) -> grpc.ServerCredentials | None:
        """Returns what the port is bound with; None for plaintext."""
        return None if self._identity is None else self._identity.server_credentials()


def _open_services(settings: CollectorSettings) -> tuple[str, ...]:
    health = (HEALTH,) if settings.health is Exposure.OPEN else ()
    reflection = (REFLECTION, REFLECTION_ALPHA) if settings.reflection is Exposure.OPEN else ()
    return health + reflection
