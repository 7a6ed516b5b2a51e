"""What to do next about a call that was to go well and did not, where its status suggests it.

Pure: from an answer and what the step says, to a sentence. Most failures need none.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector_harness.scenario.names import PROBE_METHODS
from collector_harness.scenario.steps.base import Unmet
from collector_harness.targets import Reference, Target

__all__ = ["advice"]

_NEVER_SERVED = ("Unregistered", "Declared")
"""Methods of the probe that a collector must not serve, each for a reason of its own."""


def advice(error: Unmet, *, target: Target) -> str | None:
    """Returns a hint on an expectation that was not met, or None."""
    answer = error.answer
    if answer is None or not any(
        each.path.rpartition(".")[2] == "status" and each.expected == '"OK"'
        for each in error.mismatches
    ):
        return None
    match answer.values.get("status"):
        case "DEADLINE_EXCEEDED":
            return (
                f"the call had a deadline of {_deadline(error)}; give it more by `deadline`, or "
                "see in the logs what it waited for"
            )
        case "NOT_FOUND" if not isinstance(target, Reference) and _asks_its_own_probe(error):
            return (
                "does the collector under test carry the probe service? It is told to by "
                "COLLECTOR_PROBE; `needs: [probe]` says that the scenario asks for it"
            )
        case "NOT_FOUND":
            return _on_links(error)
        case "UNAVAILABLE" if answer.values.get("layer") == "grpc":
            return (
                f"nobody took the call at node '{answer.values.get('node')}': has it ended, is it "
                "cut off by a fault, or is TLS on at one side only?"
            )
        case "UNAVAILABLE":
            return (
                "a peer could not be reached, or its connection was not up yet; `eventually: 5s` "
                "waits until it is"
            )
        case "UNIMPLEMENTED" if answer.values.get("layer") == "grpc":
            return "whoever listens there has no such RPC, or its guard does not know it"
        case "UNAUTHENTICATED":
            return "the call carried no token, or one that is not taken; see `token` of a node"
        case _:
            return None


def _written(error: Unmet) -> Mapping[str, object]:
    found: object = error.at.library.document.value
    for step in error.at.location:
        found = found[step]  # type: ignore[index]
    return found if isinstance(found, Mapping) else {}


def _deadline(error: Unmet) -> str:
    written = _written(error).get("deadline")
    if isinstance(written, str):
        return written
    return "5s, the default" if error.at.defaults.deadline is None else "its defaults"


def _on_links(error: Unmet) -> str | None:
    """Returns what to do where nobody who could have served a dispatched call is linked with the
    collector that was asked: a call is passed on once, and over links only.
    """
    assert error.answer is not None
    written, topology = _written(error), error.at.mesh.topology
    asked = error.answer.values.get("node")
    namespace, _, _ = str(written.get("dispatch") or "").partition("/")
    serving = [
        node.name
        for node in topology.nodes
        if namespace in (*node.probe, *(each.namespace for each in node.serves))
    ]
    able = [name for name in serving if written.get("target") in (None, "", name)]
    linked = [(link.source, link.target) for link in topology.links]
    if (
        not able
        or asked in able
        or any({asked, name} == {*pair} for name in able for pair in linked)
    ):
        return None
    return (
        f"'{able[0]}' serves '{namespace}', and no link joins it to '{asked}': a call is passed on "
        f"once, and over links only; add `{asked} -> {able[0]}` to links"
    )


def _asks_its_own_probe(error: Unmet) -> bool:
    """Returns whether the collector under test was asked for the probe that it was told to carry
    itself: nobody else had to be found, so that no routing can be at fault.
    """
    assert error.answer is not None
    written = _written(error)
    called = str(written.get("dispatch") or written.get("serve") or "")
    namespace, _, name = called.partition("/")
    service, _, method = name.rpartition(".")
    if service != "conformance.Probe" or method not in PROBE_METHODS or method in _NEVER_SERVED:
        return False
    asked = error.answer.values.get("node")
    return written.get("target") in (None, "", asked) and any(
        node.name == asked and namespace in node.probe and node.collector is None
        for node in error.at.mesh.topology.nodes
    )
