"""A collector under TLS and mTLS: its port, its loopback, its peers, and certificates renewed."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from collector_harness.certificates import Authority
from collector_reference import CollectorSettings, RoutingSettings, SettingsError
from collector_reference.security.values import TlsSettings
from collector_reference.wire.registry_pb2 import ListServicesRequest

HOUR = timedelta(hours=1)


def who(reply):
    assert reply.status.code == 200, reply.status
    value = StringValue()
    reply.output.Unpack(value)
    return value.value


@pytest.mark.parametrize("client_auth", [False, True])
async def test_a_collector_serves_and_validates_over_its_loopback_under_tls(
    field, files, caller, authority, client_auth
):
    own = files()
    west = await field.collector(
        probe=("shop",), namespaces=("shop",), tls=own.settings(client_auth=client_auth)
    )
    client = caller(west.address, trusting=authority, showing=own if client_auth else None)
    assert who(await client.dispatch("shop", "WhoAmI")) == "west"
    assert west.statistics().loopback_calls == 1


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "west.example", "*.mesh.example"])
async def test_the_loopback_works_with_whatever_name_the_certificate_carries(
    field, files, authority, name
):
    own = files()
    own.renew(authority, names=(name,))
    west = await field.collector(probe=("shop",), tls=own.settings())
    assert west.address.startswith("127.0.0.1:")


async def test_a_self_signed_certificate_needs_no_authority_for_the_loopback(field, files):
    west = await field.collector(probe=("shop",), tls=files().settings(with_ca=False))
    assert west.address


async def test_without_a_client_certificate_mtls_lets_nobody_in(
    field, files, caller, authority, refused
):
    west = await field.collector(tls=files().settings(client_auth=True))
    client = caller(west.address, trusting=authority)
    code, _ = await refused(client.call(client.registry.ListServices, ListServicesRequest()))
    assert code == "UNAVAILABLE"


@pytest.mark.parametrize("kind", ["foreign", "expired", "not yet valid"])
async def test_mtls_refuses_a_client_certificate_that_is_not_good(
    field, files, caller, authority, refused, kind
):
    west = await field.collector(tls=files().settings(client_auth=True))
    shown = files("east")
    if kind == "foreign":
        shown.renew(Authority("another"))
    elif kind == "expired":
        shown.renew(authority, starts=-2 * HOUR, ends=-HOUR)
    else:
        shown.renew(authority, starts=HOUR, ends=2 * HOUR)
    client = caller(west.address, trusting=authority, showing=shown)
    code, _ = await refused(client.call(client.registry.ListServices, ListServicesRequest()))
    assert code == "UNAVAILABLE"


@pytest.mark.parametrize("client_auth", [False, True])
async def test_peers_connect_and_route_both_ways_over_tls(
    field, files, caller, authority, client_auth
):
    west, east = [
        await field.collector(
            name, namespaces=("shop",), tls=files(name).settings(client_auth=client_auth)
        )
        for name in ("west", "east")
    ]
    east.register_service("shop", "Orders", "Get", lambda value, context: "from east")
    west.register_service("shop", "Stock", "Get", lambda value, context: "from west")
    await west.connect_to(east.address)
    shown = files("client") if client_auth else None
    at_west = caller(west.address, trusting=authority, showing=shown)
    at_east = caller(east.address, trusting=authority, showing=shown)
    assert who(await at_west.dispatch("shop", "Get", service="Orders")) == "from east"
    assert who(await at_east.dispatch("shop", "Get", service="Stock")) == "from west"


async def test_a_peer_that_is_found_by_a_name_must_be_certified_by_it(
    field, files, authority, caplog
):
    """As in DNS: the addresses of a name are nowhere in its certificate."""
    caplog.set_level(logging.INFO, logger="collector_reference")
    named, numbered = files("named"), files("numbered")
    named.renew(authority, names=("localhost",))
    numbered.renew(authority, names=("127.0.0.1",))
    peers = [
        await field.collector(name, namespaces=("shop",), tls=each.settings())
        for name, each in (("named", named), ("numbered", numbered))
    ]
    names = tuple(f"localhost:{peer.address.rpartition(':')[2]}" for peer in peers)
    west = await field.collector(
        "west",
        namespaces=("shop",),
        tls=files("west").settings(),
        routing=RoutingSettings(discover=names),
    )
    await field.until(
        lambda: [each.collector_id for each in west.connections() if each.established] == ["named"]
    )
    await field.until(lambda: "its certificate is not trusted" in caplog.text)
    assert "certificate is not valid for 'localhost'" in caplog.text


async def test_a_remote_registry_is_asked_over_tls(field, files, caller, authority):
    keeper = await field.collector("keeper", tls=files("keeper").settings(client_auth=True))
    west = await field.collector(
        "west",
        probe=("shop",),
        tls=files("west").settings(client_auth=True),
        registry_address=keeper.address,
    )
    client = caller(west.address, trusting=authority, showing=files("client"))
    assert who(await client.dispatch("shop", "WhoAmI")) == "west"
    assert keeper.statistics().rpcs["/collector.CollectorRegistry/ValidateMethod"] >= 1


async def test_new_connections_get_a_renewed_certificate_while_traffic_goes_on(
    field, files, caller, authority
):
    own = files()
    west = await field.collector(probe=("shop",), tls=own.settings())
    old_client = caller(west.address, trusting=authority)
    done = asyncio.Event()

    async def traffic():
        calls = 0
        while not done.is_set():
            assert who(await old_client.dispatch("shop", "WhoAmI")) == "west"
            calls += 1
        return calls

    flowing = asyncio.create_task(traffic())
    assert who(await old_client.dispatch("shop", "WhoAmI")) == "west"
    successor = Authority("successor")
    own.renew(successor)
    new_client = caller(west.address, trusting=successor)
    assert who(await new_client.dispatch("shop", "WhoAmI")) == "west"
    distrusting = caller(west.address, trusting=authority)
    with pytest.raises(grpc.aio.AioRpcError):
        await distrusting.dispatch("shop", "WhoAmI")
    assert who(await old_client.dispatch("shop", "WhoAmI")) == "west"
    done.set()
    assert await flowing > 0


async def test_a_peer_that_comes_back_under_another_authority_is_trusted_once_the_files_are(
    field, files, caller, authority
):
    west_files, east_files = files("west"), files("east")
    west = await field.collector(
        "west", namespaces=("shop",), tls=west_files.settings(client_auth=True)
    )
    east = field.unstarted(
        "east", namespaces=("shop",), probe=("shop",), tls=east_files.settings(client_auth=True)
    )
    await east.start()
    await west.connect_to(east.address)
    address = east.address
    client = caller(west.address, trusting=authority, showing=files("client"))
    assert who(await client.dispatch("shop", "WhoAmI", target="east")) == "east"

    await east.kill()
    successor = Authority("successor")
    west_files.renew(successor)
    east_files.renew(successor)
    await field.collector(
        "east",
        listen=address,
        namespaces=("shop",),
        probe=("shop",),
        tls=east_files.settings(client_auth=True),
    )

    async def back():
        reply = await client.dispatch("shop", "WhoAmI", target="east")
        return reply.status.code == 200

    await field.eventually(back)


async def test_half_a_renewal_changes_nothing_and_is_told_in_the_log(
    field, files, caller, authority, caplog
):
    own = files()
    west = await field.collector(probe=("shop",), tls=own.settings())
    own.cert.write_bytes(authority.issue("west").cert)
    with caplog.at_level(logging.WARNING, "collector_reference"):
        client = caller(west.address, trusting=authority)
        assert who(await client.dispatch("shop", "WhoAmI")) == "west"
    assert "the former stays" in caplog.text


@pytest.mark.parametrize("missing", ["cert", "key", "ca"])
def test_a_file_that_is_not_there_is_named_with_its_variable(field, files, missing):
    own = files()
    getattr(own, missing).unlink()
    with pytest.raises(SettingsError, match="cannot be read: No such file") as caught:
        field.unstarted(tls=own.settings())
    assert caught.value.setting == f"COLLECTOR_TLS_{missing.upper()}"


def test_a_key_of_another_certificate_is_refused(field, files):
    own = files()
    own.key.write_bytes(files("east").key.read_bytes())
    with pytest.raises(SettingsError, match="are not a PEM certificate and its key"):
        field.unstarted(tls=own.settings())


def test_a_certificate_that_would_fail_the_loopback_is_refused_with_the_reason(
    field, files, authority
):
    own = files()
    own.renew(authority, starts=-2 * HOUR, ends=-HOUR)
    with pytest.raises(SettingsError, match="certificate has expired"):
        field.unstarted(tls=own.settings())
    own.renew(authority, trusted=Authority("another"))
    with pytest.raises(SettingsError, match="unable to get local issuer certificate"):
        field.unstarted(tls=own.settings())


@pytest.mark.parametrize(
    ("given", "named", "text"),
    [
        ({"CERT": "c"}, "COLLECTOR_TLS_CERT", "needs COLLECTOR_TLS_KEY"),
        ({"KEY": "k"}, "COLLECTOR_TLS_KEY", "needs COLLECTOR_TLS_CERT"),
        ({"CA": "a"}, "COLLECTOR_TLS_CA", "needs COLLECTOR_TLS_CERT and _KEY"),
        ({"CLIENT_AUTH": "require"}, "COLLECTOR_TLS_CLIENT_AUTH", "which is not set"),
        (
            {"CERT": "c", "KEY": "k", "CLIENT_AUTH": "require"},
            "COLLECTOR_TLS_CLIENT_AUTH",
            "COLLECTOR_TLS_CA",
        ),
        (
            {"CERT": "c", "KEY": "k", "CLIENT_AUTH": "yes"},
            "COLLECTOR_TLS_CLIENT_AUTH",
            "neither 'none' nor 'require'",
        ),
    ],
)
def test_variables_that_lack_each_other_are_named(given, named, text):
    environment = {f"COLLECTOR_TLS_{name}": value for name, value in given.items()}
    with pytest.raises(SettingsError, match=text) as caught:
        CollectorSettings.from_environment(environment)
    assert caught.value.setting == named


def test_the_variables_of_tls_become_settings(tmp_path):
    settings = CollectorSettings.from_environment(
        {
            "COLLECTOR_TLS_CERT": "c",
            "COLLECTOR_TLS_KEY": "k",
            "COLLECTOR_TLS_CA": "a",
            "COLLECTOR_TLS_CLIENT_AUTH": "require",
        }
    )
    from pathlib import Path

    assert settings.tls == TlsSettings(
        cert=Path("c"), key=Path("k"), ca=Path("a"), client_auth=True
    )
