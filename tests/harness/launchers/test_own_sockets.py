"""A process that calls its own port is told from one that only listens."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from collector_harness.launchers.own_sockets import CAN_LOOK, calls_to, connections_to_itself
from collector_harness.mesh import Mesh
from collector_harness.targets import Reference, parse_target
from collector_harness.topology.values import Node, Topology

pytestmark = pytest.mark.skipif(not CAN_LOOK, reason="only Linux tells of sockets")

ROW = "  0: 0100007F:{local} 0100007F:{remote} {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1"  # noqa: E501


def row(local: int, remote: int, *, state: str = "01", inode: str = "7") -> str:
    return ROW.format(local=f"{local:04X}", remote=f"{remote:04X}", state=state, inode=inode)


def test_only_established_calls_of_these_sockets_to_that_port_count() -> None:
    rows = [
        row(40000, 50051),
        row(50051, 40000),  # the side that was called
        row(40001, 50051, state="06"),
        row(40002, 50051, inode="8"),
        row(40003, 50052),
        "something else",
    ]
    assert calls_to(50051, rows, {"7"}) == 1
    assert calls_to(50051, rows, {"7", "8"}) == 2


def test_this_process_is_seen_to_call_itself_and_not_when_it_only_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connections_to_itself(os.getpid(), port) == 0
        with socket.create_connection(("127.0.0.1", port)):
            assert connections_to_itself(os.getpid(), port) == 1


def test_a_process_that_is_gone_has_no_connections() -> None:
    assert connections_to_itself(2**22 + 1, 1) == 0


def test_it_is_told_of_processes_and_not_of_what_shares_this_one() -> None:
    async def run(target: str) -> int | None:
        topology = Topology(nodes=(Node(name="hub", namespaces=("shop",), probe=("shop",)),))
        parsed = Reference() if target == "reference" else parse_target(target)
        async with Mesh(topology, target=parsed) as mesh:
            await mesh["hub"].client.serve("shop", "conformance.Probe", "WhoAmI")
            return mesh["hub"].own_connections

    assert asyncio.run(run("reference")) is None
    count = asyncio.run(run("exec:{executable} -m collector_reference"))
    assert count is not None
    assert count > 0
