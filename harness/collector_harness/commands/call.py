"""`collector-harness call`: one call to a running collector, by the method's name.

Calls are made by `client`; here a command line becomes one and its answer is printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector_harness.commands.options import debug_option

if TYPE_CHECKING:
    from collector_harness.client import Reply
    from collector_harness.client.credentials import ClientCredentials

__all__ = ["command"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "call",
    short_help="Call a method of a running collector.",
    epilog="""\b
Examples:
  collector-harness call 127.0.0.1:50051 collector.CollectorRegistry/ListServices
  collector-harness call 127.0.0.1:50051 grpc.health.v1.Health/Check
  collector-harness call 127.0.0.1:50051 collector.CollectorRegistry/LookupService \\
    '{"namespace": "orders", "service_name": "OrderService"}'""",
)
@click.argument("address")
@click.argument("method", metavar="SERVICE/METHOD")
@click.argument("request_json", metavar="[REQUEST]", default="{}")
@click.option(
    "--metadata", multiple=True, metavar="KEY=VALUE", help="Metadata to send; may be repeated."
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the call may take.",
)
@click.option("--tls", is_flag=True, help="Dial with TLS; implied by the files below.")
@click.option("--tls-ca", metavar="FILE", type=_FILE, help="What the collector is trusted by.")
@click.option("--tls-cert", metavar="FILE", type=_FILE, help="The certificate to show (mTLS).")
@click.option("--tls-key", metavar="FILE", type=_FILE, help="The key of that certificate.")
@click.option("--token-file", metavar="FILE", type=_FILE, help="Holds the bearer token to send.")
@debug_option
def command(
    address: str,
    method: str,
    request_json: str,
    metadata: tuple[str, ...],
    deadline: float,
    tls: bool,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    token_file: Path | None,
) -> int:
    """Makes one call to the collector at ADDRESS and prints the response as JSON.

    REQUEST is the request as JSON, {} where none is given. Types come from the protocol, and
    by server reflection for other services. How the call ended goes to standard error; the
    exit code is 0 for the status OK and 1 for any other.
    """
    from collector_harness.client.credentials import ClientCredentials
    from collector_harness.commands.signals import run_until_signalled
    from collector_harness.errors import InvalidInput, Problem

    request = _request(request_json)
    pairs = _metadata(metadata)
    if (tls_cert is None) is not (tls_key is None):
        raise InvalidInput(
            Problem(message="--tls-cert and --tls-key are given together, or neither of them")
        )
    credentials = ClientCredentials(
        tls=tls or tls_ca is not None or tls_cert is not None,
        ca=tls_ca,
        cert=tls_cert,
        key=tls_key,
        token=None if token_file is None else token_file.read_text().strip(),
    )
    return run_until_signalled(
        lambda: _call(address, method, request, pairs, deadline, credentials)
    )


async def _call(
    address: str,
    method: str,
    request: object,
    metadata: tuple[tuple[str, str], ...],
    deadline: float,
    credentials: ClientCredentials,
) -> int:
    import json

    from collector_harness.client import NodeClient
    from collector_harness.errors import ExitCode
    from collector_harness.reports.cards import duration
    from collector_harness.reports.escaping import one_line

    async with NodeClient(address, credentials=credentials) as client:
        reply = await client.call(method, request, metadata=metadata, timeout=deadline)
    if reply.response is not None:
        # ASCII only, so that nothing that the collector says can move the cursor.
        click.echo(json.dumps(reply.response, indent=2))
    by = f", handled by {one_line(reply.handled_by, 200)}" if reply.handled_by else ""
    said = f": {one_line(reply.message, 1000)}" if reply.message else ""
    ended = f"{one_line(reply.status, 200)} ({reply.layer}){by}, {duration(reply.seconds)}{said}"
    click.echo(ended, err=True)
    if _unreachable(reply):
        return ExitCode.TARGET_FAILED
    return ExitCode.OK if reply.ok else ExitCode.FAILED


def _unreachable(reply: Reply) -> bool:
    return reply.layer == "grpc" and reply.status == "UNAVAILABLE"


def _request(text: str) -> object:
    import json

    from collector_harness.errors import InvalidInput, Position, Problem

    try:
        request = json.loads(text)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        position = Position(
            source="REQUEST", line=error.lineno, column=error.colno, text=lines[error.lineno - 1]
        )
        raise InvalidInput(
            Problem(
                message=f"the request is not JSON: {error.msg}",
                position=position,
                hint='put it in single quotes, such as \'{"namespace": "orders"}\'',
            )
        ) from error
    if not isinstance(request, dict):
        raise InvalidInput("the request is not a JSON object; write one such as '{}'")
    return request


def _metadata(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    from collector_harness.errors import InvalidInput, Problem

    pairs = []
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise InvalidInput(
                Problem(message=f"metadata '{text}' has no '='", hint="write KEY=VALUE")
            )
        pairs.append((key, value))
    return tuple(pairs)
