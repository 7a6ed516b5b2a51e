"""The services as processes: settings, gRPC's own log, and how they end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import grpc
import pytest

IDENTITY = Path(__file__).parents[3] / "scenarios" / "identity"


def start(
    service: str, *words: str, log: IO[str] | int = subprocess.PIPE, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"identity_system.{service}", *words],
        cwd=IDENTITY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )


def test_grpc_tells_what_it_does_when_it_is_asked_to_and_no_password(tmp_path: Path) -> None:
    from identity_system.wire import auth_pb2, auth_pb2_grpc

    # It tells more than a pipe holds that nobody reads meanwhile.
    file = tmp_path / "log"
    with file.open("w") as told_to:
        process = start("auth", "--grpc-debug", log=told_to)
    assert process.stdout is not None
    told = re.match(r"auth listening on (\S+)", process.stdout.readline())
    assert told
    with grpc.insecure_channel(told[1]) as channel:
        request = auth_pb2.RegisterRequest(email="a@b", password="correct horse battery")
        auth_pb2_grpc.AuthServiceStub(channel).Register(request, timeout=20)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    log = file.read_text()
    assert re.search(r"^[IDE]\d{4} .*\.cc:\d+\]", log, re.MULTILINE), "gRPC's core tells"
    assert "served method=/identity.v1.AuthService/Register status=OK" in log
    assert "correct horse" not in log


@pytest.mark.parametrize(
    ("service", "words", "environment", "sentence"),
    [
        ("auth", ["--failures", "0"], {}, "--failures is a whole number from 1 to 1000"),
        ("auth", [], {"AUTH_SECRET": "short"}, "AUTH_SECRET has fewer than 32 characters"),
        ("auth", [], {"TLS_CERT": "/no/such/file"}, "TLS_KEY is needed for TLS"),
        ("user", ["--auth-tls", "mutual"], {"TLS_CA": ""}, "TLS_CA is needed for TLS"),
        ("user", ["--protocol", "soap"], {}, "--protocol is http or grpc"),
        ("user", ["--limit", "soon"], {}, "--limit is a number from 0 to 86400, not 'soon'"),
    ],
)
def test_bad_settings_are_told_where_they_are_read(
    service: str,
    words: list[str],
    environment: dict[str, str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import importlib

    parse = importlib.import_module(f"identity_system.{service}.settings").parse
    with pytest.raises(SystemExit) as ended:
        parse(words, environment)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("service", "words", "environment", "sentence"),
    [
        ("auth", ["--database", "mysql:x"], {}, "a database is sqlite:PATH"),
        ("user", ["--auth", "nowhere"], {}, "is not host:port"),
    ],
)
def test_bad_settings_end_a_process_with_a_sentence(
    service: str, words: list[str], environment: dict[str, str], sentence: str
) -> None:
    process = start(service, *words, **environment)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert sentence in log
    assert "Traceback" not in log


def test_a_port_that_is_taken_is_told(auth: Any) -> None:
    with auth() as it:
        process = start("auth", "--listen", it.address)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 3
    assert f"auth: cannot listen on {it.address}" in log
    assert "Traceback" not in log
