"""Backends that are dialled by TLS, with a certificate of the collector's or without."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from collector_harness.certificates import Authority
from collector_reference import BackendTls, BackendUnusable, SettingsError
from collector_reference.backends.values import BackendSettings, backends_from

SERVICE = "shop.v1.Orders"


@pytest.fixture
def files(tmp_path):
    """Makes the files of a pair that an authority issued."""

    def make(authority, name):
        pair = authority.issue(name)
        made = {"ca": authority.certificate, "cert": pair.cert, "key": pair.key}
        paths = {part: tmp_path / f"{name}-{part}.pem" for part in made}
        for part, content in made.items():
            paths[part].write_bytes(content)
        return paths

    return make


def port(authority, *, asks_for_certificates=False):
    pair = authority.issue("shop")
    return grpc.ssl_server_credentials(
        [(pair.key, pair.cert)], authority.certificate, asks_for_certificates
    )


@pytest.mark.parametrize("mutual", [False, True])
async def test_a_backend_is_called_by_tls(field, shop_in, files, mutual):
    authority = Authority()
    paths = files(authority, "west")
    shop = await shop_in(credentials=port(authority, asks_for_certificates=mutual))
    given = paths if mutual else {"ca": paths["ca"]}
    environment = {f"COLLECTOR_BACKENDS_TLS_{part.upper()}": str(given[part]) for part in given}
    backends = backends_from(
        {"COLLECTOR_BACKENDS": f"shop/{SERVICE}=tls+{shop.address}", **environment}
    )
    collector = await field.collector("west", namespaces=("shop",), backends=backends)
    reply = await field.caller(collector.address).dispatch("shop", SERVICE, "Create")
    assert (reply.status.code, shop.runs) == (200, 1)


@pytest.mark.parametrize("lacks", ["tls", "trust", "certificate"])
async def test_a_backend_that_does_not_agree_is_found_when_it_is_added(
    field, shop_in, files, lacks
):
    authority = Authority()
    other = files(Authority(), "other")
    own = files(authority, "west")
    shop = await shop_in(credentials=port(authority, asks_for_certificates=lacks == "certificate"))
    tls = {
        "tls": None,
        "trust": BackendTls(ca=other["ca"]),
        "certificate": BackendTls(ca=own["ca"]),
    }[lacks]
    collector = await field.collector("west", ready_limit=timedelta(seconds=1))
    with pytest.raises(BackendUnusable):
        await collector.add_backend("shop", SERVICE, shop.address, tls=tls)
    assert shop.runs == 0


async def test_a_backend_that_comes_back_under_another_authority_is_trusted_once_the_files_are(
    field, shop_in, files
):
    authority, successor = Authority(), Authority("successor")
    paths = files(authority, "west")
    shop = await shop_in(credentials=port(authority, asks_for_certificates=True))
    collector = await field.collector("west", namespaces=("shop",))
    await collector.add_backend("shop", SERVICE, shop.address, tls=BackendTls(**paths))
    caller = field.caller(collector.address)
    assert (await caller.dispatch("shop", SERVICE, "Create")).status.code == 200
    await shop.stop()
    await shop.start(credentials=port(successor, asks_for_certificates=True), at=shop.address)
    assert (await caller.dispatch("shop", SERVICE, "Create")).status.code == 503
    files(successor, "west")

    async def back():
        return (await caller.dispatch("shop", SERVICE, "Create")).status.code == 200

    await field.eventually(back)


async def test_half_a_renewal_changes_nothing_and_is_told_in_the_log(field, shop_in, files, caplog):
    authority = Authority()
    paths = files(authority, "west")
    shop = await shop_in(credentials=port(authority, asks_for_certificates=True))
    collector = await field.collector("west", namespaces=("shop",))
    await collector.add_backend("shop", SERVICE, shop.address, tls=BackendTls(**paths))
    # A certificate whose key has not arrived yet; then the connection has to be made anew.
    paths["cert"].write_bytes(authority.issue("west").cert)
    await shop.stop()
    await shop.start(credentials=port(authority, asks_for_certificates=True), at=shop.address)
    caller = field.caller(collector.address)

    async def served():
        return (await caller.dispatch("shop", SERVICE, "Create")).status.code == 200

    await field.eventually(served)
    assert "the certificate for backends changed, but cannot be used; the former stays" in (
        caplog.text
    )


async def test_a_file_that_is_not_there_is_named(field, tmp_path):
    collector = await field.collector("west")
    missing = tmp_path / "no.pem"
    with pytest.raises(SettingsError, match=r"BACKENDS_TLS_CA.*no\.pem"):
        await collector.add_backend("shop", SERVICE, "127.0.0.1:1", tls=BackendTls(ca=missing))


def test_what_is_marked_is_dialled_by_tls_and_nothing_else():
    marked, plain = backends_from({"COLLECTOR_BACKENDS": "a/S=tls+h:1,b/S=h:1"})
    assert marked == BackendSettings(namespace="a", service="S", address="h:1", tls=BackendTls())
    assert plain.tls is None
    with pytest.raises(SettingsError, match="no backend is marked"):
        backends_from({"COLLECTOR_BACKENDS": "b/S=h:1", "COLLECTOR_BACKENDS_TLS_CA": "ca.pem"})
    with pytest.raises(SettingsError, match="COLLECTOR_BACKENDS_TLS_KEY"):
        backends_from(
            {"COLLECTOR_BACKENDS": "b/S=tls+h:1", "COLLECTOR_BACKENDS_TLS_CERT": "cert.pem"}
        )
