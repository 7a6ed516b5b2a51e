"""The thousand scenarios say what the floor's bare calls say."""

import pytest
from benchmarks import thousand
from benchmarks.contests import MeasurementFailed

from collector_harness.scenario.loading import parse_scenario
from collector_reference.wire import common_pb2, dispatcher_pb2


def answer(number: int, code: int = common_pb2.Status.HTTP_OK) -> dispatcher_pb2.DispatchResponse:
    return dispatcher_pb2.DispatchResponse(
        status=common_pb2.Status(code=code), output=thousand.request(number).input
    )


def test_a_scenario_makes_the_call_that_the_floor_makes():
    scenario = parse_scenario(thousand.scenario_text(7))
    (step,) = scenario.file.steps
    request = thousand.request(7)
    assert str(step.method) == (
        f"{request.namespace}/{request.service.service_name}.{request.method_name}"
    )
    assert step.input == {"number": 7}
    assert scenario.deadline.total_seconds() == thousand.DEADLINE_SECONDS
    assert scenario.file.isolation == "shared"
    assert len(scenario.cases) == 1


def test_one_scenario_can_hold_a_case_for_each_number():
    scenario = parse_scenario(thousand.cases_text(range(3)))
    assert [case.values for case in scenario.cases] == [{"number": number} for number in range(3)]


def test_scenarios_share_one_mesh_because_their_topologies_are_equal():
    assert (
        parse_scenario(thousand.scenario_text(1)).topology
        == parse_scenario(thousand.scenario_text(2)).topology
        == parse_scenario(thousand.cases_text(range(2))).topology
    )


def test_the_floor_accepts_the_number_that_it_sent():
    thousand.check(answer(7), 7)


@pytest.mark.parametrize(
    "reply",
    [
        answer(8),
        answer(7, code=common_pb2.Status.HTTP_NOT_FOUND),
        dispatcher_pb2.DispatchResponse(status=common_pb2.Status(code=200)),
    ],
)
def test_the_floor_refuses_another_answer(reply):
    with pytest.raises(MeasurementFailed, match="7 was answered with"):
        thousand.check(reply, 7)
