"""What each kind of step answers: the fields that `expect` and `save` can name.

The tables are the single source for the checks at loading, for the JSON Schema and for
what an engine must provide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from collector_harness.plugins import installed_steps

__all__ = [
    "AGGREGATE",
    "ANSWERS",
    "CALL",
    "ENDING",
    "EXPECTED",
    "HTTP",
    "OBSERVATION",
    "ROUTES",
    "SQL",
    "STARTING",
    "STREAM",
    "TCP",
    "answer_schema",
]

CALL: Final[Mapping[str, str]] = {
    "status": "The canonical name of the status, such as OK or NOT_FOUND, whichever layer told it.",
    "layer": "Which layer told the status: grpc, in-band (the registry's enum) or http-like.",
    "code": "The number of the status as that layer wrote it.",
    "message": "The text of the status.",
    "details": "The details of the status: a mapping, or of gRPC's own a list of messages.",
    "output": "What the handler returned, as JSON values.",
    "handled_by": "The collector that executed the call; null where none did.",
    "response": "The whole response message as JSON values; null when gRPC failed.",
    "headers": "The initial metadata: each key with the list of its values.",
    "trailers": "The trailing metadata: each key with the list of its values.",
    "seconds": "How long the call took; compares with durations such as 50ms.",
    "node": "The node that was called.",
    "rpc": "The full name of the RPC that was called.",
    "route": "The collectors that the call reached, as the answer tells, in order.",
    "reached": "The nodes that really took a dispatch or serve meanwhile, as each of them counts.",
}
OBSERVATION: Final[Mapping[str, str]] = {
    "node": "The node that was observed.",
    "rpcs": "Calls that its port served, by full RPC name.",
    "loopback_calls": "Validations that it really asked over its own port.",
    "executions": 'Handler executions, by "namespace/Service/Method".',
    "connections": "Its connections: collector_id, address, shared_namespaces, established.",
    "logs": "The lines that it logged.",
    "calls": "Of a peer, every call that reached it: rpc, request, metadata, deadline, the seconds "
    "that were left, and cancelled, whether the caller gave up.",
    "metrics": "Its metrics, by name.",
    "own_connections": "Of a process, the open connections that it made to its own port.",
}
ROUTES: Final[Mapping[str, str]] = {
    "calls": "How many calls were made.",
    "wrong": "The calls whose answer the model does not allow: via, namespace, target, the nodes "
    "of which one should have executed it, and what came back.",
    "seconds": "How long all of them took.",
}
TCP: Final[Mapping[str, str]] = {
    "connected": "Whether the node accepted the connection.",
    "received": "The bytes that came back.",
    "text": "The same as text; what is no UTF-8 is replaced.",
    "closed": "Whether the node closed the connection within the time.",
    "seconds": "How long it took.",
}
ENDING: Final[Mapping[str, str]] = {
    "node": "The node that was asked to end.",
    "exit": "Its exit status, negative for the signal that it was killed by; null for a node in "
    "the harness's process.",
    "logs": "The lines that it logged.",
    "seconds": "How long it took.",
}
STARTING: Final[Mapping[str, str]] = {
    "node": "The node that was started.",
    "ready": "Whether it is ready.",
    "exit": "Where it is not: its exit status, negative for a signal, such as that of the harness "
    "where it had not ended by itself; null for a node in the harness's process.",
    "reason": "Where it is not: why, as far as it can be seen.",
    "logs": ENDING["logs"],
    "seconds": ENDING["seconds"],
}
STREAM: Final[Mapping[str, str]] = {
    "status": CALL["status"],
    "message": CALL["message"],
    "details": CALL["details"],
    "messages": "Every message that was received, in order.",
    "headers": CALL["headers"],
    "trailers": CALL["trailers"],
    "seconds": CALL["seconds"],
}
HTTP: Final[Mapping[str, str]] = {
    "status": "The status number, such as 200.",
    "headers": "The headers, with lower-case names.",
    "json": "The body as JSON; null where it is none.",
    "text": "The body as text.",
    "error": "Why there is no answer, or no whole one; null where there is.",
    "seconds": CALL["seconds"],
}
SQL: Final[Mapping[str, str]] = {
    "rows": "The rows, each a mapping of columns.",
    "count": "How many rows there are, or were changed.",
    "error": "What the database says is wrong; null where nothing is.",
    "seconds": CALL["seconds"],
}
AGGREGATE: Final[Mapping[str, str]] = {
    "all": "What every answer must be.",
    "any": "What at least one answer must be.",
    "counts": "How many answers have each value of a field, such as {status: {OK: 20}}.",
    "p50": "The median of the seconds that the calls took.",
    "p95": "The 95th percentile of the seconds that the calls took.",
    "p99": "The 99th percentile of the seconds that the calls took.",
    "delivery": "How often each call ran: exactly_once, at_most_once or at_least_once.",
}

ANSWERS: Final[Mapping[str, Mapping[str, str]]] = {
    "dispatch": CALL,
    "serve": CALL,
    "connect": CALL,
    "register": CALL,
    "validate": CALL,
    "lookup": CALL,
    "list": CALL,
    "call": CALL,
    "start": STARTING,
    "stop": ENDING,
    "stream": STREAM,
    "http": HTTP,
    "sql": SQL,
    "observe": OBSERVATION,
    "measure": OBSERVATION,
    "routes": ROUTES,
    "tcp": TCP,
    **{found.name: found.kind.answers for found in installed_steps() if found.kind is not None},
}
"""The answer of each action that has one."""

EXPECTED: Final[Mapping[str, Any]] = {"x-expected": True}
"""The JSON Schema of a value with matchers, as a mark that `scenario.schema` replaces."""


def answer_schema(fields: Mapping[str, str], *, aggregate: bool = False) -> dict[str, Any]:
    """Returns the JSON Schema of an `expect` on such an answer, also for `parallel` steps."""
    one: dict[str, Any] = {
        "type": "object",
        "properties": {name: {**EXPECTED, "description": text} for name, text in fields.items()},
        "additionalProperties": False,
        "minProperties": 1,
    }
    if not aggregate:
        return one
    names = {"enum": sorted(fields)}
    several: dict[str, Any] = {
        "type": "object",
        "properties": {name: {**EXPECTED, "description": text} for name, text in AGGREGATE.items()},
        "additionalProperties": False,
        "minProperties": 1,
    }
    for name in ("all", "any"):
        several["properties"][name] = {**one, "description": AGGREGATE[name]}
    several["properties"]["counts"] = {
        "type": "object",
        "description": AGGREGATE["counts"],
        "additionalProperties": {**EXPECTED},
        "propertyNames": {"anyOf": [names, {"pattern": r"^[a-z_]+[.\[]"}]},
        "minProperties": 1,
    }
    several["properties"]["delivery"] = {
        "enum": ["exactly_once", "at_most_once", "at_least_once"],
        "description": AGGREGATE["delivery"],
    }
    return {"anyOf": [one, several]}
