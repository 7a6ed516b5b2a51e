"""gRPC's own debug log, switched on by a variable (S2)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from collector_reference.errors import SettingsError
from collector_reference.grpc_debug import grpc_variables


def test_off_changes_nothing():
    assert grpc_variables({}) == grpc_variables({"COLLECTOR_GRPC_DEBUG": "off"}) == {}


def test_tracers_can_be_named():
    assert grpc_variables({"COLLECTOR_GRPC_DEBUG": "http,-timer"}) == {
        "GRPC_VERBOSITY": "debug",
        "GRPC_TRACE": "http,-timer",
    }


def test_what_cannot_be_a_tracer_is_refused():
    with pytest.raises(SettingsError, match="COLLECTOR_GRPC_DEBUG: 'very much!' is neither"):
        grpc_variables({"COLLECTOR_GRPC_DEBUG": "very much!"})


@pytest.mark.parametrize("debug", ["on", "off"])
def test_the_process_logs_what_grpc_does_only_where_asked_to(debug):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COLLECTOR_", "GRPC_"))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "collector_reference"],
        env=environment | {"COLLECTOR_LISTEN": "127.0.0.1:0", "COLLECTOR_GRPC_DEBUG": debug},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith("collector listening on ")
        process.terminate()
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert ("connectivity" in errors.lower() or "chttp2" in errors.lower()) is (debug == "on")
