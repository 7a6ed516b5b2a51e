"""From `module:attribute`, `folder:module:attribute` or `file.py:attribute` to the handlers that a
node serves, or the factory of a target.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from collector_harness.errors import InvalidInput, Problem

__all__ = ["load_attribute"]


def load_attribute(reference: str, *, what: str) -> object:
    """Returns what a reference names.

    A module of `module:attribute` is looked for as Python does, and then in the current folder;
    that of `folder:module:attribute`, which nobody writes by hand, lies in this folder. Files are
    loaded once. Raises `InvalidInput` that begins with `what` and says which part is wrong.
    """
    place, _, attribute = reference.rpartition(":")
    in_file = place.endswith(".py")
    folder, _, module_name = ("", "", place) if in_file else place.rpartition(":")
    reference = f"{module_name}:{attribute}"
    if not module_name or not attribute:
        raise InvalidInput(
            Problem(
                message=f"{what} cannot be imported: '{reference}' is not module:attribute",
                hint="write it like tests.handlers:OrderService",
            )
        )
    found: object
    if in_file:
        found = _file(module_name, reference, what)
    elif folder:
        found = _beside(Path(folder), module_name, reference, what)
    else:
        found = _module(module_name, reference, what)
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


def _file(name: str, reference: str, what: str) -> ModuleType:
    path = Path(name).resolve()
    # Dataclasses and pickles look their module up by its name, so it must have one of its own.
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    module_name = f"_collector_handlers_{digest}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidInput(Problem(message=f"{what} cannot be imported: there is no file '{name}'"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise InvalidInput(_raised(reference, what, error)) from error
    return module


def _raised(reference: str, what: str, error: Exception) -> Problem:
    return Problem(
        message=f"{what} cannot be imported from '{reference}': its module raised "
        f"{type(error).__name__}: {error}"
    )


def _beside(folder: Path, name: str, reference: str, what: str) -> ModuleType:
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()  # it may have been written a moment ago
        module = importlib.import_module(name)
    except Exception as error:
        raise InvalidInput(_raised(reference, what, error)) from error
    finally:
        sys.path.remove(str(folder))
    if Path(module.__file__ or "").resolve().is_relative_to(folder.resolve()):
        return module
    # Python keeps one module of a name, and this one was there before.
    alone = folder / f"{name}.py"
    if alone.is_file():
        return _file(str(alone), reference, what)
    raise InvalidInput(
        Problem(
            message=f"{what} cannot be imported from '{reference}': another '{name}' was imported "
            f"before, from {module.__file__}",
            hint=f"give the one in {folder} a name of its own",
        )
    )


def _module(name: str, reference: str, what: str) -> ModuleType:
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
        raise InvalidInput(_raised(reference, what, error)) from error
    finally:
        if added:
            sys.path.remove(here)
