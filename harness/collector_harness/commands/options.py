"""Options that several commands share. Imports click only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Flags",
    "ReaderLeft",
    "debug_option",
    "flush_or_forget",
    "json_option",
    "jsonl_option",
    "keyword_option",
    "seed_option",
    "shard_option",
    "verbose_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class ReaderLeft(Exception):
    """Whoever read standard output has gone, as `head` does once it has enough."""


def flush_or_forget(stream: IO[str]) -> None:
    """Writes out what a stream holds; where nobody reads it any more, it is forgotten, and the
    interpreter has nothing left to complain of at its end.
    """
    try:
        stream.flush()
    except BrokenPipeError:
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        except (OSError, ValueError):
            pass


@dataclass(slots=True)
class Flags:
    """What the end of the program has to know; click carries it as the context's object."""

    debug: bool = False


def _set_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    flags = ctx.find_object(Flags)
    if value and flags is not None:
        flags.debug = True


def debug_option(function: F) -> F:
    """`--debug`: show the traceback of an error. Accepted before and after the command's name."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_set_debug,
        help="Show the traceback of an error.",
    )(function)


def _path(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    from pathlib import Path  # a tenth of the time that the list of commands takes

    return None if value is None else Path(value)


def keyword_option(function: F) -> F:
    """`-k EXPR`."""
    return click.option(
        "-k",
        "keywords",
        metavar="EXPR",
        help="Only cases that match: words that occur in the id, title, tags or requirement ids, "
        "joined by and, or, not and parentheses.",
    )(function)


def seed_option(function: F) -> F:
    """`--seed S`."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="S",
        help="The seed of every random choice; a fresh one is chosen and shown otherwise.",
    )(function)


def shard_option(function: F) -> F:
    """`--shard i/n`."""
    return click.option(
        "--shard",
        metavar="I/N",
        help="Only the I-th part of N: each case, or requirement with what it builds on, belongs "
        "to a part, which its id alone decides.",
    )(function)


def json_option(function: F) -> F:
    """`--json FILE`."""
    return click.option(
        "--json",
        "totals",
        callback=_path,
        metavar="FILE",
        help="Write the totals to FILE as JSON, whole or not at all.",
    )(function)


def jsonl_option(function: F) -> F:
    """`--jsonl FILE`."""
    return click.option(
        "--jsonl",
        "stream",
        callback=_path,
        metavar="FILE",
        help="Write every event to FILE as a line of JSON, as it happens.",
    )(function)


def verbose_option(function: F) -> F:
    """`-v`."""
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Show every case, step and call, and failures whole.",
    )(function)
