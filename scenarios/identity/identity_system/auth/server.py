"""The auth service as a running gRPC server in threads: its port, health, reflection and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from identity_system.auth.service import AuthService
from identity_system.auth.settings import AuthSettings
from identity_system.auth.store import MIGRATIONS, Store
from identity_system.auth.tokens import Signer, now
from identity_system.security.rules import AUTH, AUTH_RULES
from identity_system.security.threads import Authentication, Authorization, Observation
from identity_system.wire import auth_pb2_grpc
from shared_system.database import Database
from shared_system.serving import SERVER_OPTIONS, CannotListen

__all__ = ["auth_server"]


@contextmanager
def auth_server(settings: AuthSettings, clock: Callable[[], datetime] = now) -> Iterator[str]:
    """Serves while the block runs, and yields the address. Raises `ValueError` for a database
    that cannot be read, `Failure` for one that is away, `CannotListen`, and gRPC's error where
    the registry refuses.
    """
    database = Database(settings.database, MIGRATIONS)
    try:
        database.migrate_here()
        signer = Signer(settings.secret, clock)
        service = AuthService(Store(database, settings, clock), signer, settings)
        with ThreadPoolExecutor(settings.threads, thread_name_prefix="auth") as threads:
            with _serving(service, settings, threads) as address:
                yield address
    finally:
        database.close_here()


@contextmanager
def _serving(
    service: AuthService, settings: AuthSettings, threads: ThreadPoolExecutor
) -> Iterator[str]:
    server = grpc.server(
        threads,
        interceptors=[
            Observation(),
            Authentication(AUTH_RULES, service.verify),
            Authorization(AUTH_RULES),
        ],
        options=SERVER_OPTIONS,
    )
    auth_pb2_grpc.add_AuthServiceServicer_to_server(service, server)
    told = health.HealthServicer(experimental_non_blocking=True, experimental_thread_pool=threads)
    health_pb2_grpc.add_HealthServicer_to_server(told, server)
    names = (AUTH.full_name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
    address = _bind(server, settings)
    server.start()
    for name in ("", AUTH.full_name):
        told.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        if settings.register:
            _register(settings.register, address)
        yield address
    finally:
        told.enter_graceful_shutdown()
        server.stop(settings.grace.total_seconds()).wait()


def _bind(server: grpc.Server, settings: AuthSettings) -> str:
    try:
        if settings.credentials is None:
            port = server.add_insecure_port(settings.listen)
        else:
            port = server.add_secure_port(settings.listen, settings.credentials)
    except RuntimeError as error:
        raise CannotListen(f"cannot listen on {settings.listen}") from error
    return f"{settings.listen.rpartition(':')[0]}:{port}"


def _register(where: str, address: str) -> None:
    """Tells a registry, from a thread of its own: this one may have an event loop."""
    # Only who registers has to import it, which takes a while.
    from shared_system import registry

    place, _, namespace = where.partition("/")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(
            lambda: asyncio.run(registry.register(place, namespace, AUTH, address))
        ).result()
