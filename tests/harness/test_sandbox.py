"""What is hostile is refused or bounded: texts that want more than they may, and targets that
answer with whatever hurts whoever reads it.
"""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from pathlib import Path
from textwrap import dedent

import pytest

from collector_harness.cli import main
from collector_harness.errors import HarnessError, InvalidInput
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import load_scenario, parse_scenario

HEAD = """\
version: 1
scenario: a guest
topology:
  nodes:
    hub: {namespaces: [shop], probe: [shop]}
"""
STEPS = "steps: [{dispatch: shop/conformance.Probe.WhoAmI}]\n"

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
)

REFUSED = {
    "attributes of Python": HEAD + "steps: [{check: {'${seed.__class__}': 1}}]\n",
    "a root that there is not": HEAD + "steps: [{check: {'${__builtins__.open}': 1}}]\n",
    "an expression": HEAD + "steps: [{check: {'${1 + 1}': 2}}]\n",
    "a call": HEAD + "steps: [{check: {'${fake.word()}': x}}]\n",
    "an attribute of an object": HEAD + "steps: [{check: {'${node.hub.collector}': x}}]\n",
    "a tag of Python": HEAD + "steps: [!!python/object/apply:os.system [id]]\n",
    "aliases of aliases": HEAD + STEPS + "tags: *a\n" + BOMB,
    "an alias in itself": HEAD + "steps: &s [*s]\n",
    "a huge repeat": HEAD + "steps: [{repeat: 1000000000, check: {'${seed}': 7}}]\n",
    "a huge parallel": HEAD + "steps: [{parallel: 1000000000, dispatch: shop/x.Y}]\n",
    "an endless time": HEAD + "timeout: 100000h\n" + STEPS,
    "deep nesting": HEAD + "steps: " + "[" * 100_000,
    "deep nesting that ends": HEAD + "steps: " + "[" * 500 + "]" * 500 + "\n",
    "megabytes": HEAD + STEPS + "description: " + "x" * 2_000_000 + "\n",
    "definitions of another suite": HEAD + "steps: [{use: '../../../etc/passwd#root'}]\n",
    "definitions by an absolute path": HEAD + "steps: [{use: '/etc/passwd#root'}]\n",
    "a pattern that is none": HEAD + "steps: [{check: {'${seed}': {$regex: '('}}}]\n",
    "attributes in a key": HEAD + "steps: [{check: {'${seed}': {'${env.__class__.x}': 1}}}]\n",
    "attributes of a module": HEAD + "steps: [{check: {'${case.__init__}': x}}]\n",
    "bytes without end": HEAD + "steps: [{tcp: hub, send: {$bytes: 1000000000000}}]\n",
    "bytes without end in a case": HEAD + "cases: {a: {b: {$bytes: 1000000000000}}}\n" + STEPS,
    "aliases of merged keys": HEAD + STEPS + "tags: {<<: *a}\n" + BOMB,
    "a handler from nowhere": HEAD.replace("probe:", "serves: {shop: ['../../x.py:X']}, probe:")
    + STEPS,
    "certificates from nowhere": HEAD.replace("probe:", "tls: {cert: /no, key: /no}, probe:")
    + STEPS,
    "descriptors from nowhere": HEAD.replace("probe:", "protos: [/dev/null/x], probe:") + STEPS,
    "a NUL in a name": HEAD.replace("hub:", '"h\\0b":') + STEPS,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_text_that_wants_too_much_is_refused_at_once(text: str, tmp_path: Path) -> None:
    file = tmp_path / "suite" / "guest.scenario.yaml"
    file.parent.mkdir()
    (file.parent / "pytest.ini").touch()
    file.write_text(text)
    begin = time.process_time()

    with pytest.raises(InvalidInput) as refused:
        load_scenario(file)

    assert time.process_time() - begin < 10
    assert len(str(refused.value)) < 250_000


@pytest.mark.parametrize(
    "node",
    [
        "{namespaces: [shop], protos: [SECRET]}",
        "{namespaces: [shop], tls: {cert: SECRET, key: SECRET, ca: SECRET}}",
        "{namespaces: [shop], serves: {shop: ['SECRET:Handler']}}",
    ],
)
def test_a_file_that_is_no_such_file_is_told_without_what_is_in_it(
    node: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("hunter2 = = password\n")
    text = f"version: 1\nscenario: a guest\ntopology: {{nodes: {{hub: {node}}}}}\n{STEPS}"
    told: list[str] = []

    def tell(event: object) -> None:
        told.append(str(getattr(getattr(event, "failure", None), "message", "")))

    try:
        cases = parse_scenario(text.replace("SECRET", str(secret))).cases
    except HarnessError as error:
        told.append(str(error).replace(text, ""))
    else:
        asyncio.run(run_cases(cases, emit=tell))

    assert any(told)
    assert not any("hunter2" in each for each in told)


HANDLER = '''\
import logging

class Hostile:
    def Speak(self, value, context):
        """Escapes of terminals, of Markdown and HTML, and letters that turn the line round."""
        return {
            "escape": "\\x1b[2J\\x1b]0;owned\\x07\\x9b31m",
            "turned": "\\u202egnp.exe\\u2066\\u200b\\u2028",
            "markup": "<script>alert(1)</script>[red]::error::owned\\n::set-output name=x::y",
            "control": "a\\x00b\\rc\\bd\\x7f",
        }

    def Shout(self, value, context):
        return {"much": "x" * 3_000_000, "\\x1b[31m" + "k" * 2000: 1}

    def Nest(self, value, context):
        nested = "end"
        for _ in range(40):
            nested = {"in": [nested]}
        return {"deep": nested}

    def Count(self, value, context):
        return {"many": [{"n": n} for n in range(20_000)]}

    def Fail(self, value, context):
        """In a status, and in a log."""
        logging.getLogger("collector_reference").error("\\x1b[2Jowned\\u202e" + "z" * 1_000_000)
        raise ValueError("\\x1b[2J\\u202e" + "x" * 3_000_000 + "\\r\\n::error::owned")
'''


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile_target.py").write_text(HANDLER)
    (folder / "answers.scenario.yaml").write_text(
        dedent("""\
        version: 1
        scenario: hostile answers
        topology:
          nodes:
            hub: {namespaces: [shop], serves: {shop: ["hostile_target.py:Hostile"]}}
          links: [hub -> liar]
        peers:
          liar:
            behaviour: lying
            namespaces: [shop]
            answers:
              Connect: {patch: {target_collector_id: "\\e[31mliar\\u202e"}}
        cases:
          speak: {method: Speak, part: {escape: x, turned: x, markup: x, control: x}}
          shout: {method: Shout, part: {much: x}}
          nest: {method: Nest, part: {deep: x}}
          count: {method: Count, part: {many: []}}
          fail: {method: Fail, part: x}
        steps:
          - dispatch: shop/Hostile.${case.method}
            deadline: 30s
            expect: {output: "${case.part}"}
        """)
    )
    return folder


def dangerous(text: str) -> set[str]:
    """Characters that do something to whoever shows them."""
    return {
        char
        for char in set(text) - {"\n", "\t"}
        if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs")
    }


@pytest.mark.parametrize("verbose", [False, True])
def test_no_answer_harms_who_reads_what_is_told_of_it(
    hostile: Path, tmp_path: Path, monkeypatch, capsys, verbose: bool
) -> None:
    monkeypatch.chdir(hostile)
    files = {
        option: tmp_path / f"report{option.removeprefix('--')}"
        for option in ("--json", "--jsonl", "--junit", "--html", "--markdown")
    }
    words = [word for option, file in files.items() for word in (option, str(file))]

    code = main(["run", "answers.scenario.yaml", *words, *(["-v"] if verbose else [])])

    out, err = capsys.readouterr()
    assert code == 1, err
    assert "5 failed" in out
    assert dangerous(out + err) == set()
    if not verbose:
        assert len(out) < 100_000
        assert max(map(len, out.splitlines())) < 1_500
    for option, file in files.items():
        text = file.read_text(encoding="utf-8")
        assert dangerous(text) == set(), option
        if option == "--markdown":
            text = re.sub(r"^ *(`{3,}).*?^ *\1 *$", "", text, flags=re.MULTILINE | re.DOTALL)
        assert "<script>alert(1)" not in text or option in ("--json", "--jsonl")
        assert len(text) < 40_000_000
