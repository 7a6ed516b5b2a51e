"""Servers in a process of their own: started for one contest, and ended with it.

`python -m benchmarks.serving MODULE:FUNCTION` serves what the function opens; the
parent side is `served`. Both sides of a contest use it alike. What is served
stands in `bare.py` and in the benchmarks themselves.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import grpc

from benchmarks import bare
from benchmarks.contests import MeasurementFailed

__all__ = ["Serving", "dialled", "served"]

Serving = Callable[[], AbstractAsyncContextManager[str]]
"""Opens a server and yields the address that it can be dialled at."""

READY_SECONDS = 60


@asynccontextmanager
async def served(serving: Serving) -> AsyncIterator[str]:
    """Runs a module-level function in a new process and yields the address.

    The process ends when its standard input does, so it never outlives this one.
    Raises `MeasurementFailed` when it does not come up.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.serving",
        f"{serving.__module__}:{serving.__name__}",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield await _address(process.stdout, serving.__name__)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def dialled(serving: Serving, stack: AsyncExitStack) -> grpc.aio.Channel:
    """Returns a channel to what `served` runs; both last as long as the stack."""
    address = await stack.enter_async_context(served(serving))
    return await stack.enter_async_context(
        grpc.aio.insecure_channel(address, options=bare.CHANNEL_OPTIONS)
    )


async def _address(output: asyncio.StreamReader, name: str) -> str:
    try:
        async with asyncio.timeout(READY_SECONDS):
            address = (await output.readline()).decode().strip()
    except TimeoutError as error:
        raise MeasurementFailed(f"{name} was not ready within {READY_SECONDS} s") from error
    if not address:
        raise MeasurementFailed(f"{name} did not start: its error is above")
    return address


async def _serve(name: str) -> None:
    module, _, function = name.partition(":")
    serving: Serving = getattr(importlib.import_module(module), function)
    loop = asyncio.get_running_loop()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    async with serving() as address:
        print(address, flush=True)
        await ended.read()


if __name__ == "__main__":
    # Ctrl-C reaches the parent too, which then ends this process by its standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(sys.argv[1]))
