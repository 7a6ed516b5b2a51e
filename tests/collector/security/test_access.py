"""Who may call a collector that asks: tokens, certificates, rules, and ids that cannot be taken."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from collector_reference import CollectorSettings, SettingsError
from collector_reference.errors import NotReady, PeerRefused
from collector_reference.security.values import Exposure, OwnTokenSettings, TokenSettings
from collector_reference.settings import ValidatorKind
from collector_reference.wire.registry_pb2 import (
    ListServicesRequest,
    RegisterProtoRequest,
    RegisterServiceRequest,
)

ISSUER = "https://issuer.example"
AUDIENCE = "collectors"
TRUSTED = {"issuer": ISSUER, "audience": (AUDIENCE,)}


def who(reply):
    assert reply.status.code == 200, reply.status
    value = StringValue()
    reply.output.Unpack(value)
    return value.value


@pytest.fixture
def west_with_tokens(field, signer, key_file, tmp_path):
    """Starts collectors that ask for tokens, and make their own where told to."""
    one = signer()
    keys = key_file(one)
    private = tmp_path / "private.pem"
    private.write_bytes(one.private_pem())

    async def start(collector_id="west", *, own_token=False, **settings):
        return await field.collector(
            collector_id,
            tokens=TokenSettings(keys=(keys,), **TRUSTED),
            own_token=OwnTokenSettings(signing_key=private, **TRUSTED) if own_token else None,
            **{"probe": ("shop",), "namespaces": ("shop",), **settings},
        )

    return one, start


@pytest.fixture
def policy(tmp_path):
    def write(text, name="policy.yaml"):
        path = tmp_path / name
        path.write_text(f"version: 1\nrules:\n{text}")
        return path

    return write


@pytest.mark.parametrize("own_token", [False, True])
async def test_who_has_a_token_is_served_and_the_loopback_works(
    west_with_tokens, caller, own_token
):
    one, start = west_with_tokens
    west = await start(own_token=own_token)
    client = caller(west.address, token=one.token())
    assert who(await client.dispatch("shop", "WhoAmI")) == "west"
    assert west.statistics().loopback_calls == 1


async def test_sec_002_a_missing_or_bad_token_is_unauthenticated(
    west_with_tokens, caller, refused, signer
):
    one, start = west_with_tokens
    west = await start()
    for token, reason in (
        (None, "a bearer token is required"),
        ("nonsense", "the token is malformed"),
        (one.token(exp=int(time.time()) - 3600), "the token has expired"),
        (signer().token(), "the token is signed by no key that is trusted here"),
    ):
        client = caller(west.address, token=token)
        assert await refused(client.dispatch("shop", "WhoAmI")) == ("UNAUTHENTICATED", reason)
    assert west.statistics().executions == {}


async def test_a_stranger_who_sends_a_loopback_header_is_a_stranger(
    west_with_tokens, caller, refused
):
    _, start = west_with_tokens
    west = await start()
    client = caller(west.address)
    client.metadata = (("x-collector-loopback", "0" * 32),)
    assert (await refused(client.dispatch("shop", "WhoAmI")))[0] == "UNAUTHENTICATED"


async def test_a_bad_token_of_its_own_is_found_at_readiness(field, signer, key_file, tmp_path):
    own = tmp_path / "token"
    own.write_text(signer().token())
    with pytest.raises(NotReady, match="UNAUTHENTICATED: the token is signed by no key"):
        await field.collector(
            tokens=TokenSettings(keys=(key_file(signer()),), **TRUSTED),
            own_token=OwnTokenSettings(file=own),
            ready_limit=timedelta(seconds=1),
        )


async def test_peers_present_tokens_of_their_own(west_with_tokens, caller):
    one, start = west_with_tokens
    west = await start("west", own_token=True, probe=())
    east = await start("east", own_token=True)
    await west.connect_to(east.address)
    client = caller(west.address, token=one.token())
    assert who(await client.dispatch("shop", "WhoAmI")) == "east"


async def test_a_token_file_is_presented_and_read_again_when_it_is_renewed(
    west_with_tokens, field, caller, tmp_path
):
    one, start = west_with_tokens
    east = await start("east", own_token=True)
    own = tmp_path / "token"
    own.write_text(one.token(sub="west", collector_id="another"))
    west = await field.collector(own_token=OwnTokenSettings(file=own), namespaces=("shop",))
    with pytest.raises(PeerRefused, match="PERMISSION_DENIED"):
        await west.connect_to(east.address)
    own.write_text(one.token(sub="west", collector_id="west"))

    async def accepted():
        try:
            return (await west.connect_to(east.address)).status.code == 200
        except PeerRefused:
            return False

    await field.eventually(accepted)


async def test_a_collector_id_cannot_be_taken_by_who_has_another_token(
    west_with_tokens, caller, refused
):
    one, start = west_with_tokens
    west = await start()
    for claims in ({}, {"collector_id": "north"}, {"sub": "east"}):
        client = caller(west.address, token=one.token(**claims))
        code, text = await refused(client.connect("east", "127.0.0.1:1", "shop"))
        assert (code, "collector 'east'" in text) == ("PERMISSION_DENIED", True)
        assert (await refused(client.connect("", "127.0.0.1:1", "shop")))[0] == "PERMISSION_DENIED"
    assert west.connections() == ()
    rightful = caller(west.address, token=one.token(collector_id="east"))
    assert (await rightful.connect("east", "127.0.0.1:1", "shop")).status.code == 200


async def test_a_collector_id_cannot_be_taken_by_who_has_another_certificate(
    field, files, caller, authority, refused
):
    west = await field.collector(tls=files().settings(client_auth=True))
    client = caller(west.address, trusting=authority, showing=files("north"))
    code, _ = await refused(client.connect("east", "127.0.0.1:1"))
    assert code == "PERMISSION_DENIED"
    code, _ = await refused(client.connect("localhost", "127.0.0.1:1"))
    assert code == "PERMISSION_DENIED"
    rightful = caller(west.address, trusting=authority, showing=files("east"))
    assert (await rightful.connect("east", "127.0.0.1:1")).status.code == 200


async def test_rules_decide_by_namespace_service_and_method(
    west_with_tokens, caller, refused, policy
):
    one, start = west_with_tokens
    west = await start(
        probe=("shop", "bank"),
        policy=policy(
            "  - {who: {role: reader}, may: [dispatch], namespaces: [shop], methods: [WhoAmI]}\n"
            "  - {who: {role: server}, may: [serve], namespaces: [shop]}\n"
        ),
    )
    reader = caller(west.address, token=one.token(sub="ann", roles=["reader"]))
    assert who(await reader.dispatch("shop", "WhoAmI")) == "west"
    assert await refused(reader.dispatch("bank", "WhoAmI")) == (
        "PERMISSION_DENIED",
        "'ann' may not dispatch bank/conformance.Probe.WhoAmI",
    )
    assert (await refused(reader.dispatch("shop", "Echo")))[0] == "PERMISSION_DENIED"
    assert (await refused(reader.serve("shop", "WhoAmI")))[0] == "PERMISSION_DENIED"
    server = caller(west.address, token=one.token(roles="server"))
    assert who(await server.serve("shop", "WhoAmI")) == "west"
    assert west.statistics().executions == {"shop/conformance.Probe/WhoAmI": 2}


async def test_registry_writes_need_a_right_to_the_namespace(
    west_with_tokens, caller, refused, policy
):
    one, start = west_with_tokens
    west = await start(
        policy=policy(
            "  - {who: {subject: ann}, may: [register, read], namespaces: [shop]}\n"
            "  - {who: {subject: root}, may: [register], namespaces: [system]}\n"
        )
    )
    ann = caller(west.address, token=one.token(sub="ann"))
    root = caller(west.address, token=one.token(sub="root"))

    def service(namespace):
        return RegisterServiceRequest(
            namespace=namespace, service_descriptor=ServiceDescriptorProto(name="New")
        )

    def proto(namespace):
        return RegisterProtoRequest(
            namespace=namespace, file_descriptor=FileDescriptorProto(name="new.proto")
        )

    assert (await ann.call(ann.registry.RegisterService, service("shop"))).status.code == 0
    assert (await ann.call(ann.registry.RegisterProto, proto("shop"))).status.code == 0
    for client, namespace in ((ann, "bank"), (ann, "system"), (root, "shop")):
        for rpc, request in (
            (client.registry.RegisterService, service(namespace)),
            (client.registry.RegisterProto, proto(namespace)),
        ):
            assert (await refused(client.call(rpc, request)))[0] == "PERMISSION_DENIED"
    assert (await root.call(root.registry.RegisterService, service("system"))).status.code == 0
    listed = await ann.call(ann.registry.ListServices, ListServicesRequest(namespace="shop"))
    assert "New" in [each.service_name for each in listed.services]
    everything = ann.call(ann.registry.ListServices, ListServicesRequest())
    assert (await refused(everything))[0] == "PERMISSION_DENIED"


@pytest.mark.parametrize("kind", ValidatorKind)
async def test_the_loopback_needs_no_rule_however_it_asks(west_with_tokens, caller, policy, kind):
    """S0: also where its question is a registration, and never of the system namespace."""
    one, start = west_with_tokens
    west = await start(
        own_token=True,
        validator=kind,
        policy=policy("  - {who: {subject: ann}, may: [dispatch, serve]}\n"),
    )
    ann = caller(west.address, token=one.token(sub="ann"))
    assert who(await ann.dispatch("shop", "WhoAmI")) == "west"
    assert west.statistics().loopback_calls == 1
    assert (await ann.serve("bank", "WhoAmI")).status.code == 404
    reply = await ann.serve("system", "WhoAmI")
    assert reply.status.code == {"validate": 404, "register-probe": 503}[kind.value]


async def test_without_a_rule_nobody_writes_into_the_system_namespace(
    west_with_tokens, caller, refused
):
    one, start = west_with_tokens
    west = await start()
    client = caller(west.address, token=one.token())
    request = RegisterServiceRequest(
        namespace="system", service_descriptor=ServiceDescriptorProto(name="New")
    )
    assert (await refused(client.call(client.registry.RegisterService, request)))[
        0
    ] == "PERMISSION_DENIED"


async def test_a_peer_may_join_only_for_namespaces_that_it_has_a_right_to(
    west_with_tokens, caller, refused, policy
):
    one, start = west_with_tokens
    west = await start(
        policy=policy("  - {who: {collector: east}, may: [connect], namespaces: [shop]}\n")
    )
    east = caller(west.address, token=one.token(collector_id="east"))
    code, _ = await refused(east.connect("east", "127.0.0.1:1", "shop", "bank"))
    assert code == "PERMISSION_DENIED"
    assert west.connections() == ()
    assert (await east.connect("east", "127.0.0.1:1", "shop")).status.code == 200


async def test_a_policy_without_tokens_knows_nobody(field, caller, refused, policy):
    west = await field.collector(
        probe=("shop",),
        policy=policy(
            "  - {who: anybody, may: [dispatch], methods: [WhoAmI]}\n"
            "  - {who: authenticated, may: [dispatch]}\n"
        ),
    )
    client = caller(west.address)
    assert who(await client.dispatch("shop", "WhoAmI")) == "west"
    assert await refused(client.dispatch("shop", "Echo")) == (
        "PERMISSION_DENIED",
        "a caller without a name may not dispatch shop/conformance.Probe.Echo",
    )


async def test_a_policy_that_changes_is_followed(west_with_tokens, caller, field, policy):
    one, start = west_with_tokens
    west = await start(policy=policy("  - {who: anybody, may: [read]}\n"))
    client = caller(west.address, token=one.token())
    policy("  - {who: anybody, may: [dispatch]}\n")

    async def allowed():
        try:
            return who(await client.dispatch("shop", "WhoAmI")) == "west"
        except Exception:
            return False

    await field.eventually(allowed)


async def reflected(channel, metadata=()):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)

    async def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    return [each async for each in stub.ServerReflectionInfo(requests(), metadata=metadata)]


@pytest.mark.parametrize("health", [Exposure.OPEN, Exposure.GUARDED])
async def test_health_is_open_unless_it_is_guarded(west_with_tokens, caller, refused, health):
    one, start = west_with_tokens
    west = await start(health=health)
    client = caller(west.address)
    check = health_pb2_grpc.HealthStub(client.channel).Check
    if health is Exposure.OPEN:
        assert (await check(health_pb2.HealthCheckRequest())).status == 1
    else:
        assert (await refused(check(health_pb2.HealthCheckRequest())))[0] == "UNAUTHENTICATED"
        knowing = caller(west.address, token=one.token())
        assert (await knowing.call(check, health_pb2.HealthCheckRequest())).status == 1


async def test_reflection_is_guarded_open_or_off(west_with_tokens, caller, refused):
    one, start = west_with_tokens
    guarded = await start("guarded")
    stranger = caller(guarded.address)
    assert (await refused(reflected(stranger.channel)))[0] == "UNAUTHENTICATED"
    knowing = caller(guarded.address, token=one.token())
    assert await reflected(knowing.channel, knowing.metadata)
    opened = await start("opened", reflection=Exposure.OPEN)
    assert await reflected(caller(opened.address).channel)
    off = await start("off", reflection=Exposure.OFF)
    client = caller(off.address, token=one.token())
    assert (await refused(reflected(client.channel, client.metadata)))[0] == "UNIMPLEMENTED"


async def test_a_handler_never_sees_the_token_of_the_collector_that_forwards(
    west_with_tokens, caller
):
    one, start = west_with_tokens
    west = await start("west", own_token=True, probe=())
    east = await start("east", own_token=True)
    await west.connect_to(east.address)
    client = caller(west.address, token=one.token())
    reply = await client.dispatch("shop", "Context")
    seen = Struct()
    reply.output.Unpack(seen)
    assert "authorization" not in seen["metadata"]


async def test_tokens_and_certificates_together(
    field, files, caller, authority, refused, signer, key_file
):
    one = signer()
    west = await field.collector(
        probe=("shop",),
        tls=files().settings(client_auth=True),
        tokens=TokenSettings(keys=(key_file(one),), **TRUSTED),
    )
    shown = files("east")
    bare = caller(west.address, trusting=authority, showing=shown)
    assert (await refused(bare.dispatch("shop", "WhoAmI")))[0] == "UNAUTHENTICATED"
    both = caller(west.address, trusting=authority, showing=shown, token=one.token())
    assert who(await both.dispatch("shop", "WhoAmI")) == "west"
    # The token's word counts, not the certificate's.
    assert (await refused(both.connect("east", "127.0.0.1:1")))[0] == "PERMISSION_DENIED"


def test_the_variables_of_access_become_settings():
    from pathlib import Path

    settings = CollectorSettings.from_environment(
        {
            "COLLECTOR_TOKEN_KEYS": "a.json, b.pem",
            "COLLECTOR_TOKEN_ISSUER": "i",
            "COLLECTOR_TOKEN_AUDIENCE": "x,y",
            "COLLECTOR_TOKEN_LEEWAY": "2.5",
            "COLLECTOR_TOKEN_ID_CLAIM": "id",
            "COLLECTOR_TOKEN_ROLES_CLAIM": "groups",
            "COLLECTOR_TOKEN_FILE": "token",
            "COLLECTOR_POLICY": "policy.toml",
            "COLLECTOR_HEALTH": "guarded",
            "COLLECTOR_REFLECTION": "off",
        }
    )
    assert settings.tokens == TokenSettings(
        keys=(Path("a.json"), Path("b.pem")),
        issuer="i",
        audience=("x", "y"),
        leeway=timedelta(seconds=2.5),
        id_claim="id",
        roles_claim="groups",
    )
    assert settings.own_token == OwnTokenSettings(
        file=Path("token"), issuer="i", audience=("x", "y"), id_claim="id"
    )
    assert (settings.policy, settings.health, settings.reflection) == (
        Path("policy.toml"),
        Exposure.GUARDED,
        Exposure.OFF,
    )


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("COLLECTOR_TOKEN_LEEWAY", {"COLLECTOR_TOKEN_LEEWAY": "soon"}),
        ("COLLECTOR_TOKEN_LEEWAY", {"COLLECTOR_TOKEN_LEEWAY": "-1"}),
        ("COLLECTOR_TOKEN_LEEWAY", {"COLLECTOR_TOKEN_LEEWAY": "nan"}),
        ("COLLECTOR_TOKEN_LEEWAY", {"COLLECTOR_TOKEN_LEEWAY": "1e300"}),
        (
            "COLLECTOR_TOKEN_FILE",
            {"COLLECTOR_TOKEN_FILE": "a", "COLLECTOR_TOKEN_SIGNING_KEY": "b"},
        ),
        ("COLLECTOR_HEALTH", {"COLLECTOR_HEALTH": "off"}),
        ("COLLECTOR_REFLECTION", {"COLLECTOR_REFLECTION": "maybe"}),
    ],
)
def test_variables_that_cannot_be_used_are_named(variable, given):
    with pytest.raises(SettingsError) as caught:
        CollectorSettings.from_environment({"COLLECTOR_TOKEN_KEYS": "k", **given})
    assert caught.value.setting == variable
