"""Money between JSON and the wire: decimal numbers outside, integers of minor units inside."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["from_minor", "to_minor"]


def to_minor(amount: Decimal) -> int:
    """Returns an amount of at most two decimals in minor units."""
    return int(amount.scaleb(2))


def from_minor(minor: int) -> Decimal:
    """Returns an amount with two decimals."""
    return Decimal(minor).scaleb(-2)
