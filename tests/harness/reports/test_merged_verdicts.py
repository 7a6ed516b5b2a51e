"""Shards of a verification become one verdict, which is no better than any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.events import (
    CaseFinished,
    CaseStarted,
    Event,
    Outcome,
    Part,
    RequirementJudged,
    RunFinished,
    RunStarted,
    VerdictReached,
)
from collector_harness.reports.comparing import compare, read_standing
from collector_harness.reports.html import render_html
from collector_harness.reports.merging import PartsMissing, merge_shards
from collector_harness.reports.reading import Stream
from collector_harness.reports.recording import recorded

ALL = ("REG-001", "DSP-004", "DSP-011")


@pytest.fixture
def shard_of(made):
    """Makes the stream of a shard: what it was asked for, and the verdicts that it reached."""

    def make(
        shard: str,
        asked: Sequence[str],
        verdicts: Mapping[str, str],
        *,
        exit_code: int = 0,
        whole: int = len(ALL),
        findings: tuple[str, ...] = (),
    ) -> Stream:
        cases = [
            made.case(f"suite/{key}.yaml::t", None if verdict == "pass" else made.broken(), (key,))
            for key, verdict in verdicts.items()
        ]
        first, *between, last = made.run(cases, part=Part(shard=shard, cases=whole, digest="d"))
        judged = [
            RequirementJudged(
                requirement=key,
                level="MUST",
                text=f"the text of {key}",
                sources=(),
                verdict=verdicts.get(key, "deselected"),
                reason="" if verdicts.get(key, "pass") == "pass" else "it was another",
                cases=(f"suite/{key}.yaml::t",),
                asked=key in asked,
            )
            for key in ALL
        ]
        reached = VerdictReached(
            suite_version="1",
            target="reference",
            totals={"pass": 0, "fail": 0, "deselected": 0},
            families={"REG": "the registry", "DSP": "dispatching"},
            findings=findings,
        )
        end = replace(last, exit_code=exit_code)
        return Stream(name=shard, events=(first, *between, *judged, reached, end))

    return make


def verdicts_of(events: Sequence[Event]) -> dict[str, str]:
    return {
        each.requirement: each.verdict for each in events if isinstance(each, RequirementJudged)
    }


def test_each_requirement_has_the_verdict_of_the_shard_that_was_asked(shard_of) -> None:
    events = merge_shards(
        [
            shard_of("1/2", ["REG-001"], {"REG-001": "pass"}),
            shard_of("2/2", ["DSP-004", "DSP-011"], dict.fromkeys(ALL, "pass"), findings=("f",)),
        ]
    )
    assert verdicts_of(events) == dict.fromkeys(ALL, "pass")
    (reached,) = [each for each in events if isinstance(each, VerdictReached)]
    assert reached.totals == {"pass": 3, "fail": 0, "deselected": 0}
    assert reached.findings == ("f",)
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    assert (first.part, first.asked, first.cases) == (None, (), 3)
    assert (last.totals.cases, last.totals.passed, last.exit_code) == (3, 3, 0)


def test_what_several_shards_ran_is_there_once(shard_of) -> None:
    """As a page, too: it has one entry for each case."""
    events = merge_shards(
        [
            shard_of("1/2", ["REG-001"], {"REG-001": "pass"}),
            shard_of("2/2", ["DSP-004", "DSP-011"], dict.fromkeys(ALL, "pass")),
        ]
    )
    begun = [each.case for each in events if isinstance(each, CaseStarted)]
    assert sorted(begun) == sorted(set(begun))
    assert len(begun) == 3
    assert recorded(events).incomplete == ""
    assert render_html(recorded(events)).count('data-case="suite/REG-001.yaml::t"') == 1


def test_what_one_shard_broke_and_another_passed_is_flaky_and_fails(shard_of) -> None:
    broken = {"REG-001": "fail", "DSP-004": "pass", "DSP-011": "pass"}
    events = merge_shards(
        [
            shard_of("1/2", ["REG-001"], {"REG-001": "pass"}),
            shard_of("2/2", ["DSP-004", "DSP-011"], broken),
        ]
    )
    assert verdicts_of(events)["REG-001"] == "flaky"
    (judged,) = [each for each in events if getattr(each, "requirement", "") == "REG-001"]
    assert isinstance(judged, RequirementJudged)
    assert judged.reason == "it was another; it passed in another shard"
    # Of the two rounds of its case the one that failed is kept.
    (ended,) = [
        each
        for each in events
        if isinstance(each, CaseFinished) and each.case == "suite/REG-001.yaml::t"
    ]
    assert ended.outcome is Outcome.FAILED
    assert recorded(events).exit_code == 1


def test_a_shard_that_is_missing_is_told_with_what_it_holds(shard_of) -> None:
    with pytest.raises(PartsMissing, match=r"1 of 3 requirements; missing: 2/2"):
        merge_shards([shard_of("1/2", ["REG-001"], {"REG-001": "pass"})])


def test_a_shard_without_a_requirement_is_not_missed(shard_of) -> None:
    events = merge_shards([shard_of("1/2", ALL, dict.fromkeys(ALL, "pass"))])
    assert "no requirement belongs to the shards 2/2" in recorded(events).notices


def test_a_shard_of_a_verification_does_not_mix_with_one_of_a_run(shard_of, made) -> None:
    part = Part(shard="2/2", cases=3, digest="d")
    run = Stream(name="r", events=tuple(made.run([made.case("f::a")], part=part)))
    with pytest.raises(InvalidInput, match="some of the streams are of a verification"):
        merge_shards([shard_of("1/2", ["REG-001"], {"REG-001": "pass"}), run])


def test_shards_of_a_real_verification_become_the_verdict_of_the_whole(
    tmp_path: Path, capsys: Any
) -> None:
    from collector_harness.cli import main

    names = [str(tmp_path / f"shard-{number}.jsonl") for number in (1, 2)]
    whole, merged = str(tmp_path / "whole.jsonl"), str(tmp_path / "merged.jsonl")
    asked = ("verify", "reference", "-k", "ISO", "-k", "VAL-001")
    for number, name in enumerate(names, start=1):
        assert main([*asked, "--shard", f"{number}/2", "--jsonl", name]) == 0
    assert main([*asked, "--jsonl", whole]) == 0
    assert main(["report", "merge", *names, "-o", merged]) == 0
    assert "verdict on reference: " in capsys.readouterr().out
    found = compare(read_standing(Path(whole)), read_standing(Path(merged)))
    assert (found.worse, found.better, found.new, found.gone) == ((), (), (), ())
    assert found.unchanged > 4
