"""The admin service: off unless asked for, and for whom it answers."""

from __future__ import annotations

import grpc
import pytest

from collector_reference import AdminAccess, CollectorSettings, SettingsError
from collector_reference.admin import is_of_this_machine
from collector_reference.descriptors import pool
from collector_reference.wire.admin_pb2 import (
    GetStatisticsRequest,
    ListConnectionsRequest,
    ListHandlersRequest,
)
from collector_reference.wire.admin_pb2_grpc import CollectorAdminStub

PROBE = "conformance.Probe"


async def test_it_tells_connections_handlers_and_statistics(field):
    east = await field.collector("east", namespaces=("users", "orders"), probe=("users",))
    west = await field.collector(
        "west", namespaces=("users",), probe=("users",), admin=AdminAccess.LOCAL
    )
    await west.connect_to(east.address)
    caller = field.caller(west.address)
    await caller.dispatch("users", PROBE, "WhoAmI")
    admin = CollectorAdminStub(caller.channel)
    listed = await admin.ListConnections(ListConnectionsRequest())
    assert (listed.collector_id, list(listed.namespaces)) == ("west", ["users"])
    (connection,) = listed.connections
    assert (connection.collector_id, connection.address) == ("east", east.address)
    assert list(connection.shared_namespaces) == ["users"]
    assert connection.established
    handlers = (await admin.ListHandlers(ListHandlersRequest(namespace="users"))).handlers
    assert {each.method_name: each.executions for each in handlers}["WhoAmI"] == 1
    assert len((await admin.ListHandlers(ListHandlersRequest(namespace="no"))).handlers) == 0
    statistics = await admin.GetStatistics(GetStatisticsRequest())
    assert statistics.executions == {f"users/{PROBE}/WhoAmI": 1}
    assert statistics.loopback_calls == 1
    assert statistics.rpcs["/collector.CollectiveDispatcher/Dispatch"] == 1
    found = await caller.validate("system", "administration.CollectorAdmin", "ListHandlers")
    assert found.is_valid


async def test_it_is_not_there_unless_asked_for(field):
    collector = await field.collector("west")
    admin = CollectorAdminStub(field.caller(collector.address).channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin.GetStatistics(GetStatisticsRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("peer", "own"),
    [
        ("ipv4:127.0.0.1:4000", True),
        ("ipv6:%5B::1%5D:4000", True),
        ("ipv6:[::ffff:127.0.0.1]:4000", True),
        ("unix:", True),
        ("ipv4:192.0.2.1:4000", False),
        ("ipv6:%5B2001:db8::1%5D:4000", False),
        ("ipv6:[::ffff:192.0.2.1]:4000", False),
        ("", False),
        ("ipv4:localhost.example:1", False),
    ],
)
def test_callers_of_this_machine_are_known_by_their_address(peer, own):
    assert is_of_this_machine(peer) is own


def test_without_a_policy_it_is_not_opened_to_whoever_is_let_in():
    with pytest.raises(SettingsError, match=r"COLLECTOR_ADMIN.*needs a policy"):
        CollectorSettings.from_environment({"COLLECTOR_ADMIN": "on"})
    with pytest.raises(SettingsError, match="'everybody' is none of"):
        CollectorSettings.from_environment({"COLLECTOR_ADMIN": "everybody"})
    local = CollectorSettings.from_environment({"COLLECTOR_ADMIN": "local"})
    assert local.admin is AdminAccess.LOCAL


def test_its_descriptors_are_known_only_where_it_is_on():
    name = "administration.CollectorAdmin"
    assert pool(admin=True).FindServiceByName(name).full_name == name
    with pytest.raises(KeyError):
        pool().FindServiceByName(name)
