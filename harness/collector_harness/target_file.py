"""Target files: what is under test, written down once, for a collector that keeps the launch
contract in its own way: by flags, on a fixed port, with limits and capabilities of its own.

The grammar and how it becomes a target are here; launching is in `launchers`.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, Strict, StringConstraints, model_validator
from pydantic.json_schema import WithJsonSchema

from collector_harness.declared import CAPABILITIES, DEFAULT_LIMITS, Declaration, Limits
from collector_harness.documents import StrictModel, did_you_mean, load_file, validate
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.targets import (
    FLAGS,
    Access,
    AttachTarget,
    ExecTarget,
    PythonTarget,
    Ready,
    Target,
    parse_target,
)
from collector_harness.topology.terms import Environment

__all__ = ["TargetFile", "load_target", "target_schema"]

SCHEMA_ID = "urn:collector-harness:target:1"


def _words(value: object) -> tuple[str, ...]:
    try:
        if isinstance(value, str):
            words = tuple(shlex.split(value))
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            words = tuple(value)
        else:
            raise ValueError("expected a text or a list of texts")
    except ValueError as error:
        raise ValueError(f"this is no command: {error}") from None
    if not words or not words[0]:
        raise ValueError("a command needs a program")
    return words


def _flag(value: object) -> str:
    if isinstance(value, str) and value in FLAGS:
        return value
    hint = did_you_mean(str(value), FLAGS, what="the settings are")
    raise ValueError(f"there is no setting '{value}'\n{hint}")


def _capability(value: object) -> str:
    if isinstance(value, str) and value in CAPABILITIES:
        return value
    hint = did_you_mean(str(value), CAPABILITIES, what="the capabilities are")
    raise ValueError(f"there is no capability '{value}'\n{hint}")


def _time(value: object) -> timedelta:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", str(value))
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    if found is None or not 0 < float(found[1]) * unit[found[2]] <= 86_400:
        raise ValueError(f"'{value}' is not a duration\nwrite for example 250ms, 1s or 2m")
    return timedelta(seconds=float(found[1]) * unit[found[2]])


def _pattern(value: object) -> str:
    try:
        groups = re.compile(str(value)).groupindex
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    if "address" not in groups and "port" not in groups:
        raise ValueError(
            "the pattern has no place for the address\n"
            "name a group: 'serving at (?P<address>\\S+)' or 'on port (?P<port>[0-9]+)'"
        )
    return str(value)


def _store(value: object) -> str:
    if isinstance(value, str) and "{path}" in value:
        return value
    raise ValueError("this has no place for the file\nwrite for example file:{path}")


_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Words = Annotated[tuple[str, ...], PlainValidator(_words), WithJsonSchema(_TEXTS)]
Time = Annotated[timedelta, PlainValidator(_time), WithJsonSchema({"type": "string"})]


class LaunchFile(StrictModel):
    """How the collector comes to be; exactly one way."""

    exec: Words | None = Field(
        default=None,
        description="The command. {executable}, {folder}, {port}, and settings such as {id} stand "
        "for their values.",
    )
    python: str | None = Field(default=None, description="A factory, as module:factory.")
    attach: str | None = Field(default=None, description="Where it already runs, host:port.")
    flags: dict[
        Annotated[
            str,
            PlainValidator(_flag),
            WithJsonSchema({"type": "string", "enum": sorted(FLAGS)}),
        ],
        Words,
    ] = Field(
        default_factory=dict,
        description="Words of the command in place of environment variables, for settings that "
        "have a value: {value} stands for it, and words with {each} are repeated.",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [key for key in ("exec", "python", "attach") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("a target is launched in one way\nwrite one of: exec, python, attach")
        if self.flags and self.exec is None:
            raise ValueError("flags are for `exec`")
        return self


class ReadyFile(StrictModel):
    """How a process shows that it is ready, where not by the contract's line."""

    line: Annotated[str, PlainValidator(_pattern), WithJsonSchema({"type": "string"})] | None = (
        Field(
            default=None,
            description="By a line of standard output with this pattern, which names a group "
            "`address` or `port`.",
        )
    )
    port: Literal["{port}"] | int | None = Field(
        default=None, description="By listening on this port; {port} for the one it was given."
    )
    health: Literal[True] | None = Field(
        default=None, description="By its health service being SERVING; needs `port`."
    )
    within: Time | None = Field(default=None, description="How long to wait. 10s by default.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.line is None) == (self.port is None):
            raise ValueError("it is ready by a line or on a port\nwrite one of: line, port")
        if isinstance(self.port, int) and not 0 < self.port < 65536:
            raise ValueError(f"{self.port} is no port")
        return self


class TlsFile(StrictModel):
    """The certificates by which a collector that runs already is called."""

    ca: str | None = Field(
        default=None,
        description="What it is trusted by, a file in PEM; what the machine trusts without.",
    )
    cert: str | None = Field(default=None, description="The client's own certificate, for mTLS.")
    key: str | None = Field(default=None, description="The key of `cert`.")
    server_name: str | None = Field(
        default=None, description="The name in its certificate, where it is dialled by another."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("a certificate takes its key\nwrite `cert` and `key`, or neither")
        return self


class TokenFile(StrictModel):
    """Where the bearer token of calls is; never the token itself."""

    env: str | None = Field(default=None, description="The environment variable that holds it.")
    file: str | None = Field(default=None, description="The file that holds it.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("a token is in one place\nwrite one of: env, file")
        return self


class LimitsFile(StrictModel):
    """How far it goes, where not as far as the protocol has it."""

    cache_life: Time | None = Field(default=None, description="10s by default.")
    message_size: Annotated[int, Field(ge=1024)] | None = Field(
        default=None, description="In bytes; 4194304 by default."
    )
    connections: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="10000 by default."
    )
    forward: Time | None = Field(default=None, description="20s by default.")
    ready: Time | None = Field(default=None, description="5s by default.")
    grace: Time | None = Field(default=None, description="10s by default.")

    def value(self) -> Limits:
        """Returns the limits, with defaults where nothing is said."""
        return Limits(
            **{
                name: getattr(DEFAULT_LIMITS, name) if written is None else written
                for name, written in self
            }
        )


class TargetFile(StrictModel):
    """A target file."""

    version: Literal[1] = Field(description="The version of this format: 1.")
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, description="What reports call the collector."
    )
    launch: LaunchFile = Field(description="How it comes to be.")
    ready: ReadyFile | None = Field(
        default=None, description="How it shows that it is ready; by the contract's line without."
    )
    dialect: Literal["native", "accretional"] = Field(
        default="native", description="How it lays out ConnectRequest."
    )
    environment: Environment = Field(
        default_factory=dict,
        description="Further environment variables of its process. {folder}, {port}, and settings "
        "such as {tls-cert} stand for their values; one of settings without a value is left out.",
    )
    store: Annotated[str, PlainValidator(_store), WithJsonSchema({"type": "string"})] | None = (
        Field(
            default=None,
            description="How it is told where to keep registrations over a restart, such as "
            "file:{path}; {path} stands for a file of its own.",
        )
    )
    tls: TlsFile | None = Field(
        default=None, description="For `attach`: that it speaks TLS, and how it is called."
    )
    token: TokenFile | None = Field(
        default=None, description="For `attach`: the bearer token that calls to it carry."
    )
    capabilities: (
        Annotated[
            tuple[
                Annotated[
                    str,
                    PlainValidator(_capability),
                    WithJsonSchema({"type": "string", "enum": sorted(CAPABILITIES)}),
                ],
                ...,
            ],
            Strict(False),
        ]
        | None
    ) = Field(
        default=None,
        description="All that it can do beside the core; without it, what it shows counts.",
    )
    limits: LimitsFile = Field(default_factory=LimitsFile, description="How far it goes.")


def load_target(path: Path) -> Target:
    """Reads a target file; raises `InvalidInput` with every problem at its line."""
    document = load_file(path, str(path))
    file = validate(TargetFile, document)
    declares = Declaration(
        limits=file.limits.value(),
        capabilities=None if file.capabilities is None else frozenset(file.capabilities),
    )
    launch = file.launch
    spoken = file.environment.get("COLLECTOR_DIALECT")
    dialect: Literal["native", "accretional"] = (
        "accretional" if spoken == "accretional" else file.dialect
    )
    if launch.attach is None and (file.tls is not None or file.token is not None):
        where = document.position(("tls" if file.tls is not None else "token",), key=True)
        raise InvalidInput(
            Problem(
                message="this is for `attach`",
                position=where,
                hint="what the harness starts gets certificates and tokens that are made for it: "
                "by COLLECTOR_TLS_CERT and the like, or under `environment` by names of its own, "
                "such as MY_CERT: '{tls-cert}'",
            )
        )
    for key in ("ready", "environment", "store") if launch.exec is None else ():
        if getattr(file, key):
            where = document.position((key,), key=True)
            raise InvalidInput(Problem(message="this is for `exec`", position=where))
    if launch.python is not None or launch.attach is not None:
        text = f"python:{launch.python}" if launch.python else f"attach:{launch.attach}"
        target = parse_target(text)
        if isinstance(target, PythonTarget):
            return replace(target, declares=declares, dialect=file.dialect)
        assert isinstance(target, AttachTarget)
        access = _access(file, path.parent)
        return replace(target, declares=declares, dialect=file.dialect, access=access)
    assert launch.exec is not None
    folder = str(path.resolve().parent)
    ready = file.ready or ReadyFile.model_construct(line=None, port=None, health=None, within=None)
    return ExecTarget(
        command=tuple(word.replace("{folder}", folder) for word in launch.exec),
        flags=tuple(
            (name, tuple(word.replace("{folder}", folder) for word in words))
            for name, words in launch.flags.items()
        ),
        environment=tuple(
            (name, value.replace("{folder}", folder)) for name, value in file.environment.items()
        ),
        ready=None
        if file.ready is None
        else Ready(
            line=ready.line, port=ready.port, health=bool(ready.health), within=ready.within
        ),
        store=file.store,
        file=str(path),
        declares=declares,
        dialect=dialect,
    )


def _access(file: TargetFile, folder: Path) -> Access:
    token = None
    if file.token is not None and file.token.env is not None:
        token = os.environ.get(file.token.env)
        if not token:
            raise EnvironmentLacks(
                f"the variable {file.token.env}, which holds the token, is not set"
            )
    elif file.token is not None and file.token.file is not None:
        token = _read_token(folder / file.token.file)
    if file.tls is None:
        return Access(token=token)
    written = {"ca": file.tls.ca, "cert": file.tls.cert, "key": file.tls.key}
    files = {name: folder / each for name, each in written.items() if each is not None}
    for each in files.values():
        if not each.is_file():
            raise EnvironmentLacks(f"there is no file '{each}', which the target file names")
    return Access(tls=True, **files, server_name=file.tls.server_name, token=token)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentLacks(f"the token in '{path}' cannot be read: {error}") from None
    if not token or not token.isascii() or not token.isprintable():
        raise EnvironmentLacks(f"what '{path}' holds is no token: it is one line of ASCII")
    return token


def target_schema() -> dict[str, Any]:
    """Returns the JSON Schema of target files (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **TargetFile.model_json_schema(),
        "title": "A target for collector-harness",
    }
