"""The launch contract (PROTOCOL.md section 4) as pure functions: what a process is told by its
environment, and what its ready line says. Starting it is not here.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterator, Mapping

from collector_harness.errors import InvalidInput, Problem
from collector_harness.launchers.base import Launch, NodeSecurity
from collector_harness.targets import FLAGS, ExecTarget

__all__ = ["RUN_MARKER", "as_flags", "environment_for", "ready_address", "usable_address"]

RUN_MARKER = "COLLECTOR_HARNESS_RUN"
"""The variable that marks every process of a run, so that none can be left behind."""

_PLACE = re.compile(r"\{([a-z-]+)\}")
_REGISTRY = "COLLECTOR_REGISTRY"
_READY = re.compile(rb"collector listening on (\S{1,300})\s*")


def environment_for(
    launch: Launch, *, advertise: str, base: Mapping[str, str], marker: str
) -> dict[str, str]:
    """Returns the whole environment of a launched node.

    Variables of `base` that begin with `COLLECTOR_` are left out: what the user's own shell
    says about some collector is not meant for this one. Raises `InvalidInput` for a name that
    cannot be written in the contract's notation.
    """
    node = launch.node
    environment = {name: value for name, value in base.items() if not name.startswith("COLLECTOR_")}
    environment |= {
        "COLLECTOR_ID": node.name,
        "COLLECTOR_LISTEN": "127.0.0.1:0",
        "COLLECTOR_ADVERTISE": advertise,
        "COLLECTOR_NAMESPACES": _listed(node.namespaces, of=node.name),
        "COLLECTOR_VALIDATION": "on" if node.validation else "off",
    }
    if node.probe:
        environment["COLLECTOR_PROBE"] = _listed(node.probe, of=node.name)
    if launch.connect:
        environment["COLLECTOR_CONNECT"] = ",".join(launch.connect)
    if launch.registry_address is not None:
        environment["COLLECTOR_REGISTRY_ADDRESS"] = launch.registry_address
    if node.store is not None:
        environment[_REGISTRY] = node.store
    if node.dialect not in (None, "native"):
        environment["COLLECTOR_DIALECT"] = node.dialect
    environment |= _security(launch.security)
    environment |= dict(node.environment)
    environment[RUN_MARKER] = marker
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise InvalidInput(
                Problem(
                    message=f"node '{node.name}' cannot be a process: the environment variable "
                    f"{name!r} cannot be set to {value!r}"
                )
            )
    return environment


def ready_address(line: bytes) -> tuple[str, int] | None:
    """Returns host and port of a ready line, and None for any other line.

    Raises `ValueError` saying why for a ready line whose address cannot be used. Only
    addresses of this machine can: the node was told to listen on 127.0.0.1.
    """
    found = _READY.fullmatch(line)
    if found is None:
        return None
    return usable_address(found.group(1).decode("utf-8", "backslashreplace"))


def usable_address(text: str) -> tuple[str, int]:
    """Returns host and port of `HOST:PORT`; raises as `ready_address` does."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"'{text}' is not HOST:PORT with a port from 1 to 65535")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise ValueError(f"'{text}' is not an address of this machine's loopback")
    return host, int(port)


def as_flags(
    target: ExecTarget, environment: Mapping[str, str], *, port: int | None
) -> tuple[list[str], dict[str, str]]:
    """Returns the command and the environment of a target that takes settings by flags.

    A setting that has a flag is no variable any more. `{value}` is the setting, a flag with
    `{each}` is there once for each of its parts, and in the command and in the target's own
    variables `{id}` and the like stand for settings, empty where they have no value. A variable of
    settings alone is left out where none of them has one.
    """
    told = {**environment, **_in_its_notation(target, environment)}
    if port is not None:
        told["COLLECTOR_LISTEN"] = f"127.0.0.1:{port}"
    plain = {name: value for name, value in target.environment if not _PLACE.search(value)}
    settings = {name: {**told, **plain}.get(variable, "") for name, variable in FLAGS.items()}
    places = {
        **settings,
        "executable": sys.executable,
        "port": "" if port is None else str(port),
    }
    left = {**told, **dict(_variables(target.environment, places))}
    command = [_filled(word, places) for word in target.command]
    for name, words in target.flags:
        value = left.pop(FLAGS[name], None)
        if not value:
            continue
        if any("{each}" in word for word in words):
            for part in value.split(","):
                command += [_filled(word, {**places, "each": part}) for word in words]
        else:
            command += [_filled(word, {**places, "value": value}) for word in words]
    return command, left


def _in_its_notation(target: ExecTarget, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns where a target keeps registrations, as it has it, where that is a file."""
    kind, _, path = environment.get(_REGISTRY, "").partition(":")
    if target.store is None or kind != "sqlite":
        return {}
    return {_REGISTRY: target.store.replace("{path}", path)}


def _variables(
    written: tuple[tuple[str, str], ...], places: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name, value in written:
        named = [places[each] for each in _PLACE.findall(value) if each in places]
        if any(named) or not named:
            yield name, _filled(value, places)


def _filled(word: str, places: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), word)


def _security(security: NodeSecurity) -> dict[str, str]:
    environment: dict[str, str] = {}
    if (tls := security.tls) is not None:
        environment |= {"COLLECTOR_TLS_CERT": str(tls.cert), "COLLECTOR_TLS_KEY": str(tls.key)}
        if tls.ca is not None:
            environment["COLLECTOR_TLS_CA"] = str(tls.ca)
        if tls.client_auth:
            environment["COLLECTOR_TLS_CLIENT_AUTH"] = "require"
    if (tokens := security.tokens) is not None:
        environment["COLLECTOR_TOKEN_KEYS"] = ",".join(map(str, tokens.keys))
        environment["COLLECTOR_TOKEN_AUDIENCE"] = ",".join(tokens.audience)
        if tokens.issuer is not None:
            environment["COLLECTOR_TOKEN_ISSUER"] = tokens.issuer
    if (own := security.own_token) is not None and own.file is not None:
        environment["COLLECTOR_TOKEN_FILE"] = str(own.file)
    return environment


def _listed(names: tuple[str, ...], *, of: str) -> str:
    for name in names:
        if "," in name or name != name.strip() or not name:
            raise InvalidInput(
                Problem(
                    message=f"node '{of}' cannot be a process: the namespace {name!r} cannot be "
                    "written in a comma-separated list",
                    hint="rename the namespace, or make the node a `reference`",
                )
            )
    return ",".join(names)
