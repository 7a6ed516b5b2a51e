"""The collector in JavaScript breaks what it says that it breaks, and nothing else."""

from __future__ import annotations

CANNOT = {"SEC-002", "CNC-003", "OPS-006", "SRV-006"}
"""Tokens, and what only a Python API shows."""


def test_it_is_accused_of_what_it_knows_and_of_nothing_else(node_collector, expect_verdict):
    expect_verdict(node_collector, cannot=CANNOT, known={"WIR-009"}, at_least=100)


def test_its_contract_is_the_one_of_the_project(repository):
    """Where this fails, the contract has changed: copy it."""
    copies = repository / "examples/node-collector/protos/collector"
    names = sorted(path.name for path in copies.glob("*.proto"))
    assert names == ["common.proto", "dispatcher.proto", "registry.proto"]
    for name in names:
        assert (copies / name).read_text() == (repository / "protos/collector" / name).read_text()
