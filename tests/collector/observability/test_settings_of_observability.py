"""How observability is asked for, and what is said where a library is missing."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from collector_reference import Collector, CollectorSettings, SettingsError
from collector_reference.errors import BindError, MissingExtra
from collector_reference.observability.values import (
    CallLog,
    MetricsSettings,
    Tracing,
    observability_from,
)
from collector_reference.serving import process_settings


def test_the_environment_asks_for_it():
    assert observability_from({}) == {"call_log": None, "tracing": None, "metrics": None}
    assert observability_from(
        {
            "COLLECTOR_CALL_LOG": "json",
            "COLLECTOR_TRACING": "otlp",
            "COLLECTOR_METRICS": "127.0.0.1:9100",
        }
    ) == {
        "call_log": CallLog.JSON,
        "tracing": Tracing.OTLP,
        "metrics": MetricsSettings(listen="127.0.0.1:9100"),
    }


def test_a_process_logs_its_calls_unless_told_otherwise():
    assert process_settings({}).call_log is CallLog.TEXT
    assert process_settings({"COLLECTOR_CALL_LOG": "off"}).call_log is None


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("COLLECTOR_CALL_LOG", "xml"),
        ("COLLECTOR_TRACING", "on"),
        ("COLLECTOR_METRICS", "9100"),
        ("COLLECTOR_ADMIN", "yes"),
        ("COLLECTOR_HEALTH_INTERVAL", "often"),
        ("COLLECTOR_HEALTH_INTERVAL", "-1"),
        ("COLLECTOR_WORKER_THREADS", "many"),
    ],
)
def test_what_cannot_be_used_names_the_variable(variable, text):
    with pytest.raises(SettingsError) as caught:
        CollectorSettings.from_environment({variable: text})
    assert caught.value.setting == variable


@pytest.mark.parametrize(
    ("library", "setting", "extra"),
    [
        ("prometheus_client", "metrics=MetricsSettings()", "metrics"),
        ("opentelemetry", "tracing=Tracing.CONSOLE", "otel"),
    ],
)
def test_a_missing_library_is_told_with_its_extra(library, setting, extra):
    script = f"""
import sys
sys.modules["{library}"] = None
from collector_reference import Collector, CollectorSettings
from collector_reference.errors import MissingExtra
from collector_reference.observability.values import MetricsSettings, Tracing
try:
    Collector(CollectorSettings(collector_id="west", {setting}))
except MissingExtra as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"pip install 'collector-harness[{extra}]'" in ended.stdout
    assert issubclass(MissingExtra, Exception)


def test_what_is_not_asked_for_is_not_imported():
    script = """
import sys
from collector_reference import Collector, CollectorSettings
Collector(CollectorSettings(collector_id="west"))
for name in ("prometheus_client", "opentelemetry"):
    assert name not in sys.modules, name
for name in ("calls", "metrics", "tracing", "call_log"):
    assert f"collector_reference.observability.{name}" not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


async def test_a_taken_port_of_metrics_is_told(field):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        collector = Collector(
            CollectorSettings(collector_id="west", metrics=MetricsSettings(listen=listen))
        )
        with pytest.raises(BindError, match=r"COLLECTOR_METRICS"):
            await collector.start()
