"""`call` makes one call to a running collector."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

DISPATCH = "collector.CollectiveDispatcher/Dispatch"


def who_am_i(**changes: str) -> str:
    return json.dumps(
        {
            "namespace": "demo",
            "service": {"service_name": "conformance.Probe"},
            "method_name": "WhoAmI",
        }
        | changes
    )


def test_the_response_is_printed_as_json_and_its_status_beside_it(run: Run, served: str) -> None:
    ended = run("call", served, DISPATCH, who_am_i())
    assert ended.returncode == 0, ended.stderr
    response = json.loads(ended.stdout)
    assert response["handled_by_collector_id"] == "west"
    assert ended.stderr.startswith("OK (http-like), handled by west, ")


def test_a_status_other_than_ok_is_a_failure(run: Run, served: str) -> None:
    ended = run("call", served, DISPATCH, who_am_i(namespace="nowhere"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("NOT_FOUND (http-like)")
    assert json.loads(ended.stdout)["status"]["code"] == 404


def test_a_call_needs_no_request_where_the_method_needs_none(run: Run, served: str) -> None:
    ended = run("call", served, "grpc.health.v1.Health/Check")
    assert (ended.returncode, json.loads(ended.stdout)) == (0, {"status": "SERVING"})


def test_metadata_reaches_the_handler(run: Run, served: str) -> None:
    request = who_am_i(method_name="Context")
    ended = run("call", served, DISPATCH, request, "--metadata", "x-correlation-id=abc=1")
    assert ended.returncode == 0, ended.stderr
    assert "abc=1" in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([DISPATCH, "{"], "the request is not JSON"),
        ([DISPATCH, "[]"], "the request is not a JSON object"),
        ([DISPATCH, '{"namespce": "x"}'], "namespce"),
        ([DISPATCH[:-1], "{}"], "Dispatch"),
        ([DISPATCH, "{}", "--metadata", "x"], "write KEY=VALUE"),
    ],
)
def test_what_cannot_be_sent_is_told_without_a_traceback(
    run: Run, served: str, words: list[str], said: str
) -> None:
    ended = run("call", served, *words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_where_nobody_listens_is_a_target_that_failed(run: Run) -> None:
    ended = run("call", "127.0.0.1:1", "grpc.health.v1.Health/Check", "--deadline", "2")
    assert ended.returncode == 5
    assert ended.stderr.startswith("UNAVAILABLE (grpc)")
