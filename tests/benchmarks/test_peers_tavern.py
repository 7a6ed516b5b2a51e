"""Tavern's tests make the calls of the scenarios, and look at the same answers."""

import pytest
import yaml
from benchmarks import peers_tavern, thousand
from benchmarks.contests import MeasurementFailed
from google.protobuf import json_format

from collector_harness.scenario.loading import parse_scenario
from collector_reference.wire import common_pb2, dispatcher_pb2

ADDRESS = "127.0.0.1:41234"


@pytest.fixture
def tavern():
    return yaml.safe_load(peers_tavern.test_text(7, ADDRESS))


def test_a_test_dials_the_collector_with_the_time_limit_of_a_scenario(tavern):
    assert tavern["grpc"]["connect"] == {
        "host": "127.0.0.1",
        "port": 41234,
        "timeout": thousand.DEADLINE_SECONDS,
    }


def test_a_test_sends_the_message_that_a_scenario_sends(tavern):
    (stage,) = tavern["stages"]
    sent = stage["grpc_request"]
    assert sent["service"] == "collector.CollectiveDispatcher/Dispatch"
    assert json_format.ParseDict(
        sent["body"], dispatcher_pb2.DispatchRequest()
    ) == thousand.request(7)


def test_a_test_expects_the_answer_that_a_scenario_expects(tavern):
    (stage,) = tavern["stages"]
    assert stage["grpc_response"]["status"] == "OK"
    assert json_format.ParseDict(
        stage["grpc_response"]["body"], dispatcher_pb2.DispatchResponse()
    ) == dispatcher_pb2.DispatchResponse(
        status=common_pb2.Status(code=common_pb2.Status.HTTP_OK), output=thousand.request(7).input
    )


def test_one_file_holds_the_same_test_with_a_parameter():
    text = peers_tavern.tests_text(range(3), ADDRESS)
    # What Tavern does with the mark: each value in place of the name, made a number.
    first = yaml.safe_load(text.replace('!int "{number}"', "7"))
    assert first.pop("marks") == [{"parametrize": {"key": "number", "vals": [0, 1, 2]}}]
    title = {"test_name": "every number comes back"}
    assert first == yaml.safe_load(peers_tavern.test_text(7, ADDRESS)) | title


def test_a_scenario_can_take_the_collector_that_the_peer_calls():
    topology = f"nodes: {{hub: {{address: '{ADDRESS}'}}}}"
    elsewhere = parse_scenario(thousand.scenario_text(7, topology))
    assert elsewhere.topology != parse_scenario(thousand.scenario_text(7)).topology
    assert elsewhere.topology == parse_scenario(thousand.cases_text(range(2), topology)).topology


def test_without_its_environment_the_peer_is_told_to_be_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(peers_tavern, "PYTHON", tmp_path / "bin" / "python")
    with pytest.raises(MeasurementFailed, match="make bench-peers"):
        peers_tavern.interpreter()
