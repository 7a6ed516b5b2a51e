"""What surrounds every request at a REST front: the errand's id and deadline, the largest body,
a log line, a span, and an answer without a stack trace when something breaks.
"""

from __future__ import annotations

import logging
import time

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_system import errand, logs, tracing
from shared_system.exact_json import JsonResponse
from shared_system.practices import Practices

__all__ = ["LARGEST_BODY", "Edge"]

_LOG = logging.getLogger(__name__)
LARGEST_BODY = 64 * 1024


class Edge:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, practices: Practices, request_limit_seconds: float) -> None:
        self._app = app
        self._practices = practices
        self._limit = request_limit_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        practices = self._practices
        limit = self._limit if practices.timeouts else None
        correlation = errand.begin(headers.get(errand.CORRELATION_HEADER), limit)
        began, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (errand.CORRELATION_HEADER.encode(), correlation.encode())
                message = {**message, "headers": [*message["headers"], own]}
            await send(message)

        try:
            with tracing.span(f"{scope['method']} {scope['path']}", "SERVER", headers):
                await self._app(scope, _limited(receive), answer)
        except Exception:  # noqa: BLE001 - a client is never shown what broke
            _LOG.exception(logs.line("broken", path=scope["path"], correlation_id=correlation))
            if not status:
                await JsonResponse({"error": "internal error"}, 500)(scope, receive, answer)
        finally:
            if practices.logging:
                _LOG.info(
                    logs.line(
                        "request",
                        method=scope["method"],
                        path=scope["path"],
                        status=status,
                        duration_ms=(time.monotonic() - began) * 1000,
                        correlation_id=correlation,
                    )
                )


def _limited(receive: Receive) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY:
            raise HTTPException(413, f"the body is larger than {LARGEST_BODY} bytes")
        return message

    return limited
