"""Where the console report writes: plain text, or a terminal with colours and live progress.

rich is imported only for a screen that has colours or moves; plain text needs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol

from collector_harness.reports.lines import Line, Style, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["Appearance", "PlainScreen", "RichScreen", "Screen", "appearance", "open_screen"]

_STYLES: Final[Mapping[Style, str]] = {
    "plain": "",
    "strong": "bold",
    "faint": "dim",
    "good": "green",
    "bad": "red",
    "warning": "yellow",
    "accent": "cyan",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Appearance:
    """How a stream is written to."""

    colour: bool
    live: bool
    """Whether a line at the bottom shows the progress and moves."""


def appearance(*, terminal: bool, environment: Mapping[str, str]) -> Appearance:
    """Returns how to write to a stream.

    A terminal gets colours and live progress. `NO_COLOR` takes the colours away and
    `FORCE_COLOR` gives them to a file or pipe too; both count when they are not empty, and
    `NO_COLOR` wins. A terminal that is `dumb` can do neither.
    """
    able = terminal and environment.get("TERM") != "dumb"
    if environment.get("NO_COLOR"):
        return Appearance(colour=False, live=able)
    return Appearance(colour=able or bool(environment.get("FORCE_COLOR")), live=able)


class Screen(Protocol):
    """Shows lines one after the other, and progress below them where it can."""

    @property
    def live(self) -> bool:
        """Whether progress is visible here."""

    def show(self, lines: Iterable[Line]) -> None:
        """Appends lines."""

    def begin(self, total: int) -> None:
        """Starts to show progress towards that many cases."""

    def advance(self, *, done: int, failed: int, running: str) -> None:
        """Shows how far the run is, and a case that is running."""

    def end(self) -> None:
        """Takes the progress away; does nothing where there is none."""


def open_screen(stream: IO[str], environment: Mapping[str, str] | None = None) -> Screen:
    """Returns the screen that fits a stream; `environment` defaults to the process's own."""
    look = appearance(
        terminal=stream.isatty(), environment=os.environ if environment is None else environment
    )
    return RichScreen(stream, look) if look.colour or look.live else PlainScreen(stream)


class PlainScreen:
    """Text without styles, flushed line by line so that a log grows steadily.

    A reader that leaves, as `head` does, ends the showing and nothing else: what is shown goes on.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._left = False

    @property
    def live(self) -> bool:
        return False

    def show(self, lines: Iterable[Line]) -> None:
        if self._left:
            return
        try:
            self._stream.write(plain(lines))
            self._stream.flush()
        except BrokenPipeError:
            self._left = True

    def begin(self, total: int) -> None: ...

    def advance(self, *, done: int, failed: int, running: str) -> None: ...

    def end(self) -> None: ...


class RichScreen:
    """Coloured text, with a progress line where the appearance is live."""

    def __init__(self, stream: IO[str], look: Appearance) -> None:
        from rich.console import Console

        self._look = look
        self._left = False
        # Markup and highlighting stay off and spans carry the styles: text from a target must
        # never be taken for markup.
        self._console: Console = Console(
            file=stream,
            force_terminal=True if look.live or look.colour else None,
            color_system="standard" if look.colour else None,
            no_color=not look.colour,
            markup=False,
            highlight=False,
            emoji=False,
            soft_wrap=True,
        )
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    @property
    def live(self) -> bool:
        return self._look.live

    def show(self, lines: Iterable[Line]) -> None:
        from rich.text import Text

        shown = [Text.assemble(*((text, _STYLES[style]) for text, style in each)) for each in lines]
        if self._left:
            return
        try:
            for text in shown:
                self._console.print(text, soft_wrap=True)
        except (BrokenPipeError, SystemExit):
            # The latter is what rich makes of a pipe that nobody reads any more.
            self._left = True

    def begin(self, total: int) -> None:
        if not self._look.live or self._progress is not None:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed
        from rich.table import Column

        self._progress = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            Elapsed(),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=total, state="")
        self._progress.start()

    def advance(self, *, done: int, failed: int, running: str) -> None:
        if self._progress is not None and self._task is not None:
            state = f"{failed} failed" if failed else ""
            self._progress.update(self._task, completed=done, description=running, state=state)

    def end(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()
