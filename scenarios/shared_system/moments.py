"""Moments between databases, messages and JSON: always UTC, whatever a database forgot of it."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["as_stamp", "as_text", "as_utc"]


def as_utc(moment: datetime) -> datetime:
    """Returns a moment with its zone. SQLite keeps none; what is stored is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_stamp(moment: datetime) -> Timestamp:
    """Returns a moment as messages have it."""
    stamp = Timestamp()
    stamp.FromDatetime(as_utc(moment))
    return stamp


def as_text(stamp: Timestamp) -> str:
    """Returns a moment as JSON has it, to the second."""
    return stamp.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
