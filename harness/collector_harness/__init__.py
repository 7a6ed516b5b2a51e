"""The harness: topologies of collectors, declarative scenarios, faults and verdicts."""
