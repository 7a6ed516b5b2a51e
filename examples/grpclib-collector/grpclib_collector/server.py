"""The process: puts the parts on one port, proves the wiring, runs until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Any

from grpclib.client import Channel
from grpclib.const import Status as GrpcStatus
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.health.check import ServiceStatus
from grpclib.health.service import OVERALL, Health
from grpclib.reflection.service import ServerReflection
from grpclib.server import Server

from grpclib_collector import admin, contract
from grpclib_collector.calls import CallFailed, NotSent, call
from grpclib_collector.connections import Connections
from grpclib_collector.dispatcher import Dispatcher
from grpclib_collector.handlers import Handlers
from grpclib_collector.probe import SERVICE, Port, Probe, port_descriptor, probe_descriptor
from grpclib_collector.registry import Registry, RegistryStore
from grpclib_collector.settings import Settings, SettingsError, split_address
from grpclib_collector.sizes import BoundedCodec
from grpclib_collector.validation import RegistryUnreachable, Validator, guard

__all__ = ["main"]

READY_SECONDS = 5.0
GRACE_SECONDS = 10.0
REFUSING_SECONDS = 0.2
BETWEEN_LOOKS_SECONDS = 1.0

_log = logging.getLogger("grpclib_collector")


class NotReady(Exception):
    """The collector's own wiring does not work."""


class _Mounted:
    """A servicer under the paths of its service, as grpclib wants it."""

    def __init__(self, full_name: str, servicer: object) -> None:
        self._handlers = contract.handlers_of(full_name, servicer)

    def __mapping__(self) -> dict[str, Any]:
        return self._handlers


class _Doorkeeper:
    """Counts the calls in flight, and refuses new ones once the collector stops."""

    def __init__(self, server: Server) -> None:
        self._in_flight = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        listen(server, RecvRequest, self._enter)

    async def close(self, grace: float) -> None:
        """Returns when no call is in flight any more, or the grace period is over."""
        self._closing = True
        await asyncio.sleep(REFUSING_SECONDS)
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            _log.warning("calls in flight were cut after %s s", grace)

    async def _enter(self, event: RecvRequest) -> None:
        # Calls in flight may still have to ask the registry over this very port.
        if self._closing and event.method_name != contract.VALIDATE:
            raise GRPCError(GrpcStatus.UNAVAILABLE, "the collector is stopping")
        function = event.method_func

        async def counted(stream: Any) -> None:
            self._in_flight += 1
            self._idle.clear()
            try:
                await function(stream)
            finally:
                self._in_flight -= 1
                if not self._in_flight:
                    self._idle.set()

        event.method_func = counted


def main() -> int:
    """Runs a collector from the environment; returns the exit status."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    # grpclib tells each call that its caller gave up; that is no news for an operator.
    logging.getLogger("grpclib").setLevel(logging.ERROR)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return asyncio.run(run(settings))
    except OSError as error:
        print(f"cannot listen on {settings.host}:{settings.port}: {error}", file=sys.stderr)
        return 3
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1


async def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; raises `NotReady` where the wiring is broken."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    # The validator needs to know the port, and the port must not be served before everything
    # is mounted: so bind first, and listen last.
    bound = await _bind(settings.host, settings.port)
    address = _dialable(settings.host, bound.getsockname()[1])
    registry = _channel(settings.registry_address or address)
    store = RegistryStore()
    connections = Connections(settings.collector_id, settings.namespaces)
    counts = admin.Counts()
    validator = Validator(registry, counts) if settings.validation else None
    if validator is not None:
        store.on_change = validator.forget
    healthy = ServiceStatus()
    services = _mounted(settings, store, connections, validator, healthy, counts)
    server = Server(services, codec=BoundedCodec())
    counts.count_rpcs(server)
    doorkeeper = _Doorkeeper(server)
    if settings.validation:
        guard(server, store, settings.system_namespace)
    background: list[asyncio.Task[None]] = []
    await server.start(sock=bound)
    try:
        if validator is not None:
            await _prove_wiring(settings, validator)
        if settings.registry_address:
            await _register_probe(settings, registry)
        healthy.set(True)
        counts.begin()
        print(f"collector listening on {address}", flush=True)
        if validator is not None:
            background.append(asyncio.create_task(_watch(registry, settings, healthy)))
        background += [
            asyncio.create_task(connections.keep_connecting(peer, settings.advertise or address))
            for peer in settings.connect
        ]
        await stopped.wait()
        await doorkeeper.close(GRACE_SECONDS)
    finally:
        for task in background:
            task.cancel()
        connections.close()
        registry.close()
        server.close()
        await server.wait_closed()
    return 0


def _mounted(
    settings: Settings,
    store: RegistryStore,
    connections: Connections,
    validator: Validator | None,
    healthy: ServiceStatus,
    counts: admin.Counts,
) -> list[Any]:
    """Returns everything that the port serves, and puts it into the registry."""
    handlers = Handlers(settings.collector_id, counts)
    dispatcher = Dispatcher(settings.collector_id, handlers, connections, validator)
    services = ServerReflection.extend(
        [
            _Mounted(contract.DISPATCHER, dispatcher),
            _Mounted(contract.REGISTRY, Registry(store, settings.system_namespace)),
            Health({OVERALL: [healthy]}),
            *([_Mounted(admin.SERVICE, admin.Admin(counts))] if settings.admin else []),
        ]
    )
    for name in {path.split("/")[1] for part in services for path in part.__mapping__()}:
        store.add_service(settings.system_namespace, contract.service_descriptor(name))
    if settings.probe:
        probe = Probe(settings.collector_id)
        for namespace in settings.probe:
            handlers.add(namespace, SERVICE, probe.handlers())
            store.add_service(namespace, probe_descriptor(probe))
        store.add_service(settings.system_namespace, port_descriptor())
        services.append(Port())
    return services


async def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = (
        await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )[0]
    bound = socket.socket(family, kind, protocol)
    # Lets a collector come back on the port that it had; two at once stay an error.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    return bound


def _dialable(host: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _channel(address: str) -> Channel:
    host_and_port = split_address(address)
    if host_and_port is None:
        raise NotReady(f"'{address}' is no address of a registry")
    return Channel(*host_and_port)


async def _prove_wiring(settings: Settings, validator: Validator) -> None:
    """Asks the registry the question that every call will ask."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    question = (settings.system_namespace, contract.REGISTRY, "ValidateMethod")
    while True:
        try:
            valid = await validator.is_valid(*question, seconds=1.0)
        except RegistryUnreachable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise NotReady(f"the registry cannot be asked: {error}") from error
            await asyncio.sleep(0.05)
        else:
            # A remote registry need not guard its port in our namespace: that it answers is all.
            if not valid and not settings.registry_address:
                raise NotReady("the registry does not know its own methods")
            return


async def _watch(registry: Channel, settings: Settings, healthy: ServiceStatus) -> None:
    """Tells by the health service whether the registry can be asked, from now on."""
    question = contract.ValidateMethodRequest(
        namespace=settings.system_namespace,
        service_name=contract.REGISTRY,
        method_name="ValidateMethod",
    )
    while True:
        await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
        try:
            # What it says does not matter, only that it says something.
            await call(registry, contract.VALIDATE, question, seconds=1.0, metadata=[admin.LOOK])
        except (CallFailed, NotSent):
            healthy.set(False)
        else:
            healthy.set(True)


async def _register_probe(settings: Settings, registry: Channel) -> None:
    """Makes the probe known to a registry that is not the collector's own."""
    descriptor = probe_descriptor(Probe(settings.collector_id))
    for namespace in settings.probe:
        request = contract.RegisterServiceRequest(
            namespace=namespace, service_descriptor=descriptor
        )
        try:
            await call(registry, contract.REGISTER, request, seconds=READY_SECONDS)
        except CallFailed as error:
            if error.status not in (GrpcStatus.ALREADY_EXISTS, GrpcStatus.UNIMPLEMENTED):
                raise NotReady(f"the registry does not take the probe: {error}") from error
        except NotSent as error:
            raise NotReady(f"the registry cannot be reached: {error}") from error
