"""What the source of handlers says of them, read and never run: which names a module has, and which
service and methods a class is.

Nothing is said where the text alone cannot tell: of what is made when a module runs, of classes
that others change, and of modules that Python would find in ways of its own.
"""

from __future__ import annotations

import ast
import functools
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["WrittenService", "names_without", "written_service"]

_DEEPEST = 20
"""Classes above each other."""
_CHANGING = frozenset({"exec", "eval", "globals", "locals", "setattr", "vars"})
"""What can give a module names that its text does not show."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenService:
    """The service that a class is, as its text says it."""

    name: str
    """What it is called by: its `service_name`, or the name of the class."""
    methods: frozenset[str]
    """Its public methods."""
    others: frozenset[str]
    """Public names that may be methods too, as they are set and not defined."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)  # each is read once, and is itself
class _Module:
    names: Mapping[str, ast.stmt | None]
    """Each name that it has, with its definition where that is plain."""
    whole: bool
    """Whether it has no other names."""


def names_without(reference: str) -> tuple[str, ...] | None:
    """Returns the names of a module, where that is known to lack what a reference names; None where
    it has it, and where that cannot be known.

    A reference is as `Served.implementation` has it, such as `module:attribute`.
    """
    wanted = reference.rpartition(":")[2].partition(".")[0]
    if wanted.startswith("__") or hasattr(_imported(reference), wanted):
        return None
    path = _source_of(reference)
    module = None if path is None else _read(path)
    if path is None or module is None or not module.whole or wanted in module.names:
        return None
    if path.name == "__init__.py" and any(path.parent.glob(f"{wanted}*")):
        return None  # a part of the package, which somebody may have imported
    return tuple(name for name in module.names if not name.startswith("_"))


def written_service(reference: str) -> WrittenService | None:
    """Returns the service that a reference leads to; None where its text does not tell it."""
    path = _source_of(reference)
    module = None if path is None else _read(path)
    return None if module is None else _service_in(module, reference.rpartition(":")[2])


@functools.lru_cache(maxsize=1024)
def _service_in(module: _Module, name: str) -> WrittenService | None:
    found = module.names.get(name)
    return _service(found, module, depth=0) if isinstance(found, ast.ClassDef) else None


def _imported(reference: str) -> object:
    """Returns the module where it was imported before: that is what a mesh will use."""
    return sys.modules.get(reference.rpartition(":")[0].rpartition(":")[2])


def _source_of(reference: str) -> Path | None:
    place = reference.rpartition(":")[0]
    if place.endswith(".py"):
        return Path(place)
    folder, _, name = place.rpartition(":")
    where: Sequence[str] | None = [folder] if folder else [*sys.path, str(Path.cwd())]
    origin: str | None = None
    for part in itertools.accumulate(name.split("."), "{}.{}".format):
        spec = None if where is None else PathFinder.find_spec(part, where)
        if spec is None:
            return None
        where, origin = spec.submodule_search_locations, spec.origin
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _read(path: Path) -> _Module | None:
    try:
        found = path.stat()
        return _parsed(path, found.st_mtime_ns, found.st_size)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None  # told when it is imported


@functools.lru_cache(maxsize=256)
def _parsed(path: Path, _changed: int, _size: int) -> _Module:
    """Reads a module once for each time that it has changed."""
    tree = ast.parse(path.read_bytes())
    names: dict[str, ast.stmt | None] = {}
    for name, definition in _bound(tree):
        names[name] = None if name in names else definition
    changed = any(
        isinstance(each, ast.Name) and each.id in _CHANGING and isinstance(each.ctx, ast.Load)
        for each in ast.walk(tree)
    )
    return _Module(names=names, whole=not changed and names.keys().isdisjoint({"*", "__getattr__"}))


def _bound(tree: ast.Module) -> Iterator[tuple[str, ast.stmt | None]]:
    """Yields the names that a module binds, each with its definition where that is plain."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name, statement
        else:
            yield from ((name, None) for name in _bound_in(statement))
    for each in ast.walk(tree):
        if isinstance(each, ast.Global):
            yield from ((name, None) for name in each.names)


def _bound_in(statement: ast.stmt) -> Iterator[str]:
    for each in ast.walk(statement):
        match each:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield each.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in each.names)
            case ast.Name(ctx=ast.Store()):
                yield each.id
            case ast.ExceptHandler(name=str() as name):
                yield name


def _service(found: ast.ClassDef, module: _Module, *, depth: int) -> WrittenService | None:
    if found.decorator_list or found.keywords or depth > _DEEPEST:
        return None
    name = found.name
    methods: set[str] = set()
    others: set[str] = set()
    for base in reversed(found.bases):
        if isinstance(base, ast.Name) and base.id == "object":
            continue
        above = module.names.get(base.id) if isinstance(base, ast.Name) else None
        if not isinstance(above, ast.ClassDef):
            return None
        inherited = _service(above, module, depth=depth + 1)
        if inherited is None:
            return None
        methods |= inherited.methods
        others |= inherited.others
        # The name of a class is its own, but a `service_name` is handed down.
        name = name if inherited.name == above.name else inherited.name
    for statement in found.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                methods.add(statement.name)
            case ast.Assign() | ast.AnnAssign():
                set_here = list(_bound_in(statement))
                others.update(set_here)
                if "service_name" in set_here:
                    if not isinstance(statement.value, ast.Constant):
                        return None
                    name = str(statement.value.value)
            case ast.Expr() | ast.Pass():
                pass
            case _:
                return None
    return WrittenService(name=name, methods=_public(methods), others=_public(others))


def _public(names: set[str]) -> frozenset[str]:
    return frozenset(name for name in names if not name.startswith("_"))
