"""What is wrong with the services of a topology, and with the references in all of its texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import Problem
from collector_harness.topology.references import references
from collector_harness.topology.services import External, Service

if TYPE_CHECKING:
    from collector_harness.topology.values import Node

__all__ = ["service_problems"]


def service_problems(nodes: Sequence[Node], services: Sequence[Service]) -> Iterator[Problem]:
    """Yields every problem; their messages begin with whose they are."""
    names = [*(node.name for node in nodes), *(service.name for service in services)]
    taken = Counter(names)
    for service in services:
        if taken[service.name] > 1:
            yield Problem(
                message=f"service '{service.name}' has the name of a node, or of another service",
                hint="give it a name of its own",
            )
        if isinstance(service.start, External) and service.tls and service.tls.generated:
            yield Problem(
                message=f"service '{service.name}' runs already, and cannot be given a certificate",
                hint="name the files: tls: {cert: ..., key: ..., ca: ...}",
            )
        owner = f"service '{service.name}'"
        yield from _reference_problems(owner, service.texts(), nodes, services, launched=True)
        yield from _reference_problems(owner, [service.token or ""], nodes, services)
    for node in nodes:
        texts = [*(value for _, value in node.environment), str(node.token or "")]
        yield from _reference_problems(f"node '{node.name}'", texts, nodes, services)


def _reference_problems(
    owner: str,
    texts: Iterable[str],
    nodes: Sequence[Node],
    services: Sequence[Service],
    *,
    launched: bool = False,
) -> Iterator[Problem]:
    texts = [text for text in texts if "${" in text]
    if not texts:
        return
    known = {
        "node": [node.name for node in nodes if node.peer is None],
        "peer": [node.name for node in nodes if node.peer is not None],
        "service": [service.name for service in services],
    }
    for text in texts:
        try:
            found = list(references(text))
        except ValueError as error:
            message, _, remedy = str(error).partition("\n")
            yield Problem(message=f"{owner}: {message}", hint=remedy or None)
            continue
        for each in found:
            if each.kind == "port" and not launched:
                yield Problem(
                    message=f"{owner}: '${{port}}' is for services that the harness starts"
                )
            elif each.kind in known and each.name not in known[each.kind]:
                hint = did_you_mean(each.name, known[each.kind], what=f"the {each.kind}s are")
                yield Problem(
                    message=f"{owner}: '${{{each.text}}}' leads nowhere: there is no "
                    f"{each.kind} '{each.name}'",
                    hint=hint,
                )
