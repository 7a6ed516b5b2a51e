"""The notation of COLLECTOR_BACKENDS."""

from __future__ import annotations

import pytest

from collector_reference.backends.values import BackendSettings, backends_from
from collector_reference.errors import SettingsError


def test_each_names_namespace_service_and_address():
    text = "shop/shop.v1.Orders=127.0.0.1:5000, a/b/Svc=dns:///svc:80 ,"
    assert backends_from({"COLLECTOR_BACKENDS": text}) == (
        BackendSettings(namespace="shop", service="shop.v1.Orders", address="127.0.0.1:5000"),
        BackendSettings(namespace="a/b", service="Svc", address="dns:///svc:80"),
    )
    assert backends_from({}) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Orders=h:1", "is not namespace/Service=host:port"),
        ("shop/Orders", "is not namespace/Service=host:port"),
        ("shop/Orders=nowhere", "'nowhere' is not an address that can be dialled"),
        ("shop/=h:1", "a backend needs a service"),
        ("shop/S=h:1,shop/S=h:2", "'shop/S' has two backends: name one"),
    ],
)
def test_what_cannot_be_read_says_what_it_should_be(text, problem):
    with pytest.raises(SettingsError, match="COLLECTOR_BACKENDS") as caught:
        backends_from({"COLLECTOR_BACKENDS": text})
    assert problem in caught.value.problem
