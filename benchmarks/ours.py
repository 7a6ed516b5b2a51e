"""The reference collector as the contests serve it, and the call that they make.

The floor's counterpart is `bare.py`; both answer a call with its input.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from google.protobuf import any_pb2, wrappers_pb2

from collector_reference import Collector, CollectorSettings, HandlerContext
from collector_reference.wire import common_pb2, dispatcher_pb2

__all__ = [
    "METHOD",
    "NAMESPACE",
    "SERVICE",
    "dispatch_request",
    "echo_cached",
    "echo_uncached",
    "serve_request",
]

NAMESPACE = "bench"
SERVICE = "EchoService"
METHOD = "Echo"


def dispatch_request(payload: str = "ping") -> dispatcher_pb2.DispatchRequest:
    """Returns the call as a Dispatch."""
    return dispatcher_pb2.DispatchRequest(
        namespace=NAMESPACE, service=_service(), method_name=METHOD, input=_packed(payload)
    )


def serve_request(payload: str = "ping") -> dispatcher_pb2.ServeRequest:
    """Returns the call as a Serve."""
    return dispatcher_pb2.ServeRequest(
        namespace=NAMESPACE, service=_service(), method_name=METHOD, input=_packed(payload)
    )


@asynccontextmanager
async def echo_cached() -> AsyncIterator[str]:
    """Serves a collector that keeps the registry's answers for the default time."""
    settings = CollectorSettings(collector_id="ours", namespaces=(NAMESPACE,))
    async with _collector(settings) as collector:
        yield collector.address


@asynccontextmanager
async def echo_uncached() -> AsyncIterator[str]:
    """Serves a collector that asks the registry over the loopback for every call."""
    settings = CollectorSettings(
        collector_id="ours", namespaces=(NAMESPACE,), validation_cache=timedelta(0)
    )
    async with _collector(settings) as collector:
        yield collector.address


@asynccontextmanager
async def _collector(settings: CollectorSettings) -> AsyncIterator[Collector]:
    collector = Collector(settings)
    collector.register_service(NAMESPACE, SERVICE, METHOD, _echo, decode=False)
    async with collector:
        yield collector


async def _echo(value: any_pb2.Any | None, context: HandlerContext) -> any_pb2.Any | None:  # noqa: ARG001
    return value


def _service() -> common_pb2.ServiceTypeRef:
    return common_pb2.ServiceTypeRef(namespace=NAMESPACE, service_name=SERVICE)


def _packed(payload: str) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(wrappers_pb2.StringValue(value=payload))
    return packed
