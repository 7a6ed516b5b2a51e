"""A collector that runs already is called as its target file says, or the file is told wrong."""

from __future__ import annotations

import asyncio
import shlex
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from collector_harness.by_hand import grpcurl_line
from collector_harness.certificates import Authority
from collector_harness.client.credentials import ClientCredentials
from collector_harness.conformance.smoke import smoke
from collector_harness.errors import EnvironmentLacks, InvalidInput, TargetFailed
from collector_harness.target_file import load_target
from collector_harness.targets import AttachTarget, parse_target
from collector_reference import Collector, CollectorSettings
from collector_reference.security.values import TlsSettings

LIST = "/collector.CollectorRegistry/ListServices"


@pytest.fixture
def certificates(tmp_path: Path) -> TlsSettings:
    """Certificates of a collector, in files."""
    authority = Authority()
    pair = authority.issue("hub")
    places = TlsSettings(
        cert=tmp_path / "hub.pem", key=tmp_path / "hub.key", ca=tmp_path / "ca.pem"
    )
    assert places.ca is not None
    places.cert.write_bytes(pair.cert)
    places.key.write_bytes(pair.key)
    places.ca.write_bytes(authority.certificate)
    return places


def file(folder: Path, address: str, *lines: str) -> Path:
    path = folder / "target.yaml"
    path.write_text("\n".join(["version: 1", f"launch: {{attach: '{address}'}}", *lines]))
    return path


def asked(tls: TlsSettings | None, folder: Path, *lines: str) -> Any:
    """Returns what the smoke check shows of a collector with that file."""

    async def run() -> Any:
        settings = CollectorSettings(
            collector_id="hub", namespaces=("shop",), probe=("shop",), tls=tls
        )
        async with Collector(settings) as collector:
            return await smoke(load_target(file(folder, collector.address, *lines)))

    return asyncio.run(run())


def test_it_is_called_with_tls_where_the_file_says_so(
    certificates: TlsSettings, tmp_path: Path
) -> None:
    seen = asked(certificates, tmp_path, "tls: {ca: ca.pem}")
    assert (seen.serving, seen.collector_id, seen.unanswered) == (True, "hub", {})
    named = asked(certificates, tmp_path, "tls: {ca: ca.pem, server_name: localhost}")
    assert named.serving


@pytest.mark.parametrize(
    ("secured", "lines", "said"),
    [
        (True, (), "plaintext against TLS"),
        (False, ("tls: {ca: ca.pem}",), "TLS against plaintext"),
        (True, ("tls: {}",), "not trusted"),
    ],
)
def test_where_the_file_is_wrong_about_tls_that_is_what_is_said(
    certificates: TlsSettings, tmp_path: Path, secured: bool, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(TargetFailed, match=said):
        asked(certificates if secured else None, tmp_path, *lines)


def test_a_port_that_speaks_no_grpc_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def greet() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with pytest.raises(TargetFailed, match=r"not healthy|answers none"):
            asyncio.run(smoke(parse_target(f"attach:127.0.0.1:{server.getsockname()[1]}")))
        server.shutdown(socket.SHUT_RDWR)


def test_a_token_comes_from_the_environment_or_a_file_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_TOKEN", "a-secret")
    path = file(tmp_path, "127.0.0.1:7", "token: {env: HUB_TOKEN}")
    target = load_target(path)
    assert isinstance(target, AttachTarget)
    assert target.access.token == "a-secret"
    assert "a-secret" not in f"{target}{target!r}"
    (tmp_path / "token").write_text("another\n")
    again = load_target(file(tmp_path, "127.0.0.1:7", "token: {file: token}"))
    assert isinstance(again, AttachTarget)
    assert again.access.token == "another"
    monkeypatch.delenv("HUB_TOKEN")
    with pytest.raises(EnvironmentLacks, match="HUB_TOKEN"):
        load_target(file(tmp_path, "127.0.0.1:7", "token: {env: HUB_TOKEN}"))
    (tmp_path / "token").write_text("two\nlines")
    with pytest.raises(EnvironmentLacks, match="no token"):
        load_target(file(tmp_path, "127.0.0.1:7", "token: {file: token}"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("tls: {cert: a.pem}",), "takes its key"),
        (("token: {}",), "in one place"),
        (("token: {env: A, file: b}",), "in one place"),
    ],
)
def test_half_a_certificate_and_half_a_token_are_told(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        load_target(file(tmp_path, "127.0.0.1:7", *lines))


def test_what_is_started_by_the_harness_gets_its_certificates_from_it(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    path.write_text("version: 1\nlaunch: {exec: ./collector}\ntls: {ca: ca.pem}\n")
    with pytest.raises(InvalidInput, match="this is for `attach`"):
        load_target(path)
    with pytest.raises(EnvironmentLacks, match="there is no file"):
        load_target(file(tmp_path, "127.0.0.1:7", "tls: {ca: none.pem}"))


def test_the_line_to_make_a_call_again_dials_in_the_same_way() -> None:
    access = ClientCredentials(tls=True, ca=Path("my ca.pem"), server_name="hub", token="a-secret")
    line = grpcurl_line(LIST, {}, address="127.0.0.1:7", access=access)
    assert line is not None
    assert "a-secret" not in line
    assert '-H "authorization: Bearer $TOKEN"' in line
    words = shlex.split(line)
    assert words[words.index("-cacert") + 1] == "my ca.pem"
    assert words[words.index("-authority") + 1] == "hub"
    assert "-plaintext" not in words
