"""The table of scenarios and the summary, word for word."""

from __future__ import annotations

import dataclasses

from collector_harness.events import CaseFinished, CaseStarted, Outcome, RunFinished, Totals
from collector_harness.reports.lines import plain
from collector_harness.reports.table import Row, Tally, summary, table


def row(title: str, *, passed: int = 1, failed: int = 0) -> Row:
    return Row(title=title, source=f"{title}.yaml", passed=passed, failed=failed, seconds=0.5)


def test_a_table_has_a_row_per_scenario() -> None:
    rows = [row("orders are routed", passed=11, failed=1), row("注文")]
    assert plain(table(rows, limit=10)) == (
        "scenario           cases  passed  failed     time\n"
        "-----------------  -----  ------  ------  -------\n"
        "orders are routed     12      11       1  0.500 s\n"
        "注文                   1       1       0  0.500 s\n"
    )


def test_a_long_table_shows_failures_first_and_says_what_it_leaves_out() -> None:
    rows = [row(f"s{number}", failed=int(number == 8)) for number in range(10)]
    lines = plain(table(rows, limit=2)).splitlines()
    assert [text.split()[0] for text in lines[2:4]] == ["s8", "s0"]
    assert lines[4] == "… 8 more scenarios, all passed"


def test_failures_that_are_left_out_are_counted() -> None:
    rows = [row(f"s{number}", failed=1) for number in range(3)]
    assert plain(table(rows, limit=1)).endswith("… 2 more scenarios, 2 of them with failures\n")


def test_equal_titles_are_told_apart_by_their_file() -> None:
    rows = [row("same"), dataclasses.replace(row("same"), source="other.yaml")]
    text = plain(table(rows, limit=10))
    assert "same (same.yaml)" in text
    assert "same (other.yaml)" in text


def test_no_scenario_is_no_table() -> None:
    assert table([], limit=10) == ()


def test_a_tally_counts_every_outcome_but_passed_as_failed() -> None:
    tally = Tally()
    for outcome in Outcome:
        tally.add(CaseFinished(case="c", scenario="s", source="f", outcome=outcome, seconds=0.25))
    assert tally.rows() == (Row(title="s", source="f", passed=1, failed=3, seconds=1.0),)


def finished(totals: Totals, **changes: object) -> RunFinished:
    return dataclasses.replace(
        RunFinished(totals=totals, seconds=1.5, exit_code=0), **changes  # type: ignore[arg-type]
    )  # fmt: skip


def test_the_summary_counts_and_names_the_seed() -> None:
    event = finished(Totals(scenarios=1, cases=3, passed=2, failed=1), exit_code=1)
    assert plain([summary(event, seed=42)]) == (
        "1 scenario, 3 cases: 2 passed, 1 failed in 1.500 s (seed 42)\n"
    )


def test_the_summary_of_an_interrupted_run_counts_what_did_not_run() -> None:
    event = finished(Totals(scenarios=2, cases=4, passed=4), exit_code=130, interrupted=True)
    assert plain([summary(event, seed=None, planned=9)]) == (
        "2 scenarios, 4 cases: 4 passed, 0 failed, 5 not run in 1.500 s; interrupted\n"
    )


def test_scenarios_stand_in_the_order_in_which_they_begin_and_only_with_an_ended_case() -> None:
    tally = Tally()
    for source in ("first", "second", "third"):
        tally.begin(CaseStarted(case=source, scenario="s", source=source))
    for source in ("third", "first"):
        tally.add(
            CaseFinished(
                case=source, scenario="s", source=source, outcome=Outcome.PASSED, seconds=0.25
            )
        )
    assert [row.source for row in tally.rows()] == ["first", "third"]
