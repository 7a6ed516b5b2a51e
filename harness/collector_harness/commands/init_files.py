"""What `init` writes: the files of a skeleton, by name and text. Pure; nothing is written here.

There are two: a repository with services and tests of its own, and one with a collector that is
to be verified. Each is whole: it passes as it stands, but for the collector that is yet to come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from collector_harness.targets import (
    AttachTarget,
    ExecTarget,
    PythonTarget,
    Reference,
    Target,
)

__all__ = ["NEXT_STEPS", "downstream_files", "target_files", "verify_steps"]

_SETTINGS: Final = """\
[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]  # so that tests and scenarios find the package `orders`
addopts = ["--strict-markers"]
"""

_REQUIREMENTS: Final = """\
# What the tests need. Extras are added in brackets, such as collector-harness[xdist,faker,http].
collector-harness=={version}
"""

_PACKAGE: Final = '"""The services of this repository."""\n'

_HANDLERS: Final = '''\
"""A service that a collector carries. Its public methods are what can be called."""


class OrderService:
    """Keeps orders in memory. Every mesh has an instance of its own."""

    def __init__(self):
        self.orders = {}

    def Create(self, order, context):
        """Takes an order and returns it with its number."""
        if not order.get("sku"):
            raise ValueError("an order needs a sku")
        number = len(self.orders) + 1
        self.orders[number] = dict(order)
        return {"number": number, "sku": order["sku"]}
'''

_SCENARIO: Final = """\
# yaml-language-server: $schema=../scenario.schema.json
version: 1
scenario: orders are served in the east, whoever is asked
topology:
  nodes:
    west: {namespaces: [users, orders]}
    east: {namespaces: [orders], serves: {orders: ["orders.handlers:OrderService"]}}
  links: [west -> east]
cases:
  in the west: {asked: west}
  in the east: {asked: east}
steps:
  - name: an order gets a number
    dispatch: orders/OrderService.Create
    via: ${case.asked}
    input: {sku: A1}
    expect: {handled_by: east, output: {number: 1, sku: A1}}
  - name: an order without a sku is refused
    dispatch: orders/OrderService.Create
    via: ${case.asked}
    input: {colour: red}
    expect: {status: INTERNAL, message: {$contains: needs a sku}}
"""

_TEST: Final = '''\
"""The same mesh from Python, for what is easier to say there."""

import pytest

SHOP = """
    nodes:
      west: {namespaces: [users, orders]}
      east: {namespaces: [orders], serves: {orders: ["orders.handlers:OrderService"]}}
    links: [west -> east]
"""


@pytest.mark.topology(SHOP)
def test_orders_are_numbered(topology):
    replies = [
        topology["west"].dispatch("orders", "OrderService", "Create", {"sku": sku})
        for sku in ("A1", "B2")
    ]

    assert [reply.handled_by for reply in replies] == ["east", "east"]
    assert [reply.output["number"] for reply in replies] == [1, 2]


def test_an_order_is_refused_while_the_east_is_down(topology_factory):
    with topology_factory(SHOP) as mesh:
        with mesh.fault(kill="east"):
            reply = mesh["west"].dispatch("orders", "OrderService", "Create", {"sku": "A1"})

        assert reply.status != "OK"
'''

_WORKFLOW: Final = """\
name: collectors
on: [push, pull_request]
permissions: {contents: read}
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install -r requirements-test.txt
"""

_DOWNSTREAM_JOBS: Final = """\
      - run: collector-harness check tests
      - run: python -m pytest
"""

NEXT_STEPS: Final = (
    "python -m pytest                # the scenario and the tests; they pass as they stand",
    "collector-harness run tests -v  # the scenario alone, with every step",
    "then replace OrderService in orders/handlers.py by a service of yours",
)
"""What there is to do with a skeleton for services."""

_TARGET: Final = """\
# How the collector under test is started, and what it promises.
# yaml-language-server: $schema=./target.schema.json
version: 1
launch: {launch}
"""

_TARGET_MORE: Final = """\
# By default it must say "collector listening on HOST:PORT" on standard output. Otherwise:
# ready: {{port: "{{port}}", health: true, within: 10s}}
# Settings are told by environment variables (COLLECTOR_ID, COLLECTOR_LISTEN, ...). By flags:
# flags: {{id: "--id={{value}}", namespaces: "--namespace={{each}}"}}   (under launch)
"""

_TARGET_END: Final = """\
# What it can do beside the core. Without the list, what it shows counts.
# capabilities: [probe, reflection, tls]
# limits: {cache_life: 5s, connections: 500}
"""

_KNOWN: Final = """\
# Requirements that are known to be broken. Each entry says why; one that is not true any more
# fails the verdict, and so does one that has expired. To write what is broken now:
#   collector-harness verify target.yaml --known-failures known-failures.yaml \\
#     --update-known-failures
version: 1
failures: {}
"""

_ROUTING: Final = """\
# yaml-language-server: $schema=../scenario.schema.json
version: 1
scenario: a call is routed to the peer that serves it
needs: [probe]
topology:
  nodes:
    hub: {namespaces: [shop]}
    leaf: {namespaces: [shop], probe: [shop], collector: reference}
  links: [hub -> leaf]
steps:
  - dispatch: shop/conformance.Probe.WhoAmI
    via: hub
    expect: {handled_by: leaf, output: leaf}
"""

_VERIFY_JOBS: Final = """\
      # Build the collector here.
      - run: >-
          collector-harness verify target.yaml --known-failures known-failures.yaml
          --html verdict.html --markdown verdict.md
      - run: cat verdict.md >> "$GITHUB_STEP_SUMMARY"
        if: always()
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: verdict, path: verdict.html}
      - run: collector-harness run tests --target target.yaml
"""


def downstream_files(*, version: str) -> Mapping[str, str]:
    """Returns the files of a repository with services of its own, by their path in it."""
    return {
        "pyproject.toml": _SETTINGS,
        "requirements-test.txt": _REQUIREMENTS.replace("{version}", version),
        "orders/__init__.py": _PACKAGE,
        "orders/handlers.py": _HANDLERS,
        "tests/orders.scenario.yaml": _SCENARIO,
        "tests/test_orders.py": _TEST,
        "scenario.schema.json": _scenario_schema(),
        ".github/workflows/collectors.yml": _WORKFLOW + _DOWNSTREAM_JOBS,
    }


def target_files(target: Target, *, version: str) -> Mapping[str, str]:
    """Returns the files of a repository with a collector to verify, by their path in it."""
    from collector_harness.target_file import target_schema

    launched = isinstance(target, ExecTarget)
    more = _TARGET_MORE.format() if launched else ""
    return {
        "target.yaml": _TARGET.replace("{launch}", _launch(target)) + more + _TARGET_END,
        "known-failures.yaml": _KNOWN,
        "requirements-test.txt": _REQUIREMENTS.replace("{version}", version),
        "tests/routing.scenario.yaml": _ROUTING,
        "scenario.schema.json": _scenario_schema(),
        "target.schema.json": json.dumps(target_schema(), indent=2) + "\n",
        ".github/workflows/collectors.yml": _WORKFLOW + _VERIFY_JOBS,
    }


def verify_steps(target: Target) -> tuple[str, ...]:
    """Returns what there is to do with a skeleton for a collector."""
    begin = (
        ("start the collector with the id hub, the namespace shop and the probe in shop",)
        if isinstance(target, AttachTarget)
        else ()
    )
    return (
        *begin,
        "collector-harness verify target.yaml --known-failures known-failures.yaml",
        "collector-harness explain DSP-004   # what a requirement says, and where it comes from",
        "collector-harness protos protos     # the contract, for your protocol compiler",
        "the same line with --update-known-failures writes down what is broken now",
    )


def _launch(target: Target) -> str:
    match target:
        case ExecTarget():
            return json.dumps({"exec": list(target.command)}, ensure_ascii=False)
        case PythonTarget():
            return json.dumps({"python": f"{target.module}:{target.factory}"}, ensure_ascii=False)
        case AttachTarget():
            return json.dumps({"attach": target.address})
        case Reference():
            raise ValueError("the reference needs no target file")


def _scenario_schema() -> str:
    from collector_harness.scenario.schema import scenario_schema_text

    return scenario_schema_text()
