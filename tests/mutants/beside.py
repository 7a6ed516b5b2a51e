"""A mutant in this process, beside whole reference collectors: `python:beside:make`.

The modules that hold a mutant's pieces, and those that use them, are imported a second time for
the mutant alone; everybody else keeps the first copy. So the whole suite can be run against each
mutant without a process for each of its nodes. Which mutant it is, `MUTANT` says.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from reading import read_mutants

import collector_reference.server  # noqa: F401 - so that its parts are known
from collector_reference import CollectorSettings

_ROOT = "collector_reference"
_SERVER = f"{_ROOT}.server"
_NOT_BESIDE = ("serving:", "registry.sqlite:", "security.gate:")


def can_stand_beside(name: str) -> bool:
    """Tells whether a mutant's pieces are what a collector is put together from; those of its
    process, and what is imported in the midst of a call, need a process of their own.
    """
    mutant = read_mutants()[name]
    if mutant.get("process", False):
        return False
    return not any(place.startswith(_NOT_BESIDE) for place in mutant["replaces"])


def make(settings: CollectorSettings) -> Any:
    """Returns the mutant that `MUTANT` names, with these settings."""
    return _class_of(os.environ["MUTANT"])(settings)


@functools.cache
def _class_of(name: str) -> Any:
    places = read_mutants()[name]["replaces"]
    broken = {f"{_ROOT}.{place.partition(':')[0]}" for place in places}
    for module in broken:
        importlib.import_module(module)
    again = _users_of(broken)
    kept = dict(sys.modules)
    attributes = _attributes(again)
    theirs = {replacement.partition(":")[0] for replacement in places.values()}
    for module in again | theirs:
        sys.modules.pop(module, None)
    try:
        for place, replacement in places.items():
            module, _, piece = place.partition(":")
            where = importlib.import_module(f"{_ROOT}.{module}")
            folder, _, attribute = replacement.partition(":")
            setattr(where, piece, getattr(importlib.import_module(folder), attribute))
        # Imported last: what it takes by name is the mutant's by now.
        return importlib.import_module(_SERVER).Collector
    finally:
        for module in again | theirs:
            sys.modules.pop(module, None)
        sys.modules.update(kept)
        for (parent, attribute), value in attributes.items():
            setattr(parent, attribute, value)


def _users_of(modules: set[str]) -> set[str]:
    """Returns these modules and all that use what is in them, but for the packages' own."""
    loaded: Mapping[str, ModuleType] = {
        name: module
        for name, module in sys.modules.items()
        if name.startswith(f"{_ROOT}.") and not hasattr(module, "__path__")
    }
    found = set(modules)
    while True:
        users = {
            name
            for name, module in loaded.items()
            if any(
                (value.__name__ if isinstance(value, ModuleType) else value.__module__) in found
                for value in vars(module).values()
                if isinstance(value, type | ModuleType) or callable(value)
                if hasattr(value, "__module__") or isinstance(value, ModuleType)
            )
        }
        if users <= found:
            return found
        found |= users


def _attributes(modules: set[str]) -> dict[tuple[ModuleType, str], Any]:
    kept: dict[tuple[ModuleType, str], Any] = {}
    for name in modules:
        parent, _, attribute = name.rpartition(".")
        package = sys.modules[parent]
        if hasattr(package, attribute):
            kept[package, attribute] = getattr(package, attribute)
    return kept
