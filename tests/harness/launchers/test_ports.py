"""Ports for programs that have to be told one are nobody else's until the program listens."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from collector_harness.errors import EnvironmentLacks
from collector_harness.launchers import ports
from collector_harness.launchers.ports import is_taken, reserved_port

RESERVING = """
import sys
from collector_harness.launchers import ports

class Fixed:
    def randrange(self, low, beyond):
        return int(sys.argv[1])

ports._random = Fixed()
try:
    with ports.reserved_port():
        print("given")
except ports.EnvironmentLacks:
    print("refused")
"""


class Stubborn:
    """Chooses this port so many times, and then at random."""

    def __init__(self, port: int, *, times: int = 1) -> None:
        self._port, self._left = port, times

    def randrange(self, low: int, beyond: int) -> int:
        self._left -= 1
        return self._port if self._left >= 0 else random.SystemRandom().randrange(low, beyond)


def given_to_another(port: int) -> str:
    """Returns what another process is told that wants this port."""
    words = [sys.executable, "-c", RESERVING, str(port)]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_reserved_port_is_one_that_no_system_chooses_by_itself() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with reserved_port() as port:
        assert 20_000 <= port < max(first, 30_000)
        assert not is_taken(port)


def test_ports_that_are_reserved_at_once_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved_port() as first:
        monkeypatch.setattr(ports, "_random", Stubborn(first))
        with reserved_port() as second:
            assert second != first


def test_a_port_on_which_somebody_listens_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken: int = stranger.getsockname()[1]
        assert is_taken(taken)
        monkeypatch.setattr(ports, "_random", Stubborn(taken))
        with reserved_port() as port:
            assert port != taken
        monkeypatch.setattr(ports, "_random", Stubborn(taken, times=200))
        with pytest.raises(EnvironmentLacks, match="none of 200 ports from 20000"):
            reserved_port().__enter__()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no sockets by name")
def test_no_other_process_is_given_a_port_while_it_is_reserved() -> None:
    with reserved_port() as port:
        assert given_to_another(port) == "refused\n"
    assert given_to_another(port) == "given\n"
