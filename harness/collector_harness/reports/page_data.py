"""What the page of a report holds of one case: JSON values, bounded, every text made safe to read.

Pure. How it looks is the business of `page/`, and which cases there are that of `html`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from collector_harness.events import CallFinished, Failure
from collector_harness.reports.cards import brief
from collector_harness.reports.escaping import block, one_line
from collector_harness.reports.json_values import json_values
from collector_harness.reports.recording import CaseRecord

__all__ = ["case_data", "clean", "size_of"]

_NAME: Final = 120
_SENTENCE: Final = 2_000
_CALLS: Final = 120
_STEPS: Final = 200
_MISMATCHES: Final = 200
_LOG_LINES: Final = 200
_LOG_NODES: Final = 12
_ANSWER: Final = 20_000
_COMMAND: Final = 20_000
_BODY_OF_FAILURE: Final = 6_000
_BODY: Final = 900


def clean(text: object, limit: int = _SENTENCE) -> str:
    """Returns text on one line, with everything in it that is not plainly visible escaped."""
    return one_line(text if isinstance(text, str) else str(text), limit)


def size_of(data: Mapping[str, object]) -> int:
    """Returns how many characters the data takes in the page."""
    return len(json.dumps(data))


def case_data(case: CaseRecord) -> dict[str, object]:
    """Returns all that is shown of a case when it is opened."""
    finished = case.finished
    failure = None if finished is None else finished.failure
    body = _BODY_OF_FAILURE if failure is not None else _BODY
    calls = list(_folded(case.calls, body))
    return {
        "id": clean(case.started.case, 500),
        "outcome": case.outcome,
        "topology": _topology(case.started.topology),
        "route": [] if failure is None else [clean(each, _NAME) for each in failure.route[:20]],
        "calls": calls[:_CALLS],
        "more_calls": sum(each["times"] for each in calls[_CALLS:]) + case.calls_left_out,
        "steps": [_step(each) for each in case.steps[:_STEPS]],
        "more_steps": max(0, len(case.steps) - _STEPS),
        "faults": [
            {
                "at": round(each.started.at, 6),
                "seconds": None if each.finished is None else round(each.finished.seconds, 6),
                "title": clean(each.started.title, _NAME),
            }
            for each in case.steps
            if each.started.action == "fault"
        ][:50],
        "failure": None if failure is None else _failure(failure),
    }


def _step(step: Any) -> dict[str, object]:
    started, finished = step.started, step.finished
    return {
        "step": clean(started.step, 40),
        "title": clean(started.title, 200),
        "took": "" if finished is None else brief(finished.seconds),
        "outcome": "unfinished" if finished is None else finished.outcome.value,
    }


def _folded(calls: list[CallFinished], body: int) -> Iterator[dict[str, Any]]:
    """Yields the calls in the order in which they were made; the same call made again and again
    with the same end, as `eventually` does, becomes one with a count.
    """
    last: dict[str, Any] | None = None
    for call in sorted(calls, key=lambda each: each.at):
        told = _call(call, body)
        same = last is not None and all(
            last[key] == told[key] for key in ("step", "node", "label", "status", "by", "message")
        )
        if same and last is not None:
            last["times"] += 1
            last["until"] = brief(call.at + call.seconds)
            continue
        if last is not None:
            yield last
        last = told
    if last is not None:
        yield last


def _call(call: CallFinished, body: int) -> dict[str, Any]:
    return {
        "at": round(call.at, 6),
        "when": brief(call.at),
        "took": brief(call.seconds),
        "until": "",
        "step": clean(call.step, 40),
        "node": clean(call.node, _NAME),
        "label": clean(_label(call), 90),
        "rpc": clean(call.rpc, 200),
        "status": clean(call.status, 60),
        "layer": call.layer,
        "message": clean(call.message, 500),
        "by": None if call.handled_by is None else clean(call.handled_by, _NAME),
        "times": 1,
        "request": _json(call.request, body),
        "response": "" if call.response is None else _json(call.response, body),
    }


def _label(call: CallFinished) -> str:
    """Returns what a call is about: of a dispatched one, what was to be executed."""
    method = call.rpc.rpartition("/")[2] or call.rpc
    if not isinstance(call.request, Mapping):
        return method
    request: Mapping[str, Any] = call.request
    about = [request.get(key) for key in ("service", "service_name")]
    about += [each.get("service_name") for each in about if isinstance(each, Mapping)]
    service = next((each for each in about if isinstance(each, str) and each), "")
    namespace = request.get("namespace")
    methods = [request.get(key) for key in ("method", "method_name")]
    executed = next((each for each in methods if isinstance(each, str) and each), "")
    told = f"{service}.{executed}".strip(".")
    if isinstance(namespace, str) and namespace:
        told = f"{namespace}/{told}" if told else namespace
    target = request.get("target_collector_id") or request.get("target")
    if isinstance(target, str) and target:
        told += f" @{target}"
    return f"{method} {told}".rstrip()


def _topology(told: object) -> dict[str, object] | None:
    if not isinstance(told, Mapping) or not isinstance(told.get("nodes"), list | tuple):
        return None
    nodes = [
        {
            "name": clean(each.get("name", ""), _NAME),
            "kind": clean(each.get("kind", ""), 20),
            "namespaces": [clean(name, 40) for name in _listed(each.get("namespaces"))[:6]],
        }
        for each in told["nodes"][:200]
        if isinstance(each, Mapping)
    ]
    links = [
        [clean(end, _NAME) for end in link]
        for link in _listed(told.get("links"))[:1_000]
        if isinstance(link, list | tuple) and len(link) == 2
    ]
    left_out = told.get("left_out")
    return {
        "nodes": nodes,
        "links": links,
        "left_out": left_out if isinstance(left_out, int) else 0,
    }


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _failure(failure: Failure) -> dict[str, object]:
    where = failure.position
    logs = [(node, text) for node, text in failure.logs.items() if text.strip()]
    return {
        "message": "\n".join(block(failure.message, lines=40, columns=_SENTENCE)),
        "where": "" if where is None else clean(str(where), 500),
        "line": "" if where is None else clean(where.text, 300),
        "column": 0 if where is None else where.column,
        "step": clean(failure.step, 300),
        "mismatches": [
            [clean(each.path, 300), clean(each.expected), clean(each.actual)]
            for each in failure.mismatches[:_MISMATCHES]
        ],
        "more_mismatches": max(0, len(failure.mismatches) - _MISMATCHES),
        "answer": "" if failure.answer is None else _json(failure.answer, _ANSWER),
        "request": "" if failure.request is None else _json(failure.request, _ANSWER),
        "called": clean(failure.called, 300),
        "logs": [
            [
                clean(node, _NAME),
                "\n".join(block(text, lines=_LOG_LINES, columns=500, tail=True)),
            ]
            for node, text in logs[:_LOG_NODES]
        ],
        "more_logs": max(0, len(logs) - _LOG_NODES),
        "reproduce": clean(failure.reproduce, _COMMAND),
        "by_hand": clean(failure.by_hand, _COMMAND),
    }


def _json(value: object, limit: int) -> str:
    """Returns a value as indented JSON of about `limit` characters at most."""
    text = json.dumps(json_values(value), indent=2, ensure_ascii=False)
    if len(text) > limit:
        over = len(text) - limit
        text = f"{text[:limit]}\n… {over} more characters"
    return "\n".join(block(text, lines=2_000, columns=limit))
