"""The JSON Schema of scenario files, for editors and other tools.

Made from the same models that check a file, so that both say the same; matchers are
added here, as they are no model.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from collector_harness.plugins import installed_matchers
from collector_harness.scenario.matching import MATCHERS
from collector_harness.scenario.matching_syntax import TYPES
from collector_harness.scenario.model import ScenarioFile

__all__ = ["SCHEMA_ID", "scenario_schema", "scenario_schema_text"]

SCHEMA_ID = "urn:collector-harness:scenario:1"
"""The identity of the schema; it ends with the version of the language."""

_DESCRIPTIONS = {
    "$exact": "Equal as a whole: no further keys, and nothing in it is read as a matcher.",
    "$regex": "A text in which this regular expression is found.",
    "$any": "Anything, as long as it is there.",
    "$absent": "Nothing is there.",
    "$not": "Does not match this.",
    "$lt": "Less than this number, text or duration.",
    "$le": "At most this number, text or duration.",
    "$gt": "More than this number, text or duration.",
    "$ge": "At least this number, text or duration.",
    "$in": "Matches one of these.",
    "$len": "Its length matches this.",
    "$contains": "A text or bytes with this in it, a list with an item like this, a mapping "
    "with this key.",
    "$type": "Of this type.",
    "$unordered": "A list of these, in any order.",
    "$unique": "A list in which no value stands twice.",
    "$all_of": "Matches all of these.",
    "$any_of": "Matches at least one of these.",
    "$base64": "These bytes, in base64.",
}


class _Generator(GenerateJsonSchema):
    """Writes unions as JSON Schema has them, without a discriminator that only OpenAPI knows."""

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        written = super().tagged_union_schema(schema)
        written.pop("discriminator", None)
        return written


def scenario_schema() -> dict[str, Any]:
    """Returns the schema (draft 2020-12), strict: it refuses unknown keys everywhere."""
    schema = ScenarioFile.model_json_schema(schema_generator=_Generator)
    _finish(schema)
    schema["$defs"]["Expected"] = _expected()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "A scenario for collector-harness",
        **schema,
    }


def scenario_schema_text() -> str:
    """Returns the schema as the text of a file."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"


def _expected() -> dict[str, Any]:
    """Returns the schema of a value with matchers in it."""
    this = {"$ref": "#/$defs/Expected"}
    several = {"type": "array", "items": this}
    path = {"type": "string", "pattern": r"\$\{[^{}]+\}"}
    arguments: dict[str, Any] = {
        "$exact": {},
        "$regex": {"type": "string"},
        "$any": {"const": True},
        "$absent": {"type": "boolean"},
        "$unique": {"type": "boolean"},
        "$type": {"anyOf": [{"enum": list(TYPES)}, path]},
        "$base64": {"type": "string"},
        **{name: {"type": ["number", "string"]} for name in ("$lt", "$le", "$gt", "$ge")},
        **{name: {"anyOf": [several, path]} for name in ("$in", "$unordered")},
        **{name: {"anyOf": [several, path]} for name in ("$all_of", "$any_of")},
    }
    brought = {f"${each.name}": each.kind for each in installed_matchers() if each.kind}
    descriptions = {name: kind.description for name, kind in brought.items()} | _DESCRIPTIONS
    arguments |= {name: dict(kind.schema) for name, kind in brought.items() if kind.schema}
    matchers = {
        "type": "object",
        "properties": {
            name: {**arguments.get(name, this), "description": descriptions[name]}
            for name in MATCHERS
        },
        "additionalProperties": False,
        "minProperties": 1,
    }
    keys = {
        "type": "object",
        "additionalProperties": this,
        # A key that begins with a dollar is a matcher, unless it is doubled or opens a path.
        "propertyNames": {"not": {"pattern": r"^\$(?![${])"}},
    }
    counts = {"$bytes": "How many bytes.", "less": "So many fewer.", "plus": "So many more."}
    made = {
        "type": "object",
        "properties": {
            name: {"type": ["integer", "string"], "description": told}
            for name, told in counts.items()
        },
        "required": ["$bytes"],
        "additionalProperties": False,
    }
    text = {
        "type": "object",
        "properties": {
            "$text": {
                "type": ["string", "number", "boolean", "null"],
                "description": "A value, which becomes a text: a number its digits.",
            }
        },
        "required": ["$text"],
        "additionalProperties": False,
    }
    return {
        "description": "A value, or matchers; mappings match as a part, lists as a whole.",
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "items": this},
            keys,
            matchers,
            made,
            text,
        ],
    }


def _finish(schema: Any, *, names: bool = False) -> None:
    """Puts the schema of matchers where it is marked, and drops titles that repeat a key.

    With `names`, the keys of `schema` are names of properties and not words of the language.
    """
    if isinstance(schema, list):
        for item in schema:
            _finish(item)
    elif isinstance(schema, dict):
        if not names:
            schema.pop("title", None)
            if schema.pop("x-expected", False):
                schema["$ref"] = "#/$defs/Expected"
        for key, value in schema.items():
            _finish(value, names=not names and key in ("properties", "$defs"))
