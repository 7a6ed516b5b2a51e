"""The words of the language that are more than text: durations, counts, names, paths.

Each is parsed once, when the file is loaded, into a value; where a path may stand
instead, the value is a `Template` until the step runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Self

from pydantic import PlainValidator, WithJsonSchema

from collector_harness.documents.durations import parse_duration, seconds_of
from collector_harness.scenario.values import Path, Template, parse_path, parse_template

__all__ = [
    "DURATION_SCHEMA",
    "NO_DEADLINE",
    "Count",
    "Deadline",
    "Duration",
    "MethodName",
    "MethodTerm",
    "ReplyPath",
    "RpcName",
    "ServiceName",
    "ServiceTerm",
    "Text",
    "parse_count",
    "parse_duration",
    "seconds_of",
]

MAX_COUNT = 100_000
_OPEN = r"\$\{[^{}]*\}"


def parse_count(value: object) -> int:
    """Parses a whole number from 1 to 100,000; raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, not '{value}'")  # noqa: TRY004 - pydantic collects it
    if not 1 <= value <= MAX_COUNT:
        raise ValueError(f"{value} is not between 1 and {MAX_COUNT:,}")
    return value


def _open(value: object) -> Template | None:
    """Returns the template that a text is, or None where it has no path."""
    if isinstance(value, str) and "${" in value:
        template = parse_template(value)
        return template if template.paths else None
    return None


def _duration(value: object) -> timedelta | Template:
    return _open(value) or parse_duration(value)


def _count(value: object) -> int | Template:
    return _open(value) or parse_count(value)


DURATION_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "pattern": rf"^([0-9]+(\.[0-9]+)?(ms|s|m|h)|{_OPEN})$",
    "examples": ["250ms", "1s", "2m"],
}
"""The JSON Schema of a duration."""

Duration = Annotated[
    timedelta | Template, PlainValidator(_duration), WithJsonSchema(dict(DURATION_SCHEMA))
]
"""A duration above zero, or a path to one."""

NO_DEADLINE: Final = timedelta.max
"""What `deadline: none` becomes: the call carries none."""


def _deadline(value: object) -> timedelta | Template:
    return NO_DEADLINE if value == "none" else _duration(value)


Deadline = Annotated[
    timedelta | Template,
    PlainValidator(_deadline),
    WithJsonSchema({"anyOf": [dict(DURATION_SCHEMA), {"const": "none"}]}),
]
"""A duration above zero, `none`, or a path to a duration."""

Count = Annotated[
    int | Template,
    PlainValidator(_count),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_COUNT},
                {"type": "string", "pattern": f"^{_OPEN}$"},
            ]
        }
    ),
]
"""A whole number from 1 to 100,000, or a path to one."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        shown = (
            "nothing"
            if value is None
            else f"'{value}'"
            if not isinstance(value, dict | list)
            else "a mapping"
            if isinstance(value, dict)
            else "a list"
        )
        quotes = "\nput it in quotes" if isinstance(value, bool | int | float) else ""
        raise ValueError(f"expected text, not {shown}{quotes}")  # noqa: TRY004 - pydantic collects it
    if "${" in value:
        parse_template(value)
    return value


Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]
"""A text that may hold paths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodName:
    """The method that a dispatch is for. Each part may hold paths; None leaves it unset."""

    namespace: str | None
    service: str | None
    method: str | None

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parses `namespace/Service.Method` or a mapping of the three; raises `ValueError`."""
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return cls(**_parts(value, ("namespace", "service", "method")))
        namespace, rest = _split_namespace(value, "namespace/Service.Method")
        dot = _rfind_closed(rest, ".")
        if dot <= 0 or dot == len(rest) - 1:
            raise ValueError(
                f"'{value}' has no method\nwrite namespace/Service.Method: the method follows "
                "the last dot; for other names write {namespace: ..., service: ..., method: ...}"
            )
        return cls(namespace=namespace, service=rest[:dot], method=rest[dot + 1 :])

    def __str__(self) -> str:
        return f"{self.namespace or ''}/{self.service or ''}.{self.method or ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceName:
    """A service in a registry. Each part may hold paths; None leaves it unset."""

    namespace: str | None
    service: str | None

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parses `namespace/Service` or a mapping of the two; raises `ValueError`."""
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return cls(**_parts(value, ("namespace", "service")))
        namespace, service = _split_namespace(value, "namespace/Service")
        return cls(namespace=namespace, service=service)

    def __str__(self) -> str:
        return f"{self.namespace or ''}/{self.service or ''}"


def _parts(value: dict[str, object], names: tuple[str, ...]) -> dict[str, str | None]:
    wanted = "{" + ", ".join(f"{name}: ..." for name in names) + "}"
    if set(value) != set(names):
        raise ValueError(f"expected exactly the keys {', '.join(names)}\nwrite {wanted}")
    return {name: None if part is None else _text(part) for name, part in value.items()}


def _split_namespace(value: object, form: str) -> tuple[str, str]:
    text = _text(value)
    slash = _rfind_closed(text, "/")
    if slash <= 0 or slash == len(text) - 1:
        raise ValueError(f"'{text}' is not of the form {form}\nwrite {form}")
    if _rfind_closed(text[:slash], "/") >= 0:
        keys = "namespace, service, method" if "Method" in form else "namespace, service"
        raise ValueError(
            f"'{text}' has more than one '/'\nwrite names with '/' as a mapping of {keys}"
        )
    return text[:slash], text[slash + 1 :]


def _rfind_closed(text: str, character: str) -> int:
    """Returns the last place of a character outside `${...}`; -1 where there is none."""
    if "${" not in text:
        return text.rfind(character)
    end = len(text)
    while True:
        at = text.rfind(character, 0, end)
        opened = text.rfind("${", 0, max(at, 0))
        if at < 0 or opened < 0 or text.find("}", opened) < at:
            return at
        end = opened


def _method(value: object) -> MethodName | Template:
    return _whole(value) or MethodName.parse(value)


def _service(value: object) -> ServiceName | Template:
    return _whole(value) or ServiceName.parse(value)


def _whole(value: object) -> Template | None:
    template = _open(value)
    return template if template is not None and template.whole is not None else None


def _name_schema(form: str, *names: str) -> dict[str, Any]:
    part = {"type": ["string", "null"]}
    return {
        "anyOf": [
            {"type": "string", "description": form, "minLength": 1},
            {
                "type": "object",
                "properties": {
                    name: {**part, "description": f"The {name}; null leaves it unset."}
                    for name in names
                },
                "required": list(names),
                "additionalProperties": False,
            },
        ]
    }


MethodTerm = Annotated[
    MethodName | Template,
    PlainValidator(_method),
    WithJsonSchema(_name_schema("namespace/Service.Method", "namespace", "service", "method")),
]
"""`namespace/Service.Method`, a mapping of the three, or a path to one of these."""

ServiceTerm = Annotated[
    ServiceName | Template,
    PlainValidator(_service),
    WithJsonSchema(_name_schema("namespace/Service", "namespace", "service")),
]
"""`namespace/Service`, a mapping of the two, or a path to one of these."""


def _rpc(value: object) -> str:
    text = _text(value)
    name = text.removeprefix("/")
    slash = _rfind_closed(name, "/")
    if _open(text) is None and (slash <= 0 or slash == len(name) - 1 or "/" in name[:slash]):
        raise ValueError(f"'{text}' is not an RPC\nwrite package.Service/Method")
    return text


RpcName = Annotated[
    str,
    PlainValidator(_rpc),
    WithJsonSchema({"type": "string", "examples": ["grpc.health.v1.Health/Check"]}),
]
"""The full name of an RPC, `package.Service/Method`."""


def _reply_path(value: object) -> Path:
    if value == ".":
        return Path(text=".", root=".")
    if not isinstance(value, str) or "${" in value:
        raise ValueError(
            f"'{value}' is not a path into the answer\nwrite for example handled_by, or "
            "output.items[0].sku, or '.' for the whole answer"
        )
    return parse_path(value)


ReplyPath = Annotated[
    Path,
    PlainValidator(_reply_path),
    WithJsonSchema({"type": "string", "examples": ["handled_by", "output.id", "."]}),
]
"""A way into an answer; `.` is the whole answer."""
