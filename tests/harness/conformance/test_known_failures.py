"""What is known to fail is excused while it is true, and is no hiding place when it is not."""

from __future__ import annotations

from datetime import date

import pytest

from collector_harness.conformance.known_failures import parse_known_failures, updated
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.verdicts import CaseResult, Verdict, Verdicts, decide
from collector_harness.errors import ExitCode, InvalidInput
from collector_harness.events import Failure, Outcome

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED
TODAY = date(2027, 1, 15)
TEXT = """\
# What our collector does not do yet.
version: 1
failures:
  # The decoder of our stack takes these.
  WIR-009: {reason: the decoder is lenient}  # for good
  DSP-015:
    reason: it always asks the first
    expires: 2027-01-31
"""


def judged(outcomes: dict[str, Outcome | None], text: str, day: date = TODAY) -> Verdicts:
    known = parse_known_failures(text, "known.yaml")
    results = {
        key: [
            CaseResult(
                case="x",
                source="x",
                outcome=outcome,
                failure=Failure(message="oh") if outcome is FAILED else None,
                unsupported="" if outcome else "it cannot",
            )
        ]
        for key, outcome in outcomes.items()
    }
    requirements = decide(
        results,
        selected=frozenset(results),
        catalogue=catalogue(),
        target="t",
        seed=1,
        known=known.on(day),
    )
    return Verdicts(
        suite_version="1",
        target="t",
        seed=1,
        requirements=requirements,
        uncovered=(),
        seconds=0,
        calls=0,
        findings=tuple(known.unmatched(requirements)),
    )


def test_what_is_known_to_fail_is_excused_with_its_reason():
    found = judged({"WIR-009": FAILED, "DSP-015": FAILED, "SRV-001": PASSED}, TEXT)
    assert found["WIR-009"].verdict is Verdict.EXPECTED_FAIL
    assert found["WIR-009"].reason == "the decoder is lenient (oh)"
    assert (found.exit_code, found.findings) == (ExitCode.OK, ())


def test_what_passes_although_it_is_said_to_fail_fails():
    found = judged({"WIR-009": PASSED, "DSP-015": FAILED}, TEXT)
    assert found["WIR-009"].verdict is Verdict.UNEXPECTED_PASS
    assert found.exit_code is ExitCode.FAILED


def test_an_excuse_ends_after_its_last_day():
    must = TEXT.replace("DSP-015", "DSP-004")
    outcomes = {"WIR-009": FAILED, "DSP-004": FAILED}
    assert judged(outcomes, must, date(2027, 1, 31)).exit_code is ExitCode.OK
    late = judged(outcomes, must, date(2027, 2, 1))
    assert late["DSP-004"].verdict is Verdict.FAIL
    assert late.exit_code is ExitCode.FAILED


def test_an_excuse_that_has_expired_and_is_not_needed_is_told():
    found = judged({"WIR-009": FAILED, "DSP-015": PASSED}, TEXT, date(2027, 2, 1))
    assert found.findings == (
        "known.yaml:6: the known failure of DSP-015 has expired, and it passes",
    )
    assert found.exit_code is ExitCode.FAILED


def test_an_entry_that_nothing_is_seen_of_fails():
    found = judged({"WIR-009": None}, TEXT)
    assert found.findings == (
        "known.yaml:5: WIR-009 is a known failure, but it is unsupported",
        "known.yaml:6: DSP-015 is a known failure, but the suite has no case for it",
    )
    assert found.exit_code is ExitCode.FAILED


def test_what_a_known_failure_blocks_is_excused_too():
    text = "version: 1\nfailures: {DSP-004: {reason: it is being built}}\n"
    found = judged({"DSP-004": FAILED, "DSP-010": PASSED, "SRV-001": PASSED}, text)
    assert found["DSP-010"].verdict is Verdict.BLOCKED
    assert found.exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nfailures: {DSP-9999: {reason: x}}\n", "no requirement 'DSP-9999'"),
        ("version: 1\nfailures: {DSP-004: {}}\n", "'reason' is missing"),
        ("version: 1\nfailures: {DSP-004: {reason: ''}}\n", "must not be empty"),
        ("version: 1\nfailures: {DSP-004: {reason: x, expires: soon}}\n", "is not a date"),
        ("version: 1\nfailures: {DSP-004: {reason: x, until: soon}}\n", "unknown key 'until'"),
    ],
)
def test_a_file_is_read_strictly(text, message):
    with pytest.raises(InvalidInput) as caught:
        parse_known_failures(text, "known.yaml")
    assert message in str(caught.value)
    assert caught.value.problems[0].position is not None


def test_an_update_keeps_words_and_comments_and_drops_what_passes():
    verdicts = judged({"WIR-009": FAILED, "DSP-015": PASSED, "SRV-001": FAILED}, TEXT)
    text = updated(TEXT, "known.yaml", verdicts)
    assert text == (
        "# What our collector does not do yet.\n"
        "version: 1\n"
        "failures:\n"
        "  # The decoder of our stack takes these.\n"
        "  WIR-009: {reason: the decoder is lenient}  # for good\n"
        "  SRV-001: {reason: 'not explained yet: oh'}\n"
    )
    again = parse_known_failures(text, "known.yaml")
    assert set(again.file.failures) == {"WIR-009", "SRV-001"}


def test_an_update_drops_the_comment_of_what_it_drops():
    verdicts = judged({"WIR-009": PASSED, "DSP-015": FAILED}, TEXT)
    text = updated(TEXT, "known.yaml", verdicts)
    assert "decoder" not in text
    assert set(parse_known_failures(text, "x").file.failures) == {"DSP-015"}


@pytest.mark.parametrize("text", [None, "version: 1\nfailures: {}\n"])
def test_an_update_begins_a_file_and_empties_it(text):
    failing = judged({"SRV-001": FAILED}, "version: 1\nfailures: {}\n")
    begun = updated(text, "known.yaml", failing)
    assert set(parse_known_failures(begun, "x").file.failures) == {"SRV-001"}
    emptied = updated(begun, "known.yaml", judged({"SRV-001": PASSED}, begun))
    assert parse_known_failures(emptied, "x").file.failures == {}


def test_what_passes_only_sometimes_is_flaky_and_no_success():
    rounds = (PASSED, FAILED, PASSED)
    case = CaseResult(
        case="x", source="x", outcome=FAILED, rounds=rounds, failure=Failure(message="oh")
    )
    (found,) = decide(
        {"SRV-001": [case]},
        selected=frozenset({"SRV-001"}),
        catalogue=catalogue(),
        target="t",
        seed=1,
    )
    assert (found.verdict, found.reason) == (Verdict.FLAKY, "it passed in 2 of 3 rounds: oh")
