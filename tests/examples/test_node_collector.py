"""The collector in JavaScript breaks what it says that it breaks, and nothing else."""

from __future__ import annotations

from collector_harness.conformance.verdicts import Verdict
from collector_harness.errors import ExitCode

CANNOT = {"SEC-001", "SEC-002", "OPS-005", "CNC-003", "OPS-006", "SRV-006"}
"""TLS, tokens, persistence, and what only a Python API shows."""
FAMILIES = ("WIR", "SRV", "DSP", "OPS")
"""What an ordinary run verifies: each of hundreds of starts takes Node a good part of a second."""


def test_it_is_accused_of_what_it_knows_and_of_nothing_else(node_collector, judge, by_verdict):
    verdicts = judge(node_collector, families=FAMILIES)
    found = by_verdict(verdicts)
    found.pop(Verdict.DESELECTED, None)
    assert found.pop(Verdict.EXPECTED_FAIL) == {"WIR-009"}
    assert found.pop(Verdict.UNSUPPORTED) <= CANNOT
    assert found.keys() == {Verdict.PASS}, verdicts.findings
    assert len(found[Verdict.PASS]) > 45
    assert verdicts.exit_code is ExitCode.OK


def test_its_contract_is_the_one_of_the_project(repository):
    """Where this fails, the contract has changed: copy it."""
    copies = repository / "examples/node-collector/protos/collector"
    names = sorted(path.name for path in copies.glob("*.proto"))
    assert names == ["common.proto", "dispatcher.proto", "registry.proto"]
    for name in names:
        assert (copies / name).read_text() == (repository / "protos/collector" / name).read_text()
