"""What every test of this repository may use, and what guards the machine against tests."""

import os
import signal

import pytest

from collector_harness.launchers.contract import RUN_MARKER
from collector_harness.launchers.reaper import the_reaper

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Marks this process's environment, so that what tests start ends when this process does.

    Also when it is killed: the reaper looks for the mark. Workers of pytest-xdist are marked by
    the process that started them, and mark by themselves what they start. And Ctrl-C is heard by
    what tests start: a shell has what it runs in the background ignore it, and all below that.
    """
    the_reaper().start()
    os.environ[RUN_MARKER] = the_reaper().marker
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """This process's environment and its mark, without what would set up a collector."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("COLLECTOR_", "OTEL_")) or name == RUN_MARKER
    }
