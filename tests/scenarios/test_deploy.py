"""The samples' files for nginx, Compose, Kubernetes and AWS: that they are what their tools read,
that names and ports agree, and that modules and variables exist. nginx is run by scenarios; the
others are only validated, by the schemas of those tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
SAMPLES = ("commerce", "identity")
AWS = SCENARIOS / "commerce" / "deploy" / "aws.yaml"


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of one tool's files that runs a module of a sample."""

    told: str
    sample: str
    name: str
    """By which others find it."""
    words: tuple[str, ...]
    environment: Mapping[str, str]
    port: int | None
    """The one that the tool is told of; None where it is told of none."""


def deploy(sample: str) -> Path:
    return SCENARIOS / sample / "deploy"


def compose(sample: str) -> dict[str, Any]:
    return yaml.safe_load((deploy(sample) / "compose.yaml").read_text())


def kubernetes(sample: str) -> list[dict[str, Any]]:
    return [
        document
        for file in sorted((deploy(sample) / "kubernetes").glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


def in_compose(sample: str) -> Iterator[Container]:
    for name, service in compose(sample)["services"].items():
        if f"{sample}_system" in str(service.get("command")):
            yield Container(
                told="compose",
                sample=sample,
                name=name,
                words=tuple(service["command"]),
                environment=service["environment"],
                port=None,
            )


def in_kubernetes(sample: str) -> Iterator[Container]:
    for each in kubernetes(sample):
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            namespace = each["metadata"].get("namespace")
            yield Container(
                told="kubernetes",
                sample=sample,
                name=".".join(filter(None, (each["metadata"]["name"], namespace))),
                words=tuple(container["args"]),
                environment={one["name"]: one.get("value", "") for one in container["env"]},
                port=container["ports"][0]["containerPort"],
            )


def in_aws() -> Iterator[Container]:
    resources = yaml.safe_load(AWS.read_text())["Resources"]
    space = resources["Names"]["Properties"]["Name"]
    for each in resources.values():
        if each["Type"] == "AWS::ECS::Service":
            task = resources[each["Properties"]["TaskDefinition"]["Ref"]]["Properties"]
            (container,) = task["ContainerDefinitions"]
            registries = each["Properties"].get("ServiceRegistries", [])
            names = [resources[one["RegistryArn"]["Fn::GetAtt"][0]] for one in registries]
            given = container.get("Environment", []) + container["Secrets"]
            yield Container(
                told="aws",
                sample="commerce",
                name=f"{names[0]['Properties']['Name']}.{space}" if names else task["Family"],
                words=tuple(container["Command"]),
                environment={one["Name"]: one.get("Value", "") for one in given},
                port=container["PortMappings"][0]["ContainerPort"],
            )


CONTAINERS = [
    *(each for sample in SAMPLES for each in (*in_compose(sample), *in_kubernetes(sample))),
    *in_aws(),
]
each_container = pytest.mark.parametrize(
    "container",
    [pytest.param(each, id=f"{each.sample}-{each.told}-{each.name}") for each in CONTAINERS],
)


def test_there_are_containers_of_every_service() -> None:
    found = [(each.sample, each.told) for each in CONTAINERS]
    assert {one: found.count(one) for one in found} == {
        ("commerce", "compose"): 5,
        ("commerce", "kubernetes"): 3,
        ("commerce", "aws"): 3,
        ("identity", "compose"): 2,
        ("identity", "kubernetes"): 2,
    }


@each_container
def test_a_container_runs_a_module_that_there_is_on_the_port_that_is_told(
    container: Container,
) -> None:
    python, flag, module, listen, address = container.words
    assert (python, flag, listen) == ("python", "-m", "--listen")
    folder = SCENARIOS / container.sample / module.replace(".", "/")
    assert (folder / "__main__.py").is_file()
    host, _, port = address.rpartition(":")
    assert host == "0.0.0.0"
    assert container.port in (None, int(port))


@each_container
def test_a_container_is_given_variables_that_its_settings_read(container: Container) -> None:
    system = SCENARIOS / container.sample / f"{container.sample}_system"
    read = "".join(file.read_text() for file in system.rglob("settings.py"))
    assert [name for name in container.environment if f'"{name}"' not in read] == []


@each_container
def test_what_a_container_calls_has_that_name_and_that_port(container: Container) -> None:
    these = (container.sample, container.told)
    near = [each for each in CONTAINERS if (each.sample, each.told) == these]
    listening = {each.name: each.words[-1].rpartition(":")[2] for each in near}
    places = [
        place
        for name, value in container.environment.items()
        if name.endswith(("_SERVICE_URL", "_SERVICE_ADDRESS"))
        for place in value.removeprefix("dns:///").split(",")
    ]
    for place in places:
        host, _, port = place.partition(":")
        assert listening.get(host) == port, place


@pytest.mark.parametrize("sample", SAMPLES)
def test_compose_reads_its_file(sample: str) -> None:
    schemas = pytest.importorskip("check_jsonschema", reason="the schema is check-jsonschema's")
    from jsonschema.validators import validator_for

    file = files(schemas) / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(file.read_text())
    whole = compose(sample)
    assert [each.message for each in validator_for(schema)(schema).iter_errors(whole)] == []
    wrong = {**whole, "services": {"database": {"imagge": "postgres"}}}
    assert not validator_for(schema)(schema).is_valid(wrong)


@pytest.mark.parametrize("sample", SAMPLES)
def test_kubernetes_reads_its_files(sample: str) -> None:
    tool = pytest.importorskip(
        "kubernetes_validate", reason="the schemas are kubernetes-validate's"
    )
    documents = kubernetes(sample)
    assert documents
    for document in documents:
        tool.validate(document, "1.34", strict=True)
    with pytest.raises(tool.ValidationError):
        tool.validate({**documents[0], "spec": {"ports": "none"}}, "1.34", strict=True)


def test_cloudformation_reads_its_file(tmp_path: Path) -> None:
    tool = pytest.importorskip("cfnlint.api", reason="the schemas are cfn-lint's")
    assert tool.lint_file(AWS) == []
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(AWS.read_text().replace("DesiredCount: 2", "DesiredCount: two"))
    assert tool.lint_file(wrong) != []


@pytest.mark.parametrize("sample", SAMPLES)
def test_compose_knows_every_name_that_it_uses(sample: str) -> None:
    services = compose(sample)["services"]
    for name, service in services.items():
        assert "image" in service, name
        assert set(service.get("depends_on", [])) <= set(services), name
        for value in service.get("environment", {}).values():
            for host in re.findall(r"(?:^|[@/])([a-z][a-z-]+):\d+", value):
                assert host in services, (name, host)


@pytest.mark.parametrize("sample", SAMPLES)
def test_kubernetes_services_select_their_pods_and_their_ports(sample: str) -> None:
    by_kind: dict[str, dict[str, Any]] = {"Service": {}, "Deployment": {}}
    for each in kubernetes(sample):
        by_kind[each["kind"]][each["metadata"]["name"]] = each
    assert set(by_kind["Service"]) == set(by_kind["Deployment"])
    for name, deployment in by_kind["Deployment"].items():
        whole = by_kind["Service"][name]
        service, pod = whole["spec"], deployment["spec"]["template"]
        assert whole["metadata"].get("namespace") == deployment["metadata"].get("namespace")
        assert service["selector"] == pod["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == service["selector"]
        (container,) = pod["spec"]["containers"]
        port = container["ports"][0]["containerPort"]
        assert service["ports"][0]["targetPort"] == service["ports"][0]["port"] == port
        probe = container["readinessProbe"]
        assert (probe.get("grpc") or probe["httpGet"])["port"] == port
        # What is called by gRPC has a name that leads to every pod.
        assert (service.get("clusterIP") == "None") == ("grpc" in probe)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_image_copies_what_there_is(sample: str) -> None:
    copied = re.findall(r"^COPY (\S+) ", (deploy(sample) / "Dockerfile").read_text(), re.MULTILINE)
    assert len(copied) == 3
    assert [path for path in copied if not (ROOT / path).exists()] == []
    compose_at = compose(sample)["x-service"]["build"]
    assert (deploy(sample) / compose_at["context"]).resolve() == ROOT
    assert (ROOT / compose_at["dockerfile"]).is_file()


def test_the_configuration_of_nginx_takes_the_addresses_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SCENARIOS / "commerce")
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


def test_nginx_leads_to_the_containers_of_compose() -> None:
    services = compose("commerce")["services"]
    text = (deploy("commerce") / "nginx.conf").read_text()
    upstreams = re.findall(r"server ([a-z0-9-]+):(\d+)", text)
    assert len(upstreams) == 5
    for host, port in upstreams:
        assert f"0.0.0.0:{port}" in services[host]["command"]
