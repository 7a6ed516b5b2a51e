"""The model of a service as people write it, and its turn into a value.

Which files and references it may name is checked where a topology is built.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from collector_harness.documents import Short, StrictModel
from collector_harness.documents.durations import DURATION, parse_duration
from collector_harness.errors import InvalidInput
from collector_harness.targets import split_address
from collector_harness.topology.databases import parse_database
from collector_harness.topology.services import (
    DEFAULT_WITHIN,
    Command,
    External,
    PythonFactory,
    Ready,
    Service,
    Start,
)
from collector_harness.topology.terms import Environment, Implementation, Names
from collector_harness.topology.tls import NodeTls
from collector_harness.topology.tls_spec import TlsSpec, WrittenTls

__all__ = ["ReadinessSpec", "ServiceSpec", "WrittenAddress", "as_service"]

Term = Annotated[
    timedelta,
    PlainValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{DURATION}$"}),
]


def _address(value: object) -> str:
    try:
        if not isinstance(value, str):
            raise InvalidInput("")
        split_address(value, what="it")
    except InvalidInput:
        raise ValueError(
            f"'{value}' is not an address\nwrite HOST:PORT, such as 127.0.0.1:50051"
        ) from None
    return value


WrittenAddress = Annotated[str, PlainValidator(_address), WithJsonSchema({"type": "string"})]
"""`HOST:PORT`."""


def _command(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(
            f"the command cannot be split into words: {error}\nquote it as you would in a shell, "
            "or write a list of words"
        ) from None


Words = Annotated[
    tuple[str, ...], BeforeValidator(_command), Strict(False), Short({"type": "string"})
]


class ReadinessSpec(StrictModel):
    """How a service shows that it is ready: exactly one way, and within a time."""

    health: Literal[True] | None = Field(default=None, description="By grpc.health.v1.")
    port: Literal[True] | None = Field(default=None, description="By accepting connections.")
    log: str | None = Field(default=None, description="By a log line with this pattern.")
    http: str | None = Field(default=None, description="By answering 2xx to GET of this path.")
    within: Term | None = Field(default=None, description="How long to wait. 10s by default.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        ways = self.model_fields_set - {"within"}
        if len(ways) > 1:
            raise ValueError(
                f"a service is ready in one way, but this has {len(ways)}: "
                f"{', '.join(sorted(ways))}\nkeep one of them"
            )
        if self.log is not None:
            try:
                re.compile(self.log)
            except re.error as error:
                raise ValueError(f"'{self.log}' is not a regular expression: {error}") from None
        if self.http is not None and not self.http.startswith("/"):
            raise ValueError(f"'{self.http}' is not a path\nwrite for example /healthz")
        return self


class ServiceSpec(StrictModel):
    """A service that is no collector: exactly one of command, python and address."""

    command: Words | None = Field(
        default=None,
        description="The command that starts it, read by no shell; ${port} is its port.",
    )
    python: Implementation | None = Field(
        default=None,
        description="Python that serves it, as module:attribute or file.py:attribute.",
    )
    address: WrittenAddress | None = Field(default=None, description="Where it already runs.")
    protocol: Literal["grpc", "http"] = Field(default="grpc", description="What it speaks.")
    ready: ReadinessSpec | None = Field(default=None, description="How it shows that it is ready.")
    environment: Environment = Field(
        default_factory=dict,
        description="Further environment variables; they may hold ${service.NAME.url} and so on.",
    )
    database: str | None = Field(
        default=None,
        description="Its database: a name for a fresh one of the kind that the run chooses, "
        "sqlite:NAME, postgresql:NAME, or a URL. It is told DATABASE_URL.",
    )
    protos: Names = Field(
        default=(), description="Descriptor sets or .proto files of what it serves."
    )
    tls: WrittenTls = Field(
        default=None,
        description="Its certificates; true or mutual for ones that are made for the run.",
    )
    token: str | None = Field(default=None, description="The bearer token that calls to it carry.")
    reset: Literal["restart", "keep"] = Field(
        default="restart",
        description="What happens to it between cases: it starts anew, or stays as it is.",
    )
    logs: StrictBool | None = Field(default=None, description="Whether its log lines are kept.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        ways = [name for name in ("command", "python", "address") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError(
                "a service is exactly one of: command, python, address\n"
                + (f"keep one of {', '.join(ways)}" if ways else "add one of them")
            )
        if self.address is not None:
            given = self.model_fields_set & {"environment", "reset"}
            if given:
                raise ValueError(
                    f"'{min(given)}' is for services that the harness starts\ntake it away"
                )
            if self.ready is not None and self.ready.log is not None:
                raise ValueError(
                    "nothing is known of the log of a service that runs already\n"
                    "write ready: {port: true}, or health or http"
                )
        if self.protocol == "http" and self.ready is not None and self.ready.health:
            raise ValueError("health is asked over gRPC\nwrite ready: {http: /path}")
        if self.database is not None:
            parse_database(self.database)
        return self


def as_service(
    name: str,
    spec: ServiceSpec,
    *,
    tls: Callable[[TlsSpec | None], NodeTls | None],
) -> Service:
    """Returns the value of a checked service whose files are whole paths; `tls` makes its
    certificate.
    """
    return Service(
        name=name,
        start=_start(spec),
        protocol=spec.protocol,
        ready=_ready(spec),
        environment=tuple(sorted(spec.environment.items())),
        database=spec.database,
        protos=tuple(map(Path, spec.protos)),
        tls=tls(spec.tls),
        token=spec.token,
        keeps=spec.reset == "keep",
        logs=spec.logs is not False,
    )


def _start(spec: ServiceSpec) -> Start:
    if spec.command is not None:
        return Command(words=spec.command)
    if spec.python is not None:
        return PythonFactory(reference=spec.python)
    assert spec.address is not None
    return External(address=spec.address)


def _ready(spec: ServiceSpec) -> Ready:
    given = spec.ready or ReadinessSpec()
    within = given.within or DEFAULT_WITHIN
    if given.log is not None:
        return Ready(by="log", what=given.log, within=within)
    if given.http is not None:
        return Ready(by="http", what=given.http, within=within)
    if given.health:
        return Ready(by="health", within=within)
    if given.port or spec.protocol == "http":
        return Ready(by="port", within=within)
    return Ready(by="answer", within=within)
