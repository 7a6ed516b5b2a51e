"""A topology that begins with a file: what the file says, and over it what the text says itself.

So several scenarios share one system, and `collector-harness up` brings up the same. Texts are
joined here before any model reads them; each value keeps its place and its folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from collector_harness.documents import Document, load_file
from collector_harness.documents.grafting import Graft, Grafted, joined
from collector_harness.documents.suite import file_of_suite
from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.terms import FILE

__all__ = ["layered_scenario", "layered_topology"]

_TOPOLOGY = ("topology",)
_SERVICES = ("services",)
_MOST_FILES = 20


def layered_topology(document: Document) -> Document:
    """Returns a topology with what is said by the file that it names as its `file`, if any.

    Raises `InvalidInput` for a file that cannot be used, and for one that comes back to itself.
    """
    return _layered_topology(document, ())


def layered_scenario(document: Document) -> Document:
    """Returns a scenario with what is said by the file that its `topology` names, if any: `FILE`,
    or a mapping with `file: FILE` and more. The services of the file join those of the scenario.

    Raises as `layered_topology` does.
    """
    value = document.value
    written = value.get("topology") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(written, dict | str):
        return document
    own = {"file": written} if isinstance(written, str) else written
    at = _TOPOLOGY if isinstance(written, str) else (*_TOPOLOGY, "file")
    base = _base(own, document, at, ())
    if base is None:
        return document
    topology = dict(base.value) if isinstance(base.value, dict) else {}
    services = joined(topology.pop("services", {}), value.get("services", {}))
    whole = {**value, "topology": joined(topology, own)}
    if services:
        whole["services"] = services
    grafts = (
        Graft(at=_TOPOLOGY, document=base),
        Graft(at=_SERVICES, document=base, there=_SERVICES),
    )
    return _grafted(document, whole, grafts)


def _layered_topology(document: Document, through: tuple[Path, ...]) -> Document:
    value = document.value
    if not isinstance(value, dict):
        return document
    base = _base(value, document, ("file",), through)
    if base is None:
        return document
    return _grafted(document, joined(base.value, value), (Graft(at=(), document=base),))


def _base(
    topology: dict[str, object], document: Document, at: tuple[str, ...], through: tuple[Path, ...]
) -> Document | None:
    """Returns the whole topology of the file that is named at a place; None where none is."""
    name = topology.get("file")
    if not isinstance(name, str):  # a model tells what is wrong with it
        return None
    try:
        if re.search(FILE, name) is None:
            raise InvalidInput(
                Problem(
                    message=f"'{name}' is not a file with a topology",
                    hint="write nodes, or a shape such as {shape: {star: 3}}, or the path of a "
                    "file that ends with .yaml",
                )
            )
        path = file_of_suite(name, document.folder)
        if path in through or len(through) >= _MOST_FILES:
            raise InvalidInput(f"'{name}' comes back to itself")
        base = load_file(path, _shown(name, document))
    except InvalidInput as error:
        raise InvalidInput(
            [
                each
                if each.position is not None
                else Problem(message=each.message, position=document.position(at), hint=each.hint)
                for each in error.problems
            ]
        ) from None
    if not isinstance(base.value, dict):
        raise InvalidInput(
            Problem(
                message=f"'{name}' is not a topology: expected a mapping",
                position=base.position(()),
                hint="write nodes, links, services or a shape",
            )
        )
    return _layered_topology(base, (*through, path))


def _shown(name: str, document: Document) -> str:
    """Returns what messages call the file: as the user would name it where the text is."""
    return os.path.normpath(Path(document.source).parent / name)


def _grafted(own: Document, value: object, grafts: tuple[Graft, ...]) -> Grafted:
    return Grafted(
        source=own.source,
        text=own.text,
        value=value,
        folder=own.folder,
        own=own,
        grafts=grafts,
    )
