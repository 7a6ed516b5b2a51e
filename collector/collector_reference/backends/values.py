"""Which backends a collector has, as frozen values, and the notation of COLLECTOR_BACKENDS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector_reference.addresses import is_peer_address
from collector_reference.errors import SettingsError

__all__ = ["BackendSettings", "backends_from"]

_VARIABLE = "COLLECTOR_BACKENDS"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendSettings:
    """A service of a namespace that an ordinary gRPC server executes."""

    namespace: str
    service: str
    """Its full name, as the server has it, such as `shop.v1.Orders`."""
    address: str
    """Where the server is dialled, in plaintext: `host:port` or a gRPC target."""

    def __post_init__(self) -> None:
        for what, text in (("namespace", self.namespace), ("service", self.service)):
            if not text:
                raise SettingsError(_VARIABLE, f"a backend needs a {what}")
        if not is_peer_address(self.address):
            raise SettingsError(
                _VARIABLE, f"'{self.address}' is not an address that can be dialled"
            )


def backends_from(environment: Mapping[str, str]) -> tuple[BackendSettings, ...]:
    """Reads `namespace/Service=host:port,...`. Raises `SettingsError`."""
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
        found[namespace, service] = BackendSettings(
            namespace=namespace, service=service, address=address.strip()
        )
    return tuple(found.values())
