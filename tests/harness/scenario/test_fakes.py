"""Invented data: repeatable, told apart by name, and an extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.fakes import Fakes


def test_a_stream_repeats_for_the_same_seed_and_key_only() -> None:
    def drawn(seed: int, key: str) -> list[object]:
        fakes = Fakes(seed=seed, key=key)
        return [fakes.draw("sentence") for _ in range(3)]

    assert drawn(7, "case") == drawn(7, "case")
    assert drawn(7, "case") != drawn(8, "case")
    assert drawn(7, "case") != drawn(7, "other")
    assert len(set(map(str, drawn(7, "case")))) == 3


def test_what_was_drawn_elsewhere_changes_nothing() -> None:
    alone = Fakes(seed=7, key="case").child("2").draw("uuid4")
    fakes = Fakes(seed=7, key="case")
    fakes.child("1").draw("uuid4")
    assert fakes.child("2").draw("uuid4") == alone


def test_an_unknown_fake_gets_a_did_you_mean() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'sentence'"):
        Fakes(seed=1, key="").draw("sentense")


def test_without_the_package_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['faker'] = None\n"
        "from collector_harness.errors import EnvironmentLacks\n"
        "from collector_harness.scenario.fakes import Fakes\n"
        "try: Fakes(seed=1, key='').draw('sentence')\n"
        "except EnvironmentLacks as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert told == (
        "${fake...} needs the package faker, which is an extra: "
        "pip install 'collector-harness[faker]'\n"
    )
