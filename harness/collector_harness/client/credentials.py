"""What a client of a node shows and trusts: certificates by their files, and a bearer token."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from collector_harness.errors import EnvironmentLacks
from collector_reference.security.diagnosis import why_unreachable

__all__ = ["PLAINTEXT", "ClientCredentials"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCredentials:
    """How a node is called. The token is left out where the value is shown."""

    tls: bool = False
    """Whether it is dialled with TLS."""
    ca: Path | None = None
    """What it is trusted by, in PEM; None for what the machine trusts."""
    cert: Path | None = None
    """The client's own certificate, in PEM, where one is shown."""
    key: Path | None = None
    """The key of `cert`."""
    server_name: str | None = None
    """The name that its certificate must have, where that is not the one that it is dialled by."""
    token: str | None = field(default=None, repr=False)
    """The bearer token that calls carry unless they say otherwise."""

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Returns what gRPC takes, None for plaintext; raises `EnvironmentLacks` for a file that
        cannot be read.
        """
        if not self.tls:
            return None
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))

    async def why_unreachable(self, address: str, *, seconds: float) -> str | None:
        """Returns why who listens there does not understand this client, where that is TLS."""
        try:
            context = self._context()
        except (OSError, ssl.SSLError):
            return None
        if context is not None and self.server_name is not None:
            # Who listens is trusted by another name than the one that it is dialled by.
            context.check_hostname = False
        return await why_unreachable(address, context, seconds=seconds)

    def http_context(self) -> ssl.SSLContext | None:
        """Returns what HTTP clients take, None for plaintext; raises `OSError` for a file that
        cannot be read.
        """
        context = self._context()
        if context is not None:
            context.set_alpn_protocols(["http/1.1"])
        return context

    def _context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        if self.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


PLAINTEXT = ClientCredentials()
"""Neither TLS nor a token."""


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnvironmentLacks(
            f"the file '{path}', which the client of a node needs, cannot be read: "
            f"{error.strerror or error}"
        ) from error
