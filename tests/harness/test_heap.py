"""The search for garbage waits while things are made that stay, and leaves them alone."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from collector_harness.heap import begin_work, growing

TELLS = """
import gc, sys
import collector_harness.commands.protos as protos
from collector_harness import cli, heap

def command(**given):
    if works:
        heap.begin_work()
    sys.stderr.write(f"{gc.isenabled()} {gc.get_freeze_count() > 0}")

works = sys.argv[1] == "works"
protos.command.callback = command
sys.argv[1:] = ["protos", "folder"]
cli.main()
"""


@pytest.fixture(autouse=True)
def _the_heap_of_this_process() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_searched_while_things_grow() -> None:
    with growing():
        assert not gc.isenabled()
        with growing():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_who_has_turned_the_search_off_finds_it_off() -> None:
    gc.disable()
    with growing():
        pass
    assert not gc.isenabled()


def test_work_leaves_the_search_off_for_who_has_turned_it_off() -> None:
    gc.disable()
    with growing():
        begin_work()
    assert not gc.isenabled()


def test_an_error_does_not_leave_the_search_off() -> None:
    with pytest.raises(KeyError), growing():
        raise KeyError
    assert gc.isenabled()


def test_what_has_settled_is_left_alone_and_the_rest_is_found() -> None:
    stays: list[object] = []
    with growing():
        begin_work()
        assert gc.isenabled()
    assert not any(each is stays for each in gc.get_objects())
    later: list[object] = []
    assert any(each is later for each in gc.get_objects())


def test_work_settles_only_what_grows() -> None:
    frozen = gc.get_freeze_count()
    begin_work()
    assert gc.get_freeze_count() == frozen
    with growing():
        begin_work()
        assert gc.get_freeze_count() > frozen


def test_a_command_called_as_a_function_leaves_the_process_as_it_is() -> None:
    from collector_harness.cli import main

    frozen = gc.get_freeze_count()
    assert main(["explain", "DSP-011"]) == 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


@pytest.mark.parametrize(("kind", "told"), [("works", "True True"), ("short", "False False")])
def test_a_command_searches_once_its_work_begins(kind: str, told: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TELLS, kind], capture_output=True, text=True, check=False
    )
    assert ended.stderr == told
