"""TLS and mTLS: certificates from files, for a server and for a client.

The variables are TLS_CERT, TLS_KEY and TLS_CA; with TLS_CLIENT_AUTH=require a server demands a
certificate of its clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import grpc

__all__ = ["client_credentials", "server_credentials"]


def server_credentials(environment: Mapping[str, str]) -> grpc.ServerCredentials | None:
    """Returns what a server listens with, or None where TLS_CERT is not set. Raises `ValueError`
    for what is missing or cannot be read.
    """
    if not environment.get("TLS_CERT"):
        return None
    mutual = environment.get("TLS_CLIENT_AUTH", "") == "require"
    return grpc.ssl_server_credentials(
        [(_read(environment, "TLS_KEY"), _read(environment, "TLS_CERT"))],
        root_certificates=_read(environment, "TLS_CA") if mutual else None,
        require_client_auth=mutual,
    )


def client_credentials(mode: str, environment: Mapping[str, str]) -> grpc.ChannelCredentials | None:
    """Returns what a client dials with: nothing for `off`, TLS_CA's trust for `on`, and our own
    certificate beside it for `mutual`. Raises `ValueError` as above, and for another mode.
    """
    if mode == "off":
        return None
    if mode not in ("on", "mutual"):
        raise ValueError(f"TLS to a service is off, on or mutual, not {mode!r}")
    mutual = mode == "mutual"
    return grpc.ssl_channel_credentials(
        _read(environment, "TLS_CA"),
        _read(environment, "TLS_KEY") if mutual else None,
        _read(environment, "TLS_CERT") if mutual else None,
    )


def _read(environment: Mapping[str, str], variable: str) -> bytes:
    path = environment.get(variable)
    if not path:
        raise ValueError(f"{variable} is needed for TLS")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{variable}: {path} cannot be read: {error.strerror}") from error
