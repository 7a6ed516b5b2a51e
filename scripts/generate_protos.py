"""Generates the Python code and the descriptor set of the contract, and the sample systems' code.

The sources in ``protos/collector`` declare the package ``collector``, as every
collector in the world does. A Python process has one default descriptor pool,
and an author's own generated code for that package must load into it beside
ours. So our copies are generated under a package of their own,
``collector_reference.wire``, which is seen by nobody: message bytes carry no
package. What is seen, the service paths and the descriptor set that reflection
serves, keeps the true name.

What an author's generator makes of the same sources is kept too, untouched, for
the tests that load it beside ours.

What the reference collector serves beside the contract is in ``protos/administration``, and is
generated in the same way, with a descriptor set of its own; authors get nothing of it.

Every other folder of ``protos`` is a sample system's. Its code goes into the package of
that system, ``scenarios/<name>/<name>_system/wire``, under the true package.

Run it by ``make protos``, or with ``--check`` to compare instead of write.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "protos"
WIRE = ROOT / "collector" / "collector_reference" / "wire"
SYSTEMS = ROOT / "scenarios"
AUTHORED = ROOT / "tests" / "contract" / "authored" / "collector"
TRUE_PACKAGE = "collector"
OUR_PACKAGE = "collector_reference.wire"
ADMINISTRATION = "administration"
OURS = (TRUE_PACKAGE, ADMINISTRATION)
"""The packages whose code goes into our own: the contract, and what is no part of it."""
SERVICES = {
    TRUE_PACKAGE: ("CollectiveDispatcher", "CollectorRegistry"),
    ADMINISTRATION: ("CollectorAdmin",),
}
HAND_WRITTEN = {"__init__.py"}


def main() -> int:
    """Generates or compares; returns 0, or 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="compare with what is committed; write nothing"
    )
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        generated = generate(Path(scratch))
    different = sorted(
        path
        for path in generated.keys() | existing()
        if not path.exists() or generated.get(path) != path.read_bytes()
    )
    if check:
        for path in different:
            print(f"{path.relative_to(ROOT)} differs from protos/: run `make protos`")
        return 1 if different else 0
    for path in different:
        if path in generated:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(generated[path])
            print(f"wrote {path.relative_to(ROOT)}")
        else:
            path.unlink()
            print(f"removed {path.relative_to(ROOT)}")
    return 0


def existing() -> set[Path]:
    """Returns the generated files that are there."""
    return {
        path
        for folder in (WIRE, AUTHORED, *(system_wire(name) for name in systems()))
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and path.name not in HAND_WRITTEN
    }


def generate(scratch: Path) -> dict[Path, bytes]:
    """Returns what the generated files are to hold, made below the empty folder `scratch`."""
    names = sorted(path.name for path in (SOURCES / TRUE_PACKAGE).glob("*.proto"))
    ours = {
        WIRE / name: restore_service_names(content, package)
        for package in OURS
        for name, content in generate_ours(package, scratch / "ours" / package).items()
    }
    theirs = {
        AUTHORED / name: content
        for name, content in generate_theirs(names, scratch / "theirs").items()
    }
    samples = {
        system_wire(system) / name: content
        for system in systems()
        for name, content in generate_system(system, scratch / system).items()
    }
    return ours | theirs | samples


def systems() -> list[str]:
    """Returns the names of the sample systems that have protos."""
    return sorted(
        path.name for path in SOURCES.iterdir() if path.is_dir() and path.name not in OURS
    )


def system_wire(system: str) -> Path:
    """Returns the folder of a sample system's generated code."""
    return SYSTEMS / system / f"{system}_system" / "wire"


def generate_system(system: str, scratch: Path) -> dict[str, bytes]:
    """Returns the code of a sample system by file name. Its modules import each other by the
    path of their sources, so those are compiled from where the code will be.
    """
    folder = system_wire(system).relative_to(SYSTEMS / system).as_posix()
    moved, out = scratch / "moved", scratch / "out"
    (moved / folder).mkdir(parents=True)
    out.mkdir()
    sources = SOURCES / system
    names = sorted(path.name for path in sources.glob("*.proto"))
    for name in names:
        text = (sources / name).read_text()
        (moved / folder / name).write_text(text.replace(f'import "{system}/', f'import "{folder}/'))
    protoc(
        f"--proto_path={moved}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out={out}",
        f"--mypy_grpc_out={out}",
        *(f"{folder}/{name}" for name in names),
    )
    return generated_files(out, sources)


def generate_ours(package: str, scratch: Path) -> dict[str, bytes]:
    """Returns the code of a package under the package of our own, and the descriptor set, by file
    name.
    """
    names = sorted(path.name for path in (SOURCES / package).glob("*.proto"))
    folder = OUR_PACKAGE.replace(".", "/")
    renamed = scratch / "renamed"
    (renamed / folder).mkdir(parents=True)
    for name in names:
        text = (SOURCES / package / name).read_text()
        text = re.sub(rf"^package {package};", f"package {OUR_PACKAGE};", text, flags=re.MULTILINE)
        text = text.replace(f'import "{package}/', f'import "{folder}/')
        (renamed / folder / name).write_text(text)
    out = scratch / "out"
    out.mkdir()
    protoc(
        f"--proto_path={renamed}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out={out}",
        f"--mypy_grpc_out={out}",
        *(f"{folder}/{name}" for name in names),
    )
    protoc(
        f"--proto_path={SOURCES}",
        f"--descriptor_set_out={out / f'{package}.binpb'}",
        "--include_imports",
        *(f"{package}/{name}" for name in names),
    )
    return generated_files(out, SOURCES / package)


def generate_theirs(names: list[str], scratch: Path) -> dict[str, bytes]:
    """Returns what an author gets who generates from the sources as they are, by file name."""
    scratch.mkdir()
    protoc(
        f"--proto_path={SOURCES}",
        f"--python_out={scratch}",
        f"--grpc_python_out={scratch}",
        *(f"{TRUE_PACKAGE}/{name}" for name in names),
    )
    return generated_files(scratch, SOURCES / TRUE_PACKAGE)


def generated_files(out: Path, sources: Path) -> dict[str, bytes]:
    """Returns the files below `out` by name, without the gRPC modules of those in `sources`
    that have no service.
    """
    with_services = {
        path.stem
        for path in sources.glob("*.proto")
        if re.search(r"^service ", path.read_text(), flags=re.MULTILINE)
    }
    return {
        path.name: path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
        and ("_pb2_grpc" not in path.name or path.name.split("_pb2_grpc")[0] in with_services)
    }


def restore_service_names(content: bytes, package: str) -> bytes:
    """Gives the services in generated gRPC code their true names again."""
    for service in SERVICES[package]:
        for prefix in ("'/", "'", '"/', '"'):
            content = content.replace(
                f"{prefix}{OUR_PACKAGE}.{service}".encode(), f"{prefix}{package}.{service}".encode()
            )
    return content


def protoc(*arguments: str) -> None:
    """Runs the protocol compiler that comes with grpcio-tools."""
    try:
        import grpc_tools  # noqa: F401
    except ImportError:
        sys.exit("grpcio-tools is missing here: run `make protos`, which has its own environment")
    tools = Path(sys.executable).parent
    # The stub plugin tells every file that it writes: shown only when something failed.
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--plugin=protoc-gen-mypy={tools / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={tools / 'protoc-gen-mypy_grpc'}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    sys.exit(main())
