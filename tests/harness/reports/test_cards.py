"""What a failure card says, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.events import CaseFinished
from collector_harness.reports.cards import SHORT, WHOLE, Bounds, card, duration
from collector_harness.reports.lines import plain

GOLDEN = Path(__file__).parent / "golden"
TEXTS = {"DSP-005": "MUST Automatic: no candidate: 404 (U)"}


def rendered(finished: CaseFinished, bounds: Bounds = SHORT) -> str:
    return plain(card(finished, bounds=bounds, describe=TEXTS.get))


def test_a_typical_failure_reads_as_its_golden_card(
    typical_failure: tuple[str, CaseFinished],
) -> None:
    name, finished = typical_failure
    assert rendered(finished) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_a_short_card_is_bounded_however_much_the_target_says(
    failures: dict[str, CaseFinished],
) -> None:
    text = rendered(failures["hostile"])
    assert len(text.splitlines()) < 80
    assert max(map(len, text.splitlines())) < 200


def test_a_whole_card_leaves_nothing_out(failures: dict[str, CaseFinished]) -> None:
    short, whole = (rendered(failures["hostile"], bounds) for bounds in (SHORT, WHOLE))
    assert "field11" not in short
    assert "field11" in whole
    assert '"key29": 29' not in short
    assert '"key29": 29' in whole
    assert "x" * 5_000 in whole
    assert "node5" in whole


def test_every_character_of_a_card_is_printable(failures: dict[str, CaseFinished]) -> None:
    for finished in failures.values():
        for bounds in (SHORT, WHOLE):
            for text in rendered(finished, bounds).split("\n"):
                assert text.isprintable(), text


def test_the_command_that_reproduces_is_never_cut(failures: dict[str, CaseFinished]) -> None:
    tight = Bounds(mismatches=1, answer_lines=1, log_nodes=1, log_lines=1, columns=10)
    failure = failures["mismatch"].failure
    assert failure is not None
    assert failure.reproduce in rendered(failures["mismatch"], tight).splitlines()[-1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.000 s"), (0.0316, "0.032 s"), (59.9, "59.900 s"), (61.4, "1 min 01 s")],
)
def test_a_duration_is_told_in_its_own_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
