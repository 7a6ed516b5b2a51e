"""A kept stream is read back, checked, compared, merged, and never better than it was."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from collector_harness.errors import EnvironmentLacks, InvalidInput
from collector_harness.events import Notice, Part, RunFinished
from collector_harness.reports.comparing import compare, read_standing
from collector_harness.reports.event_schema import event_schema
from collector_harness.reports.jsonl import encode
from collector_harness.reports.merging import PartsMissing, merge_shards
from collector_harness.reports.reading import KINDS, read_stream
from collector_harness.reports.recording import recorded


def validator():
    schema = event_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_what_was_written_is_read_back_equal(made, tmp_path: Path) -> None:
    events = made.verdict()
    stream = read_stream(made.write(tmp_path / "s.jsonl", events))
    assert list(map(encode, stream.events)) == list(map(encode, events))
    assert stream.finished == events[-1]


def test_every_event_fits_the_published_schema_and_a_wrong_one_does_not(made) -> None:
    check = validator()
    for event in made.verdict():
        check.validate(json.loads(encode(event)))
    assert set(KINDS) <= set(event_schema()["$defs"])
    check.validate({"kind": "SomethingNew", "anything": 1})
    for wrong in (
        {"kind": "Notice"},
        {"kind": "Notice", "message": 7},
        {"message": "x"},
        {"kind": "RunStarted", "seed": 1, "scenarios": 1, "cases": 1, "target": "", "version": 2},
    ):
        assert not check.is_valid(wrong)


def test_kinds_and_fields_of_newer_versions_are_passed_over(made, tmp_path: Path) -> None:
    path = made.write(tmp_path / "s.jsonl", made.run([made.case("a::b")]))
    first, *rest = path.read_text().splitlines()
    newer = json.dumps({**json.loads(first), "colour": "blue"})
    path.write_text("\n".join([newer, '{"kind": "Weather", "rain": true}', *rest]) + "\n")
    assert len(read_stream(path).events) == len(rest) + 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("hello\nworld\n", "a line is no JSON"),
        ("[]\n", "it has no kind"),
        ('{"kind": "Notice", "message": "m"}\n', "first event is not RunStarted"),
        ('{"kind": "RunStarted", "version": 9}\n', "it is of version 9"),
        ('{"kind": "RunStarted", "version": 1}\n', "a RunStarted is not as it must be"),
        ("[" * 100_000 + "\n", "a line is no JSON"),
    ],
)
def test_what_is_no_stream_is_refused_with_its_reason(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=why):
        read_stream(path)


def test_a_stream_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentLacks, match="cannot read the stream"):
        read_stream(tmp_path / "none.jsonl")


@pytest.mark.parametrize("half", [False, True])
def test_a_stream_that_was_cut_off_is_a_failure(made, tmp_path: Path, half: bool) -> None:
    path = made.write(tmp_path / "s.jsonl", made.run([made.case("a::b")]))
    *lines, last = path.read_text().splitlines()
    path.write_text("\n".join(lines) + "\n" + (last[:20] if half else ""))
    stream = read_stream(path)
    assert stream.finished is None
    assert recorded(stream.events).exit_code == 1
    assert "cut off" in recorded(stream.events).incomplete


def test_a_case_without_a_result_fails_a_run_that_says_it_went_well(made) -> None:
    *events, _, last = made.run([made.case("a::b")])
    recording = recorded([*events, last])
    assert last.exit_code == 0
    assert recording.exit_code == 1
    assert recording.incomplete == "1 of 1 cases have no result"


def test_a_comparison_tells_what_got_worse_better_new_and_gone(made, tmp_path: Path) -> None:
    ok, bad = made.case, lambda name: made.case(name, made.broken())
    old = made.write(tmp_path / "old", made.run([ok("f::a"), bad("f::b"), ok("f::c"), ok("f::d")]))
    new = made.write(tmp_path / "new", made.run([bad("f::a"), ok("f::b"), ok("f::c"), ok("f::e")]))
    found = compare(read_standing(old), read_standing(new))
    assert found.worse == (("f::a", "passed", "failed"),)
    assert found.better == (("f::b", "failed", "passed"),)
    assert found.new == (("f::e", "", "passed"),)
    assert found.gone == (("f::d", "passed", ""),)
    assert (found.unchanged, found.exit_code) == (1, 1)
    same = compare(read_standing(new), read_standing(new))
    assert same.exit_code == 0


def test_a_verdict_compares_with_its_own_stream(made, tmp_path: Path) -> None:
    stream = made.write(tmp_path / "s.jsonl", made.verdict())
    document = tmp_path / "verdict.json"
    states = read_standing(stream).states
    assert states["DSP-011"] == "fail"
    assert "DSP-016" not in states
    requirements = [{"id": key, "verdict": state} for key, state in states.items()]
    document.write_text(json.dumps({"kind": "verdict", "requirements": requirements}, indent=2))
    found = compare(read_standing(document), read_standing(stream))
    assert (found.unchanged, found.exit_code) == (4, 0)
    requirements[1]["verdict"] = "fail"
    document.write_text(json.dumps({"kind": "verdict", "requirements": requirements}))
    assert compare(read_standing(document), read_standing(stream)).better[0][0] == "DSP-004"
    with pytest.raises(InvalidInput, match="run of cases"):
        compare(
            read_standing(document),
            read_standing(made.write(tmp_path / "run", made.run([made.case("a::b")]))),
        )


def test_a_newer_run_that_was_cut_off_is_no_better(made, tmp_path: Path) -> None:
    events = made.run([made.case("a::b")])
    old = read_standing(made.write(tmp_path / "old", events))
    new = read_standing(made.write(tmp_path / "new", events[:-1]))
    assert compare(old, new).exit_code == 1


def shards(made, tmp_path: Path, *parts: tuple[str, list[str]], cases: int = 3, digest: str = "d"):
    return [
        read_stream(
            made.write(
                tmp_path / f"{index}.jsonl",
                made.run(
                    [made.case(f"f::{name}") for name in names],
                    part=Part(shard=shard, cases=cases, digest=digest),
                ),
            )
        )
        for index, (shard, names) in enumerate(parts)
    ]


def test_shards_that_cover_the_suite_become_one_run(made, tmp_path: Path) -> None:
    events = merge_shards(shards(made, tmp_path, ("2/3", ["c"]), ("1/3", ["a", "b"])))
    assert isinstance(events[1], Notice)
    assert "3/3" in events[1].message
    recording = recorded(events)
    assert list(recording.cases) == ["f::c", "f::a", "f::b"]
    assert isinstance(events[-1], RunFinished)
    assert (recording.exit_code, events[-1].totals.cases, recording.incomplete) == (0, 3, "")
    assert recording.started.part is None


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([("1/2", ["a", "b"])], r"2 of 3 cases; missing: 2/2"),
        ([("1/2", ["a", "b"]), ("1/2", ["c"])], "the shard 1/2 is given 2 times"),
        ([("1/2", ["a", "b"]), ("2/2", ["b", "c"])], "1 cases are in several shards, such as f::b"),
        ([("1/2", ["a", "b"]), ("2/3", ["c"])], "not of the same number of shards"),
    ],
)
def test_shards_that_do_not_fit_are_refused(made, tmp_path: Path, parts, told: str) -> None:
    with pytest.raises((InvalidInput, PartsMissing), match=told):
        merge_shards(shards(made, tmp_path, *parts))


def test_a_shard_that_was_cut_off_or_is_none_is_refused(made, tmp_path: Path) -> None:
    whole = read_stream(made.write(tmp_path / "w", made.run([made.case("f::a")])))
    with pytest.raises(InvalidInput, match="is no shard"):
        merge_shards([whole])
    part = Part(shard="1/1", cases=1, digest="d")
    events = made.run([made.case("f::a")], part=part)[:-1]
    with pytest.raises(PartsMissing, match="was cut off"):
        merge_shards([read_stream(made.write(tmp_path / "c", events))])
