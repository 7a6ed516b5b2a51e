"""The expressions of `-k`: words joined by `and`, `or`, `not` and parentheses.

Parsing and matching only; which names a case has is told by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from collector_harness.errors import InvalidInput, Position, Problem

__all__ = ["Selection", "parse_selection"]

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<paren>[()])
      | "(?P<double>[^"]*)"
      | '(?P<single>[^']*)'
      | (?P<word>[^\s()"'][^\s()]*)
    )""",
    re.VERBOSE,
)

_Matcher = Callable[[tuple[str, ...]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """A parsed expression."""

    text: str
    """As the user wrote it."""
    _matcher: _Matcher

    def matches(self, names: Iterable[str]) -> bool:
        """Whether a case with these names is selected; upper and lower case are alike."""
        return self._matcher(tuple(name.casefold() for name in names))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`(`, `)`, `and`, `or`, `not`, `word` or `end`."""
    text: str
    column: int


def parse_selection(text: str) -> Selection:
    """Returns the selection that an expression stands for.

    A word matches where it occurs in one of a case's names; in quotes it may hold spaces and
    parentheses, and is never an operator. `not` binds tighter than `and`, `and` tighter than
    `or`. Raises `InvalidInput` with the column at fault.
    """
    parser = _Parser(text)
    matcher = parser.either()
    parser.expect_end()
    return Selection(text=text, _matcher=matcher)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0

    def either(self) -> _Matcher:
        options = [self._both()]
        while self._taken("or"):
            options.append(self._both())
        return options[0] if len(options) == 1 else _any(options)

    def expect_end(self) -> None:
        if self._next.kind != "end":
            raise self._wrong(f"expected 'and', 'or' or the end, found '{self._next.text}'")

    def _both(self) -> _Matcher:
        parts = [self._single()]
        while self._taken("and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else _all(parts)

    def _single(self) -> _Matcher:
        if self._taken("not"):
            return _none(self._single())
        if self._taken("("):
            inner = self.either()
            if not self._taken(")"):
                raise self._wrong("a parenthesis is not closed")
            return inner
        token = self._next
        if token.kind != "word":
            found = "the expression ends" if token.kind == "end" else f"found '{token.text}'"
            raise self._wrong(f"expected a word, 'not' or '(', but {found}")
        self._at += 1
        return _occurs(token.text.casefold())

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _taken(self, kind: str) -> bool:
        if self._next.kind != kind:
            return False
        self._at += 1
        return True

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        end = len(self._text.rstrip())
        at = 0
        while at < end:
            found = _TOKEN.match(self._text, at)
            if found is None:
                column = at + len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._wrong("a quotation mark is not closed", column)
            group = found.lastgroup
            assert group is not None
            text = found.group(group)
            quoted = group in ("double", "single")
            if quoted and not text:
                raise self._wrong("a word is empty, and would match everything", found.start(group))
            bare = text.lower() if text.lower() in ("and", "or", "not") else text
            kind = "word" if quoted or bare not in ("(", ")", "and", "or", "not") else bare
            tokens.append(_Token(kind, text, found.start(group)))
            at = found.end()
        tokens.append(_Token("end", "", end))
        return tokens

    def _wrong(self, message: str, column: int | None = None) -> InvalidInput:
        at = self._next.column if column is None else column
        return InvalidInput(
            Problem(
                message=message,
                position=Position(source="-k", line=1, column=at + 1, text=self._text),
                hint="such as: -k 'routing and not (slow or \"two words\")'",
            )
        )


def _occurs(word: str) -> _Matcher:
    return lambda names: any(word in name for name in names)


def _none(inner: _Matcher) -> _Matcher:
    return lambda names: not inner(names)


def _all(parts: list[_Matcher]) -> _Matcher:
    return lambda names: all(part(names) for part in parts)


def _any(options: list[_Matcher]) -> _Matcher:
    return lambda names: any(option(names) for option in options)
