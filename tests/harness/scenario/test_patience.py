"""How long a step waits for its call: a deadline, none, or as long as a caller feels like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
Write = Callable[..., str]


def test_a_call_that_takes_too_long_is_cancelled_and_its_handler_ends(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - serve: shop/conformance.Probe.Sleep
      input: {"@type": google.protobuf.Duration, value: 60s}
      deadline: none
      cancel_after: 300ms
      expect: {status: CANCELLED, layer: grpc, code: 1, seconds: {$ge: 290ms, $lt: 5s}}
    - serve: shop/conformance.Probe.Cancelled
      input: all
      eventually: 5s
      expect: {output: 1}
    """
    assert run_all(alone(steps)).passed()


def test_a_call_that_is_answered_before_is_not_cancelled(run_all: Run, alone: Write) -> None:
    steps = """\
    - parallel: 4
      serve: shop/conformance.Probe.WhoAmI
      cancel_after: 20s
      expect: {all: {output: only, seconds: {$lt: 10s}}}
    - validate: shop/conformance.Probe.WhoAmI
      cancel_after: 20s
    - call: grpc.health.v1.Health/Check
      cancel_after: 20s
    """
    assert run_all(alone(steps)).passed()


def test_only_a_call_without_a_deadline_has_none(run_all: Run, alone: Write) -> None:
    steps = """\
    - serve: shop/conformance.Probe.Context
      deadline: none
      expect: {output: {deadline_seconds: null}}
    - serve: shop/conformance.Probe.Context
      expect: {output: {deadline_seconds: {$gt: 1, $lt: 6}}}
    """
    assert run_all(alone(steps)).passed()


def test_a_call_that_was_to_be_cancelled_and_was_not_is_told(run_all: Run, alone: Write) -> None:
    steps = """\
    - serve: shop/conformance.Probe.WhoAmI
      cancel_after: 20s
      expect: {status: CANCELLED}
    """
    failure = run_all(alone(steps)).failure
    assert [each.path for each in failure.mismatches] == ["status"]
