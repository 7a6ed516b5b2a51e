"""Collectors behind proxies that understand HTTP/2, as in a service mesh: nginx before each, which
keeps connections up whatever becomes of the collector behind it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from collector_harness.launchers.reaper import the_reaper
from collector_reference import RoutingSettings
from collector_reference.dispatch.tuning import HealthCheckSettings
from collector_reference.errors import PeerError

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PROBE = "conformance.Probe"
SETTINGS = """\
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
SERVER = """
    server {{
        listen {front} http2;
        location / {{ grpc_pass grpc://{behind}; }}
    }}
"""


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """Two pairs of addresses: what listens at the second is reached by the first."""
    if NGINX is None:
        pytest.skip("there is no nginx here: apt-get install nginx-light")
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(4)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
    pairs = list(zip(addresses[::2], addresses[1::2], strict=True))
    servers = "".join(SERVER.format(front=front, behind=behind) for front, behind in pairs)
    settings = tmp_path / "nginx.conf"
    settings.write_text(SETTINGS.format(folder=tmp_path, servers=servers))
    the_reaper().start()
    process = subprocess.Popen(
        [NGINX, "-p", str(tmp_path), "-e", str(tmp_path / "log"), "-c", str(settings)],
        start_new_session=True,
    )
    the_reaper().guard_group(process.pid)
    yield pairs
    process.terminate()
    process.wait()
    the_reaper().release_group(process.pid)


@pytest.fixture
def behind(field):
    """Starts a collector behind a proxy."""

    async def start(collector_id, pair, **settings):
        front, own = pair
        return await field.collector(
            collector_id,
            listen=own,
            advertise=front,
            namespaces=("users", collector_id),
            probe=("users", collector_id),
            **settings,
        )

    return start


async def test_collectors_behind_proxies_route_both_ways_and_ask_themselves_directly(
    field, behind, proxied
):
    """LOOP-001: the loopback passes no proxy."""
    west = await behind("west", proxied[0])
    east = await behind("east", proxied[1])
    await _connected(field, west, proxied[1][0])
    for (front, _), target in zip(proxied, ("east", "west"), strict=True):
        reply = await field.caller(front).dispatch("users", PROBE, "WhoAmI", target=target)
        assert (reply.status.code, reply.handled_by_collector_id) == (200, target)
    assert west.statistics().loopback_calls == east.statistics().loopback_calls == 1
    assert [each.address for each in east.connections()] == [proxied[0][0]]


@pytest.mark.parametrize("by", ["a call", "its health"])
async def test_a_peer_that_is_started_anew_behind_its_proxy_learns_of_the_others_again(
    field, behind, proxied, by
):
    """CON-014: the connection to the proxy never breaks, and tells nothing."""
    checks = HealthCheckSettings(interval=timedelta(milliseconds=50))
    routing = RoutingSettings(health_check=None if by == "a call" else checks)
    west = await behind("west", proxied[0], routing=routing)
    east = await behind("east", proxied[1])
    await _connected(field, west, proxied[1][0])
    caller = field.caller(west.address)
    await east.kill()
    if by == "a call":
        reply = await caller.dispatch("users", PROBE, "WhoAmI", target="east", timeout=20)
        assert reply.status.code == 503
    else:
        await field.until(lambda: not west.connections()[0].serving)
    (connection,) = west.connections()
    assert connection.established
    again = await behind("east", proxied[1])
    await field.until(lambda: [each.collector_id for each in again.connections()] == ["west"])
    back = field.caller(again.address)
    reply = await back.dispatch("users", PROBE, "WhoAmI", target="west", timeout=20)
    assert (reply.status.code, reply.handled_by_collector_id) == (200, "west")


async def _connected(field, collector, address):
    """Connects, once nginx listens."""

    async def done():
        try:
            await collector.connect_to(address)
        except PeerError:
            return False
        return True

    await field.eventually(done)
