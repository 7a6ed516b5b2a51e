"""A selection takes what was asked for with everything that it builds on, and never nothing."""

from __future__ import annotations

import pytest

from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.selection import NothingSelected, select
from collector_harness.errors import ExitCode, InvalidInput

COVERED = frozenset({"WIR-003", "SRV-001", "DSP-001", "DSP-004", "DSP-010"})


def chosen(*patterns: str) -> frozenset[str]:
    return select(patterns, covered=COVERED, catalogue=catalogue())


def test_no_pattern_selects_everything():
    assert chosen() == COVERED


def test_an_id_brings_its_prerequisites_as_far_as_there_are_cases():
    assert chosen("DSP-010") == {"DSP-010", "DSP-004", "WIR-003"}


@pytest.mark.parametrize("pattern", ["dsp-010", "DSP-01*", "DSP-0?0", " DSP-010 ,", "DSP-010 or"])
def test_an_id_can_be_written_in_several_ways(pattern):
    assert chosen(pattern) == chosen("DSP-010")


def test_a_family_selects_its_requirements():
    assert chosen("DSP") == {"DSP-001", "DSP-004", "DSP-010", "WIR-003"}


@pytest.mark.parametrize("patterns", [("SRV-001", "DSP-001"), ("SRV-001,DSP-001",)])
def test_several_patterns_add_up(patterns):
    assert chosen(*patterns) == {"SRV-001", "DSP-001", "WIR-003"}


def test_a_requirement_without_a_case_is_never_an_empty_green_run():
    with pytest.raises(NothingSelected, match=r"'DSP-012' selects nothing.*no case for DSP-012"):
        chosen("DSP-004", "DSP-012")


@pytest.mark.parametrize("patterns", [("",), (" , ",)])
def test_an_empty_pattern_selects_nothing(patterns):
    with pytest.raises(NothingSelected, match="an empty pattern selects nothing") as caught:
        chosen(*patterns)
    assert caught.value.exit_code is ExitCode.NOTHING_RAN


def test_a_misspelt_id_is_invalid_input():
    with pytest.raises(InvalidInput, match="did you mean"):
        chosen("DPS-010")


def test_a_suite_without_cases_is_an_error():
    with pytest.raises(NothingSelected, match="the suite has no cases"):
        select((), covered=(), catalogue=catalogue())
