"""The front address copies bytes both ways, exists before the node, and can be broken."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from collector_harness.faults.link_proxy import LinkProxy
from collector_harness.runtime import Runtime

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@asynccontextmanager
async def dialled(
    address: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ends_at_once(address: str) -> None:
    async with asyncio.timeout(5), dialled(address) as (reader, _):
        with suppress(ConnectionError):
            assert await reader.read() == b""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def listen(serve: Serve, proxy: LinkProxy) -> asyncio.Server:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.lead_to(*server.sockets[0].getsockname())
    return server


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.005)


def test_connections_are_reset_until_it_leads_somewhere(runtime: Runtime) -> None:
    async def check() -> None:
        proxy = await LinkProxy().open()
        await ends_at_once(proxy.address)
        server = await listen(echo, proxy)
        async with dialled(proxy.address) as (reader, writer):
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
        await until(lambda: proxy.connections == 0)
        server.close()
        await proxy.close()

    runtime.run(check())


def test_large_streams_pass_unchanged_both_ways(runtime: Runtime) -> None:
    payload = bytes(range(256)) * 4096 * 8

    async def check() -> None:
        proxy = await LinkProxy().open()
        server = await listen(echo, proxy)
        received = hashlib.sha256()
        async with asyncio.timeout(20), dialled(proxy.address) as (reader, writer):

            async def read() -> None:
                while data := await reader.read(65536):
                    received.update(data)

            reading = asyncio.create_task(read())
            writer.write(payload)
            await writer.drain()
            # The end of one direction leaves the other one open until all is echoed.
            writer.write_eof()
            await reading
        assert received.digest() == hashlib.sha256(payload).digest()
        await until(lambda: proxy.connections == 0)
        server.close()
        await proxy.close()

    runtime.run(check())


def test_leading_nowhere_resets_what_is_connected(runtime: Runtime) -> None:
    async def check() -> None:
        proxy = await LinkProxy().open()
        server = await listen(echo, proxy)
        async with asyncio.timeout(5), dialled(proxy.address) as (reader, writer):
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            proxy.lead_nowhere()
            with pytest.raises(ConnectionResetError):
                await reader.read()
        assert proxy.connections == 0
        server.close()
        await proxy.close()

    runtime.run(check())


def test_a_place_that_refuses_is_seen_as_a_reset(runtime: Runtime) -> None:
    async def check() -> None:
        proxy = await LinkProxy().open()
        server = await listen(echo, proxy)
        server.close()
        await server.wait_closed()
        await ends_at_once(proxy.address)
        await proxy.close()

    runtime.run(check())


def test_its_port_is_closed_afterwards_and_close_repeats(runtime: Runtime) -> None:
    async def check() -> None:
        proxy = await LinkProxy().open()
        server = await listen(echo, proxy)
        address = proxy.address
        async with dialled(address):
            await until(lambda: proxy.connections == 1)
            await proxy.close()
            await proxy.close()
        with pytest.raises(ConnectionRefusedError):
            await ends_at_once(address)
        server.close()

    runtime.run(check())
