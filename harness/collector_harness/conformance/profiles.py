"""Profiles: parts of the requirements by what a team cares about, for `--profile`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["ALL", "PROFILES"]

ALL: Final = "all"
"""The profile that leaves nothing out."""

PROFILES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "core": ("WIR", "REG", "CON", "SRV", "DSP-00*", "ISO"),
        "validation": ("VAL", "LOOP"),
        "routing": ("CON", "DSP", "ISO"),
        "faults": ("FLT", "CNC", "DSP-012", "CON-011", "CON-014"),
        "security": ("SEC",),
        "operations": ("OPS", "LOOP-003", "LOOP-005"),
        ALL: (),
    }
)
"""Families, ids and patterns of ids by the name of the profile; what these build on comes along."""
