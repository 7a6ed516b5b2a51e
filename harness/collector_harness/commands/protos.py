"""`collector-harness protos`: the contract's sources, for authors of collectors."""

from __future__ import annotations

from pathlib import Path

import click

from collector_harness.commands.options import debug_option

__all__ = ["command"]


@click.command(
    "protos",
    short_help="Write the protocol's .proto files to a folder.",
    epilog="""\b
Examples:
  collector-harness protos third_party/
  python -m grpc_tools.protoc -I third_party --python_out=. third_party/collector/*.proto""",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite files that differ.")
@debug_option
def command(folder: Path, force: bool) -> None:
    """Writes the contract to DIR: collector/*.proto for any protocol compiler, and
    collector.binpb, the descriptor set that grpcurl and its like take.

    Files that say the same already are left alone; files that differ are an error.
    """
    from collector_harness.reports.escaping import printable
    from collector_harness.resources import write_protos

    written = write_protos(folder, force=force)
    for path in written:
        click.echo(f"wrote {printable(str(path))}")
    if not written:
        click.echo(f"{printable(str(folder))} holds the contract already; nothing was written")
