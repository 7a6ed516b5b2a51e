"""The services of a collector's own: which there are, their records in the registry, and their
places on the port.

What they do is in their packages.
"""

from __future__ import annotations

import grpc
import grpc.aio

from collector_reference.descriptors import (
    ADMIN,
    DISPATCHER,
    HEALTH,
    PORT,
    REFLECTION,
    REFLECTION_ALPHA,
    REGISTRY,
    service_descriptors,
)
from collector_reference.dispatch.dialects import Dialect
from collector_reference.dispatch.handlers import HandlerTable
from collector_reference.dispatch.service import DispatcherService
from collector_reference.introspection import Health, add_reflection
from collector_reference.probe import PROBE, Probe
from collector_reference.registry.service import RegistryService
from collector_reference.registry.store import RegistryStore, declare_methods, service_record
from collector_reference.security.values import Exposure
from collector_reference.settings import AdminAccess, CollectorSettings
from collector_reference.wire import dispatcher_pb2_grpc, registry_pb2_grpc
from collector_reference.wire.dispatcher_pb2 import ConnectResponse

__all__ = ["attach", "declare", "own_services"]

_REFLECTIONS = (REFLECTION, REFLECTION_ALPHA)


def own_services(settings: CollectorSettings) -> tuple[str, ...]:
    """Returns the full names of the services that such a collector has on its port."""
    return (
        DISPATCHER,
        REGISTRY,
        HEALTH,
        *(() if settings.reflection is Exposure.OFF else _REFLECTIONS),
        *((PORT,) if settings.probe else ()),
        *((ADMIN,) if settings.admin is not AdminAccess.OFF else ()),
    )


def declare(
    settings: CollectorSettings,
    store: RegistryStore,
    handlers: HandlerTable,
    probe: Probe | None,
) -> None:
    """Puts the services into the records of the system namespace, and the probe service with its
    handlers into each of its namespaces.
    """
    system = settings.system_namespace
    descriptors = service_descriptors()
    for service in own_services(settings):
        if service != PORT:
            store.declare(service_record(system, descriptors[service]))
    if probe is None:
        return
    declare_methods(store, system, PORT, probe.registered_on_port)
    for namespace in dict.fromkeys(settings.probe):
        for method, handler in probe.handlers.items():
            handlers.add(namespace, PROBE, method, handler, decode=False)
        declare_methods(store, namespace, PROBE, probe.declared)


def attach(
    server: grpc.aio.Server,
    settings: CollectorSettings,
    *,
    dispatcher: DispatcherService,
    registry: RegistryService,
    health: Health,
    probe: Probe | None,
) -> None:
    """Puts every service on a port that is not open yet (LOOP-005), but for the admin service."""
    _attach_dispatcher(server, dispatcher, settings.dialect)
    registry_pb2_grpc.add_CollectorRegistryServicer_to_server(registry, server)
    health.add_to(server)
    services = own_services(settings)
    if REFLECTION in services:
        add_reflection(server, services)
    if probe is not None:
        probe.add_to(server)


def _attach_dispatcher(
    server: grpc.aio.Server, dispatcher: DispatcherService, dialect: Dialect
) -> None:
    if dialect is Dialect.NATIVE:
        dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(dispatcher, server)
        return
    connect = {
        "Connect": grpc.unary_unary_rpc_method_handler(
            dispatcher.Connect,
            request_deserializer=dialect.read,
            response_serializer=ConnectResponse.SerializeToString,
        )
    }
    # Older grpcio asks generic handlers alone, the first one first; newer asks registered
    # methods before them, the last one wins. So it stands on both sides of the generated one.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DISPATCHER, connect),))
    dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(dispatcher, server)
    server.add_registered_method_handlers(DISPATCHER, connect)
