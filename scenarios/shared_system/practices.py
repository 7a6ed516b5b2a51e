"""The ten practices of communication between services, each of which can be switched off.

Only a test of the practice itself switches one off: to see that something fails without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

__all__ = ["Practices"]


@dataclass(frozen=True, kw_only=True)
class Practices:
    """Which practices are kept. All of them are by default."""

    pooling: bool = True
    """Channels are kept and used again; else every call makes a channel of its own."""
    retries: bool = True
    """A call that met a passing failure is made again; else the first failure is the answer."""
    timeouts: bool = True
    """Every call has a deadline, which is passed on; else calls wait as long as it takes."""
    codes: bool = True
    """Each failure has the code of its kind; else every one is INTERNAL."""
    breaker: bool = True
    """After failures in a row a service is left alone for a while; else it is called on and on."""
    correlation: bool = True
    """The id of an errand goes on with every call that it causes; else each hop makes its own."""
    health: bool = True
    """Health is what the services and databases say; else always well."""
    discovery: bool = True
    """Names are looked up again and every address is used; else only the first one found."""
    shutdown: bool = True
    """Calls in flight are finished before the process ends; else they are cut."""
    logging: bool = True
    """Each call between services is a line in the log."""

    @classmethod
    def without(cls, names: Iterable[str]) -> Practices:
        """Returns all practices but the named ones. Raises `ValueError` for an unknown name."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(names) - known)
        if unknown:
            raise ValueError(
                f"there is no practice {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        return replace(cls(), **dict.fromkeys(names, False))
