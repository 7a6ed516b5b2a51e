"""Results have the fields that readers rely on, and a partial run keeps the other rows."""

import json

import pytest
from benchmarks.contests import Figure
from benchmarks.ratios import Summary, Target, Verdict
from benchmarks.results import as_table, row, write

FIELDS = ["id", "what", "ratio", "low", "high", "control", "target", "floor", "unit", "rounds"]


def make(id_: str, *, ratio: float = 1.05, what: str = "Serve, validated", target=None):
    figure = Figure(name="p50", what=what, unit="ms", target=target or Target.at_most(1.1))
    summary = Summary(ratio=ratio, low=1.01234, high=1.2, control=1.03, floor=0.75, rounds=7)
    return row(id_, figure, summary)


def read(path):
    return json.loads(path.read_text())


def test_a_row_has_exactly_the_documented_fields(tmp_path):
    path = tmp_path / "results.json"
    write(path, [make("P2")[0]], measured=["P2"])
    assert read(path) == [
        {
            "id": "P2",
            "what": "Serve, validated",
            "ratio": 1.05,
            "low": 1.0123,
            "high": 1.2,
            "control": 1.03,
            "target": "<= 1.1",
            "floor": 0.75,
            "unit": "ms",
            "rounds": 7,
        }
    ]
    assert list(read(path)[0]) == FIELDS


def test_a_run_replaces_its_own_rows_and_keeps_those_of_other_benchmarks(tmp_path):
    path = tmp_path / "results.json"
    write(path, [make("P11")[0], make("P11", what="old")[0]], measured=["P11"])
    write(path, [make("P2")[0]], measured=["P2"])
    write(path, [make("P11", what="new")[0]], measured=["P11"])
    assert [(one["id"], one["what"]) for one in read(path)] == [
        ("P2", "Serve, validated"),
        ("P11", "new"),
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("rubbish", ["", "{", '{"id": "P2"}', "[1, 2]"])
def test_a_file_that_holds_no_rows_is_replaced(tmp_path, rubbish):
    path = tmp_path / "results.json"
    path.write_text(rubbish)
    write(path, [make("P2")[0]], measured=["P2"])
    assert [one["id"] for one in read(path)] == ["P2"]


def test_a_target_of_added_time_is_written_as_a_ratio():
    assert make("P11", target=Target.at_most_added(0.15))[0].target == "<= 1.2"


def test_the_table_shows_each_ratio_beside_its_target_and_verdict():
    lines = as_table([make("P2"), make("P11", ratio=1.5, what="the help")]).splitlines()
    assert lines[0].split() == [
        "id", "ratio", "low", "high", "A/A", "target", "verdict", "floor",
    ]  # fmt: skip
    assert lines[1].split() == [
        "P2", "1.050", "1.012", "1.200", "1.030", "<=", "1.1", Verdict.MET, "0.75", "ms",
    ]  # fmt: skip
    assert lines[2].strip() == "Serve, validated"
    assert lines[3].split()[7] == Verdict.MISSED
    assert lines[4].strip() == "the help"
