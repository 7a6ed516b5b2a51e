"""What every test of this repository may use, and what guards the machine against tests."""

import os

from collector_harness.launchers.contract import RUN_MARKER
from collector_harness.launchers.reaper import the_reaper

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Marks this process's environment, so that what tests start ends when this process does.

    Also when it is killed: the reaper looks for the mark. Workers of pytest-xdist are marked by
    the process that started them, and mark by themselves what they start.
    """
    the_reaper().start()
    os.environ[RUN_MARKER] = the_reaper().marker
