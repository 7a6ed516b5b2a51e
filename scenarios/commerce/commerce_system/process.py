"""A service of the shop as a process: it reads its settings, and serves until it is told to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from commerce_system.settings import ServiceSettings, parse
from shared_system.process import run_process

__all__ = ["run"]


async def run(
    name: str,
    served: Callable[[ServiceSettings], AbstractAsyncContextManager[str]],
    *,
    takes: Sequence[str],
    words: Sequence[str] | None = None,
) -> int:
    """Runs a service until it is told to end. `words` are its flags, by default those of the
    command line. Returns what `run_process` does.
    """
    settings = parse(
        f"commerce_system.{name}",
        sys.argv[1:] if words is None else words,
        os.environ,
        takes=takes,
    )
    return await run_process(
        name,
        served(settings),
        spans=settings.tracing,
        gracefully=settings.practices.shutdown,
    )
