"""Every setting of the collector has a flag of `serve` and a row in docs/collector.md."""

from __future__ import annotations

import re
from pathlib import Path

from collector_harness.commands.serve import FLAGS

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `(COLLECTOR_[A-Z_]+)` \| `(--[a-z-]+)` \| ", re.MULTILINE)


def read_variables() -> set[str]:
    """The variables that the collector's code names, in quotation marks."""
    found: set[str] = set()
    for path in (ROOT / "collector" / "collector_reference").rglob("*.py"):
        found |= set(re.findall(r"\"(COLLECTOR_[A-Z_]+[A-Z])\"", path.read_text()))
    # Put together from parts where they are read.
    return found | {"COLLECTOR_TLS_CERT", "COLLECTOR_TLS_KEY", "COLLECTOR_TLS_CA"}


def test_every_variable_has_a_flag() -> None:
    assert set(FLAGS) == read_variables()


def test_every_flag_is_documented() -> None:
    rows = dict(ROW.findall((ROOT / "docs" / "collector.md").read_text()))
    assert rows == {variable: flag for variable, (flag, _, _) in FLAGS.items()}
