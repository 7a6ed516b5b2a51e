"""The plugin works under every way in which pytest-xdist spreads tests."""

from __future__ import annotations

import pytest

MODULE = """
    import pytest

    ONE = "nodes: {west: {namespaces: [shop], probe: [shop]}}"

    @pytest.mark.parametrize("attempt", range(4))
    def test_one(collector, attempt):
        assert collector.serve("default", "conformance.Probe", "Count", "key").output == 1

    @pytest.mark.topology(ONE)
    @pytest.mark.xdist_group("meshes")
    class TestMarked:
        def test_a(self, topology):
            assert topology["west"].serve("shop", "conformance.Probe", "Count", "key").output == 1

        def test_b(self, topology):
            assert topology["west"].serve("shop", "conformance.Probe", "Count", "key").output == 1
"""


@pytest.mark.parametrize(
    "mode", ["no", "load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"]
)
def test_tests_and_scenarios_pass(project, scenarios, mode: str) -> None:
    pytester = project(
        {
            "test_first.py": MODULE,
            "test_second.py": MODULE,
            "calls.scenario.yaml": scenarios["passing"],
        }
    )

    result = pytester.runpytest_subprocess("-n", "2", "--dist", mode)

    assert result.parseoutcomes() == {"passed": 28 if mode == "each" else 14}


def test_a_problem_in_a_file_is_told_by_workers_too(project, scenarios) -> None:
    pytester = project({"wrong.scenario.yaml": scenarios["invalid"], "test_it.py": MODULE})

    result = pytester.runpytest_subprocess("-n", "2")

    assert result.ret != pytest.ExitCode.OK
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines(["*wrong.scenario.yaml:6:12: *namespacs*"])
