"""Beyond answers: how often calls ran, whom they reached, and what nodes show of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.events import CaseFinished
from collector_harness.scenario.loading import load_scenario, parse_scenario
from collector_harness.scenario.steps.metrics import parse_metrics

PARALLEL = """\
- parallel: 20
  dispatch: shop/conformance.Probe.Count
  via: hub
  input: key-${index}
  expect: {delivery: exactly_once}
"""


def test_concurrent_calls_run_exactly_once(run_all: Any, shop: Any) -> None:
    counted = PARALLEL.replace("Probe.Count", "Probe.Echo")
    same = PARALLEL.replace("key-${index}", "key").replace("exactly_once", "at_most_once")
    ran = run_all(shop(PARALLEL + counted + same + PARALLEL))
    assert ran.passed()


def test_runs_that_nobody_asked_for_are_told_with_the_nodes(run_all: Any, tmp_path: Path) -> None:
    """Other calls of the same method at the same time look as second deliveries do."""
    path = tmp_path / "one.scenario.yaml"
    path.write_text(
        """\
version: 1
scenario: t
topology:
  nodes:
    hub: {namespaces: [shop]}
    a: {namespaces: [shop], probe: [shop]}
  links: [hub -> a]
steps:
  - together:
      - parallel: 3
        dispatch: shop/conformance.Probe.Echo
        via: hub
        input: {$base64: AAAA}
        expect: {delivery: exactly_once}
      - repeat: 40
        dispatch: shop/conformance.Probe.Echo
        via: hub
"""
    )
    (finished,) = run_all(*load_scenario(path).cases).of(CaseFinished)
    failure = finished.failure
    assert failure is not None
    (mismatch,) = failure.mismatches
    assert mismatch.path == 'delivery["shop/conformance.Probe.Echo"]'
    assert mismatch.expected == "3 runs"
    assert mismatch.actual.endswith(f": a {mismatch.actual.partition(' ')[0]}")
    assert failure.position is not None
    assert failure.position.text.strip() == "expect: {delivery: exactly_once}"


def test_lost_calls_are_no_second_delivery(run_all: Any, shop: Any) -> None:
    steps = """\
- fault: {grpc: {node: a, rpc: collector.CollectiveDispatcher/Serve, status: UNAVAILABLE}}
  steps:
    - parallel: 10
      dispatch: shop/conformance.Probe.Count
      via: hub
      target: a
      input: lost-${index}
      expect: {counts: {status: {UNAVAILABLE: 10}}, delivery: PROMISE}
"""
    # What an injected failure stops is not counted: the same calls are asked for directly.
    failure = run_all(shop(steps.replace("PROMISE", "at_most_once"))).failure
    assert "node 'a' does not tell how often a call ran: UNAVAILABLE" in failure.message


COUNT = "dispatch: shop/conformance.Probe.Count\n  parallel: 2\n"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("list: shop\n  parallel: 2\n  expect: {delivery: exactly_once}", "nobody counts how"),
        (f"{COUNT}  expect: {{delivery: exactly_onc}}", "did you mean 'exactly_once'?"),
        (
            f"{COUNT}  input: '${{fake.word}}'\n  expect: {{delivery: exactly_once}}",
            "must be known before",
        ),
        (f"{COUNT}  expect: {{all: {{reached: [hub]}}}}", "reach their nodes together"),
    ],
)
def test_what_cannot_be_known_is_refused_when_the_file_is_read(
    shop: Any, step: str, told: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(shop(f"- {step}\n  via: hub\n"))
    assert told in str(caught.value)


def test_whom_a_call_reached_is_counted_at_the_nodes(run_all: Any, shop: Any) -> None:
    ran = run_all(
        shop(
            """\
- dispatch: shop/conformance.Probe.WhoAmI
  via: hub
  target: a
  expect: {reached: [hub, a]}
- dispatch: shop/conformance.Probe.WhoAmI
  via: a
  expect: {reached: [a]}
- serve: shop/conformance.Probe.WhoAmI
  via: b
  save: {reached: reached}
- check: {"${reached}": [b]}
- list: shop
  via: hub
  expect: {reached: []}
- dispatch: shop/conformance.Probe.WhoAmI
  via: hub
  target: b
  expect: {reached: [hub, a]}
"""
        )
    )
    (mismatch,) = ran.failure.mismatches
    assert (mismatch.path, mismatch.expected, mismatch.actual) == ("reached[1]", '"a"', '"b"')


METRICS = """\
version: 1
scenario: t
topology:
  nodes:
    hub: {namespaces: [shop], probe: [shop], environment: {COLLECTOR_METRICS: "127.0.0.1:0"}TARGET}
steps:
  - repeat: 3
    dispatch: shop/conformance.Probe.WhoAmI
    via: hub
  - observe: hub
    expect:
      metrics:
        collector_calls_total: {$ge: 3}
        'collector_calls_total{rpc="/collector.CollectiveDispatcher/Dispatch",status="OK"}': 3
  - measure: hub
    steps: [{dispatch: shop/conformance.Probe.WhoAmI, via: hub}]
    expect:
      metrics:
        'collector_calls_total{rpc="/collector.CollectiveDispatcher/Dispatch",status="OK"}': COUNT
"""


@pytest.mark.parametrize("target", ["", ", collector: 'exec:{executable} -m collector_reference'"])
def test_the_metrics_of_a_node_are_numbers_by_name(run_all: Any, target: str) -> None:
    text = METRICS.replace("TARGET", target)
    assert run_all(text.replace("COUNT", "1")).passed()


def test_metrics_that_are_not_as_expected_are_told(run_all: Any) -> None:
    failure = run_all(METRICS.replace("TARGET", "").replace("COUNT", "2")).failure
    (mismatch,) = failure.mismatches
    assert (mismatch.expected, mismatch.actual) == ("2", "1.0")


def test_a_node_without_metrics_says_how_to_get_some(run_all: Any, alone: Any) -> None:
    failure = run_all(alone("- observe: only\n  expect: {metrics: {a: 1}}\n")).failure
    assert "node 'only' shows no metrics" in failure.message
    assert "COLLECTOR_METRICS" in failure.message


def test_the_log_of_a_process_is_observed_too(run_all: Any, alone: Any) -> None:
    text = alone(
        "- observe: only\n  expect: {logs: {$len: {$ge: 0}}}\n"
        "- observe: only\n  expect: {rpcs: {}}\n"
    ).replace(
        "probe: [shop]", "probe: [shop], collector: 'exec:{executable} -m collector_reference'"
    )
    failure = run_all(text).failure
    assert failure.step == "2: observe only"
    assert "its counters are out of sight" in failure.message


def test_hostile_metrics_are_no_numbers() -> None:
    assert parse_metrics('a 1\na{x="2"} 3\nb NaN\n') == {"a": 4.0, 'a{x="2"}': 3.0}
    with pytest.raises(InvalidInput, match="no metrics of Prometheus"):
        parse_metrics("a{ 1\n")
