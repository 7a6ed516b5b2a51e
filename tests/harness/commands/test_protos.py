"""`protos` writes the contract out."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_contract_is_written_once_and_then_left_alone(run: Run, tmp_path: Path) -> None:
    ended = run("protos", "out")
    assert ended.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out" / "collector").iterdir()) == [
        "common.proto",
        "dispatcher.proto",
        "registry.proto",
    ]
    assert "wrote out/collector/registry.proto\n" in ended.stdout
    again = run("protos", "out")
    assert again.returncode == 0
    assert "nothing was written" in again.stdout


def test_a_file_that_differs_is_overwritten_only_by_force(run: Run, tmp_path: Path) -> None:
    run("protos", "out")
    changed = tmp_path / "out" / "collector" / "common.proto"
    changed.write_text("mine")
    refused = run("protos", "out")
    assert refused.returncode == 2
    assert "common.proto" in refused.stderr
    assert changed.read_text() == "mine"
    assert run("protos", "out", "--force").returncode == 0
    assert changed.read_text() != "mine"
