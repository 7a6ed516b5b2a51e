"""A target file says how a collector comes to be that keeps the launch contract in its own way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from collector_harness.documents import load
from collector_harness.errors import InvalidInput, TargetFailed
from collector_harness.launchers.contract import as_flags
from collector_harness.mesh import Mesh
from collector_harness.target_file import load_target, target_schema
from collector_harness.targets import (
    AttachTarget,
    ExecTarget,
    PythonTarget,
    Target,
    parse_target,
)
from collector_harness.topology import parse_topology

BY_FLAGS = """\
version: 1
name: the reference by its flags
launch:
  exec: "{executable} -m collector_harness serve"
  flags:
    id: --id {value}
    listen: --listen={value}
    advertise: [--advertise, "{value}"]
    namespaces: --namespaces {value}
    connect: --connect {value}
    probe: --probe {value}
capabilities: [probe, reflection]
limits: {cache_life: 6s, connections: 50}
"""

BY_LINE = """\
import os, sys
port = sys.argv[1]
print("a word of greeting", flush=True)
os.environ["COLLECTOR_LISTEN"] = f"127.0.0.1:{port}"
os.dup2(2, 1) if len(sys.argv) > 2 else None
from collector_reference.__main__ import main
sys.exit(main())
"""

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "target.yaml"
        path.write_text(text)
        return path

    return write


def dispatched(target: Target) -> tuple[str | None, str | None]:
    """Returns who handled a call over a link between two nodes of the target, both ways."""
    topology = parse_topology(
        "nodes:\n  west: {namespaces: [a, b]}\n  east: {namespaces: [a], probe: [a]}\n"
        "links: [west -> east]\n",
        source="x",
    )

    async def run() -> tuple[str | None, str | None]:
        mesh = Mesh(topology, target=target)
        try:
            await mesh.start()
            reply = await mesh["west"].client.dispatch("a", "conformance.Probe", "WhoAmI")
            other = await mesh["east"].client.dispatch(
                "a", "conformance.Probe", "WhoAmI", target="west"
            )
            return reply.handled_by, other.handled_by
        finally:
            await mesh.stop()

    return asyncio.run(run())


def test_a_collector_is_told_by_flags_what_others_are_told_by_variables(written: Written) -> None:
    path = written(BY_FLAGS)
    target = parse_target(str(path))
    assert isinstance(target, ExecTarget)
    assert target.declares.capabilities == frozenset({"probe", "reflection"})
    assert target.declares.limits.cache_life == timedelta(seconds=6)
    assert target.declares.limits.connections == 50
    assert str(target) == str(path)
    assert dispatched(target) == ("east", "west")


@pytest.mark.parametrize(
    "ready",
    [
        "{line: 'listening on (?P<address>\\S+)'}",
        "{line: 'listening on [^:]*:(?P<port>[0-9]+)'}",
        "{port: '{port}'}",
        "{port: '{port}', health: true}",
    ],
)
def test_a_collector_may_show_in_its_own_way_that_it_is_ready(
    written: Written, tmp_path: Path, ready: str
) -> None:
    (tmp_path / "own.py").write_text(BY_LINE)
    mute = " quiet" if "port: '{port}'" in ready else ""
    command = f'"{{executable}} {{folder}}/own.py {{port}}{mute}"'
    text = f"version: 1\nlaunch: {{exec: {command}}}\nready: {ready}\n"
    assert dispatched(parse_target(str(written(text)))) == ("east", "west")


def test_a_flag_is_repeated_for_each_of_several_values_and_left_out_without_one() -> None:
    target = ExecTarget(
        command=("own", "{id}"),
        flags=(("connect", ("--peer={each}",)), ("probe", ("--probe", "{value}"))),
        environment=(("PORT", "{port}"), ("JSON", '{"a": 1}')),
    )
    told = {"COLLECTOR_ID": "hub", "COLLECTOR_CONNECT": "h:1,h:2", "PATH": "/bin"}
    command, left = as_flags(target, told, port=7)
    assert command == ["own", "hub", "--peer=h:1", "--peer=h:2"]
    assert left == {
        "COLLECTOR_ID": "hub",
        "COLLECTOR_LISTEN": "127.0.0.1:7",
        "PATH": "/bin",
        "PORT": "7",
        "JSON": '{"a": 1}',
    }


def test_variables_of_its_own_stand_for_settings_and_are_left_out_without_a_value() -> None:
    target = ExecTarget(
        command=("own",),
        environment=(
            ("OWN_NAME", "collector {id}"),
            ("OWN_CERT", "{tls-cert}"),
            ("OWN_STORE", "--at={registry}"),
            ("OWN_JSON", '{"a": {b}}'),
            ("OWN_NOTHING", ""),
        ),
        store="bolt:{path}?mode=rw",
    )
    told = {"COLLECTOR_ID": "hub", "COLLECTOR_REGISTRY": "sqlite:/tmp/x/hub.db"}
    own = {"OWN_NAME": "collector hub", "OWN_JSON": '{"a": {b}}', "OWN_NOTHING": ""}
    stored = "bolt:/tmp/x/hub.db?mode=rw"
    assert as_flags(target, told, port=None)[1] == {
        "COLLECTOR_ID": "hub",
        "COLLECTOR_REGISTRY": stored,
        "OWN_STORE": f"--at={stored}",
        **own,
    }
    told = {"COLLECTOR_ID": "hub", "COLLECTOR_REGISTRY": "memory", "COLLECTOR_TLS_CERT": "/c.pem"}
    assert as_flags(target, told, port=None)[1] == {
        **told,
        "OWN_CERT": "/c.pem",
        "OWN_STORE": "--at=memory",
        **own,
    }


SECURED = """\
import os, sys
for name in [each for each in os.environ if each.startswith(("COLLECTOR_TLS", "COLLECTOR_TOKEN"))]:
    del os.environ[name]
for name in [each for each in os.environ if each.startswith("OWN_")]:
    os.environ["COLLECTOR_" + name.removeprefix("OWN_")] = os.environ[name]
from collector_reference.__main__ import main
sys.exit(main())
"""


def test_certificates_and_tokens_reach_a_collector_by_variables_of_its_own(
    written: Written, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(SECURED)
    path = written(
        "version: 1\n"
        'launch: {exec: ["{executable}", "{folder}/own.py"]}\n'
        'ready: {port: "{port}", health: true}\n'
        "environment:\n"
        '  OWN_TLS_CERT: "{tls-cert}"\n  OWN_TLS_KEY: "{tls-key}"\n  OWN_TLS_CA: "{tls-ca}"\n'
        '  OWN_TLS_CLIENT_AUTH: "{tls-client-auth}"\n'
        '  OWN_TOKEN_KEYS: "{token-keys}"\n  OWN_TOKEN_AUDIENCE: "{token-audience}"\n'
        '  OWN_TOKEN_ISSUER: "{token-issuer}"\n  OWN_TOKEN_FILE: "{token-file}"\n'
    )
    secured = "tls: mutual, token: true"
    topology = parse_topology(
        f"nodes:\n  west: {{namespaces: [a], {secured}}}\n"
        f"  east: {{namespaces: [a], probe: [a], {secured}}}\nlinks: [west -> east]\n",
        source="x",
    )

    async def run() -> tuple[str | None, str]:
        async with Mesh(topology, target=parse_target(str(path))) as mesh:
            client = mesh["west"].client
            reply = await client.dispatch("a", "conformance.Probe", "WhoAmI")
            stranger = {"authorization": "Bearer none"}
            refused = await client.dispatch("a", "conformance.Probe", "WhoAmI", metadata=stranger)
            return reply.handled_by, refused.status

    assert asyncio.run(run()) == ("east", "UNAUTHENTICATED")


def test_one_that_does_not_listen_is_given_up_in_its_time(written: Written) -> None:
    text = (
        'version: 1\nlaunch: {exec: [sleep, "60"]}\n'
        "ready: {port: '{port}', health: true, within: 300ms}\n"
    )
    with pytest.raises(TargetFailed, match=r"does not answer on its port after 0.3 s"):
        dispatched(parse_target(str(written(text))))


def test_other_ways_of_launching_have_limits_too(written: Written) -> None:
    limits = "limits: {forward: 2s}\n"
    python = load_target(written(f"version: 1\nlaunch: {{python: a.b:make}}\n{limits}"))
    attach = load_target(written(f"version: 1\nlaunch: {{attach: '127.0.0.1:7'}}\n{limits}"))
    assert isinstance(python, PythonTarget)
    assert isinstance(attach, AttachTarget)
    for target in (python, attach):
        assert target.declares.limits.forward == timedelta(seconds=2)


def test_a_node_may_be_what_a_file_beside_its_scenario_says(
    written: Written, tmp_path: Path
) -> None:
    written(BY_FLAGS)
    (tmp_path / "topology.yaml").write_text("nodes: {hub: {collector: target.yaml}}\n")
    (node,) = parse_topology(tmp_path / "topology.yaml").nodes
    assert node.collector is not None
    assert isinstance(parse_target(node.collector), ExecTarget)
    (tmp_path / "topology.yaml").write_text("nodes: {hub: {collector: targte.yaml}}\n")
    with pytest.raises(InvalidInput, match=r"topology.yaml:1:"):
        parse_topology(tmp_path / "topology.yaml")


BROKEN = {
    "no launch": ("version: 1\n", "the key 'launch' is missing", ""),
    "two launches": (
        "version: 1\nlaunch: «{exec: a, python: b:c}\n",
        "launched in one way",
        "write one of",
    ),
    "a misspelt key": (
        "version: 1\nlaunch: {exec: a}\nlimit: {}\n",
        "unknown key 'limit'",
        "'limits'",
    ),
    "a misspelt setting": (
        "version: 1\nlaunch: {exec: a, flags: {namespace: -n}}\n",
        "no setting 'namespace'",
        "did you mean 'namespaces'?",
    ),
    "a misspelt capability": (
        "version: 1\nlaunch: {exec: a}\ncapabilities: [tsl]\n",
        "no capability 'tsl'",
        "did you mean 'tls'?",
    ),
    "a misspelt limit": (
        "version: 1\nlaunch: {exec: a}\nlimits: {gracee: 1s}\n",
        "unknown key 'gracee'",
        "did you mean 'grace'?",
    ),
    "a time without a unit": (
        "version: 1\nlaunch: {exec: a}\nlimits: {grace: 5}\n",
        "'5' is not a duration",
        "250ms",
    ),
    "a pattern without an address": (
        "version: 1\nlaunch: {exec: a}\nready: {line: up}\n",
        "no place for the address",
        "name a group",
    ),
    "readiness of what runs": (
        "version: 1\nlaunch: {attach: '127.0.0.1:5'}\nready: {port: 5}\n",
        "this is for `exec`",
        "",
    ),
    "a store without a place for its file": (
        "version: 1\nlaunch: {exec: a}\nstore: bolt\n",
        "this has no place for the file",
        "file:{path}",
    ),
    "a store of what runs": (
        "version: 1\nlaunch: {attach: '127.0.0.1:5'}\nstore: 'bolt:{path}'\n",
        "this is for `exec`",
        "",
    ),
    "the access to what is started": (
        "version: 1\nlaunch: {exec: a}\ntls: {ca: ca.pem}\n",
        "this is for `attach`",
        "such as MY_CERT: '{tls-cert}'",
    ),
    "an address that is none": (
        "version: 1\nlaunch: {attach: nowhere}\n",
        "has no valid address",
        "HOST:PORT",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_file_is_told_with_a_remedy(written: Written, name: str) -> None:
    text, message, hint = BROKEN[name]
    with pytest.raises(InvalidInput) as caught:
        load_target(written(text.replace("«", "")))
    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in (problem.hint or "")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"nothing\.yaml"):
        parse_target(str(tmp_path / "nothing.yaml"))


def test_the_schema_agrees_with_the_model() -> None:
    schema = json.loads(json.dumps(target_schema()))
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(load(BY_FLAGS).value)) == []
    for name in ("no launch", "a misspelt key", "a misspelt setting", "a misspelt capability"):
        assert not validator.is_valid(load(BROKEN[name][0]).value)


def test_a_declared_dialect_is_spoken_by_everything_that_connects(written: Written) -> None:
    text = (
        "version: 1\nlaunch: {exec: '{executable} -m collector_reference'}\ndialect: accretional\n"
    )
    target = parse_target(str(written(text)))
    assert target.dialect == "accretional"
    # Processes that dial each other, and a process that dials a node of the harness and back.
    assert dispatched(target) == ("east", "west")
    topology = parse_topology(
        "nodes:\n  west: {namespaces: [a]}\n"
        "  east: {namespaces: [a], probe: [a], collector: reference}\n"
        "  far: {namespaces: [b], probe: [b], collector: reference, dialect: native}\n"
        "links: [west -> east, west -> far, far -> east]\n",
        source="x",
    )

    async def run() -> tuple[object, ...]:
        async with Mesh(topology, target=target) as mesh:
            reply = await mesh["west"].client.connect("guest", mesh["east"].address, ["a"])
            guest = await mesh["west"].client.dispatch(
                "a", "conformance.Probe", "WhoAmI", target="guest"
            )
            far = await mesh["east"].client.dispatch("b", "conformance.Probe", "X", target="far")
            spoken = tuple(each.dialect for each in mesh)
            return reply.status, guest.output, far.message, spoken

    status, guest, far, spoken = asyncio.run(run())
    assert (status, guest) == ("OK", "east")
    assert "not shared" in str(far)
    assert spoken == ("accretional", "accretional", "native")


def test_a_collector_that_speaks_another_dialect_than_it_declares_is_found_out(
    written: Written,
) -> None:
    """What would hold if nothing were done for the dialect."""
    text = (
        "version: 1\n"
        "launch:\n"
        "  exec: '{executable} -m collector_harness serve'\n"
        "  flags: {dialect: --validation on}\n"
        "dialect: accretional\n"
    )
    target = parse_target(str(written(text)))
    topology = parse_topology("nodes:\n  west: {namespaces: [a]}\n", source="x")

    async def run() -> object:
        async with Mesh(topology, target=target) as mesh:
            reply = await mesh["west"].client.connect("guest", mesh["west"].address, ["a"])
            return reply.response

    response = asyncio.run(run())
    assert isinstance(response, dict)
    assert response.get("shared_namespaces") != ["a"]
