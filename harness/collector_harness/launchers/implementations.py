"""From `module:attribute` to the handlers that a node serves, or the factory of a target."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path

from collector_harness.errors import InvalidInput, Problem

__all__ = ["load_attribute"]


def load_attribute(reference: str, *, what: str) -> object:
    """Returns what `module:attribute` names.

    Modules are looked for as Python does, and then in the current folder. Raises
    `InvalidInput` that begins with `what` and says which part is wrong.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise InvalidInput(
            Problem(
                message=f"{what} cannot be imported: '{reference}' is not module:attribute",
                hint="write it like tests.handlers:OrderService",
            )
        )
    found: object = _module(module_name, reference, what)
    for name in attribute.split("."):
        if not hasattr(found, name):
            names = [each for each in dir(found) if not each.startswith("_")]
            close = difflib.get_close_matches(name, names, n=1)
            raise InvalidInput(
                Problem(
                    message=f"{what} cannot be imported: '{module_name}' has no '{attribute}'",
                    hint=f"did you mean '{close[0]}'?" if close else None,
                )
            )
        found = getattr(found, name)
    return found


def _module(name: str, reference: str, what: str) -> object:
    here = str(Path.cwd())
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        top = missing == name or name.startswith(f"{missing}.")
        raise InvalidInput(
            Problem(
                message=f"{what} cannot be imported from '{reference}': "
                f"there is no module '{missing}'",
                hint=f"looked in sys.path and in {here}"
                if top
                else f"'{name}' was found, but imports it",
            )
        ) from error
    except Exception as error:
        raise InvalidInput(
            Problem(
                message=f"{what} cannot be imported from '{reference}': its module raised "
                f"{type(error).__name__}: {error}"
            )
        ) from error
    finally:
        if added:
            sys.path.remove(here)
