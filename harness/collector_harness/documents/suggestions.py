"""The one way in which a message proposes what somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]

_LISTED = 12
_CLOSE = 0.65
"""How alike two words must be: `winer` proposes `winner`, but not `index`."""


def did_you_mean(word: str, known: Iterable[str], *, what: str) -> str | None:
    """Returns a hint that names the closest of `known`, or else lists them.

    `what` is the plural that the list begins with, such as `the nodes are`. None when
    there is nothing to propose.
    """
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=_CLOSE)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    if not names:
        return None
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what}: {', '.join(names[:_LISTED])}{more}"
