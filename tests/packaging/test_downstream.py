"""A repository that uses the plugin, and that has packages `collector` and `harness` itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

FILES = {
    "pyproject.toml": """
        [tool.pytest.ini_options]
        addopts = "--strict-markers --strict-config"
        filterwarnings = ["error"]
        testpaths = ["tests"]
    """,
    "conftest.py": '"""Makes this folder the one that tests import from."""\n',
    "collector/__init__.py": 'OWNER = "downstream"\n',
    "collector/orders.py": """
        class OrderService:
            service_name = "OrderService"

            def __init__(self):
                self.created = 0

            def Create(self, order, context):
                self.created += 1
                return {"sku": order["sku"], "number": self.created}
    """,
    "harness/__init__.py": 'OWNER = "downstream"\n',
    "tests/test_orders.py": '''
        import pytest

        import collector
        import harness

        SHOP = """
            nodes:
              west: {namespaces: [users, orders]}
              east: {namespaces: [orders], serves: {orders: [collector.orders:OrderService]}}
            links: [west -> east]
        """


        def test_our_own_packages_are_ours():
            assert collector.OWNER == harness.OWNER == "downstream"


        @pytest.mark.parametrize("attempt", [1, 2])
        def test_orders_are_served_in_the_east(topology_factory, attempt):
            with topology_factory(SHOP) as mesh:
                reply = mesh["west"].dispatch("orders", "OrderService", "Create", {"sku": "A1"})
                assert reply.status == "OK"
                assert reply.handled_by == "east"
                assert reply.output == {"sku": "A1", "number": 1}


        @pytest.mark.topology(SHOP)
        def test_a_marked_mesh_runs(topology):
            reply = topology["east"].dispatch("orders", "OrderService", "Create", {"sku": "B2"})
            assert reply.handled_by == "east"


        def test_one_collector_runs(collector):
            reply = collector.dispatch("default", "conformance.Probe", "WhoAmI")
            assert reply.output == reply.handled_by
    ''',
    "tests/orders.scenario.yaml": """
        version: 1
        scenario: orders are served in the east
        topology:
          nodes:
            west: {namespaces: [users, orders]}
            east: {namespaces: [orders], serves: {orders: [collector.orders:OrderService]}}
          links: [west -> east]
        cases:
          automatic: {target: ""}
          targeted: {target: east}
        steps:
          - dispatch: orders/OrderService.Create
            via: west
            input: {sku: A1}
            target: ${case.target}
            expect: {status: OK, handled_by: east, output: {sku: A1, number: 1}}
    """,
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    import textwrap

    for name, text in FILES.items():
        path = tmp_path / "downstream" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "downstream"


def run(repository: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=repository,
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("way", ["pytest", "python -m pytest"])
def test_its_tests_and_scenarios_pass(installation, repository: Path, way: str) -> None:
    command = (
        [installation.python, "-m", "pytest"] if " " in way else [installation.script("pytest")]
    )

    done = run(repository, *command, "-v", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "tests/orders.scenario.yaml::orders are served in the east[targeted] PASSED" in done.stdout
    )
    assert "7 passed" in done.stdout


def test_its_scenarios_pass_by_command(installation, repository: Path) -> None:
    done = run(
        repository,
        *(installation.script("collector-harness"), "run", "tests", "--json", "totals.json"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    totals = json.loads((repository / "totals.json").read_text())
    assert (totals["cases"], totals["passed"], totals["failed"]) == (2, 2, 0)


def test_the_wheel_adds_two_names_and_a_command_to_an_environment(installation) -> None:
    listed = run(
        installation.folder,
        *(installation.python, "-c"),
        "import importlib.metadata, pathlib\n"
        "files = importlib.metadata.files('collector-harness')\n"
        "print(sorted({f.parts[0] for f in files if f.suffix != '.pyc'}))\n",
    )

    assert "'collector_harness', 'collector_harness-0.1.0.dist-info', 'collector_reference'" in (
        listed.stdout
    )
    for name in ("collector", "harness", "tests", "protos", "scenarios"):
        assert not (installation.site_packages / name).exists()
    assert installation.script("collector-harness").is_file()


def test_the_contract_and_the_suite_are_found_in_it(installation, tmp_path: Path) -> None:
    found = run(
        tmp_path,
        *(installation.python, "-c"),
        "from collector_harness.resources import conformance_suite, protos_dir\n"
        "print(protos_dir())\nprint(conformance_suite())\n",
    )
    written = run(tmp_path, installation.script("collector-harness"), "protos", "contract")

    assert [
        Path(line).is_relative_to(installation.site_packages) for line in found.stdout.split()
    ] == [
        True,
        True,
    ]
    assert written.returncode == 0, written.stderr
    assert (tmp_path / "contract" / "collector" / "dispatcher.proto").is_file()


def test_the_collector_of_a_target_file_is_what_its_tests_and_its_verdict_are_about(
    installation, repository: Path
) -> None:
    (repository / "target.yaml").write_text(
        "version: 1\n"
        "launch:\n"
        "  exec: '{executable} -m collector_reference'\n"
        "environment: {COLLECTOR_CALL_LOG: 'off'}\n"
    )
    (repository / "tests/test_target.py").write_text(
        "def test_it_is_a_process(collector):\n"
        "    reply = collector.dispatch('default', 'conformance.Probe', 'WhoAmI')\n"
        "    assert (reply.status, reply.output) == ('OK', reply.handled_by)\n"
    )
    python = [installation.python, "-m", "pytest", "-p", "no:cacheprovider"]
    done = run(repository, *python, "--collector-target", "target.yaml", "tests/test_target.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

    script = installation.script("collector-harness")
    verdict = run(repository, script, "verify", "target.yaml", "-k", "SRV-001", "--json", "v.json")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    document = json.loads((repository / "v.json").read_text())
    assert (document["target"], document["exit_code"]) == ("target.yaml", 0)
    assert document["totals"]["fail"] == 0
    assert document["totals"]["pass"] >= 1
