"""The step that writes bytes to a port: what it sends, and what it tells of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
Write = Callable[..., str]


def test_bytes_are_written_to_the_port_and_what_comes_back_is_told(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - tcp: only
      send: {$base64: UFJJICogSFRUUC8yLjANCg0KU00NCg0KAAAABAAAAAAA}
      expect:
        connected: true
        closed: false
        # A frame of SETTINGS, on the stream of the connection itself.
        received: {$type: bytes, $len: {$gt: 9}, $contains: {$base64: BAAAAAAA}}
        seconds: {$ge: 500ms, $lt: 5s}
    - tcp: only
      within: 200ms
      expect: {seconds: {$lt: 500ms}}
    """
    assert run_all(alone(steps)).passed()


def test_a_node_that_closes_the_connection_is_not_waited_for(run_all: Run, alone: Write) -> None:
    steps = """\
    - tcp: only
      send: "GET / HTTP/1.1\\r\\n\\r\\n"
      within: 20s
      expect: {closed: true, text: {$type: string}, seconds: {$lt: 10s}}
    - parallel: 4
      tcp: only
      send: {$bytes: 300000}
      within: 20s
      expect: {all: {closed: true}}
    """
    assert run_all(alone(steps)).passed()


def test_what_a_busy_machine_takes_to_connect_is_not_taken_from_the_time_for_the_answer(
    run_all: Run, alone: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncio.open_connection

    async def connect_late(*where: object) -> object:
        await asyncio.sleep(0.1)
        return await connect(*where)

    monkeypatch.setattr(asyncio, "open_connection", connect_late)
    steps = """\
    - tcp: only
      send: {$base64: UFJJICogSFRUUC8yLjANCg0KU00NCg0KAAAABAAAAAAA}
      within: 50ms
      expect: {connected: true, seconds: {$ge: 150ms}}
    """
    assert run_all(alone(steps)).passed()


def test_an_expectation_that_is_not_met_shows_what_came(run_all: Run, alone: Write) -> None:
    steps = """\
    - tcp: only
      send: zzzzzzzzzzzzzzzzzzzzzzzzzzzz
      expect: {closed: false}
    """
    failure = run_all(alone(steps)).failure
    assert [each.path for each in failure.mismatches] == ["closed"]
    assert failure.route == ("only",)


def test_that_nobody_listens_is_a_failure_unless_it_is_expected(run_all: Run, shop: Write) -> None:
    steps = """\
    - fault: {kill: a}
      steps:
        - tcp: a
          expect: {connected: false, closed: false, received: {$len: 0}}
        - tcp: a
    """
    failure = run_all(shop(steps)).failure
    assert failure.step.startswith("1.2")
    assert [each.path for each in failure.mismatches] == ["connected"]
