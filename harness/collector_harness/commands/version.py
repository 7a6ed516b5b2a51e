"""The version that is installed."""

from __future__ import annotations

import importlib.metadata

__all__ = ["installed_version"]


def installed_version() -> str:
    """Returns the distribution's version; `unknown` where the code runs without being installed."""
    try:
        return importlib.metadata.version("collector-harness")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
