"""Counting how often calls ran: by the probe's own counts for each key, or by the executions that
nodes tell.

What counts were promised is judged in `scenario.histories`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from collector_harness.errors import InvalidInput, Problem
from collector_harness.events import Mismatch
from collector_harness.mesh import MeshNode
from collector_harness.scenario.histories import Operation, Promise, broken_promises
from collector_harness.scenario.model import DispatchStep, MethodName, ServeStep
from collector_harness.scenario.rendering import render
from collector_harness.scenario.steps.base import Answer, Place
from collector_harness.scenario.steps.counters import counters_of

__all__ = ["Deliveries"]

_PROBE = "conformance.Probe"
_COUNTING = frozenset({"Count", "FailAfterCount"})
_AT_A_TIME = 32

Runs = dict[str, dict[str, int]]


class Deliveries:
    """The runs of the calls of one parallel step, from before it to after it."""

    def __init__(
        self, method: MethodName, inputs: Sequence[object], at: Place, before: Runs
    ) -> None:
        self._method = method
        self._inputs = tuple(inputs)
        self._at = at
        self._before = before

    @classmethod
    async def begin(
        cls, step: DispatchStep | ServeStep, rounds: Sequence[Place], at: Place
    ) -> Deliveries:
        """Counts before the calls are made; raises `InvalidInput` where nobody can tell."""
        method = rounds[0].scope.method(step.method)
        inputs = [each.scope.fill(step.input) for each in rounds]
        deliveries = cls(method, inputs, at, {})
        deliveries._before = await deliveries._runs()
        return deliveries

    async def judge(self, promise: str, answers: Sequence[Answer]) -> tuple[Mismatch, ...]:
        """Counts again, and returns where what was promised is not so."""
        after = await self._runs()
        # Asking the probe for a count is a run of its own.
        own = 1 if self._by_key else 0
        runs: Runs = {
            key: {
                node: count - self._before.get(key, {}).get(node, 0) - own
                for node, count in by_node.items()
            }
            for key, by_node in after.items()
        }
        lost = sorted({node for each in runs.values() for node, count in each.items() if count < 0})
        if lost:
            raise InvalidInput(
                Problem(
                    message=f"the counts of node '{lost[0]}' are lost: it was started again",
                    hint="a delivery can be judged where those who run the calls stay up",
                )
            )
        operations = [
            Operation(key=self._key(value), acknowledged=answer.values.get("status") == "OK")
            for value, answer in zip(self._inputs, answers, strict=True)
        ]
        return broken_promises(cast(Promise, promise), operations, runs)

    @property
    def _by_key(self) -> bool:
        return self._method.service == _PROBE and self._method.method in _COUNTING

    def _key(self, value: object) -> str:
        if not self._by_key:
            return str(self._method)
        return value if isinstance(value, str) else render(value)

    async def _runs(self) -> Runs:
        return await (self._asked() if self._by_key else self._counted())

    async def _asked(self) -> Runs:
        namespace = self._method.namespace or ""
        nodes = [node for node in self._at.mesh if namespace in node.node.probe]
        room = asyncio.Semaphore(_AT_A_TIME)
        runs: Runs = {}

        async def ask(node: MeshNode, key: str, value: object) -> None:
            async with room:
                reply = await node.client.serve(namespace, _PROBE, "Count", value)
            if reply.status != "OK" or not isinstance(reply.output, int):
                raise InvalidInput(
                    Problem(
                        message=f"node '{node.name}' does not tell how often a call ran: "
                        f"{reply.status} {reply.message}"
                    )
                )
            runs.setdefault(key, {})[node.name] = reply.output

        wanted = {self._key(value): value for value in self._inputs}
        await asyncio.gather(
            *(ask(node, key, value) for key, value in wanted.items() for node in nodes)
        )
        return runs

    async def _counted(self) -> Runs:
        method = self._method
        name = f"{method.namespace}/{method.service}/{method.method}"
        counts: dict[str, int] = {}
        for node in self._at.mesh:
            if node.collector is not None or method.namespace in (
                *node.node.namespaces,
                *node.node.probe,
            ):
                counts[node.name] = (await counters_of(node)).executions.get(name, 0)
        return {str(method): counts}
