"""The log: one line for each event, of `key=value` pairs, on standard error."""

from __future__ import annotations

import json
import logging
import sys

__all__ = ["line", "to_standard_error"]

_LONGEST = 200


def to_standard_error(service: str) -> None:
    """Sends this process's log to standard error, each line with the name of the service."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s {service} %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # Each of these says less than our own line of the same call.
    for noisy in ("uvicorn.access", "alembic", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def line(event: str, **values: object) -> str:
    """Returns `event key=value ...`. Text that is not plain is quoted and cut, so that what a
    caller sent can never begin a line of its own.
    """
    return " ".join([event, *(f"{key}={_plain(value)}" for key, value in values.items())])


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    if text and text.isascii() and text.isprintable() and not set(text) & set(' "='):
        return text
    return json.dumps(text)
