"""The calls of a node's client as plain methods, which wait for the answer.

What they take and what they mean is said once, at the client.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from collector_harness.client import NodeClient, Reply
from collector_harness.mesh import MeshNode
from collector_harness.runtime import Runtime

__all__ = ["Caller", "waiting"]

P = ParamSpec("P")


class Caller:
    """Makes calls to one node of a running mesh."""

    def __init__(self, node: MeshNode, runtime: Runtime) -> None:
        self._node = node
        self._runtime = runtime


def waiting(
    call: Callable[Concatenate[NodeClient, P], Coroutine[Any, Any, Reply]],
) -> Callable[Concatenate[Caller, P], Reply]:
    """Returns a method of a `Caller` that makes this call of the client and waits for its answer.

    It has the call's parameters and its docstring.
    """

    @wraps(call)
    def made(self: Caller, /, *args: P.args, **kwargs: P.kwargs) -> Reply:
        return self._runtime.run(call(self._node.client, *args, **kwargs))

    return made
