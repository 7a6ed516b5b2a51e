"""What is told when one side speaks TLS and the other does not, or trusts another authority."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

import pytest

from collector_harness.certificates import Authority
from collector_reference.errors import NotReady, PeerUnreachable
from collector_reference.security.diagnosis import why_unreachable
from collector_reference.security.tls import client_context

PLAINTEXT_AGAINST_TLS = "plaintext against TLS: it speaks TLS, and was dialled in plaintext"
TLS_AGAINST_PLAINTEXT = "TLS against plaintext: it speaks plaintext, and was dialled with TLS"


async def test_a_plaintext_collector_is_told_that_its_peer_speaks_tls(field, files):
    east = await field.collector("east", tls=files("east").settings())
    west = await field.collector("west")
    with pytest.raises(PeerUnreachable) as caught:
        await west.connect_to(east.address)
    assert caught.value.reason == PLAINTEXT_AGAINST_TLS


async def test_a_collector_with_tls_is_told_that_its_peer_speaks_plaintext(field, files):
    east = await field.collector("east")
    west = await field.collector("west", tls=files().settings())
    with pytest.raises(PeerUnreachable) as caught:
        await west.connect_to(east.address)
    assert caught.value.reason == TLS_AGAINST_PLAINTEXT


async def test_the_log_of_a_collector_that_keeps_trying_says_which_of_the_two_it_is(
    field, files, caplog
):
    east = await field.collector("east", tls=files("east").settings())
    with caplog.at_level(logging.INFO, "collector_reference"):
        await field.collector("west", connect=(east.address,))
        await field.until(lambda: PLAINTEXT_AGAINST_TLS in caplog.text)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_remote_registry_that_cannot_be_asked_is_told_with_the_reason(field, files, tls):
    keeper = await field.collector("keeper", tls=None if tls else files("keeper").settings())
    with pytest.raises(NotReady, match=TLS_AGAINST_PLAINTEXT if tls else PLAINTEXT_AGAINST_TLS):
        await field.collector(
            registry_address=keeper.address,
            tls=files().settings() if tls else None,
            ready_limit=timedelta(milliseconds=500),
        )


async def test_a_peer_of_another_authority_is_told_as_that(field, files):
    east_files, west_files = files("east", Authority("another")), files("west")
    east = await field.collector("east", tls=east_files.settings())
    west = await field.collector("west", tls=west_files.settings())
    with pytest.raises(PeerUnreachable, match="its certificate is not trusted: unable to get"):
        await west.connect_to(east.address)


async def test_a_peer_whose_certificate_carries_another_name_is_told_as_that(
    field, files, authority
):
    east_files = files("east")
    east_files.renew(authority, names=("east.example",))
    east = await field.collector("east", tls=east_files.settings())
    west = await field.collector("west", tls=files().settings())
    with pytest.raises(PeerUnreachable, match="not trusted: IP address mismatch"):
        await west.connect_to(east.address)


async def test_a_peer_that_does_not_take_the_certificate_is_told_as_that(field, files, authority):
    east = await field.collector("east", tls=files("east").settings(client_auth=True))
    stranger = files("west", Authority("another"))
    stranger.ca.write_bytes(authority.certificate)
    context = client_context(stranger.settings())
    reason = await why_unreachable(east.address, context)
    assert (
        reason == "it hangs up once TLS is up: it does not accept the certificate that it was shown"
    )


async def test_between_peers_that_understand_each_other_nothing_is_found(field, files, closed_port):
    with_tls = await field.collector("east", tls=files("east").settings(client_auth=True))
    plain = await field.collector("west")
    context = client_context(files("north").settings())
    assert await why_unreachable(with_tls.address, context) is None
    assert await why_unreachable(plain.address, None) is None
    assert await why_unreachable(closed_port["address"], None) is None
    assert await why_unreachable("unix:/nowhere", None) is None


@pytest.mark.parametrize("answer", [b"", b"x", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16" * 9])
async def test_whatever_a_stranger_answers_is_survived(answer):
    async def serve(reader, writer):
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        assert await why_unreachable(address, None) is None


async def test_a_stranger_who_never_answers_is_given_up(field):
    async def silence(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        begin = time.monotonic()
        assert await why_unreachable(address, None, seconds=0.2) is None
        assert time.monotonic() - begin >= 0.2
