"""Case ids are promises: each is in the ledger, none is used twice, old versions can be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.conformance.ledger import Entry, Ledger, ledger, parse_ledger, written
from collector_harness.conformance.page import protocol_page
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.suite import Suite, SuiteCase, load_suite
from collector_harness.errors import InternalFault, InvalidInput
from collector_harness.scenario.loading import parse_scenario

ROOT = Path(__file__).parents[3]


def suite(*titles: str) -> Suite:
    text = "version: 1\nscenario: {}\ntopology: {{nodes: {{hub: {{}}}}}}\nsteps: [{{list: a}}]\n"
    cases = tuple(
        SuiteCase(case=parse_scenario(text.format(title)).cases[0], name=title) for title in titles
    )
    return Suite(cases={"DSP-004": cases})


def test_every_case_of_the_suite_is_in_the_ledger():
    entries = ledger()
    every = catalogue()
    assert entries.updated(load_suite(catalogue=every), version=every.version) == entries, (
        "run scripts/update_ledger.py"
    )


def test_the_public_specification_is_as_the_catalogue_and_the_ledger_say():
    assert (ROOT / "docs/protocol.md").read_text() == protocol_page(), (
        "run scripts/generate_protocol_page.py"
    )


def test_a_ledger_is_written_and_read_alike():
    entries = Ledger(
        entries={
            'a "b"\\::c': Entry(since="1", requirements=("DSP-004",), was=("old",)),
            "gone": Entry(since="1", requirements=("DSP-004",), until="2"),
        }
    )
    assert parse_ledger(written(entries)) == entries


def test_a_new_case_comes_in_its_version_and_one_that_is_gone_stays():
    first = Ledger(entries={}).updated(suite("a"), version="1")
    second = first.updated(suite("b"), version="2")
    assert second.entries["a"].until == "2"
    assert second.entries["b"].since == "2"
    assert first.as_of("1") == {"a"}
    assert second.as_of("1.5") == {"a"}


def test_an_id_is_never_used_again():
    gone = Ledger(entries={"a": Entry(since="1", requirements=("DSP-004",), until="2")})
    with pytest.raises(InternalFault, match="'a' was used before"):
        gone.updated(suite("a"), version="3")
    renamed = Ledger(entries={"b": Entry(since="1", requirements=("DSP-004",), was=("a",))})
    with pytest.raises(InternalFault, match="'a' was used before"):
        renamed.updated(suite("a", "b"), version="3")
    with pytest.raises(InternalFault, match="stands for two cases"):
        Ledger(
            entries={
                "a": Entry(since="1", requirements=()),
                "b": Entry(since="1", requirements=(), was=("a",)),
            }
        )


@pytest.mark.parametrize("version", ["0.1", "latest", ""])
def test_a_version_that_there_was_not_is_refused(version):
    with pytest.raises(InvalidInput, match="there is no version"):
        ledger().as_of(version)
