"""Which backends a collector has, as frozen values, and the notation of COLLECTOR_BACKENDS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collector_reference.addresses import is_peer_address
from collector_reference.errors import SettingsError

__all__ = ["TLS_VARIABLES", "BackendSettings", "BackendTls", "backends_from"]

_VARIABLE = "COLLECTOR_BACKENDS"
_MARK = "tls+"
TLS_VARIABLES = {
    "ca": "COLLECTOR_BACKENDS_TLS_CA",
    "cert": "COLLECTOR_BACKENDS_TLS_CERT",
    "key": "COLLECTOR_BACKENDS_TLS_KEY",
}
"""The variable of each file that TLS needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendTls:
    """How a backend is dialled by TLS. Files that change count from the next connection on."""

    ca: Path | None = None
    """Whom it must be certified by; None for whom the machine trusts."""
    cert: Path | None = None
    """What is shown to it, together with `key`; None for nothing."""
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) is not (self.key is None):
            missing = "cert" if self.cert is None else "key"
            raise SettingsError(
                TLS_VARIABLES[missing], "a certificate and its key are given together"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendSettings:
    """A service of a namespace that an ordinary gRPC server executes."""

    namespace: str
    service: str
    """Its full name, as the server has it, such as `shop.v1.Orders`."""
    address: str
    """Where the server is dialled: `host:port` or a gRPC target."""
    tls: BackendTls | None = None
    """How it is dialled by TLS; None for plaintext."""

    def __post_init__(self) -> None:
        for what, text in (("namespace", self.namespace), ("service", self.service)):
            if not text:
                raise SettingsError(_VARIABLE, f"a backend needs a {what}")
        if not is_peer_address(self.address):
            raise SettingsError(
                _VARIABLE, f"'{self.address}' is not an address that can be dialled"
            )


def backends_from(environment: Mapping[str, str]) -> tuple[BackendSettings, ...]:
    """Reads `namespace/Service=host:port,...`, where `tls+host:port` is dialled by TLS with the
    files that other variables name. Raises `SettingsError`.
    """
    tls = _tls(environment)
    found: dict[tuple[str, str], BackendSettings] = {}
    for part in environment.get(_VARIABLE, "").split(","):
        text = part.strip()
        if not text:
            continue
        name, equals, address = text.partition("=")
        # A namespace may hold slashes, a service may not.
        namespace, slash, service = name.strip().rpartition("/")
        if not (equals and slash):
            raise SettingsError(
                _VARIABLE,
                f"'{text}' is not namespace/Service=host:port, "
                "such as shop/shop.v1.Orders=127.0.0.1:50051",
            )
        if (namespace, service) in found:
            raise SettingsError(_VARIABLE, f"'{namespace}/{service}' has two backends: name one")
        address = address.strip()
        found[namespace, service] = BackendSettings(
            namespace=namespace,
            service=service,
            address=address.removeprefix(_MARK),
            tls=tls if address.startswith(_MARK) else None,
        )
    if tls != BackendTls() and all(each.tls is None for each in found.values()):
        raise SettingsError(
            _VARIABLE, f"no backend is marked by '{_MARK}', but TLS files are given"
        )
    return tuple(found.values())


def _tls(environment: Mapping[str, str]) -> BackendTls:
    files = {name: environment.get(variable) for name, variable in TLS_VARIABLES.items()}
    return BackendTls(**{name: Path(path) for name, path in files.items() if path})
