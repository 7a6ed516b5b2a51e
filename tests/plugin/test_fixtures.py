"""The fixtures lend running meshes, put them back between tests, and may be overridden."""

from __future__ import annotations

import pytest


def test_the_collector_runs_and_has_its_registry(project) -> None:
    pytester = project(
        {
            "test_it.py": """
                def test_it(collector):
                    reply = collector.dispatch("default", "conformance.Probe", "Echo", {"a": 1})
                    assert (reply.status, reply.output) == ("OK", {"a": 1})
                    assert collector.registry.register_service("default", "S", ["M"]).status == "OK"
                    assert collector.validate("default", "S", "M").status == "OK"
            """
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 1}


def test_a_mesh_is_used_again_and_put_back_to_its_start(project) -> None:
    pytester = project(
        {
            "test_it.py": """
                import pytest

                addresses = set()

                @pytest.mark.parametrize("attempt", [1, 2, 3])
                def test_it(collector, attempt):
                    addresses.add(collector.address)
                    assert len(addresses) == 1
                    count = collector.serve("default", "conformance.Probe", "Count", "key")
                    assert count.output == 1
                    registered = collector.registry.register_service("default", "S", ["M"])
                    assert registered.status == "OK"
            """
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 3}


def test_the_marker_takes_text_a_path_a_mapping_a_value_and_named_parts(project) -> None:
    pytester = project(
        {
            "tests/one.yaml": "nodes: {west: {probe: [shop]}}",
            "tests/test_it.py": """
                from pathlib import Path

                import pytest

                from collector_harness.topology.values import Node, Topology

                class Shop:
                    def Open(self, request, context):
                        return "open"

                @pytest.mark.parametrize(
                    "way",
                    [
                        pytest.param(n, marks=pytest.mark.topology(definition))
                        for n, definition in enumerate([
                            "nodes: {west: {probe: [shop]}}",
                            Path("one.yaml"),
                            {"nodes": {"west": {"probe": ["shop"]}}},
                            Topology(nodes=(Node(name="west", probe=("shop",)),)),
                        ])
                    ],
                )
                def test_it(topology, way):
                    reply = topology["west"].serve("shop", "conformance.Probe", "WhoAmI")
                    assert reply.output == "west"

                @pytest.mark.topology(nodes={"west": {"serves": {"shop": Shop}}})
                def test_with_a_class_of_its_own(topology):
                    assert topology["west"].serve("shop", "Shop", "Open").output == "open"
            """,
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 5}


def test_a_class_or_module_is_marked_as_well(project) -> None:
    pytester = project(
        {
            "test_it.py": """
                import pytest

                pytestmark = pytest.mark.topology("nodes: {outer: {}}")

                def test_outer(topology):
                    assert list(topology.nodes) == ["outer"]

                @pytest.mark.topology("nodes: {inner: {}}")
                class TestInner:
                    def test_inner(self, topology):
                        assert list(topology.nodes) == ["inner"]
            """
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 2}


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("", ["*the fixture 'topology' needs the marker that describes it*"]),
        ("@pytest.mark.topology()", ["*the marker 'topology' takes one definition*"]),
        (
            "@pytest.mark.topology('nodes: {west: {namespacs: [shop]}}')",
            ["*unknown key 'namespacs'*", "*did you mean 'namespaces'?*"],
        ),
        (
            "@pytest.mark.topology('nodes: {west: {}}\\nlinks: [west -> esat]')",
            ["*link 'west -> esat' leads to 'esat', which is not a node*"],
        ),
        ("@pytest.mark.topology(7)", ["*expected a mapping, not the number 7*"]),
    ],
)
def test_a_bad_definition_is_told_without_a_traceback(
    project, marker: str, told: list[str]
) -> None:
    pytester = project({"test_it.py": f"import pytest\n\n{marker}\ndef test_it(topology): pass\n"})

    result = pytester.runpytest_subprocess()

    assert result.parseoutcomes() == {"errors": 1}
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", *told])
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    result.stdout.no_fnmatch_line("*During handling*")


def test_a_failure_inside_a_lent_mesh_shows_the_users_line_and_not_ours(project) -> None:
    pytester = project(
        {
            "test_it.py": """
                def test_it(topology_factory):
                    with topology_factory("nodes: {west: {}}") as mesh:
                        assert mesh["west"].name == "east"

                def test_wrong(topology_factory):
                    with topology_factory("nodes: {west: {probes: []}}") as mesh:
                        pass
            """
        }
    )

    result = pytester.runpytest_subprocess()

    assert result.parseoutcomes() == {"failed": 2}
    result.stdout.fnmatch_lines(
        ["*assert mesh*name*==*east*", "*test_it.py:4: AssertionError*", "*unknown key 'probes'*"]
    )
    result.stdout.no_fnmatch_line("*pytest_meshes.py*")


def test_two_meshes_of_one_definition_at_once_are_two(project) -> None:
    pytester = project(
        {
            "test_it.py": """
                def test_it(topology_factory):
                    one = topology_factory("nodes: {west: {}}")
                    two = topology_factory("nodes: {west: {}}")
                    with one as first, two as second:
                        assert first["west"].address != second["west"].address
            """
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 1}


@pytest.mark.parametrize("name", ["collector", "topology", "topology_factory"])
def test_the_others_work_when_a_project_has_a_fixture_of_that_name(project, name: str) -> None:
    pytester = project(
        {
            "conftest.py": f"""
                import pytest

                @pytest.fixture(scope="session")
                def {name}():
                    return "mine"
            """,
            "test_it.py": f"""
                import pytest

                ONE = "nodes: {{west: {{probe: [shop]}}}}"

                def test_mine({name}):
                    assert {name} == "mine"

                def test_collector(collector):
                    if "{name}" != "collector":
                        assert collector.alive

                @pytest.mark.topology(ONE)
                def test_topology(topology):
                    if "{name}" != "topology":
                        assert topology["west"].alive

                def test_topology_factory(topology_factory):
                    if "{name}" != "topology_factory":
                        with topology_factory(ONE) as mesh:
                            assert mesh["west"].alive
            """,
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 4}


def test_a_project_may_build_on_ours(project) -> None:
    pytester = project(
        {
            "conftest.py": """
                import pytest

                @pytest.fixture
                def collector(collector):
                    collector.registry.register_service("default", "S", ["M"])
                    return collector
            """,
            "test_it.py": """
                def test_it(collector):
                    assert collector.validate("default", "S", "M").status == "OK"
            """,
        }
    )

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 1}
