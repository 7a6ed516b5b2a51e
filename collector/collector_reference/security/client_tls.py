"""TLS towards servers that are no collectors: backends, and the members of an etcd cluster.

Who shows what to whom among collectors is in `tls` and `outgoing`; here, as there, files that
change are read again, and count from the next connection on.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from collector_reference.errors import SettingsError
from collector_reference.security.outgoing import SecuredChannel
from collector_reference.security.reloading import Reloaded

__all__ = ["ClientTls"]

Contents = tuple[bytes | None, bytes | None, bytes | None]


class ClientTls:
    """What such servers are trusted by and shown, as the files are now."""

    def __init__(
        self,
        *,
        ca: Path | None,
        cert: Path | None,
        key: Path | None,
        variables: Mapping[str, str],
        what: str,
    ) -> None:
        """`ca` None is what the machine trusts; `cert` and `key` come together or not at all.
        `variables` names the variable of each, and `what` the files in the log.

        Raises `SettingsError` for files that cannot be used: missing, not PEM, or no pair.
        """
        self._ca, self._cert, self._key = ca, cert, key
        self._variables = variables
        paths = [path for path in (ca, cert, key) if path is not None]
        # Looked at only when a connection has to be made, so always.
        self._files: Reloaded[Contents] = Reloaded(paths, self._load, what=what, look_every=0.0)

    def channel(self, target: str, options: Sequence[tuple[str, Any]]) -> grpc.aio.Channel:
        """Returns a channel to a gRPC target, which takes new files when it connects anew."""

        def opened() -> grpc.aio.Channel:
            credentials = grpc.ssl_channel_credentials(*self._files.current())
            return grpc.aio.secure_channel(target, credentials, options=tuple(options))

        return SecuredChannel(opened, version=self._version)

    def context(self) -> ssl.SSLContext:
        """Returns the same trust for Python's own TLS. Raises `SettingsError`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        try:
            if self._ca is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(cafile=self._ca)
        except (ssl.SSLError, OSError) as error:
            raise self._unusable("ca", "holds no certificates in PEM") from error
        if self._cert is not None:
            try:
                # An empty password, so that nobody is asked for one on a terminal.
                context.load_cert_chain(self._cert, self._key, password="")
            except (ssl.SSLError, OSError) as error:
                raise self._unusable("cert", "is not a PEM certificate of the key") from error
        return context

    def _version(self) -> int:
        self._files.current()
        return self._files.version

    def _load(self) -> Contents:
        before = self._read()
        self.context()
        if self._read() != before:
            raise self._unusable("cert" if self._cert else "ca", "changes while it is read")
        return before

    def _read(self) -> Contents:
        """Returns the roots, the key and the chain, in gRPC's order."""
        return self._content("ca"), self._content("key"), self._content("cert")

    def _content(self, name: str) -> bytes | None:
        path = self._path(name)
        try:
            return None if path is None else path.read_bytes()
        except OSError as error:
            raise self._unusable(name, f"cannot be read: {error.strerror or error}") from error

    def _path(self, name: str) -> Path | None:
        return {"ca": self._ca, "cert": self._cert, "key": self._key}[name]

    def _unusable(self, name: str, problem: str) -> SettingsError:
        return SettingsError(self._variables[name], f"'{self._path(name)}' {problem}")
