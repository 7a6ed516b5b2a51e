"""etcd behind TLS and a login: who is let in keeps its registrations there, who is not is told."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import grpc
import pytest
from aetcd import rpc

from collector_harness.certificates import Authority
from collector_reference import CollectorSettings, SettingsError
from collector_reference.errors import NotReady, StoreUnavailable
from collector_reference.registry.etcd_access import EtcdAccess
from collector_reference.registry.etcd_client import EtcdClient, WatchLost
from collector_reference.registry.notation import (
    EtcdMembership,
    EtcdRegistry,
    parse_registry,
    reached_by,
)

METHOD = ("ns", "S", "A")
TOLD = "plaintext against TLS"


@pytest.fixture
def files(tmp_path):
    """Makes the files of a certificate of that authority."""

    def make(authority, name):
        pair = authority.issue(name)
        paths = {}
        for part, content in (
            ("ca", authority.certificate),
            ("cert", pair.cert),
            ("key", pair.key),
        ):
            paths[part] = tmp_path / f"{name}-{part}.pem"
            paths[part].write_bytes(content)
        return paths

    return make


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def tls_etcd(secure_etcd, files, authority):
    """One server that demands certificates of one authority, and the files of a client."""
    server = files(authority, "etcd")
    flags = [
        *("--cert-file", str(server["cert"]), "--key-file", str(server["key"])),
        *("--client-cert-auth", "--trusted-ca-file", str(server["ca"])),
    ]
    with secure_etcd(flags=flags) as cluster:
        yield cluster, files(authority, "west")


def by_tls(cluster, **access):
    return dataclasses.replace(cluster.place(), tls=True, access=EtcdAccess(**access))


async def refusal(field, place, limit):
    with pytest.raises(NotReady) as caught:
        await field.collector("west", registry=EtcdRegistry(place=place), ready_limit=limit)
    return str(caught.value)


async def test_registrations_and_members_are_shared_over_mutual_tls(field, tls_etcd):
    cluster, paths = tls_etcd
    place = by_tls(cluster, **paths)
    settings = {
        "registry": EtcdRegistry(place=place),
        "membership": EtcdMembership(place=dataclasses.replace(place, prefix="members")),
        "namespaces": ("ns",),
    }
    west = await field.collector("west", **settings)
    east = await field.collector("east", **settings)
    await field.caller(west.address).register(*METHOD)

    async def seen():
        return (await field.caller(east.address).validate(*METHOD)).is_valid

    await field.eventually(seen)
    await field.until(lambda: [each.established for each in west.connections()] == [True])


async def test_a_cluster_that_changes_its_authority_is_trusted_once_the_files_are(
    field, tls_etcd, files
):
    cluster, paths = tls_etcd
    registry = EtcdRegistry(place=by_tls(cluster, **paths))
    limit = timedelta(seconds=15)
    caller = field.caller(
        (await field.collector("west", registry=registry, ready_limit=limit)).address
    )
    await caller.register("ns", "Before", "A")
    cluster.kill(0)
    successor = Authority("successor")
    for name in ("etcd", "west"):
        files(successor, name)
    cluster.start(0)
    # Tried again within the limit, until the server is up and both trust each other.
    await caller.register("ns", "After", "A")
    assert (await caller.validate("ns", "Before", "A")).is_valid


async def test_what_does_not_fit_is_told(field, tls_etcd, etcd, files, brief):
    cluster, paths = tls_etcd
    stranger = files(Authority(), "stranger")
    assert TOLD in await refusal(field, cluster.place(), brief)
    plain = dataclasses.replace(etcd.place(), tls=True)
    assert "TLS against plaintext" in await refusal(field, plain, brief)
    distrusted = by_tls(cluster, **{**paths, "ca": stranger["ca"]})
    assert "its certificate is not trusted" in await refusal(field, distrusted, brief)
    unknown = by_tls(cluster, **{**stranger, "ca": paths["ca"]})
    told = await refusal(field, unknown, brief)
    assert "it does not accept the certificate that it was shown" in told or "TLS failed" in told


async def with_users(endpoint, prefix):
    """Has the server ask for logins, and lets `west` use the keys below the prefix only."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        auth = rpc.AuthStub(channel)
        for role in ("root", "collectors"):
            await auth.RoleAdd(rpc.AuthRoleAddRequest(name=role))
        below = f"{prefix}/".encode()
        await auth.RoleGrantPermission(
            rpc.AuthRoleGrantPermissionRequest(
                name="collectors",
                perm={"permType": "READWRITE", "key": below, "range_end": below[:-1] + b"0"},
            )
        )
        for user, role in (("root", "root"), ("west", "collectors")):
            await auth.UserAdd(rpc.AuthUserAddRequest(name=user, password="secret"))
            await auth.UserGrantRole(rpc.AuthUserGrantRoleRequest(user=user, role=role))
        await auth.AuthEnable(rpc.AuthEnableRequest())


async def test_who_logs_in_may_use_what_its_role_lets_it(field, own_etcd, tmp_path, brief, caplog):
    place = own_etcd.place()
    async with grpc.aio.insecure_channel(own_etcd.endpoints[0]) as channel:
        await channel.channel_ready()
    await with_users(own_etcd.endpoints[0], place.prefix)
    password, wrong = tmp_path / "password", tmp_path / "wrong"
    password.write_text("secret\n")
    wrong.write_text("guess")

    def as_west(file, prefix=place.prefix):
        access = EtcdAccess(user="west", password_file=file)
        return dataclasses.replace(place, prefix=prefix, access=access)

    caller = field.caller(
        (await field.collector("c0", registry=EtcdRegistry(place=as_west(password)))).address
    )
    await caller.register(*METHOD)
    assert (await caller.validate(*METHOD)).is_valid
    assert "user name is empty" in await refusal(field, place, brief)
    # Passwords are made slow to check, so a login takes its time.
    limit = 20 * brief
    assert "invalid user ID or password" in await refusal(field, as_west(wrong), limit)
    assert "permission denied" in await refusal(field, as_west(password, "elsewhere"), limit)
    # A restart forgets its tokens: whoever had one logs in again.
    own_etcd.kill(0)
    own_etcd.start(0)
    async with grpc.aio.insecure_channel(own_etcd.endpoints[0]) as channel:
        await channel.channel_ready()
    await caller.register("ns", "After", "A")
    assert (await caller.validate("ns", "After", "A")).is_valid
    assert "secret" not in caplog.text


async def test_a_token_that_does_not_count_any_more_is_asked_for_anew(own_etcd, tmp_path, brief):
    place = own_etcd.place()
    async with grpc.aio.insecure_channel(own_etcd.endpoints[0]) as channel:
        await channel.channel_ready()
    await with_users(own_etcd.endpoints[0], place.prefix)
    password = tmp_path / "password"
    password.write_text("secret")
    access = EtcdAccess(user="west", password_file=password)
    client = EtcdClient(dataclasses.replace(place, access=access), limit=10 * brief)
    key = f"{place.prefix}/k".encode()
    await client.put(key, b"1")
    # What a restart of etcd, or five minutes of silence, makes of every token.
    client._login._token = "nobody.1"
    await client.put(key, b"2")
    assert [entry.value for entry in (await client.load(f"{place.prefix}/".encode()))[1]] == [b"2"]
    client._login._token = "nobody.1"
    assert await client.probe() or await client.probe()
    await client.close()


async def test_a_password_that_is_just_being_replaced_is_waited_for(own_etcd, tmp_path):
    place = own_etcd.place()
    async with grpc.aio.insecure_channel(own_etcd.endpoints[0]) as channel:
        await channel.channel_ready()
    await with_users(own_etcd.endpoints[0], place.prefix)
    password = tmp_path / "password"
    password.write_text("secret")
    access = EtcdAccess(user="west", password_file=password)
    client = EtcdClient(dataclasses.replace(place, access=access), limit=timedelta(seconds=10))
    key = f"{place.prefix}/k".encode()
    await client.put(key, b"1")
    password.unlink()
    # Whoever is logged in needs it no more.
    await client.put(key, b"2")
    client._login._token = None
    with pytest.raises(StoreUnavailable, match="COLLECTOR_ETCD_PASSWORD_FILE"):
        await client.put(key, b"3")
    assert not await client.probe()
    with pytest.raises(WatchLost):
        async for _ in client.watch(f"{place.prefix}/".encode(), 1):
            pass
    password.write_text("secret")
    await client.put(key, b"4")
    await client.close()


def test_settings_name_the_place_and_what_it_is_shown(tmp_path):
    environment = {
        "COLLECTOR_REGISTRY": "etcd+tls:127.0.0.1:2379/fleet?lease=3",
        "COLLECTOR_MEMBERSHIP": "etcd+tls:127.0.0.1:2379/members",
        "COLLECTOR_ETCD_TLS_CA": str(tmp_path / "ca.pem"),
        "COLLECTOR_ETCD_USER": "west",
        "COLLECTOR_ETCD_PASSWORD_FILE": str(tmp_path / "password"),
    }
    settings = CollectorSettings.from_environment(environment)
    access = EtcdAccess(ca=tmp_path / "ca.pem", user="west", password_file=tmp_path / "password")
    assert settings.registry.place.tls
    assert settings.registry.place.access == settings.membership.place.access == access
    assert str(settings.registry) == environment["COLLECTOR_REGISTRY"]
    assert parse_registry(str(settings.registry)) == dataclasses.replace(
        settings.registry, place=dataclasses.replace(settings.registry.place, access=EtcdAccess())
    )


@pytest.mark.parametrize(
    ("environment", "named", "problem"),
    [
        ({"COLLECTOR_ETCD_USER": "west"}, "COLLECTOR_ETCD_PASSWORD_FILE", "given together"),
        ({"COLLECTOR_ETCD_PASSWORD_FILE": "p"}, "COLLECTOR_ETCD_USER", "given together"),
        ({"COLLECTOR_ETCD_TLS_CERT": "c"}, "COLLECTOR_ETCD_TLS_KEY", "given together"),
        ({"COLLECTOR_ETCD_TLS_CA": "c"}, "COLLECTOR_REGISTRY", "it is not in etcd"),
        (
            {"COLLECTOR_ETCD_TLS_CA": "c", "COLLECTOR_REGISTRY": "etcd:h:1/p"},
            "COLLECTOR_REGISTRY",
            "dialled in plaintext, but TLS files are given",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(environment, named, problem):
    with pytest.raises(SettingsError) as caught:
        CollectorSettings.from_environment(environment)
    assert caught.value.setting == named
    assert problem in caught.value.problem


async def test_a_file_that_cannot_be_read_is_named(tmp_path, etcd, brief):
    access = EtcdAccess(ca=tmp_path / "none.pem")
    place = reached_by(dataclasses.replace(etcd.place(), tls=True), access)
    client = EtcdClient(place, limit=brief)
    with pytest.raises(SettingsError, match="COLLECTOR_ETCD_TLS_CA"):
        await client.put(b"k", b"v")
