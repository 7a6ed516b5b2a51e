"""A suite in rounds, in another order and in parts: by `run` and by `verify`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SUITE = """\
version: 1
scenario: everybody is greeted
topology: {nodes: {hub: {namespaces: [shop], probe: [shop]}}}
cases:
  one: {name: Ada}
  two: {name: Grace}
  three: {name: Barbara}
  four: {name: Frances}
  five: {name: Hedy}
steps:
  - dispatch: shop/conformance.Probe.Echo
    input: ${case.name}
    expect: {output: "${case.name}"}
"""


@pytest.fixture
def listed(run, tmp_path: Path):
    """The cases that `run --list` tells with these options."""
    (tmp_path / "greetings.scenario.yaml").write_text(SUITE)

    def listed(*options: str) -> list[str]:
        done = run("run", "greetings.scenario.yaml", "--list", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return listed


def test_the_parts_of_a_suite_are_the_whole_suite_and_share_nothing(listed) -> None:
    whole = listed()
    parts = [listed("--shard", f"{number}/2") for number in (1, 2)]

    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert all(parts)


def test_rounds_come_in_an_order_that_the_seed_decides(listed) -> None:
    once = listed("--repeat", "3", "--shuffle", "--seed", "7")

    assert len(once) == len(set(once)) == 15
    assert once == listed("--repeat", "3", "--shuffle", "--seed", "7")
    assert once != listed("--repeat", "3", "--shuffle", "--seed", "8")
    assert [each for each in once if " #" not in each] == once[:5]


def test_all_rounds_run_and_count(run, listed, tmp_path: Path) -> None:
    done = run(
        *("run", "greetings.scenario.yaml", "--repeat", "4", "--shuffle", "--seed", "7"),
        *("--shard", "1/2", "--json", "totals.json"),
    )

    assert done.returncode == 0, done.stderr
    totals = json.loads((tmp_path / "totals.json").read_text())
    assert totals["cases"] == totals["passed"] == 4 * len(listed("--shard", "1/2"))


@pytest.mark.parametrize(
    ("command", "text"),
    [(["run", "."], "0/2"), (["run", "."], "half"), (["verify", "reference"], "3/2")],
)
def test_a_part_that_there_is_not_is_refused(run, command: list[str], text: str) -> None:
    done = run(*command, f"--shard={text}")

    assert done.returncode == 2
    assert f"'{text}' is no shard" in done.stderr
    assert "write 2/5" in done.stderr


def test_each_requirement_is_verified_in_one_part_with_what_it_builds_on(
    run, tmp_path: Path
) -> None:
    asked: list[set[str]] = []
    for number in (1, 2):
        file = f"part-{number}.json"
        done = run("verify", "reference", "-k", "CON", "--shard", f"{number}/2", "--json", file)
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = json.loads((tmp_path / file).read_text())
        found = {each["id"] for each in verdict["requirements"] if each["verdict"] != "deselected"}
        asked.append(found)

    assert asked[0] != asked[1]
    assert {"WIR-001", "CON-001"} <= asked[0] | asked[1]
