"""The files for nginx, Compose and Kubernetes. nginx is run; the others are only validated:
that they are what their tools read, that names and ports agree, and that flags exist.
"""

from __future__ import annotations

import re
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

DEPLOY = Path(__file__).parents[3] / "scenarios" / "commerce" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = [
    document
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
]
needs_nginx = pytest.mark.skipif(
    not (shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")),
    reason="nginx is not installed: apt-get install nginx-light",
)


@needs_nginx
def test_nginx_goes_round_three_gateways_and_passes_grpc(
    shop: Any, running: Any, tmp_path: Path
) -> None:
    import asyncio

    import httpx

    from commerce_system.gateway.server import gateway_server
    from commerce_system.proxy import proxy
    from commerce_system.settings import ServiceSettings
    from commerce_system.wire import users_pb2, users_pb2_grpc

    async def run() -> None:
        async with shop() as it, AsyncExitStack() as stack:
            settings = ServiceSettings(users=it.addresses.users, orders=it.addresses.orders)
            second = await stack.enter_async_context(gateway_server(settings))
            third = gateway_server(settings)
            gateways = [it.addresses.gateway, second, await third.__aenter__()]
            proxied = proxy(
                tmp_path,
                gateways=gateways,
                users=it.addresses.users,
                orders=it.addresses.orders,
            )
            at = await asyncio.to_thread(proxied.__enter__)
            try:
                http = await stack.enter_async_context(
                    httpx.AsyncClient(base_url=f"http://{at.rest}", timeout=10, trust_env=False)
                )
                for number in range(6):
                    body = {"name": "x", "email": f"{number}@example.com"}
                    assert (await http.post("/users", json=body)).status_code == 201
                await third.__aexit__(None, None, None)
                answers = [(await http.get("/users/1")).status_code for _ in range(9)]
                assert answers == [200] * 9, "the proxy leaves out a gateway that is gone"
                channel = await stack.enter_async_context(grpc.aio.insecure_channel(at.grpc))
                found = await users_pb2_grpc.UserServiceStub(channel).GetUser(
                    users_pb2.GetUserRequest(user_id=1), timeout=10
                )
                assert found.user.email == "0@example.com"
                with pytest.raises(grpc.aio.AioRpcError) as told:
                    await channel.unary_unary("/commerce.v1.Nobody/Call")(b"", timeout=10)
                assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED
                orders = channel.unary_unary("/commerce.v1.OrderService/GetOrder")
                with pytest.raises(grpc.aio.AioRpcError) as told:
                    await orders(b"\x08\x07", timeout=10)
                assert told.value.code() is grpc.StatusCode.NOT_FOUND
            finally:
                await asyncio.to_thread(proxied.__exit__, None, None, None)

    running(run())


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
