"""The reference of the language is right: each of its examples is valid, and it is complete."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import Any

import jsonschema
import pytest

from collector_harness.declared import CAPABILITIES, DEFAULT_LIMITS
from collector_harness.documents import load
from collector_harness.scenario.loading import parse_scenario
from collector_harness.scenario.matching import MATCHERS
from collector_harness.scenario.matching_syntax import TYPES
from collector_harness.scenario.model import ACTIONS, AGGREGATE, ANSWERS
from collector_harness.scenario.model.base import StepBase
from collector_harness.scenario.schema import scenario_schema
from collector_harness.scenario.values import ROOTS

PAGE = Path(__file__).parents[3] / "docs" / "scenario-language.md"
BLOCK = re.compile(r"^```yaml ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TOPOLOGY = """\
topology:
  nodes:
    hub: {namespaces: [shop]}
    a: {namespaces: [shop], probe: [shop]}
    b: {namespaces: [shop], probe: [shop]}
  links: [hub -> a, hub -> b]
"""
STEPS = "steps: [{dispatch: shop/conformance.Probe.WhoAmI, via: hub}]\n"
HEAD = "version: 1\nscenario: an example\n"


def _examples() -> list[tuple[str, str]]:
    text = PAGE.read_text(encoding="utf-8")
    examples = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        examples.append((f"line{line}-{match[1] or 'whole'}", _whole(match[1], match[2])))
    return examples


def _whole(kind: str, text: str) -> str:
    if kind == "steps":
        return f"{HEAD}{TOPOLOGY}steps:\n{text}"
    if kind == "keys":
        return f"{HEAD}{TOPOLOGY}{STEPS}{text}"
    if kind == "topology":
        return f"{HEAD}topology:\n{indent(text, '  ')}defaults: {{via: hub}}\n{STEPS}"
    assert kind == "", f"an example of an unknown kind: {kind}"
    return text


EXAMPLES = _examples()


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(scenario_schema())


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in EXAMPLES])
def test_an_example_is_accepted_by_the_model_and_by_the_schema(text: str, validator: Any) -> None:
    scenario = parse_scenario(text, "example")
    assert scenario.cases
    assert [error.message for error in validator.iter_errors(load(text).value)] == []


def _written() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*ACTIONS, *MATCHERS, *AGGREGATE, *TYPES, *StepBase.model_fields])
def test_the_page_names_every_action_matcher_and_modifier(word: str) -> None:
    assert re.search(rf"`[^`\n]*(?<![\w$]){re.escape(word)}(?!\w)[^`\n]*`", _written())


def test_the_page_names_every_field_of_an_answer() -> None:
    fields = {field for answer in ANSWERS.values() for field in answer}
    missing = sorted(field for field in fields if not re.search(rf"\b{field}\b", _written()))
    assert missing == []


def test_the_page_names_every_root_of_paths() -> None:
    assert [root for root in sorted(ROOTS) if f"${{{root}" not in _written()] == []


def _properties(schema: Any) -> list[tuple[str, Any]]:
    found = []
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            found += list(schema["properties"].items())
        for value in schema.values():
            found += _properties(value)
    elif isinstance(schema, list):
        for item in schema:
            found += _properties(item)
    return found


def test_every_property_of_the_schema_is_described() -> None:
    undescribed = {
        name
        for name, prop in _properties(scenario_schema())
        if not isinstance(prop, dict) or not prop.get("description")
    }
    assert undescribed == set()


def test_every_key_of_a_model_stands_on_the_page() -> None:
    words = set(re.findall(r"[\w@]+", _written()))
    keys = {name for name, _ in _properties(scenario_schema()) if not name.startswith("$")}
    assert keys - words == set()


def test_every_object_with_properties_refuses_other_keys() -> None:
    def lenient(schema: Any) -> list[Any]:
        found = []
        if isinstance(schema, dict):
            strict = schema.get("additionalProperties") is False
            if "properties" in schema and "type" in schema and not strict:
                found.append(sorted(schema["properties"]))
            for value in schema.values():
                found += lenient(value)
        elif isinstance(schema, list):
            for item in schema:
                found += lenient(item)
        return found

    assert lenient(scenario_schema()) == []


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(scenario_schema())


def test_every_capability_and_every_limit_is_described_as_it_is() -> None:
    text = _written()
    for name, about in CAPABILITIES.items():
        assert f"| `{name}` | {about} |" in text
    limits = next(line for line in text.splitlines() if line.startswith("| `${limit."))
    for name, value in DEFAULT_LIMITS.as_values().items():
        assert f"`{name}` (`{value}`" in limits
