"""Everything that this package raises.

What goes over the wire as a status is not raised; it is in `status`. gRPC's own
exceptions are translated into these where they appear.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "AlreadyRegistered",
    "BackendUnusable",
    "BindError",
    "CollectorError",
    "HandlerError",
    "HandlerFailed",
    "InvalidRecord",
    "MissingExtra",
    "NotReady",
    "NotRegistered",
    "PeerError",
    "PeerRefused",
    "PeerUnreachable",
    "RegistryUnavailable",
    "RestoreRefused",
    "SettingsError",
    "StoreUnavailable",
    "StoreUnusable",
    "UnsupportedOutput",
]


class CollectorError(Exception):
    """The root of every error that this package raises."""


# Starting


class SettingsError(CollectorError):
    """A setting that cannot be used as it is."""

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        """The environment variable or the field that holds it."""
        self.problem = problem
        super().__init__(f"{setting}: {problem}")


class BindError(CollectorError):
    """The address cannot be listened on."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"cannot listen on {address}: {reason}")


class NotReady(CollectorError):
    """The registry could not be asked before the limit (LOOP-003)."""

    def __init__(self, registry: str, limit_seconds: float, reason: str) -> None:
        self.registry = registry
        """The address that was asked."""
        self.reason = reason
        super().__init__(
            f"not ready: the registry at {registry} could not be asked "
            f"within {limit_seconds:g} s: {reason}"
        )


class StoreUnusable(CollectorError):
    """The file that registrations are to be kept in cannot be used."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"the registry file {path} cannot be used: {reason}; {remedy}")


class MissingExtra(CollectorError):
    """A capability was asked for whose library is not installed."""

    def __init__(self, extra: str, capability: str) -> None:
        self.extra = extra
        super().__init__(
            f"{capability} needs a library that is not installed: "
            f"pip install 'collector-harness[{extra}]'"
        )


# Registry and validation


class InvalidRecord(CollectorError):
    """A record that lacks what it needs (REG-002, REG-006)."""


class AlreadyRegistered(CollectorError):
    """The key is taken; the first record is unchanged (REG-003)."""


class StoreUnavailable(CollectorError):
    """The store cannot be written or read now; what was asked for was not acknowledged."""


class RestoreRefused(CollectorError):
    """A checkpoint cannot be gone back to; nothing was changed."""


class NotRegistered(CollectorError):
    """The registry was asked, and does not have the method."""


class RegistryUnavailable(CollectorError):
    """The registry could not be asked, which says nothing about the method (VAL-008)."""


# Peers


class PeerError(CollectorError):
    """The root of what can go wrong with a peer."""


class PeerUnreachable(PeerError):
    """Nothing answered at the address."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"no collector answers at {address}: {reason}")


class PeerRefused(PeerError):
    """The peer answered, but did not accept the connection."""

    def __init__(self, address: str, code: int | None, message: str) -> None:
        self.address = address
        self.code = code
        """The number in its status; None when it answered without one."""
        super().__init__(f"the collector at {address} refused to connect: {message}")


# Handlers


class HandlerError(CollectorError):
    """Raised by a handler that fails on purpose: its text reaches the caller verbatim (SRV-007)."""


class HandlerFailed(HandlerError):
    """Raised by a handler that fails with a number of its own, not 500."""

    def __init__(self, code: int, message: str, *, executed: bool = False) -> None:
        self.code = code
        """The number in the answer's status, HTTP-like where the failure has such a one."""
        self.executed = executed
        """Whether something ran: then nobody runs it again, whatever the number says."""
        super().__init__(message)


class BackendUnusable(CollectorError):
    """A service of an ordinary gRPC server cannot be forwarded."""

    def __init__(self, service: str, address: str, reason: str) -> None:
        self.service = service
        self.address = address
        self.reason = reason
        super().__init__(f"the backend {service} at {address} cannot be used: {reason}")


class UnsupportedOutput(CollectorError):
    """A handler returned something that does not fit into `Any` (SRV-008)."""
