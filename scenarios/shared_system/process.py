"""A service as a process: its log and spans are set up, and it ends with a number that tells why.

What its settings are, and what it serves, is given to it.
"""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager

import grpc

from shared_system import logs, tracing
from shared_system.failures import Failure
from shared_system.serving import CannotListen, run_until_told

__all__ = ["run_process"]

_BAD_SETTING, _CANNOT_START = 2, 3


async def run_process(
    name: str, served: AbstractAsyncContextManager[str], *, spans: str, gracefully: bool
) -> int:
    """Runs a service until it is told to end. `spans` is as `tracing.setting_up` has it. Returns
    0; 2 for a setting that cannot be used; 3 when it cannot listen, or the database or the
    registry is away.
    """
    logs.to_standard_error(name)
    try:
        end_tracing = tracing.setting_up(spans, name)
        try:
            await run_until_told(name, served, gracefully=gracefully)
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
