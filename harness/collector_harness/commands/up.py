"""`collector-harness up`: a mesh that stays up, to try things by hand.

Bringing it up is `mesh`'s business; what is printed about it is decided in `mesh_guide`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from collector_harness.commands.options import debug_option, seed_option

if TYPE_CHECKING:
    from collector_harness.targets import Target
    from collector_harness.topology.values import Topology

__all__ = ["command"]

_LOOK_EVERY_SECONDS = 0.5
"""How often it is looked whether all nodes are still alive."""


@click.command(
    "up",
    short_help="Bring up a mesh and keep it running.",
    epilog="""\b
Examples:
  collector-harness up star:5
  collector-harness up random:10 --seed 7 --namespaces users,orders
  collector-harness up topology.yaml
  collector-harness up chain:3 --target exec:"python my_collector.py"

\b
Shapes: star:N, chain:N, ring:N, mesh:N, random:N""",
)
@click.argument("topology")
@click.option(
    "--namespaces",
    default="demo",
    show_default=True,
    metavar="NAMES",
    help="The namespaces of a shape's nodes, comma-separated; each serves the probe there.",
)
@click.option(
    "--target",
    default="reference",
    show_default=True,
    metavar="TARGET",
    help="What the nodes are: reference, exec:COMMAND, python:MODULE:FACTORY.",
)
@seed_option
@debug_option
def command(topology: str, namespaces: str, target: str, seed: int | None) -> int:
    """Brings up a mesh of collectors on free ports of this machine, prints each node's address
    and calls to paste, and keeps it running until Ctrl-C or SIGTERM.

    TOPOLOGY is a shape such as star:5, a YAML file, or a scenario file, whose topology is used.
    """
    import secrets

    from collector_harness.commands.shapes import topology_of
    from collector_harness.commands.signals import run_until_signalled
    from collector_harness.errors import ExitCode
    from collector_harness.targets import parse_target

    if seed is None:
        seed = secrets.randbelow(2**31)
        if topology.startswith("random:"):
            click.echo(f"seed {seed}")
    wanted = topology_of(topology, namespaces=_names(namespaces), seed=seed)
    under_test = parse_target(target)
    return run_until_signalled(lambda: _stay_up(wanted, under_test), terminated=ExitCode.OK)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


async def _stay_up(topology: Topology, target: Target) -> NoReturn:
    """Stays until it is cancelled; raises `TargetFailed` when a node dies."""
    import asyncio
    import sys

    from collector_harness.commands.mesh_guide import mesh_guide
    from collector_harness.mesh import Mesh
    from collector_harness.reports.screen import open_screen

    screen = open_screen(sys.stdout)
    mesh = Mesh(topology, target=target)
    try:
        await mesh.start()
        screen.show(mesh_guide(topology, {part.name: part.address for part in mesh.parts}))
        while not mesh.failures():  # noqa: ASYNC110 - that a node died is a state of it, no event
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        raise mesh.failures()[0]
    finally:
        await mesh.stop()
