"""Breaking a part of a running mesh for the time of a block, and healing it whatever happens.

What a fault is, is in `faults.values`; where a mesh has doors for it, in `mesh.doors`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast, get_args

from collector_harness.errors import HarnessError, InvalidInput, Problem
from collector_harness.faults.flow import Bandwidth, Corruption, Disturbance, Flow, Latency, Loss
from collector_harness.faults.link_proxy import ConnectionLimit, LinkProxy, Side
from collector_harness.faults.values import (
    Disturb,
    Fault,
    Kill,
    Kind,
    Partition,
    Pause,
    Place,
    Restart,
    RpcFault,
    place_of,
)
from collector_harness.topology.values import Link

if TYPE_CHECKING:
    from collector_harness.mesh.mesh import Mesh

__all__ = ["broken", "fault_from"]

_STALE_LIMIT = timedelta(milliseconds=200)
"""How long it may take until those who had a connection know that it is gone; they may have made
it again before anybody looks."""

Healing = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def broken(mesh: Mesh, fault: Fault) -> AsyncIterator[None]:
    """Breaks a part of a mesh for the time of the block.

    The fault is in force when the block begins. However the block ends, it is healed, and healthy
    again when this returns; a block's own error is told before one of the healing.
    """
    heal = await _break(mesh, fault)
    try:
        yield
    except BaseException:
        try:
            await _to_its_end(heal())
        except HarnessError:
            mesh.doubt()
        raise
    try:
        await _to_its_end(heal())
    except BaseException:
        mesh.doubt()
        raise


def fault_from(**written: Any) -> Fault:
    """Returns the fault that keywords say, such as `kill="a"` or `latency="hub -> a", delay=...`.

    Times are `timedelta`s. Raises `InvalidInput` for what is no fault, or not exactly one.
    """
    kinds = ("kill", "pause", "restart", "partition", "grpc", *get_args(Kind))
    named = [name for name in written if name in kinds]
    if len(named) != 1:
        raise InvalidInput(
            Problem(
                message="a fault is exactly one thing",
                hint=f"name one of: {', '.join(kinds)}",
            )
        )
    (kind,) = named
    what = written.pop(kind)
    try:
        match kind:
            case "kill":
                return Kill(node=what, **written)
            case "pause":
                return Pause(node=what, **written)
            case "restart":
                return Restart(node=what, **written)
            case "partition":
                return Partition(groups=tuple(tuple(group) for group in what), **written)
            case "grpc":
                return RpcFault(rpc=what, **written)
            case _:
                return Disturb(kind=cast(Kind, kind), place=place_of(what), **written)
    except TypeError as error:
        raise InvalidInput(
            Problem(message=f"the fault '{kind}' cannot be used so: {error}")
        ) from error


async def _to_its_end(work: Awaitable[None]) -> None:
    """Waits for work that must be finished, also when the waiting is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except HarnessError:
            break
    task.result()
    if cancelled is not None:
        raise cancelled


async def _break(mesh: Mesh, fault: Fault) -> Healing:
    match fault:
        case Kill(node=name):
            mesh[name]
            return await _or_healed(mesh.kill(name), _restarting(mesh, name))
        case Pause(node=name):

            async def resume() -> None:
                await mesh.resume(name)
                await mesh.until_healthy(name)

            await mesh.pause(name)
            return resume
        case Restart(node=name, moved=moved):
            await mesh.restart(name, moved=moved)
            await mesh.linking.until_settled({name})
            return _nothing
        case RpcFault(node=name):
            rules = mesh.rpc_faults(name)
            rules.add(fault)

            async def remove() -> None:
                rules.remove(fault)

            return remove
        case Partition(groups=groups):
            links = _links_between(mesh, groups)
            flows = _flows_of(mesh.doors.of_links(links))
            places = [(link.source, link.target) for link in links]
            return _disturb_flows(mesh, flows, Loss(), places)
        case Disturb():
            return await _disturb(mesh, fault)


async def _or_healed(work: Awaitable[None], heal: Healing) -> Healing:
    """Breaks something; what cannot be broken as a whole is healed at once."""
    try:
        await work
    except asyncio.CancelledError:
        await _to_its_end(heal())
        raise
    return heal


def _restarting(mesh: Mesh, name: str) -> Healing:
    async def restart() -> None:
        await mesh.restart(name)
        await mesh.linking.until_settled({name})

    return restart


async def _nothing() -> None:
    pass


async def _disturb(mesh: Mesh, fault: Disturb) -> Healing:
    names = _names([fault.place])
    match fault.kind:
        case "latency":
            return _disturb_flows(
                mesh, _flows(mesh, fault), Latency(delay=fault.delay, jitter=fault.jitter)
            )
        case "bandwidth":
            # What goes one way shares a narrow place, through whichever door it goes.
            narrowed = [
                _disturb_flows(mesh, flows, Bandwidth(bytes_per_second=fault.bytes_per_second))
                for flows in _ways(mesh, fault)
            ]

            async def widen() -> None:
                for heal in narrowed:
                    await heal()

            return widen
        case "blackhole":
            return _disturb_flows(mesh, _flows(mesh, fault), Loss(), [fault.place])
        case "corrupt":
            change = Corruption(probability=fault.probability)
            return _disturb_flows(mesh, _flows(mesh, fault), change, [fault.place])
        case "reset":
            return await _refuse(mesh, fault, names)
        case "connection_limit":
            doors = tuple(_limited(mesh, fault))
            limit = ConnectionLimit(most=fault.connections, doors=doors)
            return _disturb_doors(
                mesh,
                doors,
                lambda door: door.limit(limit),
                lambda door: door.unlimit(limit),
                names,
            )
        case "half_open":
            return _half_open(mesh, fault, names)


async def _refuse(mesh: Mesh, fault: Disturb, names: set[str]) -> Healing:
    doors = list(_doors(mesh, fault))
    heal = _disturb_doors(mesh, doors, LinkProxy.refuse, LinkProxy.admit, names)
    if fault.direction == "both":
        return await _or_healed(mesh.linking.until_lost(fault.place), heal)
    return heal


def _half_open(mesh: Mesh, fault: Disturb, names: set[str]) -> Healing:
    """Closes the side of the right-hand node, or of the left-hand one for `back`; where no
    direction is given, that of whoever was dialled.
    """
    closed: list[tuple[LinkProxy, Side]]
    if isinstance(fault.place, str):
        side = Side.NEAR if fault.direction == "back" else Side.FAR
        closed = [(door, side) for door in mesh.doors.front(fault.place)]
    else:
        right, left = mesh.doors.between(*fault.place)
        sides = {
            "both": (Side.FAR, Side.FAR),
            "forth": (Side.FAR, Side.NEAR),
            "back": (Side.NEAR, Side.FAR),
        }[fault.direction]
        closed = [(right, sides[0]), (left, sides[1])]
    for door, side in closed:
        door.half_open(side)

    async def heal() -> None:
        for door, side in closed:
            door.whole(side)
        await mesh.linking.until_settled(names)

    return heal


def _disturb_flows(
    mesh: Mesh,
    flows: Iterable[tuple[LinkProxy, Flow]],
    what: Disturbance,
    lost: Collection[Place] = (),
) -> Healing:
    """`lost` are the places whose connections have to be made again afterwards."""
    disturbed = list(flows)
    for _, flow in disturbed:
        flow.add(what)

    async def heal() -> None:
        for _, flow in disturbed:
            flow.remove(what)
        if sum([door.mend() for door in {door: None for door, _ in disturbed}]):
            await asyncio.gather(
                *(mesh.linking.until_lost(place, limit=_STALE_LIMIT) for place in lost)
            )
        if lost:
            await mesh.linking.until_settled(_names(lost))

    return heal


def _disturb_doors(
    mesh: Mesh,
    doors: Sequence[LinkProxy],
    disturb: Callable[[LinkProxy], None],
    undo: Callable[[LinkProxy], None],
    names: set[str],
) -> Healing:
    for door in doors:
        disturb(door)

    async def heal() -> None:
        for door in doors:
            undo(door)
        await mesh.linking.until_settled(names)

    return heal


def _flows(mesh: Mesh, fault: Disturb) -> Iterator[tuple[LinkProxy, Flow]]:
    """Yields the flows that a fault is about."""
    for flows in _ways(mesh, fault):
        yield from flows


def _ways(mesh: Mesh, fault: Disturb) -> Iterator[list[tuple[LinkProxy, Flow]]]:
    """Yields for each direction that a fault is about the flows in it. A link has two connections,
    one dialled from each side: what goes forth on one goes back on the other.
    """
    forth: list[tuple[LinkProxy, Flow]]
    back: list[tuple[LinkProxy, Flow]]
    if isinstance(fault.place, str):
        doors = list(mesh.doors.front(fault.place))
        forth = [(door, door.inbound) for door in doors]
        back = [(door, door.outbound) for door in doors]
    else:
        right, left = mesh.doors.between(*fault.place)
        forth = [(right, right.inbound), (left, left.outbound)]
        back = [(right, right.outbound), (left, left.inbound)]
    if fault.direction != "back":
        yield forth
    if fault.direction != "forth":
        yield back


def _doors(mesh: Mesh, fault: Disturb) -> Iterator[LinkProxy]:
    """Yields the doors of the connections that a fault is about, by who dialled them."""
    if isinstance(fault.place, str):
        yield from mesh.doors.front(fault.place)
        return
    right, left = mesh.doors.between(*fault.place)
    if fault.direction != "back":
        yield right
    if fault.direction != "forth":
        yield left


def _limited(mesh: Mesh, fault: Disturb) -> Iterator[LinkProxy]:
    """Yields the doors whose connections are counted: not those that the harness calls by."""
    if isinstance(fault.place, str):
        yield from mesh.doors.front(fault.place).of_others()
    else:
        yield from _doors(mesh, fault)


def _links_between(mesh: Mesh, groups: Sequence[Sequence[str]]) -> list[Link]:
    group_of: dict[str, int] = {}
    for number, group in enumerate(groups):
        for name in group:
            if group_of.setdefault(mesh[name].name, number) != number:
                raise InvalidInput(f"node '{name}' is in two groups of a partition")
    return [
        link
        for link in mesh.topology.links
        if link.source in group_of
        and link.target in group_of
        and group_of[link.source] != group_of[link.target]
    ]


def _flows_of(pairs: Iterable[tuple[LinkProxy, LinkProxy]]) -> Iterator[tuple[LinkProxy, Flow]]:
    for doors in pairs:
        for door in doors:
            yield door, door.inbound
            yield door, door.outbound


def _names(places: Iterable[Place]) -> set[str]:
    return {name for place in places for name in ((place,) if isinstance(place, str) else place)}
