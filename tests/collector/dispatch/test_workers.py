from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from collector_reference.dispatch.workers import Workers


@pytest.fixture
def workers():
    workers = Workers(2, name="test")
    yield workers
    workers.close()


async def test_a_function_runs_in_another_thread_and_returns(workers):
    assert await workers.run(threading.get_ident) != threading.get_ident()
    assert await workers.run(pow, 2, 5) == 32


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(3), StopIteration(), KeyboardInterrupt()]
)
async def test_whatever_it_raises_is_raised(workers, error):
    def fail():
        raise error

    caught = None
    try:
        await workers.run(fail)
    except BaseException as raised:
        caught = raised
    # A coroutine cannot raise StopIteration: Python turns it into a RuntimeError from it.
    assert caught is error or caught.__cause__ is error
    assert await workers.run(pow, 2, 2) == 4


async def test_the_callers_context_is_seen(workers):
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")
    assert await workers.run(variable.get) == "set"


async def test_no_more_than_the_limit_run_at_a_time_and_all_run(workers):
    gate = threading.Event()
    running, peak, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
            if running == 2:
                gate.set()
        assert gate.wait(10)
        with lock:
            running -= 1
        return number

    assert await asyncio.gather(*(workers.run(work, number) for number in range(8))) == list(
        range(8)
    )
    assert peak == 2


async def test_a_waiting_function_of_a_cancelled_task_never_begins(workers):
    gate = threading.Event()
    began: list[str] = []
    busy = [asyncio.create_task(workers.run(gate.wait, 10)) for _ in range(2)]
    waiting = asyncio.create_task(workers.run(began.append, "waiting"))
    after = asyncio.create_task(workers.run(began.append, "after"))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    await asyncio.gather(*busy, after)
    assert began == ["after"]


async def test_its_threads_do_not_keep_the_process_alive(workers):
    assert await workers.run(lambda: threading.current_thread().daemon)


async def test_after_closing_its_idle_threads_end_and_nothing_is_taken():
    workers = Workers(1, name="closing")
    thread = await workers.run(threading.current_thread)
    workers.close()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="the collector has stopped"):
        await workers.run(pow, 1, 1)
