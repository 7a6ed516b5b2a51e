"""`run` and `verify` write reports, `report` makes the same of what they kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema

from collector_harness.reports.event_schema import event_schema

Run = Callable[..., subprocess.CompletedProcess[str]]

SCENARIO = """\
version: 1
scenario: who answers is told
requirements: [DSP-004]
topology:
  nodes:
    hub: {namespaces: [shop]}
    a: {namespaces: [shop], probe: [shop]}
  links: [hub -> a]
cases:
  known: {method: WhoAmI, status: OK}
  unknown: {method: Nope, status: OK}
steps:
  - fault: {latency: {link: hub -> a, delay: 1ms}}
    steps:
      - dispatch: shop/conformance.Probe.${case.method}
        via: hub
        expect: {status: "${case.status}"}
"""


def kept(path: Path) -> list[dict[str, object]]:
    """The events of a stream, each of which fits the published schema."""
    check = jsonschema.Draft202012Validator(event_schema())
    events = [json.loads(text) for text in path.read_text().splitlines()]
    for event in events:
        check.validate(event)
    return events


def test_a_run_writes_every_report_and_its_stream_gives_them_again(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.scenario.yaml").write_text(SCENARIO)
    ended = run(
        *("run", "a.scenario.yaml", "--jsonl", "s.jsonl", "--html", "p.html", "--junit", "j.xml"),
        *("--markdown", "m.md", "--slowest", "2", "--coverage"),
        environment={"GITHUB_ACTIONS": "true"},
    )
    assert ended.returncode == 1, ended.stderr
    events = kept(tmp_path / "s.jsonl")
    started = next(event for event in events if event["kind"] == "CaseStarted")
    assert started["topology"] == {
        "nodes": [
            {"name": "hub", "kind": "target", "namespaces": ["shop"]},
            {"name": "a", "kind": "target", "namespaces": ["shop"]},
        ],
        "links": [["hub", "a"]],
        "left_out": 0,
    }
    titles = [event["title"] for event in events if event.get("action") == "fault"]
    assert titles == ["fault latency hub -> a"] * 2
    assert all(event["at"] > 0 for event in events if event["kind"] == "CallFinished")
    root = ET.parse(tmp_path / "j.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("::stop-commands::")
    assert lines[-1].startswith("::error file=a.scenario.yaml,line=")
    assert "slowest steps" in ended.stdout
    assert "/collector.CollectorRegistry/RegisterProto" in ended.stdout
    for kind, written in (("html", "p.html"), ("junit", "j.xml"), ("markdown", "m.md")):
        assert run("report", kind, "s.jsonl", "-o", "again").returncode == 0
        assert (tmp_path / "again").read_text() == (tmp_path / written).read_text()


def test_a_verification_tells_its_verdict_in_the_stream_before_the_end(
    run: Run, tmp_path: Path
) -> None:
    ended = run("verify", "reference", "-k", "REG-001", "--jsonl", "s.jsonl", "--html", "p.html")
    assert ended.returncode == 0, ended.stderr
    events = kept(tmp_path / "s.jsonl")
    judged = {
        event["requirement"]: event for event in events if event["kind"] == "RequirementJudged"
    }
    assert judged["REG-001"]["verdict"] == "pass"
    assert judged["DSP-001"]["verdict"] == "deselected"
    ran = {event["case"] for event in events if event["kind"] == "CaseFinished"}
    assert set(judged["REG-001"]["cases"]) <= ran  # type: ignore[call-overload]
    assert [event["kind"] for event in events[-2:]] == ["VerdictReached", "RunFinished"]
    assert "/collector_harness/" not in ended.stdout
    assert 'id="REG-001"' in (tmp_path / "p.html").read_text()
    assert run("report", "diff", "s.jsonl", "s.jsonl").returncode == 0
    cut = (tmp_path / "s.jsonl").read_text().splitlines()[:-1]
    (tmp_path / "cut.jsonl").write_text("\n".join(cut) + "\n")
    told = run("report", "junit", "cut.jsonl")
    assert told.returncode == 1
    assert "was cut off" in told.stderr
    assert run("report", "diff", "s.jsonl", "cut.jsonl").returncode == 1


def test_shards_are_put_together_again(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.scenario.yaml").write_text(SCENARIO.replace("Nope", "WhoAmI"))
    names = []
    for number in (1, 2):
        ended = run(
            "run", "a.scenario.yaml", "--shard", f"{number}/2", "--jsonl", f"{number}.jsonl"
        )
        if ended.returncode == 0:
            names.append(f"{number}.jsonl")
    merged = run("report", "merge", *names, "-o", "all.jsonl")
    assert merged.returncode == 0, merged.stderr
    assert "2 cases: 2 passed" in merged.stdout
    last = kept(tmp_path / "all.jsonl")[-1]
    assert last["kind"] == "RunFinished"
