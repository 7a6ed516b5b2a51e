"""Everything that can end a run early, and the exit code that each stands for.

A message says what happened, where, and what to do next. Foreign exceptions
(gRPC, YAML, pydantic, the operating system) are translated into these at the
edge where they appear; nothing further in sees them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "EnvironmentLacks",
    "ExitCode",
    "HarnessError",
    "InternalFault",
    "InvalidInput",
    "Position",
    "Problem",
    "TargetFailed",
]


class ExitCode(enum.IntEnum):
    """What the command line and the verdict of a run end with."""

    OK = 0
    FAILED = 1
    INVALID_INPUT = 2
    ENVIRONMENT_LACKS = 3
    NOTHING_RAN = 4
    TARGET_FAILED = 5
    INTERNAL_FAULT = 6
    INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A place in a text that somebody wrote."""

    source: str
    """The file as the user named it, or `<string>`."""
    line: int
    """Counted from 1."""
    column: int
    """Counted from 1, in characters."""
    text: str = ""
    """The line itself, without its end."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with an input."""

    message: str
    """What is wrong, in one sentence without a full stop."""
    position: Position | None = None
    """Where; None for an input without lines, such as an option."""
    hint: str | None = None
    """What to do next: a did-you-mean, or the remedy."""

    def __str__(self) -> str:
        lines = [f"{self.position}: {self.message}" if self.position else self.message]
        if self.position and self.position.text:
            gutter = f"{self.position.line:>5} | "
            caret = " " * (len(gutter) + self.position.column - 1) + "^"
            lines += [gutter + self.position.text, caret]
        if self.hint:
            lines.append(f"      hint: {self.hint}" if self.position else f"hint: {self.hint}")
        return "\n".join(lines)


class HarnessError(Exception):
    """The root of every error that this package raises."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL_FAULT
    about: tuple[str | int, ...] = ()
    """Keys that lead from a scenario's nodes, services or peers to what it is about, such as
    `("east", "serves", "shop", 0)`, or `("secrets", NAME)`; empty where that is not known."""


class InvalidInput(HarnessError):
    """A topology, a scenario, a target or an option that cannot be used as written."""

    exit_code = ExitCode.INVALID_INPUT

    def __init__(self, problems: Sequence[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem(message=problems)
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EnvironmentLacks(HarnessError):
    """The machine lacks something: a port, file descriptors, a program, an optional package."""

    exit_code = ExitCode.ENVIRONMENT_LACKS


class TargetFailed(HarnessError):
    """A node did not start, or died, or does not answer."""

    exit_code = ExitCode.TARGET_FAILED

    def __init__(self, message: str, *, node: str, log_tail: str = "", lives: bool = False) -> None:
        self.node = node
        """The name of the node."""
        self.log_tail = log_tail
        """The last lines that it wrote, escaped for a terminal; empty where there are none."""
        self.lives = lives
        """Whether it was seen to run on: it does not do what it should, but it has not died."""
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)


class InternalFault(HarnessError):
    """A fault of this package: something that its own invariants rule out."""

    exit_code = ExitCode.INTERNAL_FAULT
