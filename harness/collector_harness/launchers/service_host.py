"""The program that runs a Python service: `python -m collector_harness.launchers.service_host
PROTOCOL module:attribute`, told its port by PORT and its certificate by TLS_CERT and TLS_KEY.

What the attribute may be: a factory that takes nothing and returns a gRPC server or an ASGI app,
an ASGI app itself, or a callable that takes the port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from collector_harness.errors import HarnessError, InvalidInput, Problem
from collector_harness.launchers.implementations import load_attribute

__all__ = ["main"]

_HOST = "127.0.0.1"
_GRACE = 2.0


def main(arguments: list[str]) -> int:
    """Serves until SIGTERM; returns the exit status, with the reason on standard error."""
    protocol, reference = arguments
    try:
        found = load_attribute(reference, what="the service")
        asyncio.run(_serve(found, reference, protocol, int(os.environ["PORT"])))
    except HarnessError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


async def _serve(found: object, reference: str, protocol: str, port: int) -> None:
    needs = _parameters(found)
    if protocol == "http" and needs == 3:
        await _serve_asgi(found, port)
    elif needs == 1:
        ended = found(port)  # type: ignore[operator] # it has a signature
        if inspect.isawaitable(ended):
            await ended
    elif needs == 0:
        made = found()  # type: ignore[operator] # it has a signature
        if inspect.isawaitable(made):
            made = await made
        await _serve_made(made, reference, protocol, port)
    else:
        raise _no_service(found, reference, protocol)


async def _serve_made(made: object, reference: str, protocol: str, port: int) -> None:
    if isinstance(made, grpc.aio.Server):
        ended = _asked_to_end()
        _bind(made.add_insecure_port, made.add_secure_port, port)
        await made.start()
        await ended
        await made.stop(_GRACE)
    elif isinstance(made, grpc.Server):
        ended = _asked_to_end()
        _bind(made.add_insecure_port, made.add_secure_port, port)
        made.start()
        await ended
        await asyncio.to_thread(made.stop(_GRACE).wait)
    elif protocol == "http" and _parameters(made) == 3:
        await _serve_asgi(made, port)
    else:
        raise _no_service(made, reference, protocol)


def _bind(
    insecure: Callable[[str], int], secure: Callable[[str, grpc.ServerCredentials], int], port: int
) -> None:
    address = f"{_HOST}:{port}"
    cert = os.environ.get("TLS_CERT")
    if cert is None:
        insecure(address)
        return
    ca = os.environ.get("TLS_CA")
    credentials = grpc.ssl_server_credentials(
        [(Path(os.environ["TLS_KEY"]).read_bytes(), Path(cert).read_bytes())],
        root_certificates=None if ca is None else Path(ca).read_bytes(),
        require_client_auth="TLS_CLIENT_AUTH" in os.environ,
    )
    secure(address, credentials)


def _asked_to_end() -> Awaitable[None]:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_signal_handler(signal.SIGTERM, end)
    return ended


async def _serve_asgi(app: object, port: int) -> None:
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise InvalidInput(
            Problem(
                message="an ASGI app is served by uvicorn, which is not installed",
                hint="pip install 'collector-harness[asgi]', or let the service be a callable "
                "that takes the port",
            )
        ) from None
    options: dict[str, Any] = {}
    if (cert := os.environ.get("TLS_CERT")) is not None:
        import ssl

        options = {"ssl_certfile": cert, "ssl_keyfile": os.environ["TLS_KEY"]}
        if "TLS_CLIENT_AUTH" in os.environ:
            options |= {
                "ssl_ca_certs": os.environ["TLS_CA"],
                "ssl_cert_reqs": ssl.CERT_REQUIRED,
            }
    settings = uvicorn.Config(app, host=_HOST, port=port, **options)  # type: ignore[arg-type]
    settings.timeout_graceful_shutdown = int(_GRACE)
    await uvicorn.Server(settings).serve()


def _parameters(found: object) -> int | None:
    """Returns how many arguments a callable needs; None for what cannot be called."""
    if not callable(found):
        return None
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    return sum(
        each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        for each in parameters
    )


def _no_service(found: object, reference: str, protocol: str) -> InvalidInput:
    wanted = "a gRPC server" if protocol == "grpc" else "an ASGI app"
    return InvalidInput(
        Problem(
            message=f"'{reference}' is no {protocol} service: found a {type(found).__name__}",
            hint=f"name a factory without arguments that returns {wanted}, or a callable that "
            "takes the port and serves until it is ended",
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
