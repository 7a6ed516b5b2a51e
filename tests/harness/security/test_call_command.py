"""`collector-harness call` against a collector with TLS and tokens."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from collector_harness.mesh import Mesh
from collector_harness.topology.values import Node, NodeTls, Topology


def call(address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "collector_harness", "call"),
            *(address, "collector.CollectorRegistry/ListServices", "--deadline", "45", *words),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_shows_a_certificate_and_a_token_and_says_what_is_wrong_without(tmp_path: Path) -> None:
    async def work() -> None:
        topology = Topology(nodes=(Node(name="west", tls=NodeTls(client_auth=True), token=True),))
        async with Mesh(topology) as mesh:
            west = mesh["west"]
            shown = mesh._credentials.client_of(west.node)
            token = tmp_path / "token"
            token.write_text(f"{shown.token}\n")
            certificates = [
                *("--tls-ca", str(shown.ca)),
                *("--tls-cert", str(shown.cert), "--tls-key", str(shown.key)),
            ]
            whole, bare, plain, half = await asyncio.gather(
                asyncio.to_thread(call, west.address, *certificates, "--token-file", str(token)),
                asyncio.to_thread(call, west.address, *certificates),
                asyncio.to_thread(call, west.address),
                asyncio.to_thread(call, west.address, "--tls-cert", str(shown.cert)),
            )
        assert (whole.returncode, '"services"' in whole.stdout) == (0, True), whole
        assert (bare.returncode, "UNAUTHENTICATED" in bare.stderr) == (1, True), bare
        assert (plain.returncode, "plaintext against TLS" in plain.stderr) == (5, True), plain
        assert (half.returncode, "given together" in half.stderr) == (2, True), half

    asyncio.run(work())
