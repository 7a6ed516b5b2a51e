"""References in the texts of a topology, such as `${service.stock.url}`: found before anything
runs, so that start order follows from them, and filled once addresses are known.

They are fewer than the paths of a scenario: there are no answers yet when a mesh starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["ATTRIBUTES", "SERVICE_ATTRIBUTES", "Reference", "filled", "references"]

ATTRIBUTES = ("address", "host", "name", "port", "url")
"""What a node, peer or service can be asked for."""
SERVICE_ATTRIBUTES = (*ATTRIBUTES, "database_url")
"""What a service can be asked for: two that share a database are told the same."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """One `${...}`."""

    text: str
    """What stands between the braces."""
    kind: str
    """`node`, `peer`, `service`, `env`, `port`, or `secret`, which scenarios fill before."""
    name: str = ""
    attribute: str = ""


def references(text: str) -> Iterator[Reference]:
    """Yields the references in a text; raises `ValueError` for one that leads nowhere."""
    for match in _REFERENCE.finditer(text):
        if match[1] is not None:
            yield _reference(match[1])


def filled(text: str, look_up: Callable[[Reference], str]) -> str:
    """Returns the text with every reference replaced, and `$${` as `${`."""

    def replaced(match: re.Match[str]) -> str:
        return "${" if match[1] is None else look_up(_reference(match[1]))

    return _REFERENCE.sub(replaced, text)


def _reference(text: str) -> Reference:
    kind, *rest = text.strip().split(".")
    if kind == "port" and not rest:
        return Reference(text=text, kind="port")
    if kind in ("env", "secret") and len(rest) == 1 and rest[0]:
        return Reference(text=text, kind=kind, name=rest[0])
    if kind in ("node", "peer", "service") and len(rest) == 2 and _NAME.fullmatch(rest[0]):
        name, attribute = rest
        known = SERVICE_ATTRIBUTES if kind == "service" else ATTRIBUTES
        if attribute not in known:
            raise ValueError(
                f"'${{{text}}}' leads nowhere: a {kind} has no '{attribute}'\n"
                f"there are: {', '.join(known)}"
            )
        return Reference(text=text, kind=kind, name=name, attribute=attribute)
    raise ValueError(
        f"'${{{text}}}' leads nowhere before a mesh runs\n"
        "write ${node.NAME.address}, ${service.NAME.url}, ${secret.NAME}, ${env.NAME} or ${port}"
    )
