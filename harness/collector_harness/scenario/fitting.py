"""Values as they are written, held against the types of the messages that they are to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import InvalidInput
from collector_harness.scenario.captured import OWN_FORMS, Captured, Kind
from collector_harness.scenario.matching_syntax import Location, is_operator
from collector_harness.scenario.values import Path, look_up, parse_template

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor

__all__ = ["Fitting", "Found"]

Found = tuple[Location, str, str | None, bool]
"""A place below the step, what is wrong there, what to do, and whether its key is meant."""

_DESCRIPTORS = "google/protobuf/descriptor.proto"
"""The file of those types of protobuf's own that have no forms of their own in JSON."""
_DEEPEST = 64
_TOLD: Mapping[str, str] = {
    "text": "text",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "mapping": "a mapping",
}


class Fitting:
    """Tells what does not fit; paths are as known as `captured` and the cases make them."""

    def __init__(self, captured: Captured, cases: Mapping[str, Mapping[str, object]]) -> None:
        self._captured = captured
        self._cases = cases

    def message(self, kind: Any, value: object, place: Location, depth: int = 0) -> Iterator[Found]:
        """Yields every field, enum value and scalar of a message that cannot be."""
        if not isinstance(value, Mapping) or depth > _DEEPEST or has_own_form(kind):
            return
        fields: dict[str, FieldDescriptor] = {}
        for field in kind.fields:
            fields |= {field.name: field, field.json_name: field}
        for key, item in value.items():
            if not isinstance(key, str) or key.startswith(("$", "@", "[")) or "${" in key:
                continue
            if key in fields:
                yield from self._field(fields[key], item, (*place, key), depth)
                continue
            names = [field.name for field in kind.fields]
            hint = did_you_mean(key, names, what="its fields are")
            yield (*place, key), f"{kind.name} has no field '{key}'", hint, True

    def _field(
        self, field: FieldDescriptor, value: object, place: Location, depth: int
    ) -> Iterator[Found]:
        entry = _values_of_map(field)
        if value is None:
            return
        if isinstance(value, str) and "${" in value:
            yield from self._text(field, value, place, depth)
        elif entry is not None and isinstance(value, Mapping):
            for key, item in value.items():
                yield from self._field(entry, item, (*place, str(key)), depth + 1)
        elif field.is_repeated and entry is None and isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._item(field, item, (*place, index), depth + 1)
        elif field.is_repeated:
            what = "a list" if entry is None else "a mapping"
            yield place, f"the field '{field.name}' takes {what}, not {_shown(value)}", None, False
        else:
            yield from self._item(field, value, place, depth)

    def _item(
        self, field: FieldDescriptor, value: object, place: Location, depth: int
    ) -> Iterator[Found]:
        """Holds one value against the type of a field, be it repeated or not."""
        if value is None:
            return
        if isinstance(value, str) and "${" in value:
            yield from self._text(field, value, place, depth, single=True)
        elif field.message_type is not None:
            if isinstance(value, Mapping):
                yield from self.message(field.message_type, value, place, depth + 1)
            elif not has_own_form(field.message_type):
                told = f"the field '{field.name}' takes a {field.message_type.name}"
                names = ", ".join(each.name for each in field.message_type.fields)
                hint = f"write a mapping; its fields are: {names or 'none'}"
                yield place, f"{told}, not {_shown(value)}", hint, False
        elif not _is_made(value):
            wrong = _scalar_fault(field, value)
            if wrong is not None:
                yield place, *wrong, False

    def _text(
        self,
        field: FieldDescriptor,
        text: str,
        place: Location,
        depth: int,
        *,
        single: bool = False,
    ) -> Iterator[Found]:
        """Holds what a text with paths becomes against the type of a field."""
        path = parse_template(text).whole
        if path is not None and path.root == "case":
            yield from self._of_cases(field, path, place, depth, single=single)
            return
        kind = Kind(name="text") if path is None else self._captured.kind_of(path)
        wanted = _wanted(field, single=single)
        if kind is None or not wanted or kind.name in wanted:
            return
        told = f"'{text}' is {_TOLD[kind.name]}"
        yield (
            place,
            f"the field '{field.name}' takes {_TOLD[wanted[0]]}, and {told}",
            _remedy(kind, wanted, path),
            False,
        )

    def _of_cases(
        self, field: FieldDescriptor, path: Path, place: Location, depth: int, *, single: bool
    ) -> Iterator[Found]:
        for name, row in self._cases.items():
            try:
                value = look_up(row, path)
            except InvalidInput:
                continue  # told by `checks`, or found by the run
            hold = self._item if single else self._field
            for _, message, hint, key in hold(field, value, place, depth):
                yield place, f"{message} (in case '{name}')", hint, key


def has_own_form(kind: Any) -> bool:
    """Tells whether messages of a type are written in a form of their own."""
    return bool(kind.full_name.startswith(OWN_FORMS)) and kind.file.name != _DESCRIPTORS


def _values_of_map(field: FieldDescriptor) -> FieldDescriptor | None:
    """Returns the field that the values of a map are; None for what is no map."""
    kind = field.message_type
    return kind.fields_by_name["value"] if kind and kind.GetOptions().map_entry else None


def _is_made(value: object) -> bool:
    return isinstance(value, Mapping) and any(is_operator(str(key)) for key in value)


def _wanted(field: FieldDescriptor, *, single: bool) -> tuple[str, ...]:
    """Returns the kinds that a field takes, the best first; none where that is not so plain."""
    if _values_of_map(field) is not None:
        return ("mapping",)
    if field.is_repeated and not single:
        return ("list",)
    if field.message_type is not None:
        return () if has_own_form(field.message_type) else ("mapping",)
    if field.enum_type is not None:
        return ("text", "number")
    if field.cpp_type == field.CPPTYPE_STRING:
        return ("text",)
    return ("boolean",) if field.cpp_type == field.CPPTYPE_BOOL else ("number", "text")


def _remedy(kind: Kind, wanted: tuple[str, ...], path: Path | None) -> str | None:
    if wanted[0] == "text" and kind.name in ("number", "boolean"):
        return f'write {{$text: "${{{path}}}"}}'
    if kind.name == "list":
        return f'take one of its items: "${{{path}[0]}}"'
    if kind.message is not None:
        names = ", ".join(each.name for each in kind.message.fields)
        return f"lead the path on to one of its fields: {names}"
    return None


def _scalar_fault(field: FieldDescriptor, value: object) -> tuple[str, str | None] | None:
    """Returns what is wrong with a value in a field that takes a scalar, and what to do."""
    told = f"the field '{field.name}' takes {{}}, not {_shown(value)}"
    if field.enum_type is not None:
        names = list(field.enum_type.values_by_name)
        if isinstance(value, str) and value not in names:
            hint = did_you_mean(value, names, what="its values are")
            return f"{field.enum_type.name} has no value '{value}'", hint
        wrong = isinstance(value, bool | list | Mapping)
        return (told.format(f"a {field.enum_type.name}"), None) if wrong else None
    if field.cpp_type == field.CPPTYPE_STRING:
        if isinstance(value, str):
            return None
        what = "bytes, in base64" if field.type == field.TYPE_BYTES else "text"
        return told.format(what), "put it in quotes" if isinstance(value, int | float) else None
    if field.cpp_type == field.CPPTYPE_BOOL:
        return None if isinstance(value, bool) else (told.format("true or false"), None)
    return _number_fault(field, value, told)


def _number_fault(
    field: FieldDescriptor, value: object, told: str
) -> tuple[str, str | None] | None:
    if field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        return None if _as_number(value, float) is not None else (told.format("a number"), None)
    bits, signed = _INTEGERS[field.cpp_type]
    number = _as_number(value, int)
    if number is None or number != int(number):
        return told.format("a whole number"), None
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    if not low <= number < high:
        return told.format(f"numbers from {low} to {high - 1}"), None
    return None


_INTEGERS: Mapping[int, tuple[int, bool]] = {
    1: (32, True),
    2: (64, True),
    3: (32, False),
    4: (64, False),
}
"""Bits and sign of the integers, by the numbers that descriptors have for them in C++."""


def _as_number(value: object, of_text: type[int | float]) -> int | float | None:
    if isinstance(value, str):
        try:
            return of_text(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return str(value).lower() if isinstance(value, bool) else repr(value)
