"""Packages bring steps and matchers of their own; broken and greedy ones are named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "step-plugin"
SCENARIO = re.search(r"```yaml\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)[1]

BROKEN = """\
[collector_harness.steps]
broken = acme_broken:NOTHING
odd = acme_odd:ODD
[collector_harness.matchers]
crooked = acme_broken:NOTHING
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built and installed beside the project as a user's package is."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--target", str(folder), str(EXAMPLE)),
        ],
        check=True,
        timeout=120,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    return folder


def _distribution(folder: Path, name: str, entry_points: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


def _harness(*words: str, site: Path, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "collector_harness", *words],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_example_is_installed_and_used(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.txt").write_text("A1 12.50\n")
    (tmp_path / "one.scenario.yaml").write_text(SCENARIO)
    code, told = _harness("run", "one.scenario.yaml", site=installed, cwd=tmp_path)
    assert code == 0, told
    (tmp_path / "one.scenario.yaml").write_text(SCENARIO.replace("[1, 1000]", "[100, 1000]"))
    code, told = _harness("run", "one.scenario.yaml", site=installed, cwd=tmp_path)
    assert code == 1
    assert "a number from 100 to 1000" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("algorithm: sha256", "algoritm: sha256", "algoritm"),
        ("algorithm: sha256", "algorithm: md5", "'md5' is not one of: sha256, sha512"),
        ("checksum:", "chcksum:", "did you mean 'checksum'?"),
        ("[1, 1000]", "7", "$between needs two numbers"),
        ("hex}", "hxe}", "did you mean 'hex'?"),
    ],
)
def test_what_is_wrong_with_its_use_is_told_when_the_file_is_read(
    installed: Path, tmp_path: Path, old: str, new: str, told: str
) -> None:
    (tmp_path / "one.scenario.yaml").write_text(SCENARIO.replace(old, new))
    code, output = _harness("check", "one.scenario.yaml", site=installed, cwd=tmp_path)
    assert code == 2
    assert told in output


def test_the_schema_describes_it(installed: Path, tmp_path: Path) -> None:
    code, told = _harness("schema", site=installed, cwd=tmp_path)
    assert code == 0
    schema = json.loads(told)
    assert schema["$defs"]["checksum_step"]["properties"]["checksum"]["description"]
    assert "$between" in json.dumps(schema["$defs"]["Expected"])


def test_a_package_that_cannot_be_loaded_is_named_where_it_is_used(tmp_path: Path) -> None:
    _distribution(tmp_path, "acme_broken", BROKEN)
    (tmp_path / "acme_odd.py").write_text("ODD = 7\n")
    head = "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\nsteps:\n"
    for steps, told in {
        "  - list: shop\n": None,
        "  - broken: {}\n": "the step 'broken' of the package acme_broken 1.0 cannot be used",
        "  - odd: {}\n": "'acme_odd:ODD' is no StepKind, but a int",
        '  - check: {"${seed}": {$crooked: 1}}\n': "the matcher '$crooked' of the package",
    }.items():
        (tmp_path / "one.scenario.yaml").write_text(head + steps)
        code, output = _harness("check", "one.scenario.yaml", site=tmp_path, cwd=tmp_path)
        assert code == (0 if told is None else 2), output
        assert told is None or told in " ".join(output.split())


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (
            "[collector_harness.steps]\ndispatch = a:B\n",
            "brings a step 'dispatch', which",
        ),
        ("[collector_harness.matchers]\nregex = a:B\n", "brings a matcher '$regex'"),
    ],
)
def test_a_package_does_not_take_a_word_of_the_language(
    tmp_path: Path, points: str, told: str
) -> None:
    _distribution(tmp_path, "acme_greedy", points)
    (tmp_path / "one.scenario.yaml").write_text(SCENARIO)
    code, output = _harness("check", "one.scenario.yaml", site=tmp_path, cwd=tmp_path)
    assert code == 3
    assert "the package acme_greedy 1.0" in output
    assert told in " ".join(output.split())
