"""The loopback, as far as the Python API shows it beside what is seen from outside."""

from __future__ import annotations

from collector_harness.conformance.lib.checks import Bench, library_check
from collector_harness.topology.values import Node, Topology

_PROBE = "conformance.Probe"
_ASKED = "/collector.CollectorRegistry/ValidateMethod"


@library_check(
    "LOOP-001",
    title="a validation is counted on the port as a call that arrived there",
    by_hand="""
asked = "/collector.CollectorRegistry/ValidateMethod"
before = collector.statistics()
await serve("WhoAmI")
after = collector.statistics()
show("questions that left", after.loopback_calls - before.loopback_calls, 1)
show("questions that arrived", after.rpcs.get(asked, 0) - before.rpcs.get(asked, 0), 1)
""",
)
async def validation_is_a_call(bench: Bench) -> None:
    node = Node(name="hub", namespaces=("shop",), probe=("shop",))
    async with bench.mesh(Topology(nodes=(node,))) as mesh:
        collector, client = mesh["hub"].collector, mesh["hub"].client
        assert collector is not None
        bench.expect(
            "what it asks is the port that it is bound to",
            {"loopback": collector.loopback_address},
            {"loopback": collector.address},
        )
        before = collector.statistics()
        reply = await client.serve("shop", _PROBE, "WhoAmI")
        after = collector.statistics()
        bench.expect(
            "one call is validated by one call that left, and that arrived",
            {
                "status": reply.status,
                "left": after.loopback_calls - before.loopback_calls,
                "arrived": after.rpcs.get(_ASKED, 0) - before.rpcs.get(_ASKED, 0),
            },
            {"status": "OK", "left": 1, "arrived": 1},
        )
