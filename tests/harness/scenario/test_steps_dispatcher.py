"""The steps that ask a dispatcher: dispatch, serve and connect; and what observe tells of them."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.errors import ExitCode

Run = Callable[..., Any]
Write = Callable[..., str]


def test_a_dispatch_is_routed_and_tells_its_route(run_all: Run, shop: Write) -> None:
    steps = """\
    - dispatch: shop/conformance.Probe.WhoAmI
      via: hub
      target: b
      hints: {region: "${case.region}"}
      expect:
        status: OK
        layer: http-like
        code: 200
        message: OK
        handled_by: b
        output: b
        route: [hub, b]
        node: hub
        rpc: collector.CollectiveDispatcher/Dispatch
        response: {handled_by_collector_id: b, output: b}
        seconds: {$gt: 0, $lt: 5s}
        headers: {$type: mapping}
    - dispatch: shop/conformance.Probe.WhoAmI
      via: a
      expect: {handled_by: a, route: [a]}
    """
    ran = run_all(shop(steps, rest="cases: {c: {region: east}}\n"))
    assert ran.passed()
    assert ran.calls[0].request["routing_hints"] == {"region": "east"}


def test_a_serve_is_executed_where_it_is_asked_or_nowhere(run_all: Run, shop: Write) -> None:
    steps = """\
    - serve: shop/conformance.Probe.WhoAmI
      via: a
      context: {reason: "${seed}"}
      expect: {output: a, handled_by: a, response: {executor_id: a}}
    - serve: shop/conformance.Probe.WhoAmI
      via: hub
      expect: {status: NOT_FOUND, layer: http-like, code: 404}
    """
    ran = run_all(shop(steps))
    assert ran.passed()
    assert ran.calls[0].request["execution_context"] == {"reason": "7"}


def test_parts_of_a_method_may_be_left_unset_or_come_from_a_path(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - dispatch: {namespace: null, service: "${case.service}", method: Echo}
      expect: {status: INVALID_ARGUMENT, message: namespace is required}
    - serve: {namespace: shop, service: null, method: Echo}
      expect: {status: INVALID_ARGUMENT, message: service is required}
    - serve: {namespace: shop, service: "a/b.c", method: null}
      expect: {status: INVALID_ARGUMENT, message: method_name is required}
    - dispatch: ${case.whole}
      input: x
      expect: {output: x}
    - dispatch: shop/${case.service}.${case.method}
    """
    row = "{service: conformance.Probe, method: WhoAmI, whole: shop/conformance.Probe.Echo}"
    assert run_all(alone(steps, rest=f"cases: {{c: {row}}}\n")).passed()


def test_payloads_keep_their_types(run_all: Run, alone: Write) -> None:
    steps = """\
    - foreach:
        - text
        - ""
        - 7
        - 1.5
        - true
        - [1, [two], {three: 3}]
        - {a: {b: [null, false]}}
        - {$base64: 3q2+7w==}
        - {"@type": type.googleapis.com/google.protobuf.Duration, value: 1.5s}
        - {"@type": example.com/unknown.Type, "@bytes": AAEC}
      dispatch: shop/conformance.Probe.Echo
      input: ${item}
      save: {said: output}
    - dispatch: shop/conformance.Probe.Echo
      input: {$base64: 3q2+7w==}
      expect: {output: {$base64: 3q2+7w==}}
    - dispatch: shop/conformance.Probe.Echo
      input: {"@type": example.com/unknown.Type, "@bytes": AAEC}
      expect: {output: {"@type": example.com/unknown.Type, value: AAEC}}
    - dispatch: shop/conformance.Probe.Echo
      expect: {response: {output: {$absent: true}}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert [call.response.get("output") for call in ran.calls[:7]] == [
        "text",
        "",
        7,
        1.5,
        True,
        [1, ["two"], {"three": 3}],
        {"a": {"b": [None, False]}},
    ]


def test_connect_makes_the_request_that_the_peer_would_make(run_all: Run, shop: Write) -> None:
    steps = """\
    - connect: b
      via: a
      expect:
        response: {target_collector_id: a, shared_namespaces: [shop]}
        output: {connection_id: {$len: {$gt: 0}}}
    - observe: a
      eventually: 5s
      expect:
        connections:
          $unordered:
            - {collector_id: hub}
            - collector_id: b
              address: ${node.b.address}
              shared_namespaces: [shop]
              established: true
    """
    ran = run_all(shop(steps))
    assert ran.passed()
    assert ran.calls[0].request["collector_id"] == "b"
    assert ran.calls[0].request["namespaces"] == ["shop"]


def test_each_part_of_a_connect_can_be_replaced(run_all: Run, shop: Write) -> None:
    steps = """\
    - connect: {node: b, collector_id: "${case.id}", namespaces: [more, shop]}
      via: a
      expect: {response: {shared_namespaces: [shop]}}
    - connect: {collector_id: ghost, address: ""}
      via: a
      expect: {status: INVALID_ARGUMENT, message: address is required}
    - connect: {node: b, namespaces: "${node.b.namespaces}"}
      via: hub
      expect: {response: {shared_namespaces: [shop]}}
    - connect: {node: b, namespaces: []}
      via: hub
      expect: {response: {target_collector_id: hub, shared_namespaces: []}}
    """
    ran = run_all(shop(steps, rest="cases: {c: {id: other}}\n"))
    assert ran.passed()
    assert ran.calls[0].request["collector_id"] == "other"


def test_namespaces_that_are_no_list_are_an_error(run_all: Run, alone: Write) -> None:
    steps = '- connect: {node: only, namespaces: "${case.text}"}\n'
    failure = run_all(alone(steps, rest="cases: {c: {text: shop}}\n")).failure
    assert failure.message == "'${case.text}' became a wrong value: it is not a list"


def test_more_peers_than_this_process_may_have_open_files_for_are_no_fault_of_the_collector(
    run_all: Run, alone: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2_000, 2_000))
    steps = """\
    - connect: {collector_id: guest, address: "${node.only.address}", namespaces: [none], count: 3}
    - connect: {collector_id: more, address: "${node.only.address}", namespaces: [none], count: 999}
    """
    ran = run_all(alone(steps))
    assert ran.exit_code is ExitCode.ENVIRONMENT_LACKS
    assert "connecting 999 peers needs about " in ran.failure.message
    assert "open files, but this process may have 2000" in ran.failure.message


def test_what_a_node_logged_is_observed(run_all: Run, alone: Write) -> None:
    steps = """\
    - {dispatch: shop/conformance.Probe.Crash, expect: {status: INTERNAL}}
    - observe: only
      expect: {node: only, logs: {$contains: {$regex: the probe crashes}}}
    - measure: only
      steps: [{list: shop}]
      expect: {logs: []}
    """
    assert run_all(alone(steps)).passed()
