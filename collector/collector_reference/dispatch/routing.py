"""Where a call goes, and what a peer's answer means for it: decisions without I/O.

Values in, values out. Connections, handlers and validators live elsewhere.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from collector_reference.status import CanonicalStatus, from_status_code

__all__ = [
    "Choice",
    "Failure",
    "Local",
    "Next",
    "Peers",
    "Refused",
    "Target",
    "after_answer",
    "budget",
    "choose",
    "incomplete",
    "no_candidate",
    "shared",
    "unreachable_target",
]

OK = 200
BAD_REQUEST = 400
NOT_FOUND = 404
INTERNAL = 500
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Failure:
    """A status that is not OK."""

    code: int
    message: str
    executed: bool = False
    """Whether something ran, where the number alone says the contrary."""


@dataclass(frozen=True, slots=True)
class Local:
    """Execute it here."""


@dataclass(frozen=True, slots=True)
class Target:
    """Forward it to the named collector and to no other (DSP-007)."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Forward it to a peer that shares the namespace; to the next where nothing ran."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing runs."""

    failure: Failure


Choice = Local | Target | Peers | Refused

# One of each is enough: they carry nothing.
_LOCAL, _TARGET, _PEERS = Local(), Target(), Peers()


def incomplete(namespace: str, service: str, method: str, service_namespace: str) -> Failure | None:
    """Returns what a request lacks, SRV-002 before SRV-014; None when it is whole."""
    if not namespace:
        return Failure(BAD_REQUEST, "namespace is required")
    if not service:
        return Failure(BAD_REQUEST, "service is required")
    if not method:
        return Failure(BAD_REQUEST, "method_name is required")
    if service_namespace and service_namespace != namespace:
        return Failure(
            BAD_REQUEST,
            f"service.namespace '{service_namespace}' contradicts namespace '{namespace}'",
        )
    return None


def choose(
    *,
    namespace: str,
    target: str,
    own_id: str,
    has_handler: bool,
    target_namespaces: Collection[str] | None,
) -> Choice:
    """Returns where a whole request goes.

    `has_handler` tells whether this collector has a handler for it; `target_namespaces` are the
    namespaces shared with the target, None when it is not connected.
    """
    if target:
        if target == own_id:
            return _LOCAL
        if target_namespaces is None:
            return Refused(Failure(NOT_FOUND, f"no connection to collector '{target}'"))
        if namespace not in target_namespaces:
            return Refused(
                Failure(
                    NOT_FOUND,
                    f"namespace '{namespace}' is not shared with collector '{target}'",
                )
            )
        return _TARGET
    return _LOCAL if has_handler else _PEERS


class Next(enum.Enum):
    """What automatic routing does after a peer."""

    ANSWER = enum.auto()
    """Its answer is the answer."""
    SKIP = enum.auto()
    """Nothing ran there: try the next."""


def after_answer(code: int, *, executed: bool = False) -> Next:
    """Returns what automatic routing does after a peer that answered with that `status.code`.

    Only what proves that nothing ran is skipped (DSP-009, DSP-010, DSP-011); `executed` is
    whether the peer says that something did.
    """
    if not executed and from_status_code(code) in (
        CanonicalStatus.NOT_FOUND,
        CanonicalStatus.UNIMPLEMENTED,
    ):
        return Next.SKIP
    return Next.ANSWER


def no_candidate(namespace: str) -> Failure:
    """Returns what is told when nobody executed the call (DSP-005)."""
    return Failure(NOT_FOUND, f"no collector found for namespace '{namespace}'")


def unreachable_target(collector_id: str) -> Failure:
    """Returns what is told when the target is connected, but cannot be reached (DSP-012)."""
    return Failure(UNAVAILABLE, f"collector '{collector_id}' cannot be reached")


def budget(remaining: float | None, *, limit: float, hop: float) -> float:
    """Returns the seconds that a call may take which is passed on.

    `remaining` is what the caller's deadline leaves, None where it set none: then `limit` bounds
    it (FLT-006). Of what the caller left, `hop` is kept back, but never more than a tenth, so that
    a failure can still be told within the deadline.
    """
    if remaining is None:
        return limit
    return remaining - min(hop, remaining / 10)


def shared(offered: Sequence[str], own: Collection[str]) -> tuple[str, ...]:
    """Returns the namespaces of both, each once, in the order offered (CON-002, CON-003)."""
    return tuple(dict.fromkeys(name for name in offered if name in own))
