"""A service as a process: reads its settings, serves, and ends with a number that tells why."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import grpc

from commerce_system.shared import logs, tracing
from commerce_system.shared.failures import Failure
from commerce_system.shared.serving import CannotListen, run_until_told
from commerce_system.shared.settings import ServiceSettings, parse

__all__ = ["run"]

_BAD_SETTING, _CANNOT_START = 2, 3


async def run(
    name: str,
    served: Callable[[ServiceSettings], AbstractAsyncContextManager[str]],
    *,
    takes: Sequence[str],
    words: Sequence[str] | None = None,
) -> int:
    """Runs a service until it is told to end. `words` are its flags, by default those of the
    command line. Returns 0; 2 for a setting that cannot be used;
    3 when it cannot listen, or the database or the registry is away.
    """
    settings = parse(
        f"commerce_system.{name}",
        sys.argv[1:] if words is None else words,
        os.environ,
        takes=takes,
    )
    logs.to_standard_error(name)
    try:
        end_tracing = tracing.setting_up(settings.tracing, name)
        try:
            await run_until_told(name, served(settings), gracefully=settings.practices.shutdown)
        finally:
            end_tracing()
    except ValueError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return _BAD_SETTING
    except (CannotListen, ModuleNotFoundError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return _CANNOT_START
    except Failure as failure:
        print(f"{name}: {failure.message}", file=sys.stderr)
        return _CANNOT_START
    except grpc.aio.AioRpcError as error:
        print(f"{name}: the registry refused: {error.code().name}", file=sys.stderr)
        return _CANNOT_START
    return 0
