"""The floor of P9: a plain pytest fixture that makes a call with a sync stub.

Loaded as a pytest plugin by its module name, in place of ours. The server runs on
an event loop in a thread, as the harness's own meshes do under pytest.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import grpc
import pytest

from benchmarks import bare, thousand
from collector_reference.wire import dispatcher_pb2_grpc


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A bare server that returns its input."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    serving = bare.echo()
    yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result()
    asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def call(address: str) -> Iterator[Callable[[int], None]]:
    """Makes the call of one scenario, and checks its answer."""
    with grpc.insecure_channel(address, options=bare.CHANNEL_OPTIONS) as channel:
        stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)

        def call(number: int) -> None:
            reply = stub.Dispatch(thousand.request(number), timeout=thousand.DEADLINE_SECONDS)
            thousand.check(reply, number)

        yield call
