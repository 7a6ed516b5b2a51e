"""One thread that writes into a SQLite database: what waits together is committed together.

An insertion is answered only once its commit is on the disk. What is inserted, and
how the database is opened, is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable

from collector_reference.errors import StoreUnavailable

__all__ = ["GroupCommit"]

_LOG = logging.getLogger(__name__)
_MOST_AT_ONCE = 1_000

_Waiting = asyncio.Future[bool]
_Insertion = tuple[str, tuple[object, ...], asyncio.AbstractEventLoop, _Waiting]
_Outcome = tuple[_Waiting, bool | StoreUnavailable]


class GroupCommit:
    """Insertions from any loop, in the order in which they came."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """The connection is in autocommit mode, and used by nobody else outside `lock`."""
        self._connection = connection
        self._queue: queue.SimpleQueue[_Insertion | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.lock = threading.Lock()
        """Held during a transaction."""

    async def insert(self, statement: str, parameters: tuple[object, ...]) -> bool:
        """Returns whether a row was added, once that is on the disk.

        Raises `StoreUnavailable` when the database cannot be written; then nothing was added.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="registry-writer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        waiting: _Waiting = loop.create_future()
        self._queue.put((statement, parameters, loop, waiting))
        return await waiting

    def close(self) -> None:
        """Ends the thread after what waits already is written."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        last = False
        while not last:
            batch: list[_Insertion] = []
            entry = self._queue.get()
            try:
                while entry is not None:
                    batch.append(entry)
                    if len(batch) == _MOST_AT_ONCE:
                        break
                    entry = self._queue.get_nowait()
                else:
                    last = True
            except queue.Empty:
                pass
            _answer(batch, self._write(batch))

    def _write(self, batch: list[_Insertion]) -> list[bool | StoreUnavailable]:
        execute = self._connection.execute
        with self.lock:
            try:
                execute("BEGIN IMMEDIATE")
                added: list[bool | StoreUnavailable] = [
                    execute(statement, parameters).rowcount > 0
                    for statement, parameters, _, _ in batch
                ]
                execute("COMMIT")
            except sqlite3.Error as error:
                _LOG.error("the registry's database cannot be written: %s", error)
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                return [StoreUnavailable(f"the database cannot be written: {error}")] * len(batch)
            return added


def _answer(batch: Iterable[_Insertion], outcomes: Iterable[bool | StoreUnavailable]) -> None:
    """Wakes each loop once for all of its insertions."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Outcome]] = defaultdict(list)
    for (_, _, loop, waiting), outcome in zip(batch, outcomes, strict=True):
        by_loop[loop].append((waiting, outcome))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, answers)
        except RuntimeError:
            # The loop is closed: nobody waits there any more.
            continue


def _resolve(answers: Iterable[_Outcome]) -> None:
    for waiting, outcome in answers:
        if waiting.done():
            continue
        if isinstance(outcome, StoreUnavailable):
            waiting.set_exception(StoreUnavailable(str(outcome)))
        else:
            waiting.set_result(outcome)
