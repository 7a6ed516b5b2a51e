"""The reference collector: a gRPC server that registers services and routes calls by namespace."""

from __future__ import annotations

from collector_reference.backends.values import BackendSettings, BackendTls
from collector_reference.dispatch.breaker import BreakerSnapshot
from collector_reference.dispatch.dialects import Dialect
from collector_reference.dispatch.handlers import Handler, HandlerContext
from collector_reference.dispatch.peers import Connection
from collector_reference.dispatch.tuning import (
    Balancing,
    BreakerSettings,
    HealthCheckSettings,
    RetrySettings,
    RoutingSettings,
)
from collector_reference.errors import (
    AlreadyRegistered,
    BackendUnusable,
    BindError,
    CollectorError,
    HandlerError,
    HandlerFailed,
    InvalidRecord,
    MissingExtra,
    NotReady,
    NotRegistered,
    PeerError,
    PeerRefused,
    PeerUnreachable,
    RegistryUnavailable,
    RestoreRefused,
    SettingsError,
    StoreUnavailable,
    StoreUnusable,
    UnsupportedOutput,
)
from collector_reference.observability.values import CallLog, MetricsSettings, Tracing
from collector_reference.registry.memory import MemoryStore
from collector_reference.registry.store import RegistryStore
from collector_reference.security.values import (
    Exposure,
    OwnTokenSettings,
    TlsSettings,
    TokenSettings,
)
from collector_reference.server import Collector, Statistics
from collector_reference.settings import AdminAccess, CollectorSettings, ValidatorKind
from collector_reference.validation.validators import RegistryValidator

__all__ = [
    "AdminAccess",
    "AlreadyRegistered",
    "BackendSettings",
    "BackendTls",
    "BackendUnusable",
    "Balancing",
    "BindError",
    "BreakerSettings",
    "BreakerSnapshot",
    "CallLog",
    "Collector",
    "CollectorError",
    "CollectorSettings",
    "Connection",
    "Dialect",
    "Exposure",
    "Handler",
    "HandlerContext",
    "HandlerError",
    "HandlerFailed",
    "HealthCheckSettings",
    "InvalidRecord",
    "MemoryStore",
    "MetricsSettings",
    "MissingExtra",
    "NotReady",
    "NotRegistered",
    "OwnTokenSettings",
    "PeerError",
    "PeerRefused",
    "PeerUnreachable",
    "RegistryStore",
    "RegistryUnavailable",
    "RegistryValidator",
    "RestoreRefused",
    "RetrySettings",
    "RoutingSettings",
    "SettingsError",
    "Statistics",
    "StoreUnavailable",
    "StoreUnusable",
    "TlsSettings",
    "TokenSettings",
    "Tracing",
    "UnsupportedOutput",
    "ValidatorKind",
]
