"""Names in calls that are known to be wrong when a scenario is read."""

from __future__ import annotations

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import parse_scenario

TEXT = """\
version: 1
scenario: t
topology: {{nodes: {{only: {{namespaces: [shop], probe: [shop]}}}}}}
steps:
  - {step}
"""


@pytest.mark.parametrize(
    ("step", "column", "message", "hint"),
    [
        (
            "dispatch: shpo/conformance.Probe.Echo",
            15,
            "no node has the namespace 'shpo', and the call is expected to go well",
            "did you mean 'shop'?",
        ),
        (
            "{serve: shop/conformance.Probe.Ecko, expect: {status: OK}}",
            13,
            "conformance.Probe has no method 'Ecko', and the call is expected to go well",
            "did you mean 'Echo'?",
        ),
        (
            "call: collector.CollectorRegistry/LookupServce",
            11,
            "the service 'collector.CollectorRegistry' has no method 'LookupServce'",
            "did you mean 'LookupService'?",
        ),
        (
            "{call: collector.CollectorRegistry/LookupService, input: {namespce: shop}}",
            63,
            "LookupServiceRequest has no field 'namespce'",
            "did you mean 'namespace'?",
        ),
    ],
)
def test_a_wrong_name_is_told_at_its_place_with_a_suggestion(
    step: str, column: int, message: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(TEXT.format(step=step))
    (problem,) = caught.value.problems
    assert problem.position is not None
    assert (problem.position.line, problem.position.column) == (5, column)
    assert (problem.message, problem.hint) == (message, hint)


@pytest.mark.parametrize(
    "step",
    [
        "{dispatch: shpo/conformance.Probe.Echo, expect: {status: NOT_FOUND}}",
        "{dispatch: shop/conformance.Probe.Ecko, expect: {message: {$any: true}}}",
        "{dispatch: shpo/conformance.Probe.Echo, never: 1s, expect: {output: x}}",
        "dispatch: shop/own.Service.Whatever",
        "dispatch: '${env.SPACE}/conformance.Probe.Echo'",
        "{call: collector.CollectorRegistry/ListServices, input: {$base64: 3q2+7w==}}",
        "call: shop.v1.Orders/Create",
    ],
)
def test_names_that_may_be_meant_are_left_to_the_run(step: str) -> None:
    assert parse_scenario(TEXT.format(step=step)).title == "t"
