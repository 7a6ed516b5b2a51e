"""Peers by any gRPC target string, and by names that have several addresses."""

from __future__ import annotations

import asyncio
import socket
import struct
import tempfile
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest

from collector_reference import CollectorSettings, Dialect, RoutingSettings
from collector_reference.dispatch.discovery import follow, resolve
from collector_reference.wire import dispatcher_pb2_grpc
from collector_reference.wire.common_pb2 import Status

OK = Status(code=Status.HTTP_OK, message="OK")
SOON = timedelta(milliseconds=10)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize(
    "target",
    [
        "dns:///localhost:{port}",
        "dns:localhost:{port}",
        "ipv4:127.0.0.1:{port}",
        "localhost:{port}",
    ],
)
async def test_a_peer_is_dialled_by_any_target(field, target):
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    west = await field.collector(
        "west", namespaces=("users",), connect=(target.format(port=port_of(east.address)),)
    )
    await field.until(lambda: bool(west.connections()))
    reply = await field.caller(west.address).dispatch("users", "conformance.Probe", "WhoAmI")
    assert (reply.status, reply.handled_by_collector_id) == (OK, "east")


async def test_a_peer_is_dialled_by_ipv6(field):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    east = await field.collector("east", listen="[::1]:0", namespaces=("users",), probe=("users",))
    west = await field.collector("west", namespaces=("users",), connect=(f"ipv6:{east.address}",))
    await field.until(lambda: bool(west.connections()))
    reply = await field.caller(west.address).dispatch("users", "conformance.Probe", "WhoAmI")
    assert reply.handled_by_collector_id == "east"


async def test_a_peer_is_dialled_at_a_unix_socket(field):
    peer = await field.peer("east")
    with tempfile.TemporaryDirectory() as folder:
        server = grpc.aio.server()
        dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(peer, server)
        address = f"unix:{Path(folder) / 's'}"
        server.add_insecure_port(address)
        await server.start()
        try:
            west = await field.collector("west", namespaces=("users",))
            await west.connect_to(address)
            # A peer may advertise one, too.
            other = await field.caller(west.address).connect("again", address, ("users",))
            assert other.status == OK
            caller = field.caller(west.address)
            for target in ("east", "again"):
                assert (await caller.dispatch("users", "S", "M", target=target)).status == OK
        finally:
            await server.stop(None)
    assert len(peer.served) == 2


class NameServer(asyncio.DatagramProtocol):
    """A name server that knows one name: it has 127.0.0.1 as its only A record."""

    def __init__(self, name: str) -> None:
        self._question = (
            b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
        )
        self.asked = 0

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, address):
        end = data.index(b"\0", 12) + 1
        name, kind = data[12:end], struct.unpack("!H", data[end : end + 2])[0]
        known = name.lower() == self._question
        self.asked += known
        answers = b""
        if known and kind == 1:
            answers = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
        flags = 0x8180 if known else 0x8183
        header = data[:2] + struct.pack("!HHHHH", flags, 1, 1 if answers else 0, 0, 0)
        self._transport.sendto(header + data[12 : end + 4] + answers, address)


async def test_a_name_is_looked_up_at_the_name_server_of_the_target(field):
    east = await field.collector("east", namespaces=("users",))
    server = NameServer("collectors.test")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        dns = transport.get_extra_info("sockname")[1]
        west = await field.collector("west", namespaces=("users",))
        reply = await west.connect_to(
            f"dns://127.0.0.1:{dns}/collectors.test:{port_of(east.address)}"
        )
    finally:
        transport.close()
    assert (reply.status, reply.target_collector_id) == (OK, "east")
    assert server.asked > 0


async def test_peers_are_found_by_the_names_of_the_settings(field):
    east = await field.collector("east", namespaces=("users",))
    settings = CollectorSettings.from_environment(
        {"COLLECTOR_DISCOVER": f"localhost:{port_of(east.address)}"}
    )
    west = await field.collector("west", namespaces=("users",), routing=settings.routing)
    await field.until(
        lambda: [each.collector_id for each in west.connections() if each.established] == ["east"]
    )


async def test_a_collector_that_finds_itself_is_no_peer_of_itself(field, free_port):
    place = free_port["address"]
    other = await field.collector("other", namespaces=("users",))
    west = await field.collector(
        "west",
        listen=place,
        namespaces=("users",),
        routing=RoutingSettings(
            discover=(f"localhost:{port_of(place)}", f"localhost:{port_of(other.address)}")
        ),
    )
    await field.until(lambda: bool(west.connections()))
    assert [each.collector_id for each in west.connections()] == ["other"]


async def test_names_are_marked_with_a_dialect(field):
    east = await field.collector("east", namespaces=("users",), dialect=Dialect.ACCRETIONAL)
    west = await field.collector(
        "west",
        namespaces=("users",),
        routing=RoutingSettings(discover=(f"accretional+localhost:{port_of(east.address)}",)),
    )
    await field.until(lambda: bool(west.connections()))
    assert [each.collector_id for each in east.connections()] == ["west"]


async def test_every_address_of_a_name_is_a_peer_and_changes_are_followed(field):
    peers = {name: await field.peer(name) for name in ("a", "b", "c")}
    west = await field.collector("west", namespaces=("users",))
    records = [peers["a"].address, peers["b"].address]
    rounds = 0

    async def resolver(host, port):
        nonlocal rounds
        assert (host, port) == ("collectors.test", 4000)
        rounds += 1
        if rounds == 3:
            raise OSError("the name server is down")
        return tuple(records)

    attempts: dict[str, list[asyncio.Task[None]]] = {}

    async def connect(address: str) -> None:
        await west.connect_to(address)
        await asyncio.Event().wait()

    def begin(address: str) -> asyncio.Task[None]:
        task = asyncio.create_task(connect(address))
        attempts.setdefault(address, []).append(task)
        return task

    following = asyncio.create_task(
        follow("collectors.test:4000", every=SOON, connect=begin, resolver=resolver)
    )
    try:
        await field.until(lambda: len(west.connections()) == 2 and rounds > 4)
        # One attempt for each, however often the name is looked up.
        assert {address: len(tasks) for address, tasks in attempts.items()} == {
            peers["a"].address: 1,
            peers["b"].address: 1,
        }
        records[:] = [peers["b"].address, peers["c"].address]
        await field.until(lambda: len(west.connections()) == 3)
        assert attempts[peers["a"].address][0].cancelled()
        assert not attempts[peers["b"].address][0].done()
    finally:
        following.cancel()
        for tasks in attempts.values():
            for task in tasks:
                task.cancel()
    assert {each.collector_id for each in west.connections()} == {"a", "b", "c"}


async def test_the_machines_resolver_is_asked():
    assert "127.0.0.1:4000" in await resolve("localhost", 4000)
    assert await resolve("127.0.0.1", 4000) == ("127.0.0.1:4000",)
    assert await resolve("::1", 4000) == ("[::1]:4000",)
