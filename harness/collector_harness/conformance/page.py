"""The requirements as a page to read, with the cases that prove each. Pure, from the catalogue,
the suite and the ledger of cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from collector_harness.conformance.ledger import Ledger, ledger
from collector_harness.conformance.profiles import PROFILES
from collector_harness.conformance.requirements import Catalogue, Mark, Requirement, catalogue

__all__ = ["MARKS", "cases_of", "protocol_page"]

MARKS: Final[dict[Mark, str]] = {
    "exec": "it needs a target that the harness can launch",
    "lib": "it can be seen only through the Python API",
    "limit": "it is checked against a limit that the target declares",
}
"""How a requirement can be observed, where that is not simply on the port."""

_HEAD: Final = """\
# The collector protocol: its requirements

This page is written by `scripts/generate_protocol_page.py` from the catalogue of requirements; do
not edit it. What a collector needs to be verified is in
[verify your collector](verify-your-collector.md), the messages are in `protos/collector/`.

A **MUST** that is broken fails a verdict, a **SHOULD** is reported. An id never changes its
meaning. A requirement that builds on a broken one is *blocked*: nothing can be known of it.
`collector-harness explain ID` tells the same.
"""


def protocol_page() -> str:
    """Returns the text of docs/protocol.md."""
    every, entries = catalogue(), ledger()
    return "\n".join([_HEAD, *_sources(every), *_profiles(), *_families(every, entries)])


def cases_of(key: str, entries: Ledger) -> tuple[str, ...]:
    """Returns the ids of the cases that there are for a requirement."""
    return tuple(
        name
        for name, entry in entries.entries.items()
        if key in entry.requirements and entry.until is None
    )


def _sources(every: Catalogue) -> Iterator[str]:
    yield "## Sources\n\n| source | |\n| --- | --- |"
    yield from (f"| {name} | {text} |" for name, text in every.sources.items())
    yield ""


def _profiles() -> Iterator[str]:
    yield "## Profiles\n\n`collector-harness verify TARGET --profile NAME` asks for a part.\n"
    yield "| profile | requirements, beside what they build on |\n| --- | --- |"
    for name, words in PROFILES.items():
        yield f"| `{name}` | {', '.join(words) or 'all'} |"
    yield ""


def _families(every: Catalogue, entries: Ledger) -> Iterator[str]:
    for family, about in every.families.items():
        yield f"## {family}: {about}\n"
        for requirement in every:
            if requirement.family == family:
                yield from _requirement(requirement, entries)


def _requirement(requirement: Requirement, entries: Ledger) -> Iterator[str]:
    yield f"### {requirement.id}\n"
    yield f"**{requirement.level}** ({', '.join(requirement.sources)}): {requirement.text}.\n"
    links = [f"[{each}](#{each.lower()})" for each in requirement.builds_on]
    if links:
        yield f"- Builds on {', '.join(links)}."
    yield from (f"- Note: {MARKS[mark]}." for mark in requirement.marks)
    for name in cases_of(requirement.id, entries):
        file, _, title = name.partition("::")
        yield f"- Case `{file}`: {title}"
    yield ""
