"""What is shipped inside the package: the contract's sources and the conformance suite.

They are found the same way in a wheel and in an editable install: `shipped/`
holds links to the folders of the repository, and a wheel holds what they lead to.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from collector_harness.errors import EnvironmentLacks, InternalFault, InvalidInput, Problem

__all__ = ["conformance_suite", "contract_rpcs", "descriptor_set", "protos_dir", "write_protos"]

_SHIPPED = Path(__file__).parent / "shipped"


def protos_dir() -> Path:
    """Returns the folder to give protoc as `--proto_path`; the contract is in its `collector/`."""
    return _there(_SHIPPED / "protos", holding="collector/*.proto")


def conformance_suite() -> Path:
    """Returns the folder of the conformance scenarios, one folder in it per id family."""
    return _there(_SHIPPED / "scenarios" / "conformance", holding="**/*.scenario.yaml")


def descriptor_set() -> bytes:
    """Returns the contract as a serialized `FileDescriptorSet`, with imports and true names."""
    return (files("collector_reference.wire") / "collector.binpb").read_bytes()


def contract_rpcs() -> tuple[str, ...]:
    """Returns every RPC of the contract, such as `/collector.CollectiveDispatcher/Dispatch`."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    return tuple(
        f"/{file.package}.{service.name}/{method.name}"
        for file in FileDescriptorSet.FromString(descriptor_set()).file
        for service in file.service
        for method in service.method
    )


def write_protos(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Writes the contract below `folder` for somebody who implements it.

    That is `collector/*.proto`, for any protocol compiler, and `collector.binpb`, the
    descriptor set that grpcurl and the like take. Makes `folder` where it is missing and
    leaves everything else in it alone. A file that is there already and says the same is
    not written again.

    Returns the files that were written, in order. Raises `InvalidInput` naming every file
    that differs, before anything is written, unless `force` is set; `EnvironmentLacks`
    when the folder cannot be written to.
    """
    contract = protos_dir()
    wanted = {
        folder / path.relative_to(contract): path.read_bytes()
        for path in sorted(contract.glob("collector/*.proto"))
    }
    wanted[folder / "collector.binpb"] = descriptor_set()
    try:
        there = {path: path.read_bytes() for path in wanted if path.exists()}
        differing = [path for path, content in there.items() if content != wanted[path]]
        if differing and not force:
            raise InvalidInput(
                [
                    Problem(
                        message=f"{path} exists and differs from the contract",
                        hint="name another folder, or add --force to overwrite it",
                    )
                    for path in differing
                ]
            )
        missing = [path for path in wanted if there.get(path) != wanted[path]]
        for path in missing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted[path])
    except OSError as error:
        raise EnvironmentLacks(
            f"the contract cannot be written to {folder}: {error.strerror or error}\n"
            "hint: name a folder that you may write to"
        ) from error
    return tuple(missing)


def _there(folder: Path, *, holding: str) -> Path:
    if not any(folder.glob(holding)):
        raise InternalFault(
            f"this installation lacks {folder}: install collector-harness again, and in a "
            "checkout look whether symbolic links were checked out as links"
        )
    return folder
