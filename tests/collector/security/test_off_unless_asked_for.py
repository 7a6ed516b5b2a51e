"""What is not asked for is not imported, and what is missing is named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from collector_reference import CollectorSettings
from collector_reference.errors import MissingExtra
from collector_reference.security.values import TokenSettings

LOOK = """
import asyncio, sys
from collector_reference import Collector, CollectorSettings

async def run():
    async with Collector(CollectorSettings(collector_id="west", namespaces=("shop",))):
        pass

asyncio.run(run())
print(*sorted(name for name in sys.modules if name.startswith("collector_reference.security.")))
print(*sorted(name for name in ("jwt", "cryptography", "ssl", "yaml") if name in sys.modules))
"""


def test_a_collector_without_security_imports_none_of_it():
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60
    )
    rooms, libraries = done.stdout.splitlines()
    assert rooms.split() == [
        "collector_reference.security.values",
        "collector_reference.security.withholding",
    ]
    assert not {"jwt", "cryptography", "yaml"} & set(libraries.split())


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_tokens_without_the_extra_are_refused_by_its_name(
    field, signer, key_file, monkeypatch, missing
):
    path = key_file(signer())
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=r"pip install 'collector-harness\[jwt\]'"):
        field.unstarted(tokens=TokenSettings(keys=(path,)))


def test_tls_needs_no_extra(field, files, monkeypatch):
    own = files()
    for name in ("jwt", "cryptography"):
        monkeypatch.setitem(sys.modules, name, None)
    assert field.unstarted(tls=own.settings()).settings.tls is not None


@pytest.mark.parametrize(
    "variables",
    [
        {"COLLECTOR_TLS_CERT": "/no/cert", "COLLECTOR_TLS_KEY": "/no/key"},
        {"COLLECTOR_POLICY": "/no"},
    ],
    ids=["certificate", "policy"],
)
def test_a_process_with_files_that_cannot_be_used_ends_as_with_any_bad_setting(variables):
    ended = subprocess.run(
        [sys.executable, "-m", "collector_reference"],
        env={"PATH": "/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith(f"error: {next(iter(variables))}: ")
    assert "Traceback" not in ended.stderr


def test_security_is_off_by_default():
    settings = CollectorSettings.from_environment({})
    assert (settings.tls, settings.tokens, settings.own_token, settings.policy) == (None,) * 4
