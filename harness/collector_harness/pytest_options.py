"""The plugin's options: declared here, and read once into a value.

Importing this imports nothing heavy. A bad option ends pytest with `pytest.UsageError`,
before anything is collected.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.pytest_stream import add_stream_options

if TYPE_CHECKING:
    from collector_harness.targets import Target
    from collector_harness.topology.databases import FreshDatabases

__all__ = ["HarnessOptions", "add_options", "read_options"]

_REFERENCE = "reference"
_SQLITE = "sqlite"
_VARIABLE = "COLLECTOR_HARNESS_DATABASES"
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessOptions:
    """What the user asked the plugin for."""

    target: str
    """The collector under test, as the user named it."""
    seed: int
    """From which every random choice of the run comes; the same in every worker."""
    databases: str
    """Where fresh databases of services are made, as the user named it."""
    scenarios: bool
    """Whether `*.scenario.yaml` files are collected."""
    parsed_target: Target | None = None
    """The target as a value, read where pytest was started; None for the reference, since
    nothing is imported for it before it is needed.
    """

    def the_target(self) -> Target:
        """Returns the target as a value."""
        from collector_harness.targets import Reference

        return self.parsed_target or Reference()

    def parse_databases(self) -> FreshDatabases:
        """Returns where fresh databases are made; raises `InvalidInput`."""
        from collector_harness.topology.databases import parse_fresh_databases

        return parse_fresh_databases(self.databases)


def add_options(parser: pytest.Parser) -> None:
    """Declares the options and the settings of the configuration file that stand in for them."""
    group = parser.getgroup("collector-harness", "meshes of collectors")
    group.addoption(
        "--collector-target",
        metavar="TARGET",
        default=None,
        help="the collector under test: reference (the default), exec:COMMAND, attach:HOST:PORT "
        "or python:MODULE:FACTORY; nodes with handlers of their own stay reference collectors",
    )
    group.addoption(
        "--collector-seed",
        metavar="N",
        default=None,
        help="the seed of every random choice; a fresh one is chosen and shown otherwise",
    )
    group.addoption(
        "--collector-databases",
        metavar="WHERE",
        default=None,
        help="where services get fresh databases that name no kind: sqlite (the default), "
        "postgresql for a server that is started for the run, or postgresql://...",
    )
    add_stream_options(group)
    parser.addini(
        "collector_target", "the collector under test, as --collector-target", default=_REFERENCE
    )
    parser.addini(
        "collector_databases", "where databases are made, as --collector-databases", default=""
    )
    parser.addini("collector_seed", "the seed, as --collector-seed", default="")
    parser.addini(
        "collector_scenarios",
        "whether files *.scenario.yaml are collected",
        type="bool",
        default=True,
    )


def read_options(config: pytest.Config) -> HarnessOptions:
    """Returns what the command line says, or else the configuration file, or else the defaults.

    A seed that nobody gave is chosen and put into `config.option`, from where pytest-xdist
    hands it to its workers. Raises `pytest.UsageError` with a remedy.
    """
    seed = _seed(config)
    config.option.collector_seed = str(seed)
    target = config.getoption("--collector-target")
    databases = config.getoption("--collector-databases")
    options = HarnessOptions(
        target=_configured_target(config) if target is None else target,
        seed=seed,
        databases=databases
        or config.getini("collector_databases")
        or os.environ.get(_VARIABLE)
        or _SQLITE,
        scenarios=config.getini("collector_scenarios"),
    )
    if options.target != _REFERENCE:
        try:
            options = replace(options, parsed_target=_parsed(options.target))
        except InvalidInput as error:
            named = "collector_target" if target is None else "--collector-target"
            raise pytest.UsageError(f"{named}: {error}") from error
    if options.databases != _SQLITE:
        try:
            options.parse_databases()
        except InvalidInput as error:
            raise pytest.UsageError(f"--collector-databases: {error}") from error
    return options


def _configured_target(config: pytest.Config) -> str:
    """Returns what the configuration file says; a target file lies where that file says it does,
    from wherever pytest is started.
    """
    text: str = config.getini("collector_target")
    if text == _REFERENCE or config.inipath is None:
        return text
    from collector_harness.targets import names_a_file

    if not names_a_file(text):
        return text
    file = config.inipath.parent / text.strip()
    return os.path.relpath(file, config.invocation_params.dir)


def _parsed(text: str) -> Target:
    from collector_harness.targets import parse_target

    return parse_target(text)


def _seed(config: pytest.Config) -> int:
    given = config.getoption("--collector-seed")
    text = given if given is not None else config.getini("collector_seed")
    if not text:
        return random.SystemRandom().randint(0, _LARGEST_SEED)
    if not (text.isascii() and text.isdigit() and int(text) <= _LARGEST_SEED):
        named = "collector_seed" if given is None else "--collector-seed"
        raise pytest.UsageError(
            f"{named}: '{text}' is not a seed\nhint: a number from 0 to {_LARGEST_SEED}"
        )
    return int(text)
