"""Going back to a checkpoint, so that a running collector can be lent to another test."""

from __future__ import annotations

from collector_reference import NotRegistered

PROBE = "conformance.Probe"


class Orders:
    """Counts its calls on itself."""

    def __init__(self) -> None:
        self.created = 0

    def Create(self, value, context):
        self.created += 1
        return self.created


async def test_registrations_and_handlers_are_as_they_were(field):
    collector = await field.collector()
    collector.register_service("users", "S", "Kept", lambda value, _: "kept")
    checkpoint = collector.checkpoint()
    caller = field.caller(collector.address)
    await caller.register("users", "Later", "M")
    collector.register_service("users", "S", "Later", lambda value, _: "later")
    collector.register_service("users", "S", "Kept", lambda value, _: "changed")
    assert (await caller.serve("users", "S", "Later")).status.code == 200
    await collector.restore(checkpoint)
    assert not (await caller.validate("users", "Later", "M")).is_valid
    assert (await caller.serve("users", "S", "Later")).status.code == 404
    assert b"kept" in (await caller.serve("users", "S", "Kept")).output.value


async def test_classes_are_made_anew_and_objects_are_not(field):
    collector = await field.collector()
    shared = Orders()
    collector.add_implementation("anew", Orders)
    collector.add_implementation("shared", shared)
    checkpoint = collector.checkpoint()
    caller = field.caller(collector.address)
    for namespace in ("anew", "anew", "shared", "shared"):
        await caller.serve(namespace, "Orders", "Create")
    await collector.restore(checkpoint)
    assert (await caller.serve("anew", "Orders", "Create")).output.value == b"\x08\x01"
    assert (await caller.serve("shared", "Orders", "Create")).output.value == b"\x08\x03"


async def test_connections_made_since_are_dropped_and_lost_ones_come_back(field):
    collector = await field.collector(namespaces=("users",))
    caller = field.caller(collector.address)
    kept, moved, later = [await field.peer(name) for name in ("kept", "kept", "later")]
    await collector.connect_to(kept.address)
    before = collector.connections()
    checkpoint = collector.checkpoint()
    await caller.connect("later", later.address, ("users",))
    await caller.connect("kept", moved.address, ("users",))
    await collector.restore(checkpoint)
    await field.until(lambda: collector.connections() == before)
    assert (await caller.dispatch("users", "S", "M", target="later")).status.code == 404
    for _ in range(3):
        assert (await caller.dispatch("users", "S", "M")).handled_by_collector_id == "kept"
    assert (len(kept.served), len(moved.served), len(later.served)) == (3, 0, 0)


async def test_counts_are_as_they_were_and_the_probe_has_counted_nothing(field):
    collector = await field.collector(probe=("users",))
    caller = field.caller(collector.address)
    await caller.serve("users", PROBE, "Count", "k")
    checkpoint = collector.checkpoint()
    statistics = collector.statistics()
    for _ in range(3):
        await caller.serve("users", PROBE, "Count", "k")
    await collector.restore(checkpoint)
    assert collector.statistics() == statistics
    assert (await caller.serve("users", PROBE, "Count", "k")).output.value == b"\x08\x01"


async def test_no_answer_of_the_registry_is_believed_any_more(field):
    collector = await field.collector(probe=("users",))
    checkpoint = collector.checkpoint()
    caller = field.caller(collector.address)
    for _ in range(2):
        await caller.serve("users", PROBE, "WhoAmI")
        await collector.restore(checkpoint)
        await caller.serve("users", PROBE, "WhoAmI")
        assert collector.statistics().loopback_calls == 1


async def test_the_validator_is_the_one_of_then(field):
    class Closed:
        async def validate_service_method(self, namespace, service, method, *, time_left=None):
            raise NotRegistered("closed")

    collector = await field.collector(probe=("users",))
    checkpoint = collector.checkpoint()
    collector.set_registry_validator(Closed())
    caller = field.caller(collector.address)
    assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 404
    await collector.restore(checkpoint)
    assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 200


async def test_a_checkpoint_can_be_restored_again_and_again(field):
    collector = await field.collector()
    collector.add_implementation("orders", Orders)
    checkpoint = collector.checkpoint()
    caller = field.caller(collector.address)
    for _ in range(3):
        assert (await caller.serve("orders", "Orders", "Create")).output.value == b"\x08\x01"
        await collector.restore(checkpoint)
