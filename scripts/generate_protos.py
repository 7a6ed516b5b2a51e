"""Generates the Python code and the descriptor set of the contract.

The sources in ``protos/collector`` declare the package ``collector``, as every
collector in the world does. A Python process has one default descriptor pool,
and an author's own generated code for that package must load into it beside
ours. So our copies are generated under a package of their own,
``collector_reference.wire``, which is seen by nobody: message bytes carry no
package. What is seen, the service paths and the descriptor set that reflection
serves, keeps the true name.

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
TRUE_PACKAGE = "collector"
OUR_PACKAGE = "collector_reference.wire"
DESCRIPTOR_SET = "collector.binpb"
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
    existing = {
        path.name: path.read_bytes()
        for path in WIRE.iterdir()
        if path.is_file() and path.name not in HAND_WRITTEN
    }
    different = sorted(
        name
        for name in generated.keys() | existing.keys()
        if generated.get(name) != existing.get(name)
    )
    if check:
        for name in different:
            print(f"{(WIRE / name).relative_to(ROOT)} differs from protos/: run `make protos`")
        return 1 if different else 0
    for name in different:
        if name in generated:
            (WIRE / name).write_bytes(generated[name])
        else:
            (WIRE / name).unlink()
        print(f"wrote {(WIRE / name).relative_to(ROOT)}")
    return 0


def generate(scratch: Path) -> dict[str, bytes]:
    """Returns the generated files by name, made below the empty folder `scratch`."""
    names = sorted(path.name for path in (SOURCES / TRUE_PACKAGE).glob("*.proto"))
    renamed = scratch / "renamed" / OUR_PACKAGE.replace(".", "/")
    renamed.mkdir(parents=True)
    for name in names:
        text = (SOURCES / TRUE_PACKAGE / name).read_text()
        text = re.sub(
            rf"^package {TRUE_PACKAGE};", f"package {OUR_PACKAGE};", text, flags=re.MULTILINE
        )
        text = text.replace(f'import "{TRUE_PACKAGE}/', f'import "{OUR_PACKAGE.replace(".", "/")}/')
        (renamed / name).write_text(text)
    out = scratch / "out"
    out.mkdir()
    protoc(
        f"--proto_path={scratch / 'renamed'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=readable_stubs:{out}",
        f"--mypy_grpc_out=readable_stubs:{out}",
        *(f"{OUR_PACKAGE.replace('.', '/')}/{name}" for name in names),
    )
    protoc(
        f"--proto_path={SOURCES}",
        f"--descriptor_set_out={out / DESCRIPTOR_SET}",
        "--include_imports",
        *(f"{TRUE_PACKAGE}/{name}" for name in names),
    )
    files = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    # A contract file without services yields a gRPC module without content.
    with_services = {
        name.removesuffix(".proto")
        for name in names
        if re.search(r"^service ", (SOURCES / TRUE_PACKAGE / name).read_text(), flags=re.MULTILINE)
    }
    return {
        name: restore_service_names(content)
        for name, content in files.items()
        if "_pb2_grpc" not in name or name.split("_pb2_grpc")[0] in with_services
    }


def restore_service_names(content: bytes) -> bytes:
    """Gives the services in generated gRPC code their true names again."""
    for service in (b"CollectiveDispatcher", b"CollectorRegistry"):
        for prefix in (b"'/", b"'", b'"/', b'"'):
            content = content.replace(
                prefix + OUR_PACKAGE.encode() + b"." + service,
                prefix + TRUE_PACKAGE.encode() + b"." + service,
            )
    return content


def protoc(*arguments: str) -> None:
    """Runs the protocol compiler that comes with grpcio-tools."""
    try:
        import grpc_tools  # noqa: F401
    except ImportError:
        sys.exit("grpcio-tools is missing here: run `make protos`, which has its own environment")
    tools = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--plugin=protoc-gen-mypy={tools / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={tools / 'protoc-gen-mypy_grpc'}",
            *arguments,
        ],
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
