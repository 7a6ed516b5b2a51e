"""A run as Markdown for a pull request or the summary of a job.

Everything that came from elsewhere stands in code, where it can neither mention anybody nor become
a link; the whole stays below what such places take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from collector_harness.reports.cards import SHORT, card
from collector_harness.reports.escaping import one_line
from collector_harness.reports.lines import plain
from collector_harness.reports.overview import MARKS, Entry, overview
from collector_harness.reports.recording import CaseRecord, Recording

__all__ = ["render_markdown"]

_LONGEST: Final = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
_ROW: Final = 60
_QUIET: Final = frozenset({"pass", "passed", "deselected"})


def render_markdown(recording: Recording) -> str:
    """Returns the text: how it ended, the matrix or the counts, and what was found."""
    seen = overview(recording)
    lines = [
        f"## {'✅' if seen.good else '❌'} {seen.ended}",
        "",
        f"{seen.kicker}: {_code(seen.heading)}",
        "",
    ]
    for alarm in seen.alarms:
        lines += [f"> **{_code(alarm)}**", ""]
    lines += [" · ".join(f"{count} {state}" for state, count in seen.states), ""]
    facts = [f"{name} {_code(value)}" for name, value in seen.facts]
    lines += [", ".join(facts), ""]
    if seen.matrix:
        lines += ["| family | requirements |", "| --- | --- |"]
        for row in seen.matrix:
            marks = "".join(MARKS.get(cell.state, "?") for cell in row.cells)
            lines.append(f"| {_cell(f'{row.family} {row.about}')} | `{marks}` |")
        used = dict.fromkeys(cell.state for row in seen.matrix for cell in row.cells)
        lines += ["", ", ".join(f"`{MARKS.get(state, '?')}` {state}" for state in used), ""]
    text = "\n".join(lines)
    left = 0
    for part in _found(seen.entries):
        if left or len(text) + len(part) > _LONGEST:
            left += 1
        else:
            text += part
    if left:
        text += f"\n… {left} more, left out as the text would be too long.\n"
    return text


def _found(entries: tuple[Entry, ...]) -> Iterator[str]:
    for entry in entries:
        if entry.state in _QUIET:
            continue
        title = f"<b>{_html(entry.label or entry.state)}</b> {_html(entry.level)}".rstrip()
        what = f"{title} {_html(entry.state)}: {_html(entry.text)}"
        if entry.state in ("unsupported", "blocked", "expected-fail"):
            yield f"\n- {what}: {_code(entry.reason)}\n"
            continue
        body = [f"\n<details><summary>{what}</summary>\n"]
        if entry.reason:
            body.append(f"\n{_code(entry.reason)}\n")
        body += [_block(_evidence(case)) for case in entry.cases if _evidence(case)]
        if entry.reproduce:
            body.append(_block(one_line(entry.reproduce, 4_000)))
        yield "".join([*body, "\n</details>\n"])


def _evidence(case: CaseRecord) -> str:
    if case.finished is None:
        return f"{one_line(case.started.case, 500)} has no result\n"
    if case.finished.failure is None:
        return ""
    return plain(card(case.finished, bounds=SHORT, describe=lambda _: None))[:6_000]


def _block(text: str) -> str:
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n{fence}text\n{text.rstrip()}\n{fence}\n"


def _code(text: str) -> str:
    shown = one_line(text, 500)
    longest = max((len(each) for each in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown else ""


def _html(text: str) -> str:
    """Returns text in which nothing is markup of either kind."""
    shown = one_line(text, _ROW * 5)
    return re.sub(r"[&<>`*_\[\]@#|~\\:!]", lambda found: f"&#{ord(found[0])};", shown)


def _cell(text: str) -> str:
    return one_line(text, _ROW).replace("|", "\\|")
