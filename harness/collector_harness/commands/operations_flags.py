"""The flags of `collector-harness serve` that are about running a collector; see
docs/collector.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["OPERATIONS_FLAGS"]

OPERATIONS_FLAGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "COLLECTOR_CALL_LOG": (
        "--call-log",
        "off|text|json",
        "A line in the log for each call. Default: text.",
    ),
    "COLLECTOR_METRICS": (
        "--metrics",
        "HOST:PORT",
        "Where Prometheus finds its metrics; port 0 is any free one. Default: nowhere.",
    ),
    "COLLECTOR_TRACING": (
        "--tracing",
        "off|otlp|console",
        "Where the spans of calls go. Default: off.",
    ),
    "COLLECTOR_ADMIN": (
        "--admin",
        "off|local|on",
        "The admin service: for this machine, or for whom the policy says. Default: off.",
    ),
    "COLLECTOR_HEALTH_INTERVAL": (
        "--health-interval",
        "SECONDS",
        "How often it looks at its own services over the loopback; 0 is never. Default: 10.",
    ),
    "COLLECTOR_ETCD_TLS_CA": (
        "--etcd-tls-ca",
        "FILE",
        "Whom members of etcd+tls:... are certified by. Default: whom the machine trusts.",
    ),
    "COLLECTOR_ETCD_TLS_CERT": (
        "--etcd-tls-cert",
        "FILE",
        "The certificate that etcd is shown. Default: none.",
    ),
    "COLLECTOR_ETCD_TLS_KEY": (
        "--etcd-tls-key",
        "FILE",
        "The key of that certificate. Default: none.",
    ),
    "COLLECTOR_ETCD_USER": (
        "--etcd-user",
        "NAME",
        "Who logs in to etcd. Default: nobody.",
    ),
    "COLLECTOR_ETCD_PASSWORD_FILE": (
        "--etcd-password-file",
        "FILE",
        "The file with that user's password. Default: none.",
    ),
    "COLLECTOR_BACKENDS": (
        "--backends",
        "LIST",
        "Services that ordinary gRPC servers execute: namespace/Service=host:port,...",
    ),
    "COLLECTOR_BACKENDS_TLS_CA": (
        "--backends-tls-ca",
        "FILE",
        "Whom backends marked tls+host:port are certified by. Default: whom the machine trusts.",
    ),
    "COLLECTOR_BACKENDS_TLS_CERT": (
        "--backends-tls-cert",
        "FILE",
        "The certificate that they are shown. Default: none.",
    ),
    "COLLECTOR_BACKENDS_TLS_KEY": (
        "--backends-tls-key",
        "FILE",
        "The key of that certificate. Default: none.",
    ),
    "COLLECTOR_GRPC_DEBUG": (
        "--grpc-debug",
        "on|off|TRACERS",
        "gRPC's own debug log on standard error. Default: off.",
    ),
    "COLLECTOR_VALIDATION_CACHE": (
        "--validation-cache",
        "SECONDS",
        "How long an answer of the registry is believed; 0 asks for every call. Default: 5.",
    ),
    "COLLECTOR_READY_LIMIT": (
        "--ready-limit",
        "SECONDS",
        "How long registry and backends may take to answer at the start. Default: 5.",
    ),
    "COLLECTOR_GRACE": (
        "--grace",
        "SECONDS",
        "How long calls in flight may take when it stops. Default: 10.",
    ),
    "COLLECTOR_REFUSAL_WINDOW": (
        "--refusal-window",
        "SECONDS",
        "How much of the grace it refuses calls before its port closes. Default: 0.2.",
    ),
    "COLLECTOR_MAX_MESSAGE_BYTES": (
        "--max-message-bytes",
        "BYTES",
        "The largest message that it accepts. Default: 4194304.",
    ),
    "COLLECTOR_WORKER_THREADS": (
        "--worker-threads",
        "COUNT",
        "The most plain handlers that run at a time. Default: 32.",
    ),
}
"""Flag, placeholder and help by the variable that the flag stands for."""
