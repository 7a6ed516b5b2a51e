"""The catalogue is consistent in itself, and says clearly where it would not be."""

from __future__ import annotations

import re

import pytest

from collector_harness.conformance.requirements import catalogue, parse_catalogue
from collector_harness.errors import InternalFault, InvalidInput

ONE = """
version = "1"
[sources]
G = "norms"
[families]
DSP = "dispatching"
[requirements.DSP-001]
level = "MUST"
sources = ["G"]
text = "It dispatches"
"""


def test_every_id_is_a_family_and_a_number():
    assert all(re.fullmatch(r"[A-Z]{3,4}-\d{3}", requirement.id) for requirement in catalogue())


def test_every_family_has_requirements():
    assert {requirement.family for requirement in catalogue()} == set(catalogue().families)


def test_every_source_is_cited():
    cited = {source for requirement in catalogue() for source in requirement.sources}
    assert cited == set(catalogue().sources)


def test_every_requirement_says_one_thing_in_one_sentence():
    for requirement in catalogue():
        assert requirement.text, requirement.id
        assert requirement.text == requirement.text.strip(" .\n"), requirement.id


def test_no_text_is_told_twice():
    texts = [requirement.text for requirement in catalogue()]
    assert len(set(texts)) == len(texts) == 109


def test_prerequisites_come_first_in_dependency_order():
    order = catalogue().in_dependency_order()
    assert sorted(order) == sorted(catalogue().requirements)
    for requirement in catalogue():
        for prerequisite in requirement.builds_on:
            assert order.index(prerequisite) < order.index(requirement.id)


def test_a_must_never_builds_on_a_should():
    """Else a collector that leaves out what is optional could not show what is not."""
    for requirement in catalogue():
        if requirement.level == "MUST":
            levels = {catalogue()[id].level for id in requirement.builds_on}
            assert levels <= {"MUST"}, requirement.id


def test_prerequisites_are_followed_to_the_ground():
    assert catalogue().with_prerequisites(["DSP-010"]) == {
        "DSP-010",
        "DSP-004",
        "WIR-003",
        "WIR-001",
    }


def test_an_unknown_id_is_an_error_with_a_guess():
    with pytest.raises(InvalidInput, match=r"no requirement 'DSP-04'.*\n.*did you mean 'DSP-0\d4'"):
        catalogue()["DSP-04"]


def test_an_id_unlike_any_other_is_told_the_families():
    with pytest.raises(InvalidInput, match="the families are: WIR, REG"):
        catalogue()["quux"]


def test_a_catalogue_is_read_from_toml():
    parsed = parse_catalogue(ONE)
    assert parsed.version == "1"
    requirement = parsed["DSP-001"]
    assert (requirement.level, requirement.family, requirement.sources) == ("MUST", "DSP", ("G",))
    assert (requirement.marks, requirement.builds_on) == ((), ())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('builds_on = ["DSP-009"]', "DSP-001 builds on DSP-009: no such id"),
        ('builds_on = ["DSP-001"]', "circle: DSP-001 -> DSP-001"),
        ('marks = ["magic"]', "DSP-001 has an unknown level or mark"),
        ('note = "?"', "DSP-001 has the unknown key note"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(line, complaint):
    with pytest.raises(InternalFault, match=complaint):
        parse_catalogue(ONE + line)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"MUST"', '"MAY"', "DSP-001 has an unknown level or mark"),
        ('["G"]', '["H"]', "DSP-001 cites the unknown source H"),
        ("DSP =", "SRV =", "DSP-001 belongs to no known family"),
    ],
)
def test_a_catalogue_with_an_unknown_word_is_refused(old, new, complaint):
    with pytest.raises(InternalFault, match=complaint):
        parse_catalogue(ONE.replace(old, new))
