"""JSON values into messages, and why they do not fit, in our own words: protobuf tells it with its
insides.

What it tells in a way that is not known here is passed on without its places and prefixes.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import InvalidInput, Problem

__all__ = ["read_json"]

M = TypeVar("M", bound=Message)

_IN_FIELD: Final = re.compile(r"Failed to parse (\w+) field: ")
_PLACE: Final = re.compile(r" at [\w.\[\]]+\.*$")
_NO_FIELD: Final = re.compile(
    r'Message type "(?P<kind>[\w.]+)" has no field named "(?P<name>.*?)"(?: at .*?)?\.\s+Available '
    r'Fields\(except extensions\): "\[(?P<known>.*)\]"\.*$',
    re.DOTALL,
)
_WORDS: Final = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"expected string or bytes-like object, got '(int|float)'", "it takes text, not a number"),
        (r"expected string or bytes-like object, got '(\w+)'", r"it takes text, not a \1"),
        (r"'(\w+)' object is not iterable", r"it takes a mapping of fields, not a \1"),
        (r"Bool value \w+ is not acceptable for integer field", "it takes a whole number"),
        (r"repeated field \w+ must be in \[\] which is (.*)", r"it takes a list, not \1"),
        (r"Map field \w+ must be in a dict which is (.*)", r"it takes a mapping, not \1"),
        (r"[Ii]nvalid literal for int\(\) with base 10: (.*)", r"it takes a whole number, not \1"),
        (r"Couldn't parse integer: (.*)", r"it takes a whole number, not \1"),
        (r"[Cc]ould not convert string to float: (.*)", r"it takes a number, not \1"),
        (r"Couldn't parse float: (.*)", r"it takes a number, not \1"),
        (r"Value out of range: (.*)", r"\1 is out of its range"),
        (r"Expected true or false without quotes", "it takes true or false, without quotes"),
        (r"Invalid enum value (\w+) for enum type [\w.]*?(\w+)", r"\2 has no value '\1'"),
        (r"@type is missing when parsing any message", "an Any begins with its '@type'"),
        (r"'value'", "what is in this Any goes under the key 'value'"),
        (
            r"Can not find message descriptor by type_url: (?:.*/)?([\w.]+)",
            r"the message type '\1' is not known",
        ),
    )
)


def read_json(
    values: Any, message: M, *, pool: DescriptorPool, what: str, about: str | None = None
) -> M:
    """Reads JSON values into a message, and returns it; types in an `Any` are those of the pool.
    `about` is the type that is told of, the message's own where None.

    Raises `InvalidInput` where they do not fit, and says so of `what`, such as `the request`.
    """
    kind: Descriptor = message.DESCRIPTOR  # type: ignore[assignment] # or its double in C
    told = f"{what} does not fit {about or _name(kind)}"
    if isinstance(values, list) and not _has_own_form(kind):
        # protobuf would take the items for names of fields.
        raise InvalidInput(
            Problem(
                message=f"{told}: it takes a mapping of fields, not a list",
                hint=_fields_of(kind, []),
            )
        )
    try:
        return json_format.ParseDict(values, message, descriptor_pool=pool)
    except (json_format.ParseError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise InvalidInput(_problem(error, kind, told)) from error


def _problem(error: Exception, kind: Descriptor, told: str) -> Problem:
    text = str(error)
    fields = []
    while (found := _IN_FIELD.match(text)) is not None:
        fields.append(found[1])
        text = text[found.end() :]
    if fields:
        told += f" at '{'.'.join(fields)}'"
    if (no_field := _NO_FIELD.match(text)) is not None:
        known = re.findall(r"'(\w+)'", no_field["known"])
        return Problem(
            message=f"{told}: {no_field['kind'].rpartition('.')[2]} has no field "
            f"'{no_field['name']}'",
            hint=did_you_mean(no_field["name"], known, what="its fields are"),
        )
    text = _PLACE.sub("", text).rstrip(".")
    ours = (match.expand(words) for pattern, words in _WORDS if (match := pattern.fullmatch(text)))
    why = next(ours, text[:1].lower() + text[1:])
    return Problem(message=f"{told}: {why}", hint=_fields_of(kind, fields))


def _name(kind: Descriptor) -> str:
    """Returns the name of a message type as the contract has it: our generated classes have a
    package of their own.
    """
    return str(kind.full_name).replace("collector_reference.wire.", "collector.", 1)


def _has_own_form(kind: Descriptor) -> bool:
    return str(kind.full_name).startswith("google.protobuf.")


def _fields_of(kind: Descriptor, within: list[str]) -> str | None:
    if within or _has_own_form(kind):
        return None
    return f"its fields are: {', '.join(field.name for field in kind.fields) or 'none'}"
