"""Serve, as far as only the Python API shows it."""

from __future__ import annotations

from datetime import timedelta

from collector_harness.conformance.lib.checks import Bench, library_check
from collector_harness.topology.values import Node, Topology
from collector_reference.errors import NotRegistered

_PROBE = "conformance.Probe"


class _Refusing:
    """A validator that knows nothing, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def validate_service_method(
        self,
        namespace: str,
        service: str,
        method: str,
        *,
        time_left: timedelta | None = None,  # noqa: ARG002 - part of the interface
    ) -> None:
        self.asked.append(f"{namespace}/{service}.{method}")
        raise NotRegistered(f"{namespace}/{service}.{method}")


@library_check(
    "SRV-006",
    title="a validator is optional, and can be put in while it runs",
    settings="validation=False",
    by_hand="""
key = Any()
key.Pack(StringValue(value="key"))
show("without a validator", (await serve("Unregistered", key)).status.code, 200)
collector.set_registry_validator(Refusing())
show("with one that refuses", (await serve("Unregistered", key)).status.code, 404)
collector.set_registry_validator(None)
show("without one again", (await serve("Unregistered", key)).status.code, 200)
""",
)
async def validator_at_run_time(bench: Bench) -> None:
    node = Node(name="hub", namespaces=("shop",), probe=("shop",), validation=False)
    async with bench.mesh(Topology(nodes=(node,))) as mesh:
        collector, client = mesh["hub"].collector, mesh["hub"].client
        assert collector is not None
        free = await client.serve("shop", _PROBE, "Unregistered", "key")
        bench.expect(
            "without a validator, a method that is in no registry runs",
            {"status": free.status, "output": free.output},
            {"status": "OK", "output": 1},
        )
        validator = _Refusing()
        collector.set_registry_validator(validator)
        refused = await client.serve("shop", _PROBE, "Unregistered", "key")
        bench.expect(
            "with a validator that does not know it, it is refused",
            {"status": refused.status, "asked": validator.asked},
            {"status": "NOT_FOUND", "asked": [f"shop/{_PROBE}.Unregistered"]},
        )
        collector.set_registry_validator(None)
        again = await client.serve("shop", _PROBE, "Unregistered", "key")
        bench.expect(
            "without it again, the method runs, and for the second time only",
            {"status": again.status, "output": again.output, "asked": validator.asked},
            {"status": "OK", "output": 2, "asked": {"$len": 1}},
        )
