"""Certificates: read, checked, read again when they change, and given to gRPC for both sides.

Who is behind a certificate is in `identity`; when a channel takes a new one, in `outgoing`.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from collector_reference.errors import SettingsError
from collector_reference.security.reloading import Reloaded
from collector_reference.security.values import TlsSettings

__all__ = ["Certificates", "TlsIdentity"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """What was in the files at one moment, in PEM; certificate and key belong together."""

    chain: bytes
    key: bytes
    roots: bytes | None
    own_name: str | None
    """The name by which its own certificate is asked for on the loopback, where that certificate
    does not carry the address; None where it does."""


class TlsIdentity:
    """A collector's certificate and what it trusts, as the files are now."""

    def __init__(self, settings: TlsSettings, *, own_host: str) -> None:
        """`own_host` is where its own port is dialled.

        Raises `SettingsError` for files that cannot be used: missing, not PEM, no pair, or a
        certificate that is expired or that `ca` has not signed, so that the loopback would fail.
        """
        self._settings = settings
        self._own_host = own_host
        paths = [settings.cert, settings.key, *([settings.ca] if settings.ca else [])]
        self._files: Reloaded[Certificates] = Reloaded(
            # Every handshake looks: three calls of stat are nothing beside it.
            paths,
            self._load,
            what="the certificate",
            look_every=0.0,
        )

    @property
    def version(self) -> int:
        """Changes with the certificates."""
        self._files.current()
        return self._files.version

    def current(self) -> Certificates:
        """Returns the certificates of now."""
        return self._files.current()

    def server_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials of a port; each new connection is shown the certificate of then."""
        seen = self._files.version

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal seen
            version = self.version
            if version == seen:
                return None
            seen = version
            return self._configuration()

        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            renewed,  # type: ignore[arg-type] # None, for no change, is missing in the stubs
            require_client_authentication=self._settings.client_auth,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns credentials of a channel to a peer or a registry: its own certificate is shown
        where it is asked for.
        """
        now = self.current()
        return grpc.ssl_channel_credentials(now.roots, now.key, now.chain)

    def own_credentials(self) -> tuple[grpc.ChannelCredentials, str | None]:
        """Returns credentials of a channel to its own port, and the name to ask for, if any."""
        now = self.current()
        # Without a CA of its own it trusts itself, whatever the machine trusts.
        return grpc.ssl_channel_credentials(
            now.roots or now.chain, now.key, now.chain
        ), now.own_name

    def client_context(self) -> ssl.SSLContext:
        """Returns the same trust for Python's own TLS, which tells more about what went wrong."""
        return client_context(self._settings)

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        now = self.current()
        return grpc.ssl_server_certificate_configuration([(now.key, now.chain)], now.roots)

    def _load(self) -> Certificates:
        settings = self._settings
        before = _read(settings)
        names = _own_names(settings)
        if _read(settings) != before:
            raise SettingsError("COLLECTOR_TLS_CERT", "the files change while they are read")
        chain, key, roots = before
        return Certificates(
            chain=chain, key=key, roots=roots, own_name=_name_for(self._own_host, names)
        )


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Returns how the collector dials, for Python's own TLS. Raises `SettingsError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if settings.ca is None:
        context.load_default_certs()
    else:
        _trust(context, settings.ca)
    _present(context, settings)
    return context


def _read(settings: TlsSettings) -> tuple[bytes, bytes, bytes | None]:
    return (
        _content(settings.cert, "COLLECTOR_TLS_CERT"),
        _content(settings.key, "COLLECTOR_TLS_KEY"),
        _content(settings.ca, "COLLECTOR_TLS_CA") if settings.ca else None,
    )


def _content(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            variable, f"'{path}' cannot be read: {error.strerror or error}"
        ) from error


def _own_names(settings: TlsSettings) -> dict[str, list[str]]:
    """Returns the names of the own certificate by kind, after a handshake with itself in memory
    that uses everything as the loopback will.
    """
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _present(server_side, settings)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    # As gRPC does: what is trusted need not be a root.
    client_side.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _trust(client_side, settings.ca or settings.cert)
    if settings.client_auth:
        assert settings.ca is not None
        server_side.verify_mode = ssl.CERT_REQUIRED
        server_side.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _trust(server_side, settings.ca)
        _present(client_side, settings)
    try:
        found = _shaken_hands(server_side, client_side)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or error.reason or "TLS failed"
        raise SettingsError(
            "COLLECTOR_TLS_CERT",
            f"the certificate is not good for this collector's own loopback: {reason}; "
            "renew it, or set COLLECTOR_TLS_CA to what signed it",
        ) from error
    names: dict[str, list[str]] = {}
    for kind, name in found.get("subjectAltName", ()):
        names.setdefault(kind, []).append(name)
    for (key, value), *_ in found.get("subject", ()):
        if key == "commonName":
            names.setdefault("CN", []).append(value)
    return names


def _present(context: ssl.SSLContext, settings: TlsSettings) -> None:
    def refuse() -> str:
        raise SettingsError(
            "COLLECTOR_TLS_KEY", f"'{settings.key}' is encrypted: give a key without a password"
        )

    try:
        context.load_cert_chain(settings.cert, settings.key, password=refuse)
    except ssl.SSLError as error:
        raise SettingsError(
            "COLLECTOR_TLS_CERT",
            f"'{settings.cert}' and '{settings.key}' are not a PEM certificate and its key "
            f"({error.reason or 'not PEM'})",
        ) from error
    except OSError as error:
        raise SettingsError(
            "COLLECTOR_TLS_CERT", f"cannot be read: {error.strerror or error}"
        ) from error


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError("COLLECTOR_TLS_CA", f"'{path}' holds no certificates in PEM") from error


def _shaken_hands(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> dict[str, Any]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    # Each side needs at most a handful of turns.
    for _ in range(20):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            return client.getpeercert() or {}
    raise SettingsError("COLLECTOR_TLS_CERT", "a handshake with itself does not end")


def _name_for(host: str, names: dict[str, list[str]]) -> str | None:
    """Returns the name by which the certificate must be asked for at `host`; None for `host`."""
    addresses, domains = names.get("IP Address", []), names.get("DNS", [])
    if host in addresses or host in domains:
        return None
    if "localhost" in domains:
        return "localhost"
    for name in (*domains, *addresses, *names.get("CN", [])):
        return name.replace("*", "loopback", 1)
    raise SettingsError(
        "COLLECTOR_TLS_CERT", f"the certificate carries no name; it needs {host} or localhost"
    )
