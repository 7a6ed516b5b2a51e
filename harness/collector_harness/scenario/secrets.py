"""Secrets of a scenario: read from the environment, and kept out of everything that is shown.

A mask replaces them in texts, also where they stand inside of others, are cut, or are written
in base64, in a URL or in JSON. Where texts are shown is not known here: the events of a case
pass through a mask before anybody sees them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus

from collector_harness.errors import EnvironmentLacks
from collector_harness.scenario.model import Secret

__all__ = ["MASK", "Mask", "read_secrets", "with_secrets"]

MASK = "***"
"""What stands for a secret."""

_SHORTEST_ENCODED = 6
"""Characters of a secret whose encoded forms are looked for: of shorter ones they are nothing."""
_SHORTEST_CUT = 4
"""Characters of the begin of a secret that a cut has left, and that are hidden as well."""
_CUTS = ("…", "...")

_REFERENCE = re.compile(r"\$\$\{|\$\{\s*secret\.([A-Za-z_][\w-]*)\s*\}")

T = TypeVar("T")


def read_secrets(wanted: Mapping[str, Secret], environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the values of secrets by name.

    Raises `EnvironmentLacks` for the first one whose variable is not set, or empty.
    """
    found: dict[str, str] = {}
    for name, secret in wanted.items():
        value = environment.get(secret.env)
        if not value:
            state = "empty" if value == "" else "not set"
            lacking = EnvironmentLacks(
                f"the secret '{name}' comes from the environment variable {secret.env}, which is "
                f"{state}; set it for this run: {secret.env}=... collector-harness run ..."
            )
            lacking.about = ("secrets", name)
            raise lacking
        found[name] = value
    return found


def with_secrets(value: T, secrets: Mapping[str, str]) -> T:
    """Returns a topology, or a part of one, with the secrets in its texts; what they hold is
    escaped, so that it is no reference of its own.
    """

    def filled(text: str) -> str:
        return _REFERENCE.sub(
            lambda match: (
                secrets.get(match[1], match[0]).replace("${", "$${") if match[1] else match[0]
            ),
            text,
        )

    return cast(T, _with_texts(value, filled)) if secrets else value


class Mask:
    """Replaces secrets in values of any shape."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = {secret for secret in secrets if secret}
        self._forms = sorted({form for each in self._secrets for form in _forms(each)}, key=len)
        self._forms.reverse()  # a longer form first: a shorter one may be a part of it
        self._pattern = re.compile("|".join(re.escape(form) for form in self._forms))

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._forms)

    def text(self, text: str) -> str:
        """Returns a text without the secrets."""
        if not self._forms or not text:
            return text
        text = self._pattern.sub(MASK, text)
        for cut in _CUTS:
            if cut in text:
                text = self._without_begins(text, cut)
        return text

    def value(self, value: T) -> T:
        """Returns a value of the same shape without the secrets: text, numbers, bytes, lists,
        mappings with their keys, and dataclasses, which are copied where they hold any.
        """
        return cast(T, self._value(value)) if self._forms else value

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            hidden = self.text(value)
            return value if hidden == value else _as_kind(value, hidden)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return MASK if str(value) in self._secrets else value
        if isinstance(value, bytes):
            shown = value.decode("utf-8", "surrogateescape")
            return self.text(shown).encode("utf-8", "surrogateescape")
        if isinstance(value, Mapping):
            return {self._value(key): self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in value)
        return _with_fields(value, self._value)

    def _without_begins(self, text: str, cut: str) -> str:
        """Hides what a cut has left of a secret before it."""
        parts = text.split(cut)
        for index, part in enumerate(parts[:-1]):
            for form in self._forms:
                longest = min(len(form) - 1, len(part))
                size = next(
                    (
                        size
                        for size in range(longest, _SHORTEST_CUT - 1, -1)
                        if part.endswith(form[:size])
                    ),
                    0,
                )
                if size:
                    parts[index] = part[:-size] + MASK
                    break
        return cut.join(parts)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_with_texts(item, change) for item in value)
    return _with_fields(value, lambda inner: _with_texts(inner, change))


def _with_fields(value: Any, change: Callable[[Any], Any]) -> Any:
    """Returns a dataclass with its fields changed, and the same one where that changes nothing."""
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for each in fields(value):
        before = getattr(value, each.name)
        after = change(before)
        if after is not before and after != before:
            changed[each.name] = after
    return replace(value, **changed) if changed else value


def _as_kind(original: str, hidden: str) -> str:
    """Returns plain text for text; an enum's member keeps nothing of its kind, as it is changed."""
    return hidden if type(original) is str else str(hidden)


def _forms(secret: str) -> Iterator[str]:
    """Yields a secret as it may stand in a text."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:  # such as a key in PEM, which a log shows line by line
        yield from (line for line in lines if len(line) >= _SHORTEST_ENCODED)
    if len(secret) < _SHORTEST_ENCODED:
        return
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    content = secret.encode()
    # Inside longer content the text depends on where in it the secret begins; what is left out
    # at both ends has bits of its neighbours in it.
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        padded = bytes(offset) + content
        end = len(padded) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode(padded).decode("ascii")[begin:end]
            if len(form) >= _SHORTEST_ENCODED:
                yield form
