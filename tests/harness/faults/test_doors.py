"""A door lets bytes arrive late, slowly, changed or not at all, and goes back to copying them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from collector_harness.faults.flow import (
    Bandwidth,
    Corruption,
    Disturbance,
    Latency,
    Loss,
    Standstill,
)
from collector_harness.faults.link_proxy import ConnectionLimit, LinkProxy, Side
from collector_harness.runtime import Runtime

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def door() -> AsyncIterator[LinkProxy]:
    """A door that leads to a server which sends back what it gets."""
    proxy = await LinkProxy().open()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy.lead_to(*server.sockets[0].getsockname())
    try:
        yield proxy
    finally:
        await proxy.close()
        server.close()


@asynccontextmanager
async def dialled(proxy: LinkProxy) -> AsyncIterator[Streams]:
    host, port = proxy.address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def echoed(streams: Streams, data: bytes, *, within: float = 5) -> bytes:
    reader, writer = streams
    writer.write(data)
    async with asyncio.timeout(within):
        return await reader.readexactly(len(data))


async def is_reset(streams: Streams) -> bool:
    try:
        async with asyncio.timeout(5):
            return await streams[0].read(1) == b""
    except ConnectionError:
        return True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.002)


def both(proxy: LinkProxy, disturbance: Disturbance) -> None:
    proxy.inbound.add(disturbance)
    proxy.outbound.add(disturbance)


def test_latency_delays_what_comes_and_keeps_its_order(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as streams:
            assert await echoed(streams, b"x") == b"x"
            late = Latency(delay=timedelta(milliseconds=60), jitter=timedelta(milliseconds=30))
            proxy.inbound.add(late)
            begin = time.perf_counter()
            pieces = [bytes([number]) * 50 for number in range(40)]
            for piece in pieces:
                streams[1].write(piece)
                await streams[1].drain()
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                assert await streams[0].readexactly(2000) == b"".join(pieces)
            assert time.perf_counter() - begin >= 0.03
            streams[1].write(b"in flight")
            await asyncio.sleep(0)
            proxy.inbound.remove(late)
            async with asyncio.timeout(5):
                assert await streams[0].readexactly(9) == b"in flight"

    runtime.run(check())


def test_a_narrow_flow_is_shared_by_its_connections(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as one, dialled(proxy) as other:
            proxy.inbound.add(Bandwidth(bytes_per_second=20_000))
            begin = time.perf_counter()
            await asyncio.gather(echoed(one, b"1" * 2000), echoed(other, b"2" * 2000))
            assert time.perf_counter() - begin >= 0.19

    runtime.run(check())


def test_doors_share_what_is_narrow_or_full(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as east, door() as west, dialled(east) as old, dialled(west) as young:
            await echoed(old, b"1")
            await echoed(young, b"2")
            narrow = Bandwidth(bytes_per_second=20_000)
            for each in (east, west):
                each.inbound.add(narrow)
            begin = time.perf_counter()
            await asyncio.gather(echoed(old, b"1" * 2000), echoed(young, b"2" * 2000))
            assert time.perf_counter() - begin >= 0.19
            for each in (east, west):
                each.inbound.remove(narrow)
            limit = ConnectionLimit(most=1, doors=(west, east))
            for each in limit.doors:
                each.limit(limit)
            assert await is_reset(young)
            async with dialled(west) as third:
                assert await is_reset(third)
            assert await echoed(old, b"still") == b"still"
            for each in limit.doors:
                each.unlimit(limit)
            async with dialled(west) as fourth:
                assert await echoed(fourth, b"4") == b"4"

    runtime.run(check())


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_what_stands_still_goes_on_and_nothing_is_lost(runtime: Runtime, size: int) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as streams:
            await echoed(streams, b"x")
            still = Standstill()
            both(proxy, still)
            answer = asyncio.create_task(echoed(streams, b"y" * size))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asyncio.shield(answer)
            proxy.inbound.remove(still)
            proxy.outbound.remove(still)
            assert await answer == b"y" * size
            assert proxy.mend() == 0

    runtime.run(check())


def test_a_connection_that_lost_bytes_is_reset_afterwards_and_no_other(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as hit, dialled(proxy) as idle:
            await asyncio.gather(echoed(hit, b"a"), echoed(idle, b"b"))
            loss = Loss()
            proxy.inbound.add(loss)
            with pytest.raises(TimeoutError):
                await echoed(hit, b"gone", within=0.1)
            proxy.inbound.remove(loss)
            assert proxy.mend() == 1
            assert await is_reset(hit)
            assert await echoed(idle, b"still here") == b"still here"

    runtime.run(check())


def test_bytes_that_wait_when_a_loss_begins_are_lost_too(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as streams:
            await echoed(streams, b"x")
            still, loss = Standstill(), Loss()
            proxy.inbound.add(still)
            with pytest.raises(TimeoutError):
                await echoed(streams, b"waits", within=0.1)
            proxy.inbound.add(loss)
            proxy.inbound.remove(still)
            proxy.inbound.remove(loss)
            assert proxy.mend() == 1

    runtime.run(check())


def test_corruption_changes_one_byte_of_a_packet(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as streams:
            await echoed(streams, b"x")
            proxy.inbound.add(Corruption(probability=1.0))
            back = await echoed(streams, bytes(500))
            assert sum(each != 0 for each in back) == 1
            assert proxy.mend() == 1

    runtime.run(check())


def test_a_disturbance_of_one_direction_leaves_the_other_alone(runtime: Runtime) -> None:
    async def check() -> None:
        heard = bytearray()
        came = asyncio.Event()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.extend(await reader.readexactly(3))
            came.set()
            writer.write(b"answer")
            await writer.drain()
            await reader.read()
            writer.close()

        proxy = await LinkProxy().open()
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        proxy.lead_to(*server.sockets[0].getsockname())
        proxy.outbound.add(Loss())
        async with dialled(proxy) as streams:
            with pytest.raises(TimeoutError):
                await echoed(streams, b"abc", within=0.2)
            async with asyncio.timeout(5):
                await came.wait()
            assert heard == b"abc"
        await proxy.close()
        server.close()

    runtime.run(check())


def test_what_is_refused_is_reset_until_it_is_admitted(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as before:
            await echoed(before, b"x")
            proxy.refuse()
            assert await is_reset(before)
            async with dialled(proxy) as during:
                assert await is_reset(during)
            proxy.admit()
            async with dialled(proxy) as after:
                assert await echoed(after, b"y") == b"y"

    runtime.run(check())


def test_a_limit_keeps_the_oldest_connections(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as first:
            await echoed(first, b"1")
            async with dialled(proxy) as second:
                await echoed(second, b"2")
                limit = ConnectionLimit(most=1, doors=(proxy,))
                proxy.limit(limit)
                assert await is_reset(second)
                async with dialled(proxy) as third:
                    assert await is_reset(third)
                assert await echoed(first, b"still") == b"still"
                proxy.unlimit(limit)
                async with dialled(proxy) as fourth:
                    assert await echoed(fourth, b"4") == b"4"

    runtime.run(check())


def test_half_open_to_the_dialler_looks_open_and_answers_nothing(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as before:
            await echoed(before, b"x")
            proxy.half_open(Side.FAR)
            async with dialled(proxy) as during:
                for streams in (before, during):
                    with pytest.raises(TimeoutError):
                        await echoed(streams, b"hello?", within=0.1)
                proxy.whole(Side.FAR)
                assert await is_reset(before)
                assert await is_reset(during)
            async with dialled(proxy) as after:
                assert await echoed(after, b"y") == b"y"

    runtime.run(check())


def test_half_open_to_the_node_hides_that_the_dialler_is_gone(runtime: Runtime) -> None:
    async def check() -> None:
        gone = asyncio.Event()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            with suppress(ConnectionError):
                await reader.read()
            gone.set()
            writer.close()

        proxy = await LinkProxy().open()
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        proxy.lead_to(*server.sockets[0].getsockname())
        async with dialled(proxy) as streams:
            assert await streams[0].readexactly(5) == b"hello"
            proxy.half_open(Side.NEAR)
            assert await is_reset(streams)
            assert not gone.is_set()
            proxy.whole(Side.NEAR)
            async with asyncio.timeout(5):
                await gone.wait()
        await proxy.close()
        server.close()

    runtime.run(check())


def test_a_door_that_moves_has_another_address_and_cuts_what_was_connected(
    runtime: Runtime,
) -> None:
    async def check() -> None:
        async with door() as proxy, dialled(proxy) as before:
            await echoed(before, b"x")
            address = proxy.address
            await proxy.move()
            assert proxy.address != address
            assert await is_reset(before)
            async with dialled(proxy) as after:
                assert await echoed(after, b"y") == b"y"
            host, port = address.rsplit(":", 1)
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(host, int(port))

    runtime.run(check())


def test_connections_that_end_are_counted_out(runtime: Runtime) -> None:
    async def check() -> None:
        async with door() as proxy:
            late = Latency(delay=timedelta(milliseconds=20))
            both(proxy, late)
            async with dialled(proxy) as streams:
                assert await echoed(streams, b"late") == b"late"
                assert proxy.connections == 1
            await until(lambda: proxy.connections == 0)

    runtime.run(check())
