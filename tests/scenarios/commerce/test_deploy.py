"""The files for nginx, Compose and Kubernetes: that they are what their tools read, that names and
ports agree, and that flags exist. nginx is run by scenarios; the others are only validated,
by the schemas of those tools.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[3] / "scenarios" / "commerce" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = [
    document
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
]


def test_the_configuration_of_nginx_takes_the_addresses_of_this_machine(tmp_path: Path) -> None:
    from commerce_system.proxy import configuration

    told: dict[str, Any] = {"users": "u:1", "orders": "o:2", "rest": "r:3", "grpc": "g:4"}
    text = configuration(tmp_path, gateways=["a:5", "b:6", "c:7"], **told)
    for line in ("server a:5 ", "server b:6 ", "server c:7 ", "server u:1;", "server o:2;"):
        assert line in text
    assert "listen r:3;" in text
    assert "listen g:4 http2;" in text
    assert "/tmp/nginx" not in text.replace(str(tmp_path), "")
    with pytest.raises(ValueError, match="GATEWAYS are 3 addresses, not 1"):
        configuration(tmp_path, gateways=["a:5"], **told)


def test_compose_reads_its_file() -> None:
    schemas = pytest.importorskip("check_jsonschema", reason="the schema is check-jsonschema's")
    from jsonschema.validators import validator_for

    file = files(schemas) / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(file.read_text())
    assert [each.message for each in validator_for(schema)(schema).iter_errors(COMPOSE)] == []
    wrong = {**COMPOSE, "services": {"database": {"imagge": "postgres"}}}
    assert not validator_for(schema)(schema).is_valid(wrong)


def test_kubernetes_reads_its_files() -> None:
    kubernetes = pytest.importorskip(
        "kubernetes_validate", reason="the schemas are kubernetes-validate's"
    )
    assert len(KUBERNETES) == 6
    for document in KUBERNETES:
        kubernetes.validate(document, "1.34", strict=True)
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate({**KUBERNETES[0], "spec": {"ports": "none"}}, "1.34", strict=True)


def test_compose_knows_every_name_that_it_uses() -> None:
    services = COMPOSE["services"]
    assert set(COMPOSE) == {"name", "x-service", "x-gateway", "services", "volumes"}
    for name, service in services.items():
        assert "image" in service, name
        needs = service.get("depends_on", [])
        assert set(needs) <= set(services), name
        for value in service.get("environment", {}).values():
            for host in re.findall(r"(?:^|[@/])([a-z][a-z-]+):\d+", value):
                assert host in services, (name, host)
    upstreams = re.findall(r"server ([a-z0-9-]+):(\d+)", (DEPLOY / "nginx.conf").read_text())
    assert len(upstreams) == 5
    for host, port in upstreams:
        assert f"0.0.0.0:{port}" in services[host]["command"]


def test_the_commands_of_containers_are_flags_of_the_services(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib

    commands = [
        (service["command"], service["environment"])
        for service in COMPOSE["services"].values()
        if "commerce_system" in str(service.get("command"))
    ]
    for document in KUBERNETES:
        if document["kind"] == "Deployment":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            given = {each["name"]: each.get("value", "x") for each in container["env"]}
            commands.append((container["args"], given))
    assert len(commands) == 8
    for words, environment in commands:
        assert words[:2] == ["python", "-m"]
        assert words[3] == "--listen"
        assert importlib.util.find_spec(f"{words[2]}.__main__")
        module = words[2].rpartition(".")[2]
        wanted = {
            "users": {"DATABASE_URL"},
            "orders": {"DATABASE_URL", "USER_SERVICE_URL"},
            "gateway": {"USER_SERVICE_URL", "ORDER_SERVICE_URL", "JWT_SECRET"},
        }
        assert set(environment) == wanted[module]


def test_kubernetes_services_select_their_pods_and_their_ports() -> None:
    by_kind = {
        kind: {each["metadata"]["name"]: each for each in KUBERNETES if each["kind"] == kind}
        for kind in ("Service", "Deployment")
    }
    assert set(by_kind["Service"]) == set(by_kind["Deployment"])
    assert {each["apiVersion"] for each in by_kind["Service"].values()} == {"v1"}
    assert {each["apiVersion"] for each in by_kind["Deployment"].values()} == {"apps/v1"}
    for name, deployment in by_kind["Deployment"].items():
        service, pod = by_kind["Service"][name]["spec"], deployment["spec"]["template"]
        assert service["selector"] == pod["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == service["selector"]
        (container,) = pod["spec"]["containers"]
        port = container["ports"][0]["containerPort"]
        assert service["ports"][0]["targetPort"] == port
        assert container["args"][-1] == f"0.0.0.0:{port}"
        assert (service.get("clusterIP") == "None") == (name != "api-gateway")
        probe = container["readinessProbe"]
        assert (probe.get("grpc") or probe["httpGet"])["port"] == port
        for each in container["env"]:
            if str(each.get("value", "")).startswith("dns:///"):
                host, _, other = each["value"].removeprefix("dns:///").partition(":")
                assert by_kind["Service"][host]["spec"]["ports"][0]["port"] == int(other)
