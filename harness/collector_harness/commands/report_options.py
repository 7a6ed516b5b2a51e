"""The options by which `run` and `verify` make files of a whole run. Imports click only."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collector_harness.reports.kept import Outlet

__all__ = ["Wanted", "outlets", "report_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which reports were asked for, beside the console."""

    junit: Path | None = None
    markdown: Path | None = None
    html: Path | None = None
    annotations: bool = False
    """Whether annotations for GitHub are printed."""
    slowest: int = 0
    """How many of the slowest steps are told."""
    coverage: bool = False
    """Whether it is told what no scenario touched."""


def report_options(function: F) -> F:
    """Adds the options; the command gets them as one value, `wanted`."""

    @functools.wraps(function)
    def with_wanted(
        *args: Any,
        junit: Path | None,
        markdown: Path | None,
        html: Path | None,
        annotations: bool | None,
        slowest: int,
        **rest: Any,
    ) -> Any:
        wanted = Wanted(
            junit=junit,
            markdown=markdown,
            html=html,
            annotations=_on_github() if annotations is None else annotations,
            slowest=slowest,
            coverage=rest.pop("coverage", False),
        )
        return function(*args, wanted=wanted, **rest)

    options = (
        _file("--junit", "junit", "Write the results to FILE as JUnit XML."),
        _file("--markdown", "markdown", "Write a summary to FILE as Markdown."),
        _file("--html", "html", "Write everything to FILE as one page that needs nothing else."),
        click.option(
            "--github-annotations/--no-github-annotations",
            "annotations",
            default=None,
            help="Print failures as annotations of GitHub Actions; by default where "
            "GITHUB_ACTIONS is true.",
        ),
        click.option(
            "--slowest",
            type=click.IntRange(min=1, max=1000),
            default=None,
            metavar="N",
            callback=lambda _ctx, _parameter, value: value or 0,
            help="Tell the N slowest steps, and what they waited for.",
        ),
    )
    decorated: Any = with_wanted
    for option in reversed(options):
        decorated = option(decorated)
    result: F = decorated
    return result


def _on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _file(name: str, key: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        name,
        key,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=text,
    )


def outlets(wanted: Wanted) -> list[Outlet]:
    """Returns what is to be made of the run; raises `EnvironmentLacks` for a file that cannot be
    written.
    """
    import sys

    from collector_harness.reports.annotations import AnnotationGuard
    from collector_harness.reports.kept import file_outlet

    found: list[Outlet] = []
    if wanted.junit is not None:
        from collector_harness.reports.junit import render_junit

        found.append(file_outlet(wanted.junit, render_junit, what="the JUnit file"))
    if wanted.markdown is not None:
        from collector_harness.reports.markdown import render_markdown

        found.append(file_outlet(wanted.markdown, render_markdown, what="the summary"))
    if wanted.html is not None:
        from collector_harness.reports.html import render_html

        found.append(file_outlet(wanted.html, render_html, what="the page"))
    if wanted.slowest:
        found.append(_slowest(wanted.slowest))
    if wanted.coverage:
        found.append(_coverage)
    if wanted.annotations:
        found.append(AnnotationGuard(sys.stdout).tell)
    return found


def _slowest(most: int) -> Outlet:
    from collector_harness.reports.slowest import render_slowest

    return lambda recording: _show(((), *render_slowest(recording, most)))


def _coverage(recording: Any) -> None:
    from collector_harness.reports.coverage import coverage, render_coverage
    from collector_harness.resources import contract_rpcs

    _show(((), *render_coverage(coverage(recording, contract_rpcs()))))


def _show(lines: Any) -> None:
    import sys

    from collector_harness.reports.screen import open_screen

    open_screen(sys.stdout).show(lines)
