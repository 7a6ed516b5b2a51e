"""The line of a call in the log (OPS-006): `key=value`, or one JSON object.

It goes through standard logging, to the logger `collector_reference.calls`; where that
leads is the application's business, or that of `serving`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable

from collector_reference.observability.calls import Call
from collector_reference.observability.values import CallLog

__all__ = ["LOGGER", "log_calls"]

LOGGER = logging.getLogger("collector_reference.calls")

_LONGEST = 200
_PLAIN = re.compile(r"[\w./:@+-]+", re.ASCII)


def log_calls(form: CallLog) -> _Log:
    """Returns the sink that logs each call, at INFO."""
    return _Log(_as_json if form is CallLog.JSON else _as_text)


class _Log:
    def __init__(self, line: Callable[[Call], str]) -> None:
        self._line = line

    def __call__(self, call: Call) -> None:
        if LOGGER.isEnabledFor(logging.INFO):
            LOGGER.info("%s", self._line(call), extra={"call": call})


def _fields(call: Call) -> dict[str, object]:
    named = {"namespace": call.namespace, "service": call.service, "method": call.method}
    fields: dict[str, object] = {
        "rpc": call.rpc,
        **{key: value for key, value in named.items() if value},
        "correlation_id": call.correlation_id,
        "handled_by": call.handled_by,
        "status": call.status,
        "layer": call.layer,
        "duration_ms": round(call.seconds * 1000, 3),
    }
    if call.loopback:
        fields["loopback"] = True
    return fields


def _as_text(call: Call) -> str:
    return " ".join(f"{key}={_word(value)}" for key, value in _fields(call).items())


def _as_json(call: Call) -> str:
    return json.dumps(
        {
            key: value[:_LONGEST] if isinstance(value, str) else value
            for key, value in _fields(call).items()
        }
    )


def _word(value: object) -> str:
    """Returns a value that is one word, whatever a caller put into it."""
    if value is True:
        return "true"
    text = str(value)
    if len(text) <= _LONGEST and _PLAIN.fullmatch(text):
        return text
    return json.dumps(text[:_LONGEST])
