"""What a person sees of a run, on a pipe and on a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from collector_harness.events import (
    CallFinished,
    CaseFinished,
    CaseStarted,
    Event,
    MeshStarted,
    MeshStopped,
    Notice,
    Outcome,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Totals,
)
from collector_harness.reports.console import ConsoleReport
from collector_harness.reports.screen import Appearance, appearance

PASSED = CaseFinished(
    case="a.scenario.yaml::known", scenario="known", source="a.scenario.yaml",
    outcome=Outcome.PASSED, seconds=0.004,
)  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_of(failure: CaseFinished) -> list[Event]:
    return [
        RunStarted(seed=7, scenarios=2, cases=2, target="reference"),
        MeshStarted(
            mesh=1,
            nodes={"hub": "127.0.0.1:4001", "a": "127.0.0.1:4002"},
            links=("hub -> a",),
            seconds=0.02,
        ),
        Notice(message="mind the \x1b[31mgap"),
        CaseStarted(case=PASSED.case, scenario="known", source="a.scenario.yaml"),
        StepStarted(case=PASSED.case, step="1", title="dispatch shop/Probe.Echo"),
        CaseStarted(case=failure.case, scenario=failure.scenario, source=failure.source),
        CallFinished(
            case=PASSED.case,
            step="1",
            node="hub",
            rpc="/collector.CollectiveDispatcher/Dispatch",
            request={},
            status="OK",
            layer="http-like",
            message="OK",
            response={},
            handled_by="a",
            seconds=0.001,
        ),
        StepFinished(case=PASSED.case, step="1", outcome=Outcome.PASSED, seconds=0.002),
        PASSED,
        failure,
        MeshStopped(mesh=1, seconds=0.01),
        RunFinished(
            totals=Totals(scenarios=2, cases=2, passed=1, failed=1), seconds=0.1, exit_code=1
        ),
    ]


def shown(
    events: list[Event],
    *,
    stream: io.StringIO | None = None,
    environment: dict[str, str] | None = None,
    verbose: bool = False,
) -> str:
    stream = io.StringIO() if stream is None else stream
    report = ConsoleReport(
        stream=stream,
        environment=environment or {},
        verbose=verbose,
        describe={"DSP-005": "MUST no candidate: 404 (U)"}.get,
    )
    for event in events:
        report(event)
    report.close()
    report.close()
    return stream.getvalue()


def test_a_pipe_gets_steady_plain_lines(failures: dict[str, CaseFinished]) -> None:
    text = shown(run_of(failures["bare"]))
    assert text == (
        "2 cases of 2 scenarios on reference, seed 7\n"
        "mesh    hub 127.0.0.1:4001, a 127.0.0.1:4002; 1 link  0.020 s\n"
        "note: mind the \\x1b[31mgap\n"
        "passed  a.scenario.yaml::known  0.004 s\n"
        "ERROR   a.scenario.yaml::a  0.000 s\n"
        "\n"
        "ERROR  a.scenario.yaml::a  0.000 s\n"
        "  the payload does not fit: 'colour' is not a field of shop.Item\n"
        "\n"
        "scenario  cases  passed  failed     time\n"
        "--------  -----  ------  ------  -------\n"
        "known         1       1       0  0.004 s\n"
        "a             1       0       1  0.000 s\n"
        "\n"
        "2 scenarios, 2 cases: 1 passed, 1 failed in 0.100 s (seed 7)\n"
    )


def test_verbose_shows_the_steps_and_calls_of_a_case_together(
    failures: dict[str, CaseFinished],
) -> None:
    text = shown(run_of(failures["bare"]), verbose=True)
    assert (
        "passed  a.scenario.yaml::known  0.004 s\n"
        "    step 1  dispatch shop/Probe.Echo\n"
        "      hub /collector.CollectiveDispatcher/Dispatch OK (http-like) by a OK  0.001 s\n"
        "ERROR "
    ) in text


@pytest.mark.parametrize("verbose", [False, True])
def test_no_escape_of_a_target_reaches_a_pipe(
    failures: dict[str, CaseFinished], verbose: bool
) -> None:
    text = shown(run_of(failures["hostile"]), verbose=verbose)
    assert all(each.isprintable() for each in text.split("\n"))


def test_a_terminal_gets_colours_and_progress_and_only_the_failures_by_name(
    failures: dict[str, CaseFinished],
) -> None:
    text = shown(run_of(failures["bare"]), stream=Terminal(), environment={"TERM": "xterm"})
    assert "\x1b[31mERROR" in text
    assert "2/2" in text
    assert "passed  a.scenario.yaml::known" not in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor comes back"


def test_markup_and_escapes_of_a_target_stay_text_on_a_terminal(
    failures: dict[str, CaseFinished],
) -> None:
    text = shown(run_of(failures["hostile"]), stream=Terminal(), environment={"TERM": "xterm"})
    assert "\\x1b]0;owned\\x07 [bold]loudly[/bold]" in re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\x07" not in text


def test_the_terminal_is_given_back_when_the_run_breaks_off(
    failures: dict[str, CaseFinished],
) -> None:
    text = shown(run_of(failures["bare"])[:6], stream=Terminal(), environment={"TERM": "xterm"})
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


@pytest.mark.parametrize(
    ("terminal", "environment", "look"),
    [
        (True, {}, Appearance(colour=True, live=True)),
        (False, {}, Appearance(colour=False, live=False)),
        (True, {"NO_COLOR": "1"}, Appearance(colour=False, live=True)),
        (True, {"NO_COLOR": ""}, Appearance(colour=True, live=True)),
        (False, {"FORCE_COLOR": "1"}, Appearance(colour=True, live=False)),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, Appearance(colour=False, live=False)),
        (True, {"TERM": "dumb"}, Appearance(colour=False, live=False)),
    ],
)
def test_the_environment_decides_on_colours(
    terminal: bool, environment: dict[str, str], look: Appearance
) -> None:
    assert appearance(terminal=terminal, environment=environment) == look


def test_no_colour_on_a_terminal_that_wants_none(failures: dict[str, CaseFinished]) -> None:
    text = shown(
        run_of(failures["bare"]), stream=Terminal(), environment={"TERM": "xterm", "NO_COLOR": "1"}
    )
    assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", text)


def test_colours_can_be_forced_onto_a_pipe(failures: dict[str, CaseFinished]) -> None:
    text = shown(run_of(failures["bare"]), environment={"FORCE_COLOR": "1"})
    assert "\x1b[32mpassed" in text
    assert "\x1b[?25l" not in text


def test_a_plain_run_does_not_import_rich() -> None:
    program = (
        "import io, sys\n"
        "from collector_harness.events import *\n"
        "from collector_harness.reports import ConsoleReport\n"
        "report = ConsoleReport(stream=io.StringIO(), environment={})\n"
        "report(RunStarted(seed=1, scenarios=1, cases=1, target='reference'))\n"
        "report(RunFinished(totals=Totals(), seconds=1, exit_code=4))\n"
        "sys.exit('rich' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
