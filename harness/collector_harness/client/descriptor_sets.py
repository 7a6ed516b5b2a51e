"""Message types and services from files: descriptor sets, and `.proto` files where a compiler is.

What a node tells of itself is in `reflection`; here is what somebody wrote down beforehand.
"""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from collector_harness.client.pools import TypePool, known_types
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem

__all__ = ["pool_of"]

_LARGEST = 16 * 1024 * 1024
_COMPILER_LIMIT = 60.0


def pool_of(files: Iterable[Path]) -> TypePool:
    """Returns a pool of its own with all that descriptor sets and `.proto` files hold.

    A `.proto` file finds its imports from its own folder. Raises `InvalidInput` for a file that
    cannot be used, and `EnvironmentLacks` for a `.proto` file without the extra `proto`.
    """
    pool = TypePool()
    for path in files:
        for file in _files_of(path, _changed(path)):
            _add(pool, file, path)
    return pool


def _add(pool: TypePool, file: FileDescriptorProto, path: Path) -> None:
    for name in file.dependency:
        if not pool.has_file(name) and known_types().has_file(name):
            known = FileDescriptorProto()
            known_types().descriptors.FindFileByName(name).CopyToProto(known)
            _add(pool, known, path)
    missing = [name for name in file.dependency if not pool.has_file(name)]
    if missing:
        raise InvalidInput(
            Problem(
                message=f"{path}: '{file.name}' imports '{missing[0]}', which is not in it",
                hint="write the descriptor set with its imports: protoc --include_imports",
            )
        )
    try:
        pool.add(file)
    except (TypeError, KeyError, ValueError, DecodeError) as error:
        raise InvalidInput(
            Problem(message=f"{path}: '{file.name}' cannot be used: {error}")
        ) from error


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise InvalidInput(
            Problem(message=f"{path}: cannot be read: {error.strerror or error}")
        ) from error


@functools.lru_cache(maxsize=64)
def _files_of(path: Path, _changed: int) -> tuple[FileDescriptorProto, ...]:
    """Returns the files in an order in which each comes after what it imports."""
    content = _compiled(path) if path.suffix == ".proto" else _read(path)
    try:
        found = FileDescriptorSet.FromString(content)
    except DecodeError as error:
        raise InvalidInput(
            Problem(
                message=f"{path}: is no descriptor set",
                hint="make one with: protoc --include_imports --descriptor_set_out=FILE ...",
            )
        ) from error
    return tuple(_in_order(found))


def _in_order(found: FileDescriptorSet) -> list[FileDescriptorProto]:
    files = {file.name: file for file in found.file}
    ordered: dict[str, FileDescriptorProto] = {}
    waiting = [(name, False) for name in reversed(files)]
    while waiting:
        name, seen = waiting.pop()
        if name in ordered:
            continue
        if seen:
            ordered[name] = files[name]
            continue
        waiting.append((name, True))
        waiting += [
            (other, False)
            for other in files[name].dependency
            if other in files and other not in ordered and (other, True) not in waiting
        ]
    return list(ordered.values())


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise InvalidInput(Problem(message=f"{path}: is larger than 16 MB"))
    return content


def _compiled(path: Path) -> bytes:
    if importlib.util.find_spec("grpc_tools") is None:
        raise EnvironmentLacks(
            f"the file '{path}' needs a protocol compiler: pip install 'collector-harness[proto]', "
            "or name a descriptor set instead"
        )
    with tempfile.TemporaryDirectory(prefix="collector-harness-") as folder:
        out = Path(folder) / "set.binpb"
        # A process of its own: the compiler writes its errors to the streams of its process.
        done = subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", "--include_imports"),
                *(f"--descriptor_set_out={out}", f"--proto_path={path.parent}", path.name),
            ],
            capture_output=True,
            check=False,
            timeout=_COMPILER_LIMIT,
        )
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise InvalidInput(
                [Problem(message=f"{path.parent}/{line}") for line in told[:20]]
                or Problem(message=f"{path}: cannot be compiled")
            )
        return out.read_bytes()
