"""The step that makes an HTTP request (the extra `http`).

Each request stands alone: no cookies, no proxies of the environment, no redirects unless the
step asks for them. What comes back is bounded.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from typing import TYPE_CHECKING, Any

from collector_harness.client import Reply, json_values
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.mesh import MeshService
from collector_harness.scenario.model import HttpStep
from collector_harness.scenario.steps.base import Answer, Place
from collector_reference.status import from_http_like

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["MOST_BYTES", "http"]

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of the largest body that is read."""

_MOST_REDIRECTS = 5


async def http(step: HttpStep, at: Place) -> Answer:
    """Makes the request; a request that gets no answer is an answer with an `error`."""
    httpx = _httpx()
    name, base, trusted = _base(step, at)
    method, path = at.scope.text(step.request.method), at.scope.text(step.request.path)
    begin = time.perf_counter()
    values: dict[str, object] = dict.fromkeys(("status", "headers", "json", "text", "error"))
    limit = at.deadline(step)
    body = at.scope.fill(step.input)
    try:
        # The time is for all of it: httpx's own limits are for each part.
        async with asyncio.timeout(limit):
            async with httpx.AsyncClient(
                base_url=base,
                follow_redirects=bool(step.follow),
                max_redirects=_MOST_REDIRECTS,
                trust_env=False,
                verify=trusted or _authorities(),
                timeout=limit,
            ) as client:
                request = _request(client, step, at, method, path, body)
                response = await client.send(request, stream=True)
                try:
                    values.update(await _read(response))
                finally:
                    await response.aclose()
    except TimeoutError:
        values["error"] = f"no answer within {limit:g}s"
    except httpx.InvalidURL as error:
        raise InvalidInput(Problem(message=f"'{base}{path}' is not a URL: {error}")) from error
    except httpx.HTTPError as error:
        values["error"] = f"{type(error).__name__}: {error}".rstrip(": ")
    values["seconds"] = time.perf_counter() - begin
    at.tell(at, _reply(name, method, path, body, values))
    return Answer(values=values, route=(name,), seconds=time.perf_counter() - begin)


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise EnvironmentLacks(
            "an `http` step needs the package httpx, which is an extra: "
            "pip install 'collector-harness[http]'"
        ) from error
    return httpx


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Returns whom an https server may be certified by. Reading them takes a client 25 ms, during
    which the loop stands still: many requests at once would be late by all of their sum.
    """
    context: ssl.SSLContext = _httpx().create_ssl_context(trust_env=False)
    return context


def _base(step: HttpStep, at: Place) -> tuple[str, str, ssl.SSLContext | None]:
    """Returns what is asked by its name, its URL, and how it is known where it is a service with
    TLS: its certificate may be one that the harness made.
    """
    via = step.via if step.via is not None else at.defaults.via
    text = "" if via is None else at.scope.text(via)
    if text.startswith(("http://", "https://")):
        return text, text.rstrip("/"), None
    if via is None and len(at.mesh.services) == 1:
        (part,) = at.mesh.services.values()
    elif via is None:
        raise InvalidInput(
            Problem(message="the step does not say which service to ask", hint="add via: ...")
        )
    else:
        found = at.mesh[text]
        if not isinstance(found, MeshService):
            raise InvalidInput(
                Problem(
                    message=f"'{text}' is a node, which does not speak HTTP",
                    hint="name a service, or write via: http://HOST:PORT",
                )
            )
        part = found
    scheme = "https" if part.service.tls else "http"
    return part.name, f"{scheme}://{part.address}", part.http_context()


def _request(
    client: httpx.AsyncClient, step: HttpStep, at: Place, method: str, path: str, body: object
) -> httpx.Request:
    headers = {key: at.scope.text(value) for key, value in (step.headers or {}).items()}
    query = {key: at.scope.text(value) for key, value in (step.request.query or {}).items()}
    sent: dict[str, Any] = {}
    if isinstance(body, bytes):
        sent = {"content": body}
    elif "input" in step.model_fields_set:
        sent = {"json": json_values(body)}
    if query:
        sent["params"] = query
    return client.build_request(method, path, headers=headers, **sent)


async def _read(response: httpx.Response) -> dict[str, object]:
    content = bytearray()
    error: str | None = None
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MOST_BYTES:
            del content[MOST_BYTES:]
            error = f"the body is larger than the {MOST_BYTES:,} bytes that are read"
            break
    text = content.decode(_encoding(response), "replace")
    return {
        "status": response.status_code,
        "headers": dict(response.headers.items()),
        "json": None if error else _as_json(text),
        "text": text,
        "error": error,
    }


def _encoding(response: httpx.Response) -> str:
    try:
        return (
            "utf-8"
            if "a".encode(response.charset_encoding or "utf-8") != b"a"
            else (response.charset_encoding or "utf-8")
        )
    except LookupError:  # a charset that nobody knows
        return "utf-8"


def _as_json(text: str) -> object:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return None


def _reply(name: str, method: str, path: str, body: object, values: dict[str, object]) -> Reply:
    """Returns what is told of the call: its status by the canonical name, where it has one."""
    status = values["status"]
    code = status if isinstance(status, int) else 0
    known = from_http_like(200 if 200 <= code < 300 else code)
    error = values["error"]
    return Reply(
        node=name,
        rpc=f"{method} {path}",
        request=json_values(body),
        status="UNAVAILABLE" if not code else known.value if known else f"CODE_{code}",
        layer="http-like",
        code=code,
        message=error if isinstance(error, str) else "",
        response=values["json"] if values["json"] is not None else values["text"],
        seconds=float(str(values["seconds"])),
    )
