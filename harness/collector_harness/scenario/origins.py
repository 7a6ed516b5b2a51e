"""Where in a scenario's text something that went wrong before or between steps comes from. Pure.

What a step did wrong stands at the step; this is about nodes, services and secrets.
"""

from __future__ import annotations

from collector_harness.documents import Document
from collector_harness.errors import HarnessError, Position, TargetFailed
from collector_harness.scenario.steps.base import Place

__all__ = ["origin_in_step", "origin_of"]

_PLACES = (("topology", "nodes"), ("services",), ("topology", "services"), ("peers",))


def origin_of(error: HarnessError | None, document: Document) -> Position:
    """Returns the place of what an error is about, as exactly as the text has it; that of the
    topology where it is about nothing in particular.
    """
    about: tuple[str | int, ...] = () if error is None else error.about
    if not about and isinstance(error, TargetFailed):
        about = (error.node,)
    if not about:
        return document.position(("topology",), key=True)
    if about[0] == "secrets":
        return document.position(about, key=True)
    for place in _PLACES:
        location = (*place, *about)
        if document.has((*place, about[0])):
            while not document.has(location):
                location = location[:-1]
            return document.position(location, key=len(location) <= len(place) + 1)
    return document.position(("topology",), key=True)


def origin_in_step(error: HarnessError | None, at: Place) -> Position:
    """Returns the place of what is wrong in a step, such as what it sends; a step of a definition
    stands in the file of the definition.
    """
    document = at.library.document
    within = (*at.location, *(() if error is None else error.about))
    return document.position(within if document.has(within) else at.location, key=True)
