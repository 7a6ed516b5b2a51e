from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector_harness.commands.routing_flags import ROUTING_FLAGS
from collector_harness.commands.serve import environment_with
from collector_reference import CollectorSettings

PAGE = Path(__file__).parents[3] / "docs" / "routing.md"


def test_the_page_on_routing_lists_every_variable_and_no_other():
    rows = re.findall(r"^\| (COLLECTOR_\w+) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(ROUTING_FLAGS)


@pytest.mark.parametrize("variable", ROUTING_FLAGS)
def test_a_flag_is_called_as_its_variable(variable):
    flag, _, text = ROUTING_FLAGS[variable]
    assert flag == "--" + variable.removeprefix("COLLECTOR_").lower().replace("_", "-")
    assert text.endswith(".")


def test_flags_beat_the_environment():
    environment = environment_with(
        {"collector_balancing": "least-pending"}, {"COLLECTOR_BALANCING": "rendezvous"}
    )
    settings = CollectorSettings.from_environment(environment)
    assert settings.routing.balancing.value == "least-pending"
