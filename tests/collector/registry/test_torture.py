"""A short run of `make torture`, and that it would notice a loss."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from collector_reference.registry.sqlite import SqliteStore
from collector_reference.registry.store import service_record

SCRIPT = Path(__file__).parents[3] / "scripts" / "torture.py"


@pytest.fixture(scope="module")
def torture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torture_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_acknowledged_registration_is_lost_when_the_collector_is_killed():
    """OPS-005"""
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "6", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    last = run.stdout.splitlines()[-1]
    assert last.startswith("6 rounds, 6 SIGKILLs")
    assert "0 lost, 0 in part" in last
    assert " 0 acknowledged" not in last


async def test_a_loss_would_be_noticed(torture, tmp_path):
    path = tmp_path / "registry.db"
    with pytest.raises(torture.Broken, match="1 acknowledged registrations are gone"):
        await torture.look_at_all(path, torture.Counts(acknowledged=["R1-0-1"]))


async def test_a_record_in_part_would_be_noticed(torture, tmp_path):
    path = tmp_path / "registry.db"
    store = SqliteStore(path)
    half = torture.descriptor("R1-0-10")
    del half.method[5:]
    await store.add_service(service_record(torture.NAMESPACE, half))
    await store.close()
    with pytest.raises(torture.Broken, match="'R1-0-10' is there in part"):
        await torture.look_at_all(path, torture.Counts())
