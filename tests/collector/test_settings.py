from __future__ import annotations

from datetime import timedelta

import pytest

from collector_reference import CollectorSettings, Dialect, SettingsError


def test_the_environment_of_the_launch_contract_becomes_settings():
    environment = {
        "COLLECTOR_ID": "west",
        "COLLECTOR_LISTEN": "127.0.0.1:4000",
        "COLLECTOR_NAMESPACES": "users, orders,",
        "COLLECTOR_ADVERTISE": "west.example:4000",
        "COLLECTOR_CONNECT": "127.0.0.1:1,native+127.0.0.1:2",
        "COLLECTOR_SYSTEM_NAMESPACE": "internal",
        "COLLECTOR_REGISTRY_ADDRESS": "127.0.0.1:3",
        "COLLECTOR_PROBE": "users",
        "COLLECTOR_DIALECT": "accretional",
        "COLLECTOR_VALIDATION": "off",
        "COLLECTOR_REGISTRY": "memory",
        "PATH": "/bin",
    }
    assert CollectorSettings.from_environment(environment) == CollectorSettings(
        collector_id="west",
        listen="127.0.0.1:4000",
        namespaces=("users", "orders"),
        advertise="west.example:4000",
        connect=("127.0.0.1:1", "native+127.0.0.1:2"),
        system_namespace="internal",
        registry_address="127.0.0.1:3",
        probe=("users",),
        validation=False,
        dialect=Dialect.ACCRETIONAL,
    )


def test_unset_and_empty_variables_leave_the_defaults():
    settings = CollectorSettings.from_environment({"COLLECTOR_ID": "west", "COLLECTOR_LISTEN": ""})
    assert settings == CollectorSettings(collector_id="west")


def test_without_an_id_each_collector_makes_up_another():
    first, second = (CollectorSettings.from_environment({}).collector_id for _ in range(2))
    assert first.startswith("collector-")
    assert first != second


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("COLLECTOR_LISTEN", "nowhere"),
        ("COLLECTOR_ADVERTISE", "host:0"),
        ("COLLECTOR_CONNECT", "127.0.0.1:1,oops"),
        ("COLLECTOR_REGISTRY_ADDRESS", "oops"),
        ("COLLECTOR_VALIDATION", "maybe"),
        ("COLLECTOR_DIALECT", "klingon"),
        ("COLLECTOR_CONNECT", "klingon+127.0.0.1:1"),
        ("COLLECTOR_REGISTRY", "postgres:registry"),
        ("COLLECTOR_REGISTRY", "sqlite:"),
        ("COLLECTOR_VALIDATOR", "guess"),
        ("COLLECTOR_TLS_CERT", "cert.pem"),
        ("COLLECTOR_TLS_KEY", "key.pem"),
        ("COLLECTOR_TLS_CA", "ca.pem"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable, value):
    with pytest.raises(SettingsError) as caught:
        CollectorSettings.from_environment({"COLLECTOR_ID": "west", variable: value})
    assert caught.value.setting == variable
    assert str(caught.value).startswith(f"{variable}: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("collector_id", ""),
        ("system_namespace", ""),
        ("listen", "x"),
        ("namespaces", ("a", "")),
        ("probe", ("",)),
        ("grace", timedelta(seconds=-1)),
        ("max_message_bytes", 0),
        ("worker_threads", 0),
    ],
)
def test_a_field_that_cannot_be_used_is_named(field, value):
    with pytest.raises(SettingsError) as caught:
        CollectorSettings(**{"collector_id": "west", field: value})
    assert caught.value.setting == field
