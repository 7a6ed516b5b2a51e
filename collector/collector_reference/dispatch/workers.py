"""Threads for plain handlers.

They are daemons: a handler that never returns must not keep a stopped collector's
process alive, which the standard library's executor would.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Workers"]


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[], object]
    future: asyncio.Future[object]
    loop: asyncio.AbstractEventLoop


class Workers:
    """Runs callables in at most `limit` threads, started when there is no idle one."""

    def __init__(self, limit: int, *, name: str) -> None:
        self._limit = limit
        self._name = name
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._idle = 0
        self._threads = 0
        self._closed = False

    async def run(self, function: Callable[..., object], *arguments: object) -> object:
        """Returns or raises what the function does, whatever it is.

        When the awaiting task is cancelled, a function that has not begun never will; one that
        has goes on, and its result is dropped.
        """
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        job = _Job(
            run=lambda: context.run(function, *arguments), future=loop.create_future(), loop=loop
        )
        with self._changed:
            if self._closed:
                raise RuntimeError("the collector has stopped")
            self._jobs.append(job)
            if len(self._jobs) > self._idle and self._threads < self._limit:
                self._threads += 1
                threading.Thread(
                    target=self._work, name=f"{self._name}-{self._threads}", daemon=True
                ).start()
            else:
                self._changed.notify()
        outcome = await job.future
        assert isinstance(outcome, _Outcome)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def close(self) -> None:
        """Ends the idle threads now, and the others after the call that they are in."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if job.future.cancelled():
                continue
            try:
                outcome = _Outcome(value=job.run())
            except BaseException as error:  # noqa: BLE001 - even SystemExit is the caller's to judge
                outcome = _Outcome(error=error)
            try:
                job.loop.call_soon_threadsafe(_deliver, job.future, outcome)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            # Holding on to the last outcome while idle would keep its objects alive.
            del job, outcome

    def _next(self) -> _Job | None:
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return self._jobs.popleft()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Carried as a value, because a future refuses some exceptions, such as StopIteration."""

    value: object = None
    error: BaseException | None = None


def _deliver(future: asyncio.Future[object], outcome: _Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
