from __future__ import annotations

from datetime import timedelta

import pytest

from collector_reference import (
    Balancing,
    BreakerSettings,
    CollectorSettings,
    HealthCheckSettings,
    RetrySettings,
    RoutingSettings,
    SettingsError,
)

WHOLE = {
    "COLLECTOR_BALANCING": "rendezvous",
    "COLLECTOR_BALANCING_HINT": "customer",
    "COLLECTOR_HOP": "0.02",
    "COLLECTOR_BREAKER_FAILURES": "7",
    "COLLECTOR_BREAKER_OPEN": "1.5",
    "COLLECTOR_BREAKER_TRIALS": "2",
    "COLLECTOR_RETRY_ATTEMPTS": "4",
    "COLLECTOR_RETRY_PAUSE": "0.1",
    "COLLECTOR_RETRY_LONGEST_PAUSE": "0.4",
    "COLLECTOR_HEALTH_CHECK": "2",
    "COLLECTOR_HEALTH_CHECK_LIMIT": "0.5",
    "COLLECTOR_DISCOVER": "collectors.example:4000, accretional+go.example:4001",
    "COLLECTOR_DISCOVER_INTERVAL": "60",
    "COLLECTOR_FORWARD_LIMIT": "10",
    "COLLECTOR_CONNECT_LIMIT": "3",
    "COLLECTOR_MAX_CONNECTIONS": "50",
}


def test_what_is_not_asked_for_is_off():
    settings = CollectorSettings.from_environment({})
    assert settings.routing == RoutingSettings()
    assert (settings.routing.breaker, settings.routing.retry) == (None, None)
    assert settings.routing.health_check is None
    assert settings.routing.balancing is Balancing.ROUND_ROBIN
    # The bounds that hold without any setting.
    assert settings.connect_limit == timedelta(seconds=5)
    assert settings.forward_limit == timedelta(seconds=18)
    assert settings.max_connections == 10_000


def test_every_variable_is_read():
    settings = CollectorSettings.from_environment(WHOLE)
    assert settings.routing == RoutingSettings(
        balancing=Balancing.RENDEZVOUS,
        hint="customer",
        hop=timedelta(milliseconds=20),
        breaker=BreakerSettings(failures=7, open_time=timedelta(seconds=1.5), trials=2),
        retry=RetrySettings(
            attempts=4,
            first_pause=timedelta(seconds=0.1),
            longest_pause=timedelta(seconds=0.4),
        ),
        health_check=HealthCheckSettings(
            interval=timedelta(seconds=2), limit=timedelta(seconds=0.5)
        ),
        discover=("collectors.example:4000", "accretional+go.example:4001"),
        discover_interval=timedelta(seconds=60),
    )
    assert settings.forward_limit == timedelta(seconds=10)
    assert settings.connect_limit == timedelta(seconds=3)
    assert settings.max_connections == 50


def test_one_variable_switches_a_capability_on_with_its_defaults():
    settings = CollectorSettings.from_environment({"COLLECTOR_BREAKER_FAILURES": "5"})
    assert settings.routing.breaker == BreakerSettings()


@pytest.mark.parametrize("variable", sorted(WHOLE.keys() - {"COLLECTOR_BALANCING_HINT"}))
def test_a_value_that_cannot_be_used_names_its_variable(variable):
    for text in ("sometimes", "-1"):
        with pytest.raises(SettingsError) as caught:
            CollectorSettings.from_environment({**WHOLE, variable: text})
        assert caught.value.setting == variable


@pytest.mark.parametrize(
    ("variable", "switch"),
    [
        ("COLLECTOR_BREAKER_OPEN", "COLLECTOR_BREAKER_FAILURES"),
        ("COLLECTOR_RETRY_PAUSE", "COLLECTOR_RETRY_ATTEMPTS"),
        ("COLLECTOR_HEALTH_CHECK_LIMIT", "COLLECTOR_HEALTH_CHECK"),
    ],
)
def test_tuning_what_is_off_is_a_mistake_and_told(variable, switch):
    with pytest.raises(SettingsError, match="off without it: set it") as caught:
        CollectorSettings.from_environment({variable: "1"})
    assert caught.value.setting == switch


@pytest.mark.parametrize("name", ["dns:///h:1", "h", "h:0", "unix:/s", "ipv4:127.0.0.1:1"])
def test_only_a_host_and_a_port_can_be_discovered(name):
    with pytest.raises(SettingsError, match="COLLECTOR_CONNECT"):
        RoutingSettings(discover=(name,))
