"""`call` calls any unary RPC by its name, with values or with raw bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.errors import ExitCode
from collector_harness.events import Outcome

Run = Callable[..., Any]
Write = Callable[..., str]

DID_YOU_MEAN = "hint: did you mean '{}'?"


def test_a_call_is_made_with_the_values_of_its_request(run_all: Run, alone: Write) -> None:
    steps = """\
    - call: grpc.health.v1.Health/Check
      input: {service: ""}
      expect:
        response: {$exact: {status: SERVING}}
        layer: grpc
        code: 0
        node: only
        rpc: grpc.health.v1.Health/Check
    - call: /collector.CollectorRegistry/ValidateMethod
      input: {namespace: shop, service_name: conformance.Probe, method_name: "${case.method}"}
      expect: {status: "${case.status}", layer: in-band, response: {is_valid: "${case.valid}"}}
    - call: conformance.Port/Unary
    - call: conformance.Port/Runs
      expect: {output: 1}
    """
    rows = """\
    cases:
      known: {method: Echo, status: OK, valid: true}
      unknown: {method: Nope, status: NOT_FOUND, valid: false}
    """
    assert run_all(alone(steps, rest=rows)).passed()


def test_a_call_may_carry_raw_bytes_and_gets_raw_bytes(run_all: Run, alone: Write) -> None:
    """`CgRzaG9w` is a ListServicesRequest of the namespace `shop`."""
    steps = """\
    - call: collector.CollectorRegistry/ListServices
      input: {$base64: CgRzaG9w}
      expect: {status: OK, layer: grpc, output: {$type: bytes, $len: {$gt: 20}}}
      save: {raw: output}
    - dispatch: shop/conformance.Probe.Echo
      input: ${raw}
      expect: {output: "${raw}"}
    - call: collector.CollectorRegistry/ListServices
      input: {$base64: /////w==}
      expect: {status: {$not: OK}, layer: grpc}
    - call: conformance.Port/Unary
      input: {$base64: ""}
      expect: {output: {$base64: ""}}
    - call: no.such.Service/Method
      input: {$base64: ""}
      expect: {status: UNIMPLEMENTED}
    """
    assert run_all(alone(steps)).passed()


def test_bytes_may_be_appended_to_a_request(run_all: Run, alone: Write) -> None:
    """`GgRFY2hv` is `method_name: Echo`, of which the last one counts; `/w==` cannot be read."""
    steps = """\
    - call: collector.CollectorRegistry/ValidateMethod
      input: {namespace: shop, service_name: conformance.Probe, method_name: Nope}
      append: {$base64: GgRFY2hv}
      expect: {layer: in-band, response: {is_valid: true}}
    - call: collector.CollectorRegistry/ValidateMethod
      append: {$base64: /w==}
      expect: {layer: grpc, status: {$not: OK}}
    """
    assert run_all(alone(steps)).passed()


def test_what_is_appended_to_a_request_is_bytes(run_all: Run, alone: Write) -> None:
    ran = run_all(alone("- {call: conformance.Port/Unary, append: text}\n"))
    assert ran.failure.message.startswith("what is appended to a request is bytes")


def test_a_call_carries_metadata_and_its_deadline(run_all: Run, alone: Write) -> None:
    steps = """\
    - call: collector.CollectiveDispatcher/Dispatch
      input:
        namespace: shop
        service: {service_name: conformance.Probe}
        method_name: Context
      metadata: {tenant: t1}
      deadline: 2s
      expect: {output: {metadata: {tenant: [t1]}, deadline_seconds: {$lt: 2.5, $gt: 0.5}}}
    """
    assert run_all(alone(steps)).passed()


def test_a_method_that_is_not_registered_is_unimplemented(run_all: Run, alone: Write) -> None:
    steps = """\
    - {call: conformance.Port/Unregistered, expect: {status: UNIMPLEMENTED, layer: grpc}}
    - {call: conformance.Port/Runs, expect: {output: 0}}
    """
    assert run_all(alone(steps)).passed()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "{call: collector.CollectorRegistry/ListServicse, expect: {status: {$any: true}}}",
            "the service 'collector.CollectorRegistry' has no method 'ListServicse'\n"
            + DID_YOU_MEAN.format("ListServices"),
        ),
        (
            "{call: collector.ColectorRegistry/ListServices, expect: {status: {$any: true}}}",
            "node 'only' tells nothing of a service 'collector.ColectorRegistry'\n"
            + DID_YOU_MEAN.format("collector.CollectorRegistry"),
        ),
        (
            '{call: grpc.health.v1.Health/Check, foreach: [7], input: {service: "${item}"}}',
            "the request does not fit grpc.health.v1.HealthCheckRequest at 'service': it takes",
        ),
        (
            "call: grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo takes a stream",
        ),
    ],
)
def test_what_cannot_be_sent_is_an_error_at_its_step(
    run_all: Run, alone: Write, call: str, message: str
) -> None:
    ran = run_all(alone(f"- list: shop\n- {call}\n"))
    assert ran.outcomes == {"t": Outcome.ERROR}
    assert ran.exit_code is ExitCode.INVALID_INPUT
    assert ran.failure.message.startswith(message)
    assert ran.failure.position.text == f"- {call}"


def test_bytes_in_a_request_arrive_as_they_are(run_all: Run, alone: Write) -> None:
    """In JSON they are base64: taken as they are, they would be read as if they were that."""
    steps = """\
    - call: collector.CollectorRegistry/RegisterProto
      input:
        namespace: shop
        file_descriptor:
          name: bytes.proto
          options: {uninterpreted_option: [{string_value: {$base64: AAECAw==}}]}
    - dispatch: shop/conformance.Probe.Echo
      input:
        "@type": type.googleapis.com/google.protobuf.UninterpretedOption
        string_value: {$base64: AAECAw==}
      expect: {output: {string_value: {$base64: AAECAw==}}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    told = ran.calls[0].request
    assert isinstance(told, dict)
    (option,) = told["file_descriptor"]["options"]["uninterpreted_option"]
    assert option["string_value"] == "AAECAw=="
