"""JUnit, Markdown, annotations and the page say the same of a run, and nothing of a target acts."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from collector_harness.events import CaseFinished, Outcome
from collector_harness.reports.annotations import AnnotationGuard, render_annotations
from collector_harness.reports.coverage import coverage, render_coverage
from collector_harness.reports.html import render_html
from collector_harness.reports.junit import render_junit
from collector_harness.reports.lines import plain
from collector_harness.reports.markdown import render_markdown
from collector_harness.reports.recording import recorded
from collector_harness.reports.slowest import render_slowest, slowest

RENDERERS = [render_junit, render_markdown, render_annotations, render_html]

ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
"""What the schema that Jenkins publishes allows, as far as we write it."""


def test_junit_is_of_the_common_schema_and_counts_what_it_holds(made) -> None:
    root = ET.fromstring(render_junit(recorded(made.verdict())))
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
    for suite in root:
        kinds = [child.tag for child in suite]
        assert kinds == sorted(kinds, key=["properties", "testcase"].index)
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(key, "")) == len(suite.findall(f"testcase/{tag}"))
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    names = {case.get("name"): case for case in root.iter("testcase")}
    assert names["DSP-011 the text of DSP-011"].find("failure") is not None
    assert names["DSP-004 the text of DSP-004"].find("*") is None
    # A broken SHOULD fails nothing.
    assert names["DSP-015 the text of DSP-015"].find("skipped") is not None
    assert names["the run is complete and fits together"].find("failure") is not None


def test_junit_is_read_by_others(made) -> None:
    junitparser = pytest.importorskip("junitparser")
    events = made.run([made.case("f::a"), made.case("f::b", made.broken())])
    suites = junitparser.JUnitXml.fromstring(render_junit(recorded(events)).encode())
    assert (suites.tests, suites.failures, suites.errors) == (2, 1, 0)


def test_a_case_that_was_not_run_is_no_failure_and_no_success(made) -> None:
    why = replace(made.broken(), message="it lacks tls", mismatches=())
    *events, end = made.run([made.case("f::a"), made.case("f::b", why)])
    events = [
        replace(each, outcome=Outcome.UNSUPPORTED)
        if isinstance(each, CaseFinished) and each.failure
        else each
        for each in events
    ]
    seen = recorded([*events, replace(end, exit_code=0)])
    assert not seen.failures
    root = ET.fromstring(render_junit(seen))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("2", "0", "1")
    assert root.find(".//skipped").get("message") == "unsupported: it lacks tls"
    assert "1 case passed, 1 unsupported" in render_html(seen)


@pytest.mark.parametrize("render", RENDERERS)
def test_a_run_that_was_cut_off_is_told_to_be(made, render) -> None:
    good = made.run([made.case("f::a")])
    assert "cut off" not in render(recorded(good)).split("</style>")[-1]
    text = render(recorded(good[:-1]))
    assert "cut off: it has no end" in text.lower()


@pytest.mark.parametrize("render", RENDERERS)
def test_what_a_target_says_stays_text_and_is_bounded(made, render) -> None:
    text = render(recorded(made.verdict()))
    assert len(text) < 400_000
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    if render in (render_junit, render_html):
        assert "<img src=x" not in text
        assert "<script>document.title" not in text


def test_markdown_keeps_hostile_text_in_code(made) -> None:
    text = render_markdown(recorded(made.verdict()))
    outside = re.sub(r"(`+)(?s:.+?)\1", "", text)
    assert "<script" not in outside
    assert "<img" not in outside
    assert "| DSP dispatching | `✓✗✗·` |" in text
    assert "❌ 1 MUST broken" in text


def test_annotations_stand_at_the_line_and_are_one_command_each(made) -> None:
    lines = render_annotations(recorded(made.verdict())).splitlines()
    assert all(re.match(r"::(error|warning|notice) ", line) for line in lines)
    assert len(lines) == 3
    (must,) = [line for line in lines if "DSP-011" in line]
    assert must.startswith("::error file=a.scenario.yaml,line=3,col=5,title=DSP-011 MUST%3A ")
    assert "%0Acollector-harness verify x -k DSP-011" in must
    assert next(line for line in lines if "DSP-015" in line).startswith("::warning ")


def test_annotations_name_files_from_the_root_of_the_repository(
    made, tmp_path, monkeypatch
) -> None:
    (tmp_path / "services/shop").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "services/shop")
    recording = recorded(made.run([made.case("f::b", made.broken())]))

    def file(**environment: str) -> str:
        found = re.search(
            r"file=([^,]*),line=3", render_annotations(recording, environment=environment)
        )
        assert found is not None
        return found[1]

    assert file(GITHUB_WORKSPACE=str(tmp_path)) == "services/shop/a.scenario.yaml"
    assert file(GITHUB_WORKSPACE=str(tmp_path / "elsewhere")) == "a.scenario.yaml"
    assert file() == "a.scenario.yaml"


def test_no_output_of_a_target_can_be_a_command_while_a_run_is_shown(made) -> None:
    stream = io.StringIO()
    guard = AnnotationGuard(stream)
    (stop,) = stream.getvalue().splitlines()
    token = stop.removeprefix("::stop-commands::")
    assert len(token) >= 32
    guard.tell(recorded(made.verdict()))
    assert stream.getvalue().splitlines()[1] == f"::{token}::"
    other = io.StringIO()
    AnnotationGuard(other)
    assert token not in other.getvalue()


def test_the_page_names_its_style_and_script_and_allows_nothing_else(made) -> None:
    page = render_html(recorded(made.verdict()))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;; style-src &#x27;sha256-")
    assert not re.search(r'(src|href)="(?!#|data:,)', page)
    assert page.count("<script>") == 1


def test_the_slowest_steps_say_what_they_waited_for(made) -> None:
    recording = recorded(made.run([made.case("f::a")]))
    first = slowest(recording, 5)[0]
    assert (first.step, first.calls) == ("1.1", 2)
    assert first.waited == pytest.approx(0.02)
    told = plain(render_slowest(recording, 1))
    assert "0.020 s in 2 calls, the longest Dispatch at hub" in told
    assert "0.040 s between them" in told
    assert len(slowest(recording, 1)) == 1


def test_coverage_names_the_rpcs_nodes_and_links_that_nothing_touched(made) -> None:
    found = coverage(recorded(made.run([made.case("f::a")])), ["/collector.X/Never"])
    assert found.rpcs == {
        "/collector.X/Never": 0,
        "/collector.CollectiveDispatcher/Dispatch": 2,
    }
    assert found.links == (("f", "hub -> b"),)
    assert found.nodes == ()
    assert (found.all_nodes, found.all_links) == (2, 2)
    assert "/collector.X/Never" in plain(render_coverage(found))
