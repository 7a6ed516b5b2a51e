"""A run or a verdict as one HTML file that needs nothing else: no network, no other file.

The matrix and every line of it are in the document, readable without JavaScript; what belongs to a
case is beside it as JSON, and drawn when the case is opened. A policy in the document forbids
everything but its own style and script, and everything that came from a target is text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Final

from collector_harness.reports.overview import Entry, Overview, overview
from collector_harness.reports.page_data import case_data, clean, size_of
from collector_harness.reports.recording import CaseRecord, Recording

__all__ = ["render_html"]

_DETAILS_LIMIT: Final = 64_000_000
"""Characters of details in a page; cases beyond it are listed without."""
_OWN_IDS: Final = frozenset({"results", "none", "search", "level", "family", "shown", "said"})


def render_html(recording: Recording) -> str:
    """Returns the page; one for a run that was cut off says so at its top."""
    return _Page(recording).render()


def _asset(name: str) -> str:
    return (files("collector_harness.reports") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _text(value: object, limit: int = 2_000) -> str:
    return escape(clean(value, limit))


def _embedded(data: object) -> str:
    """Returns JSON that can stand inside a script element: no character of it can end that."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass(slots=True)
class _Page:
    recording: Recording
    _anchors: set[str] = field(default_factory=set)
    _of_case: dict[str, str] = field(default_factory=dict)
    """The anchor of each case, by its id."""
    _left: int = _DETAILS_LIMIT
    _told: set[str] = field(default_factory=set)
    """The cases whose data is in the page already."""

    def render(self) -> str:
        seen = overview(self.recording)
        # An id of a requirement is what its link says: no case may take it.
        self._anchors = {entry.key for entry in seen.entries if entry.requirement} | _OWN_IDS
        for entry in seen.entries:
            for case in entry.cases:
                name = case.started.case
                if name not in self._of_case:
                    self._of_case[name] = self._anchor(name)
        style = _asset("report.css")
        script = _asset("pictures.js") + _asset("report.js")
        policy = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        )
        body = "\n".join(self._body(seen))
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            '<meta name="referrer" content="no-referrer">\n'
            '<link rel="icon" href="data:,">\n'
            f"<title>{_text(seen.title, 200)}</title>\n<style>{style}</style>\n</head>\n"
            f"<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
        )

    def _body(self, seen: Overview) -> Iterator[str]:
        yield '<a class="skip" href="#results">Skip to the results</a>'
        yield '<header class="top">'
        yield f'<p class="kicker">{_text(seen.kicker)}</p>'
        yield f"<h1>{_text(seen.heading, 300)}</h1>"
        ended = "good" if seen.good else "bad"
        yield f'<p class="ended {ended}"><span>{_text(seen.ended)}</span></p>'
        facts = "".join(
            f"<div><dt>{_text(name)}</dt><dd>{_text(value, 300)}</dd></div>"
            for name, value in seen.facts
        )
        yield f'<dl class="facts">{facts}</dl>'
        yield from (f'<p class="banner bad" role="alert">{_text(each)}</p>' for each in seen.alarms)
        yield from (f'<p class="banner">{_text(each)}</p>' for each in seen.notes)
        yield "</header>"
        yield from self._matrix(seen)
        yield from _filters(seen)
        yield '<main id="results" tabindex="-1">'
        yield '<p id="none" hidden>Nothing matches the filters.</p>'
        for group in seen.groups:
            entries = [entry for entry in seen.entries if entry.group == group.key]
            if not entries:
                continue
            yield f'<section class="group" data-group="{_text(group.key, 300)}">'
            yield (
                f"<h2>{_text(group.title, 300)} "
                f'<span class="count">{_text(group.counted)}</span></h2>'
            )
            for entry in entries:
                yield from self._entry(entry)
            yield "</section>"
        yield "</main>"
        yield f'<footer><p>{_text(seen.footer)}</p></footer><div id="said" role="status"></div>'

    def _matrix(self, seen: Overview) -> Iterator[str]:
        if not seen.matrix:
            return
        yield '<nav class="matrix" aria-label="Requirements by family"><table><tbody>'
        for row in seen.matrix:
            cells = "".join(
                f'<a class="cell {_text(cell.state)}" href="#{self._link(cell.anchor)}" '
                f'title="{_text(cell.title, 300)}" aria-label="{_text(cell.title, 300)}">'
                f"{_text(cell.text)}</a>"
                for cell in row.cells
            )
            yield (
                f'<tr><th scope="row"><b>{_text(row.family)}</b> <span>{_text(row.about)}</span>'
                f'</th><td><div class="cells">{cells}</div></td></tr>'
            )
        yield "</tbody></table></nav>"

    def _entry(self, entry: Entry) -> Iterator[str]:
        anchor = entry.key if entry.requirement else self._of_case[entry.key]
        marks = "".join(
            f' data-{name}="{_text(value, 300)}"'
            for name, value in (
                ("state", entry.state),
                ("level", entry.level),
                ("family", " ".join(entry.families)),
            )
        )
        yield f'<details class="entry" id="{escape(anchor)}"{marks}>'
        level = f'<span class="level">{_text(entry.level)}</span>' if entry.level else ""
        reason = f'<span class="why">{_text(entry.reason, 400)}</span>' if entry.reason else ""
        side = f'<span class="side">{_text(entry.side)}</span>' if entry.side else ""
        label = f'<span class="id">{_text(entry.label)}</span>' if entry.label else ""
        yield (
            f'<summary><span class="state {_text(entry.state)}">{_text(entry.state)}</span>'
            f'{label}{level}<span class="what">{_text(entry.text, 400)}{reason}</span>'
            f"{side}</summary>"
        )
        yield '<div class="body">'
        yield from (
            f'<p class="about"><b>{_text(name)}</b> {_text(value, 1_000)}</p>'
            for name, value in entry.about
        )
        if entry.reproduce:
            yield _command("reproduce", entry.reproduce)
        for case in entry.cases:
            yield from self._case(case, within=entry)
        yield from (
            f'<p class="about"><b>case</b> {_text(name, 500)}: it was not run</p>'
            for name in entry.missing
        )
        yield "</div></details>"

    def _case(self, case: CaseRecord, *, within: Entry) -> Iterator[str]:
        name = case.started.case
        first = name not in self._told
        self._told.add(name)
        anchor = f' id="{escape(self._of_case[name])}"' if first and within.requirement else ""
        yield f'<section class="case"{anchor} data-case="{_text(name, 2_000)}">'
        if within.requirement:
            title = name.rpartition("::")[2]
            yield (
                f'<h3><span class="state {_text(case.outcome)}">{_text(case.outcome)}</span> '
                f"{_text(title, 300)}</h3>"
            )
        yield f'<p class="source">{_text(name, 500)}</p>'
        failure = None if case.finished is None else case.finished.failure
        if failure is not None and within.requirement:
            sentence, _, _ = failure.message.partition("\n")
            yield f'<p class="message">{_text(sentence, 600)}</p>'
        if first:
            yield self._data(case)
        yield "</section>"

    def _data(self, case: CaseRecord) -> str:
        data = case_data(case)
        if self._left <= 0:
            return '<p class="message">Its details were left out, as the page has so many.</p>'
        self._left -= size_of(data)
        return f'<script type="application/json">{_embedded(data)}</script>'

    def _link(self, anchor: str) -> str:
        return escape(self._of_case.get(anchor, anchor))

    def _anchor(self, name: str) -> str:
        base = re.sub(r"[^A-Za-z0-9]+", "-", name.rpartition("/")[2]).strip("-")[:120] or "case"
        anchor, number = base, 2
        while anchor in self._anchors:
            anchor, number = f"{base}-{number}", number + 1
        self._anchors.add(anchor)
        return anchor


def _command(title: str, line: str) -> str:
    return (
        f'<div class="command"><b>{_text(title)}</b><code tabindex="0">{_text(line, 20_000)}</code>'
        "</div>"
    )


def _options(name: str, label: str, values: Iterable[tuple[str, str]]) -> str:
    options = "".join(
        f'<option value="{_text(value, 300)}">{_text(text, 300)}</option>' for value, text in values
    )
    return (
        f'<label>{label} <select id="{name}"><option value="">all</option>{options}'
        "</select></label>"
    )


def _filters(seen: Overview) -> Iterator[str]:
    yield '<form class="filters" role="search" aria-label="Filter the results" hidden>'
    yield '<label class="search">Search '
    yield '<input id="search" type="search" autocomplete="off"></label>'
    if len(seen.levels) > 1:
        yield _options("level", "Level", ((each, each) for each in seen.levels))
    if len(seen.families) > 1:
        yield _options("family", "Family", seen.families)
    yield '<div class="chips" role="group" aria-label="Show only">'
    for state, count in seen.states:
        yield (
            f'<button type="button" class="chip {_text(state)}" data-state="{_text(state)}" '
            f'aria-pressed="false"><b>{count}</b> {_text(state)}</button>'
        )
    yield '</div><p id="shown" role="status" aria-live="polite"></p></form>'
