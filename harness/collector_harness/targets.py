"""What is under test: the text after ``--collector-target`` or ``collector:``, parsed once.

A target says how a node comes to be; how it is launched lives in ``launchers``.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import shlex
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from collector_harness.declared import CAPABILITIES, NOTHING_DECLARED, Declaration, Limits
from collector_harness.errors import InvalidInput, Problem

__all__ = [
    "FLAGS",
    "REFERENCE_PROCESS",
    "Access",
    "AttachTarget",
    "ExecTarget",
    "PythonTarget",
    "Ready",
    "Reference",
    "Target",
    "names_a_file",
    "parse_target",
    "split_address",
]

_FORMS = (
    "reference, process:reference, exec:COMMAND, attach:HOST:PORT, python:MODULE:FACTORY, "
    "a file target.yaml"
)
_KINDS = ("reference", "process", "exec", "attach", "python")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


REFERENCE_DECLARES = Declaration(
    # Its own settings are those of the protocol; a call is measured after it has ended.
    limits=Limits(forward=timedelta(seconds=22), grace=timedelta(seconds=11)),
    capabilities=frozenset(CAPABILITIES) - {"channelz"},
)
"""What the reference collector says of itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The reference collector, in the harness's own process."""

    settings: tuple[tuple[str, object], ...] = ()
    """Settings of `CollectorSettings` that it is started with, beside those of its node."""
    declares: Declaration = REFERENCE_DECLARES
    dialect: Literal["native", "accretional"] = "native"
    """How it lays out ConnectRequest, as with every target."""

    def __str__(self) -> str:
        return "reference"


FLAGS: Final = {
    name: f"COLLECTOR_{name.replace('-', '_').upper()}"
    for name in (
        "id",
        "listen",
        "advertise",
        "namespaces",
        "connect",
        "system-namespace",
        "registry-address",
        "probe",
        "dialect",
        "validation",
        "registry",
        "tls-cert",
        "tls-key",
        "tls-ca",
        "tls-client-auth",
        "token-keys",
        "token-audience",
        "token-issuer",
        "token-file",
    )
}
"""The settings of the launch contract by name, each with its environment variable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """How a process shows that it is ready, where not by the contract's line."""

    line: str | None = None
    """A pattern of a line of its output, with a group `address` or `port`."""
    port: int | Literal["{port}"] | None = None
    """The port that it listens on; `{port}` for the one that it is given."""
    health: bool = False
    """Whether its health must be SERVING too."""
    within: timedelta | None = None
    """How long to wait; None for the launcher's own limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecTarget:
    """A program that is started by the launch contract (PROTOCOL.md section 4)."""

    command: tuple[str, ...]
    """Program and arguments; `{executable}` stands for the Python interpreter that runs the
    harness."""
    flags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Words by settings (`FLAGS`), in place of their variables, where these have a value."""
    environment: tuple[tuple[str, str], ...] = ()
    """Further environment variables; `{tls-cert}` and the like stand for settings (`FLAGS`)."""
    store: str | None = None
    """How it is told a file in which registrations outlive it, `{path}` being the file; None where
    that is as the reference has it, or where it has none."""
    ready: Ready | None = None
    """How it shows that it is ready; None for the contract's line."""
    file: str | None = None
    """The target file that says all this, as the user named it."""
    declares: Declaration = NOTHING_DECLARED
    forked: bool = False
    """Whether it is the reference collector, which a forkserver starts where that can be."""
    dialect: Literal["native", "accretional"] = "native"

    def __str__(self) -> str:
        if self.forked:
            return "process:reference"
        if self.file is not None:
            return self.file
        return f"exec:{shlex.join(self.command)}"


REFERENCE_PROCESS = ExecTarget(
    command=("{executable}", "-m", "collector_reference"), declares=REFERENCE_DECLARES, forked=True
)
"""The reference collector, in a process of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How a collector that runs already is called."""

    tls: bool = False
    ca: Path | None = None
    """What it is trusted by; None for what the machine trusts."""
    cert: Path | None = None
    """The client's certificate, where one is shown, and its `key`."""
    key: Path | None = None
    server_name: str | None = None
    """The name in its certificate, where that is not the one that it is dialled by."""
    token: str | None = field(default=None, repr=False)
    """The bearer token of all calls."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachTarget:
    """A collector that somebody else started and stops."""

    host: str
    """Without brackets, also for IPv6."""
    port: int
    access: Access = Access()
    """How it is called."""
    declares: Declaration = NOTHING_DECLARED
    dialect: Literal["native", "accretional"] = "native"

    @property
    def address(self) -> str:
        """As gRPC takes it: `host:port`, or `[host]:port` for IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"attach:{self.address}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonTarget:
    """A collector with the reference's Python API, made by a factory that takes its
    `CollectorSettings`.
    """

    module: str
    factory: str
    settings: tuple[tuple[str, object], ...] = ()
    """Settings that its factory gets, beside those of its node."""
    declares: Declaration = NOTHING_DECLARED
    dialect: Literal["native", "accretional"] = "native"

    def __str__(self) -> str:
        return f"python:{self.module}:{self.factory}"


Target = Reference | ExecTarget | AttachTarget | PythonTarget


def names_a_file(text: str) -> bool:
    """Tells whether a text names a target by its file, rather than saying what it is."""
    return text.strip().endswith((".yaml", ".yml")) and ":" not in text.strip()[2:]


def parse_target(text: str) -> Target:
    """Returns the target that a text names; raises `InvalidInput` saying what it should be."""
    if names_a_file(text):
        # Reading files takes pydantic, which most runs of pytest do without.
        from collector_harness.target_file import load_target

        return load_target(Path(text.strip()))
    kind, _, rest = text.strip().partition(":")
    match kind:
        case "reference" if not rest:
            return Reference()
        case "process":
            return _process(text, rest)
        case "exec":
            return ExecTarget(command=_command(text, rest))
        case "attach":
            host, port = split_address(rest, what=f"target '{text}'")
            return AttachTarget(host=host, port=port)
        case "python":
            return _python(text, rest)
        case _:
            close = difflib.get_close_matches(kind, _KINDS, n=1)
            guess = f"did you mean '{close[0]}'? " if close and close[0] != kind else ""
            raise InvalidInput(
                Problem(
                    message=f"'{text}' is not a target",
                    hint=f"{guess}A target is one of: {_FORMS}",
                )
            )


def split_address(text: str, *, what: str) -> tuple[str, int]:
    """Returns host (without brackets) and port of `HOST:PORT` or `[IPV6]:PORT`.

    Raises `InvalidInput` that begins with `what` for anything else, for port 0, and for an
    IPv6 address without brackets.
    """
    host, colon, port_text = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    good_port = port_text.isascii() and port_text.isdigit() and 0 < int(port_text[:6]) < 65536
    if not (colon and good_port and _is_host(host, bracketed=bracketed)):
        hint = "write HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:50051"
        if ":" in host and not bracketed:
            hint = "write an IPv6 address in brackets, such as [::1]:50051"
        raise InvalidInput(Problem(message=f"{what} has no valid address '{text}'", hint=hint))
    return host, int(port_text)


def _is_host(host: str, *, bracketed: bool) -> bool:
    if bracketed:
        try:
            return ipaddress.ip_address(host).version == 6
        except ValueError:
            return False
    return _HOST_NAME.fullmatch(host) is not None


def _command(text: str, rest: str) -> tuple[str, ...]:
    try:
        command = tuple(shlex.split(rest))
    except ValueError as error:
        raise InvalidInput(
            Problem(
                message=f"the command of '{text}' cannot be split into words: {error}",
                hint="quote it as you would in a shell",
            )
        ) from error
    if not command or not command[0]:
        raise InvalidInput(
            Problem(message=f"'{text}' names no command", hint="write exec:PROGRAM ARGUMENTS")
        )
    if any("\0" in word for word in command):
        raise InvalidInput(Problem(message="the command of a target holds a NUL character"))
    return command


def _process(text: str, rest: str) -> ExecTarget:
    if rest != "reference":
        raise InvalidInput(
            Problem(
                message=f"'{text}' is not a target",
                hint="did you mean 'process:reference'? Other programs are exec:COMMAND",
            )
        )
    return REFERENCE_PROCESS


def _python(text: str, rest: str) -> PythonTarget:
    module, _, factory = rest.partition(":")
    if not (_DOTTED_NAME.fullmatch(module) and _DOTTED_NAME.fullmatch(factory)):
        raise InvalidInput(
            Problem(
                message=f"'{text}' names no factory",
                hint="write python:MODULE:FACTORY, such as python:my.collectors:make",
            )
        )
    return PythonTarget(module=module, factory=factory)
