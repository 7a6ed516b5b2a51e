"""What the reference of the language shows of faults and peers runs, and passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector_harness.events import Outcome

PAGE = Path(__file__).parents[3] / "docs" / "scenario-language.md"
BLOCK = re.compile(r"^```yaml ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEAD = """\
version: 1
scenario: an example
topology:
  nodes:
    hub: {namespaces: [shop]}
    a: {namespaces: [shop], probe: [shop]}
    b: {namespaces: [shop], probe: [shop]}
  links: [hub -> a, hub -> b]
steps:
"""


def _examples() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    part = text.partition("\n## Faults\n")[2].partition("\n## Isolation\n")[0]
    return [HEAD + body if kind == "steps" else body for kind, body in BLOCK.findall(part)]


@pytest.mark.parametrize("text", _examples())
def test_an_example_of_faults_and_peers_passes(text: str, run_texts: Callable[..., Any]) -> None:
    ran = run_texts(text)
    assert ran.failures == []
    assert ran.outcomes == [Outcome.PASSED]


def test_there_are_examples() -> None:
    assert len(_examples()) >= 4
