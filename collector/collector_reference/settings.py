"""What a collector is started with, as one frozen value, and how the environment becomes it.

Every text is parsed and checked here; nothing further in sees raw strings.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from collector_reference.addresses import is_peer_address, parse_listen
from collector_reference.backends.values import BackendSettings, backends_from
from collector_reference.dispatch.dialects import Dialect, split_dialect
from collector_reference.dispatch.tuning import DEFAULT_ROUTING, RoutingSettings, routing_from
from collector_reference.errors import SettingsError
from collector_reference.observability.values import (
    CallLog,
    MetricsSettings,
    Tracing,
    observability_from,
)
from collector_reference.registry.etcd_access import OPEN, EtcdAccess, access_from
from collector_reference.registry.notation import (
    MEMORY,
    EtcdMembership,
    EtcdRegistry,
    RegistryChoice,
    parse_membership,
    parse_registry,
    reached_by,
)
from collector_reference.security.values import (
    Exposure,
    OwnTokenSettings,
    TlsSettings,
    TokenSettings,
    security_from,
)

__all__ = ["AdminAccess", "CollectorSettings", "ValidatorKind"]


class ValidatorKind(enum.Enum):
    """How the dispatcher asks a registry about a method."""

    VALIDATE = "validate"
    """By ValidateMethod, which changes nothing."""
    REGISTER_PROBE = "register-probe"
    """By RegisterService, where ALREADY_EXISTS means valid: for a registry without ValidateMethod.
    It sees services, not methods, and **registers each service that it asks about in vain**."""


class AdminAccess(enum.Enum):
    """Whom the admin service answers."""

    OFF = "off"
    """Nobody: it is not on the port."""
    LOCAL = "local"
    """Whoever is let in and calls from this machine, and may by the policy where there is one."""
    POLICY = "on"
    """Whom a rule of the policy lets `administer`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorSettings:
    """Everything that makes one collector differ from another.

    Raises `SettingsError` naming the field that cannot be used.
    """

    collector_id: str
    """Unique among the collectors that it is connected with."""
    listen: str = "127.0.0.1:0"
    """`host:port`; port 0 for any free one."""
    namespaces: tuple[str, ...] = ()
    """The namespaces that it shares with its peers."""
    advertise: str | None = None
    """The address that it tells its peers; None for the bound one."""
    connect: tuple[str, ...] = ()
    """Addresses to connect to once it is ready, tried again until they answer. One that speaks
    another dialect is marked, such as `accretional+host:port`."""
    dialect: Dialect = Dialect.NATIVE
    """How its peers and itself write ConnectRequest, where an address is not marked."""
    system_namespace: str = "system"
    """The namespace that its own services are registered in and its port is guarded by."""
    registry_address: str | None = None
    """The registry that its dispatcher asks; None for its own, over the loopback."""
    registry: RegistryChoice = MEMORY
    """Where registrations are kept."""
    membership: EtcdMembership | None = None
    """Where collectors find each other; None where they do not."""
    validator: ValidatorKind = ValidatorKind.VALIDATE
    """How the registry is asked."""
    validation: bool = True
    """Whether the dispatcher validates and the interceptor guards."""
    probe: tuple[str, ...] = ()
    """Namespaces in which it serves the probe service. One that is not in `namespaces` too is
    served locally and not shared."""
    validation_cache: timedelta = timedelta(seconds=5)
    """How long an answer of the registry is believed; zero to ask for every call."""
    ready_limit: timedelta = timedelta(seconds=5)
    """How long the registry may take to answer at the start."""
    grace: timedelta = timedelta(seconds=10)
    """How long calls in flight may take when it stops."""
    refusal_window: timedelta = timedelta(milliseconds=200)
    """For how long a stopping collector answers UNAVAILABLE before its port closes; part of the
    grace."""
    forward_limit: timedelta = timedelta(seconds=18)
    """The bound of a forwarded call whose caller set no deadline; below what FLT-006 allows, so
    that it can still be told in time."""
    connect_limit: timedelta = timedelta(seconds=5)
    """How long a peer may take to accept a connection, and to answer Connect."""
    max_message_bytes: int = 4 * 1024 * 1024
    """The largest message that it accepts (FLT-004)."""
    max_connections: int = 10_000
    """The most peers that it is connected with at a time (SEC-003)."""
    routing: RoutingSettings = DEFAULT_ROUTING
    """How calls are spread over peers, and what is done about ill ones (docs/routing.md)."""
    worker_threads: int = 32
    """The most plain handlers that run at a time; each is a thread, started when needed."""
    tls: TlsSettings | None = None
    """The certificate of its port and of what it dials; None for plaintext (SEC-001)."""
    tokens: TokenSettings | None = None
    """What a caller's bearer token must be; None where callers need none (SEC-002)."""
    own_token: OwnTokenSettings | None = None
    """The token that it presents to its peers; None for none."""
    policy: Path | None = None
    """The file of rules by which callers are authorised; None where everybody who is let in may
    do everything but register into the system namespace."""
    health: Exposure = Exposure.OPEN
    """Who may ask the health service; everybody, or who may call anything else."""
    reflection: Exposure = Exposure.GUARDED
    """Who may ask reflection, where callers are asked for credentials at all."""
    call_log: CallLog | None = None
    """How each call is logged; None for not at all (OPS-006)."""
    metrics: MetricsSettings | None = None
    """Where Prometheus finds its metrics; None for nowhere."""
    tracing: Tracing | None = None
    """Where the spans of calls go; None for nowhere."""
    admin: AdminAccess = AdminAccess.OFF
    """Whether the admin service is on the port, and for whom."""
    health_interval: timedelta = timedelta(seconds=10)
    """How often every service on the port is looked at over the loopback; zero for never."""
    backends: tuple[BackendSettings, ...] = ()
    """Services of its namespaces that ordinary gRPC servers execute."""

    def __post_init__(self) -> None:
        if not self.collector_id:
            raise SettingsError("collector_id", "a collector needs an id")
        if not self.system_namespace:
            raise SettingsError("system_namespace", "the system namespace needs a name")
        try:
            parse_listen(self.listen)
        except ValueError as error:
            raise SettingsError("listen", str(error)) from error
        for name, addresses in (
            ("advertise", [self.advertise]),
            ("registry_address", [self.registry_address]),
            ("connect", [split_dialect(address)[1] for address in self.connect]),
        ):
            for address in addresses:
                if address is not None and not is_peer_address(address):
                    raise SettingsError(name, f"'{address}' is not an address that can be dialled")
        for name, namespaces in (("namespaces", self.namespaces), ("probe", self.probe)):
            if "" in namespaces:
                raise SettingsError(name, "a namespace needs a name")
        if self.health is Exposure.OFF:
            raise SettingsError("health", "health is always served: 'open' or 'guarded'")
        if self.admin is AdminAccess.POLICY and self.policy is None:
            raise SettingsError(
                "admin",
                "the admin service needs a policy (COLLECTOR_POLICY) with a rule that lets "
                "somebody 'administer'; 'local' opens it to callers of this machine",
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name in (
            "validation_cache",
            "ready_limit",
            "grace",
            "refusal_window",
            "forward_limit",
            "connect_limit",
            "health_interval",
        ):
            if getattr(self, name) < timedelta(0):
                raise SettingsError(name, "a time cannot be negative")
        for name in ("max_message_bytes", "max_connections", "worker_threads"):
            if getattr(self, name) < 1:
                raise SettingsError(name, "must be at least 1")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables of the launch contract (PROTOCOL.md, section 4; OPS-004).

        A variable that is unset or empty leaves the default; without COLLECTOR_ID the id is made
        up. Raises `SettingsError` naming the variable, also for what is not supported here.
        """
        registry, membership = _etcd_dialled(
            _registry(environment, "COLLECTOR_REGISTRY"),
            _membership(environment, "COLLECTOR_MEMBERSHIP"),
            access_from(environment),
        )
        given: dict[str, object] = {
            "dialect": _dialect(environment, "COLLECTOR_DIALECT"),
            "registry": registry,
            "membership": membership,
            "validator": _validator(environment, "COLLECTOR_VALIDATOR"),
            **routing_from(environment),
            "backends": backends_from(environment),
            "admin": _admin(environment, "COLLECTOR_ADMIN"),
            **observability_from(environment),
            **security_from(environment),
        }
        for variable, field in _TEXTS.items():
            if environment.get(variable):
                given[field] = environment[variable]
        for variable, field in _LISTS.items():
            given[field] = _split(environment.get(variable, ""))
        given.setdefault("collector_id", f"collector-{uuid.uuid4().hex[:12]}")
        given["validation"] = _on_or_off(environment, "COLLECTOR_VALIDATION")
        for variable, field in _TIMES.items():
            if environment.get(variable):
                given[field] = _seconds(variable, environment[variable])
        for variable, field in _COUNTS.items():
            if environment.get(variable):
                given[field] = _count(variable, environment[variable])
        try:
            return cls(**given)  # type: ignore[arg-type] # each field is read by its own table
        except SettingsError as error:
            variables = {
                field: name for name, field in (_TEXTS | _LISTS | _TIMES | _COUNTS).items()
            } | {"admin": "COLLECTOR_ADMIN"}
            raise SettingsError(
                variables.get(error.setting, error.setting), error.problem
            ) from error


_TEXTS = {
    "COLLECTOR_ID": "collector_id",
    "COLLECTOR_LISTEN": "listen",
    "COLLECTOR_ADVERTISE": "advertise",
    "COLLECTOR_SYSTEM_NAMESPACE": "system_namespace",
    "COLLECTOR_REGISTRY_ADDRESS": "registry_address",
}
_LISTS = {
    "COLLECTOR_NAMESPACES": "namespaces",
    "COLLECTOR_CONNECT": "connect",
    "COLLECTOR_PROBE": "probe",
}


_TIMES = {
    "COLLECTOR_VALIDATION_CACHE": "validation_cache",
    "COLLECTOR_READY_LIMIT": "ready_limit",
    "COLLECTOR_GRACE": "grace",
    "COLLECTOR_REFUSAL_WINDOW": "refusal_window",
    "COLLECTOR_HEALTH_INTERVAL": "health_interval",
}
_COUNTS = {
    "COLLECTOR_MAX_MESSAGE_BYTES": "max_message_bytes",
    "COLLECTOR_WORKER_THREADS": "worker_threads",
}


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _on_or_off(environment: Mapping[str, str], variable: str, default: str = "on") -> bool:
    text = environment.get(variable) or default
    if text not in ("on", "off"):
        raise SettingsError(variable, f"'{text}' is neither 'on' nor 'off'")
    return text == "on"


def _seconds(variable: str, text: str) -> timedelta:
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError) as error:
        raise SettingsError(variable, f"'{text}' is not a number of seconds") from error


def _count(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise SettingsError(variable, f"'{text}' is not a whole number")
    return int(text)


def _dialect(environment: Mapping[str, str], variable: str) -> Dialect:
    text = environment.get(variable) or Dialect.NATIVE.value
    try:
        return Dialect(text)
    except ValueError as error:
        known = " or ".join(f"'{dialect.value}'" for dialect in Dialect)
        raise SettingsError(variable, f"'{text}' is not {known}") from error


def _registry(environment: Mapping[str, str], variable: str) -> RegistryChoice:
    try:
        return parse_registry(environment.get(variable) or "memory")
    except ValueError as error:
        raise SettingsError(variable, str(error)) from error


def _membership(environment: Mapping[str, str], variable: str) -> EtcdMembership | None:
    text = environment.get(variable)
    if not text:
        return None
    try:
        return parse_membership(text)
    except ValueError as error:
        raise SettingsError(variable, str(error)) from error


def _etcd_dialled(
    registry: RegistryChoice, membership: EtcdMembership | None, access: EtcdAccess
) -> tuple[RegistryChoice, EtcdMembership | None]:
    if access == OPEN:
        return registry, membership
    in_etcd = isinstance(registry, EtcdRegistry)
    if not in_etcd and membership is None:
        raise SettingsError(
            "COLLECTOR_REGISTRY", "it is not in etcd, but COLLECTOR_ETCD_... is set"
        )
    try:
        if isinstance(registry, EtcdRegistry):
            registry = replace(registry, place=reached_by(registry.place, access))
        if membership is not None:
            membership = replace(membership, place=reached_by(membership.place, access))
    except ValueError as error:
        variable = "COLLECTOR_REGISTRY" if in_etcd else "COLLECTOR_MEMBERSHIP"
        raise SettingsError(variable, str(error)) from error
    return registry, membership


def _admin(environment: Mapping[str, str], variable: str) -> AdminAccess:
    text = environment.get(variable) or AdminAccess.OFF.value
    try:
        return AdminAccess(text)
    except ValueError as error:
        raise SettingsError(variable, f"'{text}' is none of 'off', 'local' and 'on'") from error


def _validator(environment: Mapping[str, str], variable: str) -> ValidatorKind:
    text = environment.get(variable) or ValidatorKind.VALIDATE.value
    try:
        return ValidatorKind(text)
    except ValueError as error:
        known = " nor ".join(f"'{kind.value}'" for kind in ValidatorKind)
        raise SettingsError(variable, f"'{text}' is neither {known}") from error
