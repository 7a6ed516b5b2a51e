"""Scenario files as pytest items: a collector per file, an item per case.

Collecting reads and checks files and opens nothing. What a case does is the engine's
business; here its outcome becomes pytest's.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from collector_harness.errors import EnvironmentLacks, HarnessError, InvalidInput
from collector_harness.heap import growing

if TYPE_CHECKING:
    from collector_harness.events import CaseFinished
    from collector_harness.scenario.loading import Case, Scenario

__all__ = ["SUFFIX", "RunCase", "ScenarioFailed", "ScenarioFile", "ScenarioItem"]

SUFFIX = ".scenario.yaml"
"""What the name of a scenario file ends with."""

RunCase: TypeAlias = "Callable[[Case], CaseFinished]"
"""Runs a case to its end and tells how it ended."""

_MEANT_BY_PYTEST = frozenset(
    {"filterwarnings", "parametrize", "skip", "skipif", "topology", "usefixtures", "xfail"}
)
"""Marks that do something. A tag of such a name is the user's word for something else."""


class ScenarioFailed(Exception):
    """A case ended in another way than passed."""

    def __init__(self, finished: CaseFinished) -> None:
        self.finished = finished
        """How it ended, with everything that explains it."""
        super().__init__(finished.failure.message if finished.failure else finished.outcome)


class ScenarioFile(pytest.File):
    """A `*.scenario.yaml` file."""

    def __init__(self, *, run_case: RunCase, **rest: Any) -> None:
        super().__init__(**rest)
        self._run_case = run_case

    def collect(self) -> Iterator[ScenarioItem]:
        """Yields an item per case, in the order of the file.

        A file with problems is a collection error that shows each of them at its line.
        """
        with growing():
            scenario = self._load()
        for case in scenario.cases:
            yield self._item(scenario, case)

    def _load(self) -> Scenario:
        from collector_harness.scenario.loading import load_scenario

        try:
            return load_scenario(self.path, source=self._source())
        except InvalidInput as error:
            problems = "\n".join(str(problem) for problem in error.problems)
            raise self.CollectError(problems) from None
        except EnvironmentLacks as error:
            raise self.CollectError(str(error)) from None

    def _item(self, scenario: Scenario, case: Case) -> ScenarioItem:
        name = _name(scenario, case)
        # By the whole id pytest sees that the name of the case stands in brackets, as the
        # parameters of a test do, and so knows it again by `--lf` and its like.
        item: ScenarioItem = ScenarioItem.from_parent(
            self,
            name=name,
            nodeid=f"{self.nodeid}::{name}",
            case=case,
            run_case=self._run_case,
        )
        _describe(item, scenario)
        return item

    def _source(self) -> str:
        """Returns the file as the user would name it where pytest was started."""
        try:
            return str(self.path.relative_to(self.config.invocation_params.dir))
        except ValueError:  # it is elsewhere
            return str(self.path)


class ScenarioItem(pytest.Item):
    """A case of a scenario."""

    def __init__(self, *, case: Case, run_case: RunCase, **rest: Any) -> None:
        super().__init__(**rest)
        self.case = case
        """What runs."""
        self._run_case = run_case

    def runtest(self) -> None:
        """Runs the case; raises `ScenarioFailed` unless it passes, and is skipped where the
        collector under test cannot show what it is about.
        """
        finished = self._run_case(self.case)
        if finished.outcome == "unsupported":
            pytest.skip(_reason(finished))
        if finished.outcome != "passed":
            raise ScenarioFailed(finished)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Returns where the case stands: the file, and the line counted from 0."""
        return self.path, _line(self.case) - 1, f"scenario: {self.name}"

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 - pytest's signature
    ) -> str:
        """Returns the card of the failure, the whole one with `-vv`; no traceback of ours."""
        if isinstance(excinfo.value, ScenarioFailed):
            finished = excinfo.value.finished
            # The first line is all that the summary of pytest shows.
            card = _card(finished, whole=self.config.get_verbosity() >= 2)
            return f"{_reason(finished)}\n\n{card}"
        if isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        # Something that nobody foresaw: from here on, without the frames of pytest's own.
        frames = excinfo.value.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != __file__:
            frames = frames.tb_next
        return "".join(traceback.format_exception(excinfo.value.with_traceback(frames)))


def _name(scenario: Scenario, case: Case) -> str:
    return scenario.title if case.name is None else f"{scenario.title}[{case.name}]"


def _line(case: Case) -> int:
    """Returns the line at which a case stands, counted from 1."""
    place = ("scenario",) if case.name is None else ("cases", case.name)
    return case.scenario.document.line(place)


def _describe(item: ScenarioItem, scenario: Scenario) -> None:
    """Makes tags selectable by `-m` and `-k`, requirements by `-k`, and puts those in reports."""
    for tag in scenario.file.tags:
        item.extra_keyword_matches.add(tag)
        if tag not in _MEANT_BY_PYTEST:
            item.config.addinivalue_line("markers", f"{tag}: a tag of a scenario")
            item.add_marker(getattr(pytest.mark, tag))
    for requirement in scenario.file.requirements:
        item.extra_keyword_matches.add(requirement)
        item.user_properties.append(("requirement", requirement))


def _reason(finished: CaseFinished) -> str:
    from collector_harness.launchers.logs import sanitised

    failure = finished.failure
    if failure is None:
        return str(finished.outcome)
    told = failure.message
    if failure.mismatches:
        first = failure.mismatches[0]
        told = f"{first.path}: expected {first.expected}, was {first.actual}"
    return sanitised(told.partition("\n")[0])


def _card(finished: CaseFinished, *, whole: bool) -> str:
    from collector_harness.reports.cards import SHORT, WHOLE, card
    from collector_harness.reports.console import describe_requirement
    from collector_harness.reports.lines import plain

    bounds = WHOLE if whole else SHORT
    return plain(card(finished, bounds=bounds, describe=describe_requirement))
