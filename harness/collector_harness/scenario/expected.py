"""What is wrong with the expectations of a step: fields that its answer does not have, and
matchers that cannot be used.

Pure. What paths in an expectation lead to is checked in `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector_harness.documents import did_you_mean
from collector_harness.scenario.findings import Findings, Values, mapping
from collector_harness.scenario.histories import PROMISES
from collector_harness.scenario.matching_syntax import (
    Location,
    expectation_faults,
    http_status_faults,
    payload_faults,
    status_faults,
)
from collector_harness.scenario.model import AGGREGATE, ANSWERS
from collector_harness.scenario.model.answers import CALL
from collector_harness.scenario.values import parse_path

__all__ = ["Expected"]


class Expected:
    """Tells what is wrong with expectations."""

    def __init__(self, found: Findings) -> None:
        self._found = found

    def check_conditions(self, conditions: object, place: Location) -> None:
        for key, expected in mapping(conditions).items():
            if "${" not in key:
                hint = 'write the value that is looked at as a path: "${...}"'
                self._found.add((*place, key), f"'{key}' is the same in every run", hint, key=True)
            self._found.add_all(expectation_faults(expected, (*place, key)))

    def check_expectation(self, expect: object, place: Location, action: str, step: Values) -> None:
        if not isinstance(expect, dict):
            return
        if "parallel" not in step:
            self.check_fields(expect, place, action)
            return
        fields = ANSWERS[action]
        for key, value in expect.items():
            here = (*place, key)
            if key in ("all", "any"):
                self.check_fields(mapping(value), here, action)
                if "reached" in mapping(value):
                    told = "parallel calls reach their nodes together"
                    hint = "ask whom a call reached in a step of its own"
                    self._found.add((*here, "reached"), told, hint, key=True)
            elif key == "counts":
                for field, counts in mapping(value).items():
                    self.check_field(field, (*here, field), fields)
                    self._found.add_all(expectation_faults(counts, (*here, field)))
            elif key == "delivery":
                self._check_delivery(value, step, here, action)
            elif key in AGGREGATE:
                self._found.add_all(expectation_faults(value, here))
            elif key in fields:
                hint = f"write expect: {{all: {{{key}: ...}}}}"
                self._found.add(here, f"'{key}' of which of the parallel answers?", hint, key=True)
            else:
                known = did_you_mean(key, AGGREGATE, what="of parallel steps one expects")
                self._found.add(here, f"unknown key '{key}'", known, key=True)

    def _check_delivery(self, value: object, step: Values, place: Location, action: str) -> None:
        if action not in ("dispatch", "serve"):
            hint = "expect it of dispatch or serve"
            self._found.add(place, f"nobody counts how often '{action}' ran", hint, key=True)
        elif value not in PROMISES:
            near = did_you_mean(str(value), PROMISES, what="choose from")
            self._found.add(place, f"'{value}' is no promise of delivery", near)
        elif "${fake" in repr(step.get("input")):
            hint = "make keys of ${index} and ${seed}"
            self._found.add(place, "what is counted must be known before", hint)

    def check_fields(self, expect: Values, place: Location, action: str) -> None:
        fields = ANSWERS[action]
        for key, value in expect.items():
            here = (*place, key)
            if key in fields:
                self._found.add_all(expectation_faults(value, here))
                if key == "status" and fields[key] == CALL[key]:
                    self._found.add_all(status_faults(value, here))
                elif key == "status" and action == "http":
                    self._found.add_all(http_status_faults(value, here))
            elif key in AGGREGATE:
                hint = "it needs `parallel` beside it"
                self._found.add(here, f"'{key}' is for parallel steps", hint, key=True)
            else:
                known = did_you_mean(key, fields, what="an answer has")
                self._found.add(here, f"unknown key '{key}'", known, key=True)

    def check_field(self, path: object, place: Location, fields: Mapping[str, str]) -> None:
        if not isinstance(path, str) or path == "." or "${" in path:
            return
        try:
            root = parse_path(path).root
        except ValueError:
            return  # the model tells
        if root not in fields:
            hint = did_you_mean(root, fields, what="an answer has")
            self._found.add(place, f"an answer has no '{root}'", hint)

    def check_script(self, script: object, place: Location) -> None:
        """Tells what is wrong with the lines of a stream's script, and with their order."""
        said = ""
        for index, line in enumerate(script if isinstance(script, list) else ()):
            if not isinstance(line, dict):
                continue
            here = (*place, index)
            for key in ("receive", "headers"):
                if key in line:
                    self._found.add_all(expectation_faults(line[key], (*here, key)))
            if "send" in line:
                self._found.add_all(payload_faults(line["send"], (*here, "send")))
            if said == "cancel":
                hint = "drop what follows; `expect` is about the whole call"
                self._found.add(here, "the call is cancelled before this", hint)
                return
            if said and "send" in line:
                hint = "put half_close after the last message"
                self._found.add(here, "nothing can be sent after half_close", hint)
            said = "cancel" if "cancel" in line else "half_close" if "half_close" in line else said
