"""`explain` tells what a requirement says and where it comes from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from collector_harness.conformance.requirements import catalogue

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("name", ["DSP-004", "dsp-004"])
def test_a_requirement_is_told_with_level_text_and_sources(run: Run, name: str) -> None:
    ended = run("explain", name)
    requirement = catalogue()["DSP-004"]
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"DSP-004  {requirement.level}  {requirement.text}\n")
    for source in requirement.sources:
        assert f"source: {source}, {catalogue().sources[source]}\n" in ended.stdout


def test_a_family_lists_its_requirements_and_no_other(run: Run) -> None:
    lines = run("explain", "ISO").stdout.splitlines()
    assert [text.split()[0] for text in lines] == ["ISO", "ISO-001", "ISO-002", "ISO-003"]


def test_nothing_lists_every_requirement(run: Run) -> None:
    text = run("explain").stdout
    assert all(f"  {requirement.id} " in text for requirement in catalogue())


def test_an_unknown_id_is_told_with_a_suggestion(run: Run) -> None:
    ended = run("explain", "DSP-04")
    assert ended.returncode == 2
    assert "there is no requirement 'DSP-04'" in ended.stderr
    assert "did you mean 'DSP-0" in ended.stderr
