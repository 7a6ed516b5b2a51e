"""Named steps: those of a scenario's own file, and those that it uses from others.

Files are read here, each once, and only below the root of the suite. Whether a definition is
used well is checked in `checks`; doing its steps is the business of `walk`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from collector_harness.documents import Document, load_file, problems_of
from collector_harness.documents.suite import file_of_suite
from collector_harness.documents.validation import StrictModel
from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.findings import Values, mapping
from collector_harness.scenario.model import Definition

__all__ = ["BLOCKS", "Library", "read_library", "uses_in"]

BLOCKS = ("steps", "together")
"""The keys of a step under which steps stand."""

_MOST_FILES = 100

Location = tuple[str | int, ...]


class _DefinitionsFile(StrictModel):
    """What is read of a file whose definitions another one uses."""

    version: Literal[1]
    definitions: Annotated[dict[str, Definition], Field(min_length=1)]


@dataclass(kw_only=True, slots=True, eq=False)
class Library:
    """The definitions of one file, and the files that they use."""

    document: Document
    """The file, with the places of what stands in it."""
    written: Values
    """The definitions as they are written, by name."""
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    """The same as models; empty where the file is broken."""
    files: dict[str, Library] = field(default_factory=dict)
    """The libraries of the files that this one uses, by the path as it is written in it."""

    def find(self, reference: str) -> tuple[Library, str] | None:
        """Returns where the definition of that name stands; None where there is none."""
        path, mark, name = reference.rpartition("#")
        library = self if not mark else self.files.get(path)
        if library is None or name not in library.written:
            return None
        return library, name

    def reachable(self) -> Iterator[tuple[Library, str]]:
        """Yields the definitions of other files that steps of this one can come to, each once."""
        if not self.files:
            return
        begun: set[tuple[int, str]] = set()
        waiting = [(self, text) for text in _references(self.document.value)]
        while waiting:
            library, text = waiting.pop()
            found = library.find(text)
            if found is None or (id(found[0]), found[1]) in begun:
                continue
            begun.add((id(found[0]), found[1]))
            if found[0] is not self:
                yield found
                inside = mapping(found[0].written[found[1]]).get("steps")
                waiting += [(found[0], str(step["use"])) for _, step in uses_in(inside, ())]


def read_library(document: Document, definitions: Mapping[str, Definition]) -> Library:
    """Returns the library of a scenario's document, with all files that it uses read.

    Raises `InvalidInput` with the problems of these files, and of the ways to them.
    """
    own = Library(
        document=document,
        written=mapping(mapping(document.value).get("definitions")),
        definitions=definitions,
    )
    problems: list[Problem] = []
    folder = document.folder
    known: dict[Path, Library] = {}
    waiting = [(own, folder)]
    while waiting:
        library, folder = waiting.pop()
        for place, step in _all_uses(library.document.value):
            path, mark, _ = str(step["use"]).rpartition("#")
            if not mark or path in library.files:
                continue
            try:
                target = file_of_suite(path, folder)
                if target not in known:
                    if len(known) >= _MOST_FILES:
                        raise InvalidInput(f"more than {_MOST_FILES} files are used")
                    known[target] = _read(target, path)
                    waiting.append((known[target], target.parent))
                library.files[path] = known[target]
            except InvalidInput as error:
                position = library.document.position((*place, "use"))
                problems += [
                    each
                    if each.position is not None
                    else Problem(message=each.message, position=position, hint=each.hint)
                    for each in error.problems
                ]
    if problems:
        raise InvalidInput(problems)
    return own


def uses_in(steps: object, place: Location) -> Iterator[tuple[Location, Values]]:
    """Yields the steps among these, and inside these, that use a definition."""
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(step, dict):
            here = (*place, index)
            if isinstance(step.get("use"), str):
                yield here, step
            for block in BLOCKS:
                yield from uses_in(step.get(block), (*here, block))


def _all_uses(value: object) -> Iterator[tuple[Location, Values]]:
    written = mapping(value)
    for block in ("before", "steps", "after"):
        yield from uses_in(written.get(block), (block,))
    for name, definition in mapping(written.get("definitions")).items():
        yield from uses_in(mapping(definition).get("steps"), ("definitions", name, "steps"))


def _references(value: object) -> list[str]:
    return [str(step["use"]) for _, step in _all_uses(value)]


def _read(target: Path, path: str) -> Library:
    document = load_file(target, path)
    value = mapping(document.value)
    # A whole scenario may lend its definitions too: the rest of it is no concern here.
    part: dict[str, object] = {
        key: value[key] for key in ("version", "definitions") if key in value
    }
    if "scenario" not in value:
        part = dict(value)
        part.pop("description", None)
    try:
        model = _DefinitionsFile.model_validate(part)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, _DefinitionsFile, document)) from None
    return Library(
        document=document, written=mapping(value["definitions"]), definitions=model.definitions
    )
