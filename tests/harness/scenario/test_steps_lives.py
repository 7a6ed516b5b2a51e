"""The steps that end a node and start it again: what they tell, and what they expect unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
Write = Callable[..., str]


def test_a_node_that_was_ended_is_gone_until_it_is_started(run_all: Run, alone: Write) -> None:
    steps = """\
    - stop: only
      deadline: 3s
      expect: {exit: null, seconds: {$lt: 3s}}
    - list: ""
      via: only
      expect: {status: UNAVAILABLE}
    - start: only
      expect: {ready: true, exit: null, reason: ""}
    - list: ""
      via: only
    """
    assert run_all(alone(steps)).passed()


def test_a_node_that_is_started_is_expected_to_be_ready(run_all: Run, alone: Write) -> None:
    failure = run_all(alone("    - start: only\n      expect: {ready: false}\n")).failure
    assert [each.path for each in failure.mismatches] == ["ready"]
    assert failure.route == ("only",)
