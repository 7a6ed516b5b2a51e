"""An asyncio loop of our own in one background thread, for callers that are not asynchronous.

Under pytest the engine lives here, so that plain test functions can use it and a
loop of the user's own is never touched.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from collector_harness.errors import InternalFault

__all__ = ["Runtime"]

T = TypeVar("T")


class Runtime:
    """A running loop; usable from any thread but its own, until it is closed."""

    def __init__(self, *, name: str = "collector-harness") -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = threading.Lock()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop itself, for code that schedules on it."""
        return self._loop

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._loop.is_closed()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine on the loop and returns its result, or raises what it raised.

        When the waiting thread is interrupted (Ctrl-C), the coroutine is cancelled and its
        clean-up is awaited before the interruption goes on. Raises `InternalFault` when
        called on the loop's own thread or after `close`.
        """
        if threading.current_thread() is self._thread or self._loop.is_closed():
            coroutine.close()
            raise InternalFault(
                "the runtime is closed"
                if self._loop.is_closed()
                else "a blocking call was made on the runtime's own thread, which would wait "
                "for itself for ever; await the asynchronous call instead"
            )
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        task: list[asyncio.Task[T]] = []

        def finish(finished: asyncio.Task[T]) -> None:
            # Unlike the future of run_coroutine_threadsafe, this one is done only after the
            # task has ended: who cancels waits for the clean-up too.
            if finished.cancelled():
                done.set_exception(concurrent.futures.CancelledError())
            elif (error := finished.exception()) is not None:
                done.set_exception(error)
            else:
                done.set_result(finished.result())

        def begin() -> None:
            task.append(self._loop.create_task(coroutine))
            task[0].add_done_callback(finish)

        def cancel() -> None:
            if task:
                task[0].cancel()
            else:
                coroutine.close()
                done.set_exception(concurrent.futures.CancelledError())

        try:
            # Interrupted in here, it may have been begun, or not.
            self._loop.call_soon_threadsafe(begin)
            return done.result()
        except BaseException:
            if not done.done():
                self._loop.call_soon_threadsafe(cancel)
                concurrent.futures.wait([done])
            raise

    def close(self) -> None:
        """Cancels what still runs, awaits its clean-up, and ends the loop and its thread.

        Safe to call again.
        """
        with self._closing:
            if self._loop.is_closed():
                return
            self._ending = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._ending:
            # A task that raises SystemExit or KeyboardInterrupt breaks out of the loop; who
            # awaits the task gets it, and everybody else on the loop goes on.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        asyncio.set_event_loop(None)

    async def _end(self) -> None:
        this = asyncio.current_task()
        left = [task for task in asyncio.all_tasks() if task is not this]
        for task in left:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()
