"""The process: puts the parts on one port, proves the wiring, runs until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

from grpclib.client import Channel
from grpclib.const import Status as GrpcStatus
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.health.service import Health
from grpclib.reflection.service import ServerReflection
from grpclib.server import Server

from grpclib_collector import contract
from grpclib_collector.connections import Connections
from grpclib_collector.dispatcher import Dispatcher
from grpclib_collector.handlers import Handlers
from grpclib_collector.probe import PORT, SERVICE, Port, Probe, port_descriptor, probe_descriptor
from grpclib_collector.registry import Registry, RegistryStore
from grpclib_collector.settings import Settings, SettingsError, split_address
from grpclib_collector.validation import RegistryUnreachable, Validator, guard

__all__ = ["main"]

READY_SECONDS = 5.0
GRACE_SECONDS = 10.0
REFUSING_SECONDS = 0.2

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
        if self._closing:
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

    store = RegistryStore()
    handlers = Handlers(settings.collector_id)
    connections = Connections(settings.collector_id, settings.namespaces)
    mounted: list[Any] = []
    if settings.probe:
        probe = Probe(settings.collector_id)
        mounted.append(Port())
        store.add_service(settings.system_namespace, port_descriptor())
        for namespace in settings.probe:
            handlers.add(namespace, SERVICE, probe.handlers())
            store.add_service(namespace, probe_descriptor(probe))

    # The validator needs the port, and the port its services: bind first, with the services
    # complete, and give the validator its channel before a call can arrive.
    probe_socket = await _bind(settings.host, settings.port)
    port = probe_socket.getsockname()[1]
    dialable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    loopback = Channel(dialable, port)
    registry_channel = loopback
    if settings.registry_address:
        remote = split_address(settings.registry_address)
        if remote is None:
            raise NotReady(f"'{settings.registry_address}' is no address of a registry")
        registry_channel = Channel(*remote)
    validator = Validator(registry_channel) if settings.validation else None
    if validator is not None:
        store.on_change = validator.forget
    mounted += [
        _Mounted(
            contract.DISPATCHER,
            Dispatcher(settings.collector_id, handlers, connections, validator),
        ),
        _Mounted(contract.REGISTRY, Registry(store, settings.system_namespace)),
        Health(),
    ]
    mounted = ServerReflection.extend(mounted)
    for name in {path.split("/")[1] for part in mounted for path in part.__mapping__()} - {PORT}:
        store.add_service(settings.system_namespace, contract.service_descriptor(name))

    server = Server(mounted)
    doorkeeper = _Doorkeeper(server)
    if settings.validation:
        guard(server, store, settings.system_namespace)
    await server.start(sock=probe_socket)
    printed = f"[{dialable}]:{port}" if ":" in dialable else f"{dialable}:{port}"
    connecting: list[asyncio.Task[None]] = []
    try:
        if validator is not None:
            await _prove_wiring(settings, validator)
        print(f"collector listening on {printed}", flush=True)
        connecting = [
            asyncio.create_task(connections.keep_connecting(peer, settings.advertise or printed))
            for peer in settings.connect
        ]
        await stopped.wait()
        await doorkeeper.close(GRACE_SECONDS)
    finally:
        for task in connecting:
            task.cancel()
        connections.close()
        loopback.close()
        registry_channel.close()
        server.close()
        await server.wait_closed()
    return 0


async def _bind(host: str, port: int) -> Any:
    import socket

    family, kind, protocol, _, address = (
        await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )[0]
    listening = socket.socket(family, kind, protocol)
    # Lets a collector come back on the port that it had; two at once stay an error.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(address)
    return listening


async def _prove_wiring(settings: Settings, validator: Validator) -> None:
    """Asks the registry the question that every call will ask."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    question = (settings.system_namespace, contract.REGISTRY, "ValidateMethod")
    while True:
        try:
            if await validator.is_valid(*question, seconds=1.0) or settings.registry_address:
                return
            raise NotReady("the registry does not know its own methods")
        except RegistryUnreachable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise NotReady(f"the registry cannot be asked: {error}") from error
        await asyncio.sleep(0.05)
