"""YAML composed by libyaml into nodes, and nodes into values by the rules of YAML 1.2.

`yes`, `on` and `12:30:45` stay text, keys are text and stand once, aliases are
bounded, and only the values of JSON exist. What is wrong is told as `Problem`s;
reading files and looking up places belong to `document`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.reader import ReaderError

from collector_harness.errors import InvalidInput, Position, Problem

__all__ = ["MAX_DEPTH", "MAX_VALUES", "Locate", "compose", "construct"]

MAX_DEPTH = 64
"""Nesting that a document may have. The parser itself recurses and would overflow its stack."""
MAX_VALUES = 200_000
"""Values that a document may hold once its aliases are written out."""

Locate = Callable[[int, int], Position]
"""Turns a line and a column, both counted from 0, into a `Position`."""

_CONSTANTS: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".inf": float("inf"),
    ".Inf": float("inf"),
    ".INF": float("inf"),
    "+.inf": float("inf"),
    "+.Inf": float("inf"),
    "+.INF": float("inf"),
    "-.inf": float("-inf"),
    "-.Inf": float("-inf"),
    "-.INF": float("-inf"),
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
}
_NUMERIC_STARTS = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_PLAIN = (True, False)
_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({_CORE + "str"})
_PLAIN_TAGS = frozenset({_CORE + name for name in ("int", "float", "bool", "null")})


class _TooDeep(Exception):
    """The nesting limit was passed while composing."""

    def __init__(self, node: Node) -> None:
        self.node = node
        super().__init__()


class _Composer(CParser):
    """Composes nodes whose tag says only how they were written; their type is found later."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def resolve(self, _kind: object, _value: object, implicit: object) -> object:
        return implicit

    def descend_resolver(self, parent: Node | None, _index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH and parent is not None:
            raise _TooDeep(parent)

    def ascend_resolver(self) -> None:
        self._depth -= 1


def compose(text: str, locate: Locate) -> Node:
    """Returns the root node of the only document in `text`.

    Raises `InvalidInput` with one problem: libyaml stops at the first.
    """
    parser = None
    try:
        parser = _Composer(text)
        root = parser.get_single_node()
    except MarkedYAMLError as error:
        raise InvalidInput(_syntax_problem(error, text, locate)) from None
    except ReaderError as error:
        raise InvalidInput(_character_problem(error, text, locate)) from None
    except _TooDeep as error:
        raise InvalidInput(_too_deep(error.node, locate)) from None
    finally:
        if parser is not None:
            parser.dispose()
    if root is None:
        raise InvalidInput(
            Problem(
                message="the document is empty",
                position=locate(0, 0),
                hint="write at least the required keys, or delete the file",
            )
        )
    return root


def construct(root: Node, locate: Locate) -> object:
    """Returns the value of a composed document: only mappings with text keys, lists and scalars.

    Raises `InvalidInput` with every problem found.
    """
    builder = _Builder(locate)
    value = builder.build(root, 0)
    if builder.problems:
        raise InvalidInput(builder.problems)
    return value


class _Builder:
    """Builds the value of a node tree, and collects what is wrong with it."""

    def __init__(self, locate: Locate) -> None:
        self.problems: list[Problem] = []
        self._locate = locate
        self._left = MAX_VALUES

    def build(self, node: Node, depth: int) -> object:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if depth > MAX_DEPTH:  # only an alias inside its own anchor gets this far
            raise InvalidInput(_too_deep(node, self._locate))
        self._left -= len(node.value)
        if self._left < 0:
            raise InvalidInput(
                Problem(
                    message=f"the document holds more than {MAX_VALUES:,} values "
                    "once its aliases are written out",
                    position=self._at(node),
                    hint="use fewer aliases of aliases",
                )
            )
        written: object = node.tag
        if written is not True:
            self._check_tag(node, "map" if isinstance(node, MappingNode) else "seq")
        if isinstance(node, MappingNode):
            return self._mapping(node, depth + 1)
        return [self.build(item, depth + 1) for item in node.value]

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, object]:
        pairs: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if type(key_node) is ScalarNode else None
            if type(key) is not str:
                self._bad_key(key_node)
                continue
            if key in pairs:
                self._duplicate(node, key, key_node)
            elif key == "<<":
                self._merge_key(key_node)
            # The first of two stands, but the second is still looked through for problems.
            value = self.build(value_node, depth)
            pairs.setdefault(key, value)
        return pairs

    def _scalar(self, node: ScalarNode) -> object:
        text: str = node.value
        tag: object = node.tag
        if tag == _PLAIN:
            if text and text[0] in _NUMERIC_STARTS:
                return self._number(node, text)
            return _CONSTANTS.get(text, text)
        if isinstance(tag, tuple) or tag in _TEXT_TAGS:
            return text
        if tag in _PLAIN_TAGS:
            value = self._number(node, text) if text[:1] in _NUMERIC_STARTS else text
            value = _CONSTANTS.get(text, value) if type(value) is str else value
            if _TAG_OF.get(type(value)) == tag or (tag == _CORE + "float" and type(value) is int):
                return float(value) if type(value) is int and tag == _CORE + "float" else value
            self._problem(node, f"'{text}' is not of the type that its tag says", "drop the tag")
            return text
        self._check_tag(node, "str")
        return text

    def _number(self, node: ScalarNode, text: str) -> object:
        if _INTEGER.fullmatch(text):
            try:
                return int(text)
            except ValueError:
                self._problem(node, "this number has too many digits", "put it in quotes")
                return text
        if _FLOAT.fullmatch(text):
            return float(text)
        if _PREFIXED.fullmatch(text):
            return int(text, 0)
        return _CONSTANTS.get(text, text)

    def _check_tag(self, node: Node, expected: str) -> None:
        if node.tag != _CORE + expected:
            self._problem(
                node,
                f"the tag '{node.tag}' is not supported",
                "drop the tag: only text, numbers, true, false, null, lists and mappings exist",
            )

    def _bad_key(self, node: Node) -> None:
        if type(node) is ScalarNode:
            text = node.value or "null"
            self._problem(node, f"the key '{text}' is not text", f'put it in quotes: "{text}"')
        elif _looks_like_path(node):
            self._problem(node, "this key is a mapping, not text", _PATH_HINT)
        else:
            self._problem(node, "a key must be text, not a list or a mapping", None)

    def _duplicate(self, node: MappingNode, key: str, second: Node) -> None:
        first = next(k for k, _ in node.value if k.value == key)
        self._problem(
            second,
            f"the key '{key}' is given twice",
            f"it stands already in line {first.start_mark.line + 1}: keep one of them",
        )

    def _merge_key(self, node: Node) -> None:
        written: object = node.tag
        if written != _PLAIN:
            return
        self._problem(
            node,
            "merge keys ('<<') are not part of YAML 1.2",
            'write the keys out; for a key that is really called so, put it in quotes: "<<"',
        )

    def _problem(self, node: Node, message: str, hint: str | None) -> None:
        self.problems.append(Problem(message=message, position=self._at(node), hint=hint))

    def _at(self, node: Node) -> Position:
        return self._locate(node.start_mark.line, node.start_mark.column)


_TAG_OF = {
    int: _CORE + "int",
    float: _CORE + "float",
    bool: _CORE + "bool",
    type(None): _CORE + "null",
}
_PATH_HINT = 'put a path in quotes: "${...}"'


def _looks_like_path(node: Node) -> bool:
    """Tells whether `node` is what `{${x}: y}` becomes: a mapping as a key."""
    return type(node) is MappingNode and len(node.value) == 1


def _too_deep(node: Node, locate: Locate) -> Problem:
    return Problem(
        message=f"values nest deeper than {MAX_DEPTH} levels",
        position=locate(node.start_mark.line, node.start_mark.column),
        hint="is an alias used inside its own anchor?",
    )


def _character_problem(error: ReaderError, text: str, locate: Locate) -> Problem:
    character = error.character if isinstance(error.character, str) else chr(error.character)
    at = max(text.find(character), 0)
    return Problem(
        message=f"the character U+{ord(character):04X} is not allowed",
        position=locate(text.count("\n", 0, at), at - (text.rfind("\n", 0, at) + 1)),
        hint=f'write it escaped in double quotes: "\\u{ord(character):04x}"',
    )


def _syntax_problem(error: MarkedYAMLError, text: str, locate: Locate) -> Problem:
    """Says in our words what libyaml found, with a remedy where the cause is a usual one."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.splitlines()
    written = lines[line] if line < len(lines) else ""
    told = error.problem or "this is not YAML"
    hint: str | None = None
    context = error.context_mark
    if "found another document" in told:
        told, hint = "a second document begins here", "write one document per file"
    elif "\t" in written[: column + 1] and ("any token" in told or "tab character" in told):
        told, hint = "a tab is used as indentation", "indent with spaces"
    elif "cannot start any token" in told:
        told = f"a value cannot begin with '{written[column : column + 1]}'"
        hint = "put the value in quotes"
    elif "undefined alias" in told:
        told, hint = "this alias has no anchor before it", "put text that begins with '*' in quotes"
    elif "incompatible YAML document" in told:
        told, hint = "this is not YAML 1.2", "drop the %YAML line"
    elif "mapping values are not allowed" in told:
        told, hint = "a ':' is not allowed here", "put text that holds ': ' in quotes"
    elif "unexpected end of stream" in told and context is not None:
        told, hint = "a quoted text is not closed", "close the quotes"
        line, column = context.line, context.column
    elif _cuts_path(written, column):
        told, hint = "a path inside braces or brackets needs quotes", _PATH_HINT
        column = written.rfind("${", 0, column + 1)
    elif "could not find expected ':'" in told:
        told, hint = "a key without ':'", "write `key: value`"
        if context is not None:
            line, column = context.line, context.column
    elif error.context:
        told = f"{told} {error.context}"
    return Problem(message=told, position=locate(line, column), hint=hint)


def _cuts_path(written: str, column: int) -> bool:
    """Tells whether the parser stopped inside an unquoted `${...}` in a flow collection."""
    return "${" in written[: column + 2] and bool(re.search(r"[{\[,].*\$\{", written[: column + 2]))
