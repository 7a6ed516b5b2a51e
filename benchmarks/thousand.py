"""The thousand one-call scenarios: as texts for ours, and as bare calls for the floor.

Each dispatches a number to a handler that returns its input, and expects the very
same number back. Both sides build the request, and look into the answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf import any_pb2, struct_pb2

from benchmarks.contests import MeasurementFailed
from collector_reference.wire import common_pb2, dispatcher_pb2

__all__ = [
    "COUNT",
    "DEADLINE_SECONDS",
    "TOPOLOGY",
    "cases_text",
    "check",
    "request",
    "scenario_text",
]

COUNT = 1000
NAMESPACE = "bench"
SERVICE = "conformance.Probe"
METHOD = "Echo"
DEADLINE_SECONDS = 5.0
"""What the engine gives a call that names no deadline."""

TOPOLOGY = f"nodes: {{hub: {{namespaces: [{NAMESPACE}], probe: [{NAMESPACE}]}}}}"
"""One collector in the harness's process; scenarios take another one with a node `hub` as well."""


def scenario_text(number: int, topology: str = TOPOLOGY) -> str:
    """Returns a scenario with one call."""
    return _text(f"{number} comes back", str(number), topology)


def cases_text(numbers: Iterable[int], topology: str = TOPOLOGY) -> str:
    """Returns one scenario with a case for each number."""
    rows = "".join(f"  number {number}: {{number: {number}}}\n" for number in numbers)
    return _text("every number comes back", '"${case.number}"', topology) + f"cases:\n{rows}"


def _text(title: str, number: str, topology: str) -> str:
    return f"""\
version: 1
scenario: {title}
isolation: shared
topology: {{{topology}}}
steps:
  - dispatch: {NAMESPACE}/{SERVICE}.{METHOD}
    via: hub
    input: {{number: {number}}}
    expect: {{status: OK, output: {{number: {number}}}}}
"""


def request(number: int) -> dispatcher_pb2.DispatchRequest:
    """Returns the call of a scenario."""
    fields = struct_pb2.Struct()
    fields.update({"number": number})
    packed = any_pb2.Any()
    packed.Pack(fields)
    return dispatcher_pb2.DispatchRequest(
        namespace=NAMESPACE,
        service=common_pb2.ServiceTypeRef(service_name=SERVICE),
        method_name=METHOD,
        input=packed,
    )


def check(reply: dispatcher_pb2.DispatchResponse, number: int) -> None:
    """Raises `MeasurementFailed` when the answer is not what the scenario expects."""
    fields = struct_pb2.Struct()
    if (
        reply.status.code != common_pb2.Status.HTTP_OK
        or not reply.output.Unpack(fields)
        or fields["number"] != number
    ):
        raise MeasurementFailed(f"{number} was answered with {reply}")
