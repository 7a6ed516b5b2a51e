"""The certificate of a node or service, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["NodeTls"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeTls:
    """The certificate of a node: files, or made by the harness for the run."""

    cert: Path | None = None
    """In PEM; None where the harness makes it, which then makes the key and the CA too."""
    key: Path | None = None
    ca: Path | None = None
    """What the node trusts others by, and the harness the node; None for what the machine does."""
    client_auth: bool = False
    """Whether who calls must show a certificate (mTLS)."""

    @property
    def generated(self) -> bool:
        """Whether the harness makes it."""
        return self.cert is None
