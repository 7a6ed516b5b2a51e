"""A text that is made to keep an expression busy keeps nobody else busy."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario import searching
from collector_harness.scenario.matching import match
from collector_harness.scenario.searching import MAX_SEARCHED, is_found, tries

FOREVER = float("inf")


@pytest.mark.parametrize(
    ("pattern", "repeats"),
    [
        ("abc", 0),
        (r"a\*b[*+]c\[+", 1),
        (r"^[a-z]+$", 1),
        (r"order-\d+ .*done", 2),
        (r"(?P<name>a)(?:b|c)x{2,5}", 1),
        (r"[]+]a*", 1),
    ],
)
def test_what_an_expression_tries_grows_with_its_repeats(pattern: str, repeats: int) -> None:
    re.compile(pattern)
    assert tries(pattern, 100) == 100.0 ** (1 + repeats)


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*$", r"((ab)*c)+", r"(\w+\.)*x", r"(a)\1*", r"(a{1,9}){1,99}"]
)
def test_repeats_inside_repeats_may_go_on_for_ever(pattern: str) -> None:
    re.compile(pattern)
    assert tries(pattern, 21) == FOREVER
    assert tries(pattern, 20) < FOREVER


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(\w+\.)*example", "www.shop.example" * 3, True),
        (r"^(\w+\.)*example$", "www.shop." + "x" * 30, False),
        (r"a+$", "b" * 90_000 + "a", True),
        (r"\d+x", "y" * 90_000, False),
        ("(a|ä\n\u2028)+!", "aä\n\u2028" * 20 + "!", True),
        ("z", "a" * MAX_SEARCHED + "z", False),
    ],
)
def test_what_is_searched_elsewhere_is_found_as_it_is_here(
    pattern: str, text: str, found: bool
) -> None:
    assert is_found(pattern, text) is found


def test_a_search_without_end_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "LIMIT", 0.5)
    begin = time.monotonic()
    with pytest.raises(InvalidInput, match=r"was not done with a text of 41 characters within 0.5"):
        match({"$regex": "^(a+)+$"}, "a" * 40 + "!")
    assert time.monotonic() - begin < 60
    # And the next one finds who searches.
    assert match({"$regex": "^(a+)+$"}, "a" * 40) == ()


def test_no_expression_is_taken_for_one_that_is_none() -> None:
    with pytest.raises(InvalidInput, match="is not a regular expression"):
        match({"$regex": "(a+"}, "a" * 50)


def test_a_hostile_answer_fails_its_case_and_no_other(run_all, monkeypatch) -> None:
    monkeypatch.setattr(searching, "LIMIT", 0.5)
    text = """\
version: 1
scenario: t
topology: {nodes: {hub: {namespaces: [shop], probe: [shop]}}}
cases:
  hostile: {note: HOSTILE}
  honest: {note: www.shop.example}
steps:
  - dispatch: shop/conformance.Probe.Echo
    input: ${case.note}
    expect: {output: {$regex: '^(\\w+\\.?)+$'}}
""".replace("HOSTILE", "a" * 60 + "!")
    ran = run_all(text, jobs=2)
    assert {name: str(outcome) for name, outcome in ran.outcomes.items()} == {
        "t[hostile]": "error",
        "t[honest]": "passed",
    }


def test_who_searches_is_gone_when_nobody_writes_to_it() -> None:
    """As when the harness is killed: then the other end of its pipe is closed."""

    async def check() -> int:
        process = await asyncio.create_subprocess_exec(
            *searching._elsewhere.command(), stdin=asyncio.subprocess.PIPE, stdout=-1
        )
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            return await process.wait()

    assert asyncio.run(check()) == 0
