"""Cases of equal topology keep apart as far as their isolation says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.errors import TargetFailed
from collector_harness.events import Event, MeshStarted, MeshStopped, Outcome
from collector_harness.mesh import Mesh
from collector_harness.scenario.pool import MeshPool
from collector_harness.targets import Reference, parse_target
from collector_harness.topology import parse_topology

Run = Callable[..., Any]
Write = Callable[..., str]

REGISTER = """\
- register: {namespace: shop, service: Cart, methods: [Add]}
  expect: {status: "${case.status}"}
- dispatch: shop/conformance.Probe.Count
  input: key
  expect: {output: "${case.count}"}
- measure: only
  steps: [{serve: shop/conformance.Probe.WhoAmI}]
  expect: {loopback_calls: 1}
- serve: shop/conformance.Probe.Echo
  input: 1
- observe: only
  expect: {executions: {shop/conformance.Probe/Echo: "${case.count}"}}
"""
ALIKE = "cases: {first: {status: OK, count: 1}, second: {status: OK, count: 1}}\n"
GROWING = """\
isolation: shared
cases: {first: {status: OK, count: 1}, second: {status: ALREADY_EXISTS, count: 2}}
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_case_sees_nothing_of_the_one_before(run_all: Run, alone: Write, jobs: int) -> None:
    ran = run_all(alone(REGISTER, rest=ALIKE), jobs=jobs)
    assert ran.passed()
    assert len(ran.of(MeshStarted)) <= jobs


def test_cases_of_one_mesh_are_put_back_and_not_started_anew(run_all: Run, alone: Write) -> None:
    ran = run_all(*(alone(REGISTER, title, ALIKE) for title in "abc"))
    assert ran.passed()
    assert len(ran.outcomes) == 6
    assert len(ran.of(MeshStarted)) == 1


def test_connections_that_a_case_made_are_gone_in_the_next(run_all: Run, shop: Write) -> None:
    rows = "cases: {one: {n: 1}, two: {n: 2}, three: {n: 3}}\n"
    steps = """\
    - observe: a
      expect: {connections: [{collector_id: hub}]}
    - connect: b
      via: a
    - dispatch: shop/conformance.Probe.WhoAmI
      via: a
      target: b
      eventually: 5s
      expect: {output: b}
    - observe: a
      expect: {connections: {$len: 2}}
    """
    ran = run_all(shop(steps, rest=rows))
    assert ran.passed()
    assert len(ran.of(MeshStarted)) == 1


def test_shared_cases_are_on_one_mesh_that_is_never_put_back(run_all: Run, alone: Write) -> None:
    steps = REGISTER.replace("measure: only", "measure: only\n  when: {'${case.count}': 1}")
    ran = run_all(alone(steps, rest=GROWING))
    assert ran.passed()
    assert len(ran.of(MeshStarted)) == 1


def test_shared_cases_run_at_the_same_time_on_one_mesh(run_all: Run, alone: Write) -> None:
    """Each waits for what the other does: alone, neither could end."""
    rows = "isolation: shared\ncases: {one: {mine: A, other: B}, two: {mine: B, other: A}}\n"
    steps = """\
    - register: {namespace: shop, service: "${case.mine}", methods: [M]}
    - validate: shop/${case.other}.M
      eventually: 10s
    """
    ran = run_all(alone(steps, rest=rows), jobs=2)
    assert ran.passed()
    assert len(ran.of(MeshStarted)) == 1


def test_fresh_cases_have_a_mesh_each(run_all: Run, alone: Write) -> None:
    ran = run_all(alone(REGISTER, rest=ALIKE + "isolation: fresh\n"))
    assert ran.passed()
    assert len(ran.of(MeshStarted)) == len(ran.of(MeshStopped)) == 2


def test_a_failed_case_leaves_nothing_to_the_next(run_all: Run, alone: Write) -> None:
    fails = alone("- register: {namespace: shop, service: Cart}\n- lookup: shop/Nobody\n", "fails")
    ran = run_all(fails, alone(REGISTER, rest=ALIKE))
    assert list(ran.outcomes.values()) == [Outcome.FAILED, Outcome.PASSED, Outcome.PASSED]


TOPOLOGY = parse_topology("nodes: {only: {namespaces: [shop]}}")


def test_a_mesh_whose_node_was_killed_is_not_lent_again() -> None:
    async def run() -> None:
        events: list[Event] = []
        pool = MeshPool(target=Reference(), emit=events.append)
        async with pool.lease(TOPOLOGY) as first:
            await first.kill("only")
        async with pool.lease(TOPOLOGY) as second:
            assert second is not first
            assert (await second["only"].client.list_services()).ok
        await pool.close()
        assert sum(isinstance(event, MeshStopped) for event in events) == 2

    asyncio.run(run())


def test_the_same_mesh_is_lent_to_one_at_a_time() -> None:
    async def run() -> None:
        pool = MeshPool(target=Reference())
        async with pool.lease(TOPOLOGY) as first, pool.lease(TOPOLOGY) as second:
            assert first is not second
        async with pool.lease(TOPOLOGY) as third:
            assert third in (first, second)
        await pool.close()
        assert not first.started
        assert not second.started

    asyncio.run(run())


def test_a_mesh_is_stopped_where_its_borrower_fails() -> None:
    async def run() -> None:
        pool = MeshPool(target=Reference())
        lent: list[Mesh] = []

        async def borrow() -> None:
            async with pool.lease(TOPOLOGY) as mesh:
                lent.append(mesh)
                raise LookupError

        with pytest.raises(LookupError):
            await borrow()
        assert not lent[0].started
        await pool.close()

    asyncio.run(run())


def test_a_mesh_that_does_not_start_leaves_nothing() -> None:
    async def run() -> None:
        events: list[Event] = []
        pool = MeshPool(target=parse_target("exec:{executable} -c exit(7)"), emit=events.append)
        with pytest.raises(TargetFailed):
            async with pool.lease(TOPOLOGY):
                pytest.fail("a mesh of a dead node was lent")
        with pytest.raises(TargetFailed):
            async with pool.lease(TOPOLOGY, "shared"):
                pytest.fail("a mesh of a dead node was lent")
        await pool.close()
        assert events == []

    asyncio.run(run())


def test_a_shared_start_outlives_a_borrower_that_is_cancelled() -> None:
    async def run() -> None:
        pool = MeshPool(target=Reference())

        async def borrow() -> str:
            async with pool.lease(TOPOLOGY, "shared") as mesh:
                return (await mesh["only"].client.list_services()).status

        first, second = asyncio.create_task(borrow()), asyncio.create_task(borrow())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "OK"
        await pool.close()

    asyncio.run(run())
