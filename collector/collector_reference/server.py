"""The collector: one server on one port, from binding to the last call.

What it serves is put together here; what the services do is in their packages.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from collector_reference.addresses import parse_listen
from collector_reference.binding import bind
from collector_reference.channels import dial, why_unreachable
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
from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.dialects import Dialect
from collector_reference.dispatch.handlers import Handler, HandlerTable, RegisteredHandler
from collector_reference.dispatch.peers import Connection
from collector_reference.dispatch.service import DispatcherService
from collector_reference.dispatch.workers import Workers
from collector_reference.errors import InvalidRecord, SettingsError
from collector_reference.introspection import Health, add_reflection
from collector_reference.loopback_health import LOOK, LoopbackHealth
from collector_reference.probe import PROBE, Probe
from collector_reference.registry.choice import make_store
from collector_reference.registry.service import RegistryService
from collector_reference.registry.store import RegistryStore, declare_methods, service_record
from collector_reference.security.values import Exposure
from collector_reference.settings import CollectorSettings, ValidatorKind
from collector_reference.validation.interceptor import LOOPBACK_HEADER, PortGuard
from collector_reference.validation.registry_link import RegistryLink
from collector_reference.validation.validators import (
    CachedValidator,
    ChannelValidator,
    RegisterProbe,
    RegistryValidator,
)
from collector_reference.wire import dispatcher_pb2_grpc, registry_pb2_grpc
from collector_reference.wire.dispatcher_pb2 import ConnectResponse

if TYPE_CHECKING:
    from collector_reference.backends.forwarding import Backends
    from collector_reference.membership.meeting import Meeting
    from collector_reference.observability.metrics import Numbers
    from collector_reference.observability.observation import Observation
    from collector_reference.security.gate import Gate

__all__ = ["Collector", "Statistics"]

_HANG_UP = 0.02
"""Seconds that a killed collector gives its peers to hang up. One that cuts them off without
makes gRPC write a line to standard error for each."""

_ASKERS = {
    ValidatorKind.VALIDATE: ChannelValidator,
    ValidatorKind.REGISTER_PROBE: RegisterProbe,
}

_REFLECTIONS = (REFLECTION, REFLECTION_ALPHA)
_SERVICES = (DISPATCHER, REGISTRY, HEALTH, *_REFLECTIONS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What a collector counted since it became ready."""

    rpcs: Mapping[str, int]
    """Calls that came in on the port, the loopback's and refused ones included, by full path."""
    loopback_calls: int
    """How often the dispatcher really asked the registry about a method, by an RPC."""
    executions: Mapping[str, int]
    """How often each handler ran, by `namespace/service/method`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checkpoint:
    records: object
    handlers: Mapping[tuple[str, str, str], RegisteredHandler]
    connections: object
    validator: RegistryValidator | None
    rpcs: dict[str, int]
    loopback_calls: int


class Collector:
    """A collector: register handlers, start it, and it serves, connects and routes.

    It is started once, and belongs to the event loop that started it. Handlers
    may be registered before and after, from any thread.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        *,
        store: RegistryStore | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        tracer_provider: Any = None,
    ) -> None:
        """`interceptors` see every call on the port before the collector's own do;
        `tracer_provider` is OpenTelemetry's, for spans that go where the application's go.

        Raises `SettingsError` for files of certificates, keys or rules that cannot be used, and
        `MissingExtra` for what is asked for and not installed.
        """
        self._settings = settings
        self._interceptors = tuple(interceptors)
        self._store = (
            make_store(settings.registry, limit=settings.ready_limit) if store is None else store
        )
        self._workers = Workers(settings.worker_threads, name=settings.collector_id)
        self._handlers = HandlerTable(self._workers)
        token = uuid.uuid4().hex
        self._gate = _gate(settings, token)
        self._outgoing = None if self._gate is None else self._gate.outgoing
        self._connections = Connections(settings, outgoing=self._outgoing)
        self._dispatcher = DispatcherService(
            settings, handlers=self._handlers, connections=self._connections
        )
        self._loopback_header = ((LOOPBACK_HEADER, token),)
        self._observation = _observation(settings, token, tracer_provider)
        self._backends: Backends | None = None
        self._guard = PortGuard(
            self._store,
            system_namespace=settings.system_namespace,
            guarding=settings.validation,
            loopback_token=token,
        )
        self._probe = Probe(settings.collector_id) if settings.probe else None
        own = (
            tuple(each for each in _SERVICES if each not in _REFLECTIONS)
            if settings.reflection is Exposure.OFF
            else _SERVICES
        )
        self._services = (
            *own,
            *((PORT,) if self._probe else ()),
            *((ADMIN,) if settings.admin else ()),
        )
        self._health = Health(self._services)
        self._declare_own_services()
        self._server: grpc.aio.Server | None = None
        self._address = ""
        self._links: tuple[RegistryLink, ...] = ()
        self._watching: asyncio.Task[None] | None = None
        self._answering = self._writable = True
        self._absent: frozenset[str] = frozenset()
        self._looking: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._meeting: Meeting | None = None
        self._stopped = asyncio.Event()

    # What it is

    @property
    def settings(self) -> CollectorSettings:
        """What it was made with."""
        return self._settings

    @property
    def collector_id(self) -> str:
        """Its id."""
        return self._settings.collector_id

    @property
    def address(self) -> str:
        """Where it can be dialled from this machine; raises `RuntimeError` before it is bound."""
        if not self._address:
            raise RuntimeError("the collector has no address before it is started")
        return self._address

    @property
    def metrics_address(self) -> str | None:
        """Where Prometheus finds the metrics; None where there are none, or not yet."""
        metrics = None if self._observation is None else self._observation.metrics
        return None if metrics is None else metrics.address or None

    @property
    def loopback_address(self) -> str:
        """Where its dispatcher asks its own registry: its bound port (LOOP-001)."""
        return self.address

    # Handlers and validation

    def register_service(
        self,
        namespace: str,
        service: str,
        method: str,
        handler: Handler,
        *,
        declare: bool = True,
        decode: bool = True,
    ) -> None:
        """Adds a handler, plain or async, `(input, context) -> output` (S1).

        With `declare` the method is also put into the collector's own record of that service.
        With `decode` False the handler gets the `Any` itself, never a Python value.
        Raises `TypeError` for a handler that cannot be called so, `InvalidRecord` for empty names.
        """
        if not (namespace and service and method):
            raise InvalidRecord("a handler needs the names of a namespace, a service and a method")
        self._handlers.add(namespace, service, method, handler, decode=decode)
        if declare:
            declare_methods(self._store, namespace, service, (method,))

    def add_implementation(self, namespace: str, implementation: object) -> None:
        """Registers every public method of a class or an object as a handler.

        The service is called as its attribute `service_name` says, else as the class. A class is
        instantiated now, and anew by `restore`. Raises `TypeError` when nothing can be served.
        """
        service, methods = self._handlers.add_implementation(namespace, implementation)
        declare_methods(self._store, namespace, service, methods)

    def declare_method(self, namespace: str, service: str, method: str) -> None:
        """Puts a method into the collector's own record of that service, without a handler."""
        declare_methods(self._store, namespace, service, (method,))

    async def add_backend(
        self,
        namespace: str,
        service: str,
        address: str,
        *,
        methods: Sequence[str] | None = None,
        descriptor_set: FileDescriptorSet | bytes | None = None,
    ) -> tuple[str, ...]:
        """Has an ordinary gRPC server at the address execute a service of a namespace.

        `service` is its full name there. What it takes and gives is known by `descriptor_set`,
        with all that is imported, else the server is asked by reflection; `methods` are those to
        forward, all when None. Returns their names. Raises `BackendUnusable`, also for a method
        that streams: those cannot be dispatched.
        """
        if not namespace:
            raise InvalidRecord("a backend needs the name of a namespace")
        if self._backends is None:
            from collector_reference.backends.forwarding import Backends

            self._backends = Backends(
                max_message_bytes=self._settings.max_message_bytes,
                forward_limit=self._settings.forward_limit.total_seconds(),
            )
        found = await self._backends.service(
            service,
            address,
            methods=methods,
            descriptor_set=descriptor_set,
            seconds=self._settings.ready_limit.total_seconds(),
        )
        for method in found.methods:
            self._handlers.add(
                namespace,
                service,
                method.name,
                self._backends.handler(method, address),
                decode=False,
            )
        self._store.declare(service_record(namespace, found.descriptor))
        return tuple(method.name for method in found.methods)

    def set_registry_validator(self, validator: RegistryValidator | None) -> None:
        """Has this validator asked before a method is executed; None asks nobody (SRV-006)."""
        self._dispatcher.validator = validator

    # Running

    async def start(self) -> None:
        """Binds, attaches every service, and returns once the wiring is proven.

        Raises `BindError` when it cannot listen, and `NotReady` when the registry cannot be asked
        within the limit; then nothing is left running.
        """
        if self._server is not None:
            raise RuntimeError("a collector is started once")
        self._server = server = grpc.aio.server(
            interceptors=(
                *self._interceptors,
                *(() if self._observation is None else self._observation.interceptors),
                self._guard,
                *self._access,
            ),
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._settings.max_message_bytes),
            ),
        )
        self._attach(server)
        try:
            credentials = None if self._gate is None else self._gate.server_credentials()
            self._address = bind(server, parse_listen(self._settings.listen), credentials)
            await self._store.open(self._store_changed)
            await server.start()
            await self._add_backends()
            await self._prove_wiring()
            if self._observation is not None:
                self._observation.open(self._numbers)
            await self._health.set(serving=self._writable)
        except BaseException:
            await self.kill()
            raise
        self._guard.counts.clear()
        self._connections.open((self._settings.advertise or self._address, self._address))
        await self._join()
        if self._settings.validation:
            self._watching = asyncio.create_task(self._links[-1].watch(self._tell_health))
        if self._settings.health_interval:
            self._looking = asyncio.create_task(self._loopback_health().run(self._tell_absent))

    async def stop(self, grace: timedelta | None = None) -> None:
        """Stops gracefully: refuses new calls, lets those in flight end within the grace (OPS-003).

        `grace` defaults to the settings'. When it is over, what still runs is cancelled.
        """
        seconds = (self._settings.grace if grace is None else grace).total_seconds()
        if self._server is not None and not self._stopped.is_set():
            begun = asyncio.get_running_loop().time()
            window = min(self._settings.refusal_window.total_seconds(), seconds)
            await self._health.set(serving=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(window):
                    await self._connections.leave()
            self._guard.draining = True
            seconds = max(seconds - window - (asyncio.get_running_loop().time() - begun), 0)
            try:
                async with asyncio.timeout(window):
                    await self._stopped.wait()
            except TimeoutError:
                pass
        await self._shut(seconds or None)

    async def kill(self) -> None:
        """Stops at once: calls in flight are cancelled."""
        await self.disconnect()
        await self._shut(_HANG_UP)

    async def disconnect(self) -> None:
        """Closes every connection that it made, its own loopback's too; it cannot route any more.

        Collectors of one process that all do this before they stop are spared a line of gRPC's
        on standard error for each connection that a stopping server cuts.
        """
        for task in (self._watching, self._looking):
            if task is not None:
                task.cancel()
        await asyncio.gather(self._connections.close(), *(link.close() for link in self._links))

    async def _shut(self, seconds: float | None) -> None:
        self._stopped.set()
        for task in (self._watching, self._looking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._meeting is not None:
            await self._meeting.leave()
        if self._server is not None:
            await self._server.stop(seconds)
        await asyncio.gather(self._connections.close(), *(link.close() for link in self._links))
        if self._backends is not None:
            await self._backends.close()
        if self._observation is not None:
            await self._observation.close()
        await self._store.close()
        self._workers.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # Peers

    async def connect_to(
        self,
        address: str,
        namespaces: Sequence[str] | None = None,
        *,
        dialect: Dialect | None = None,
        advertise: str | None = None,
    ) -> ConnectResponse:
        """Connects to the collector at the address, and keeps the connection up (S1).

        `namespaces` are what it is told, the collector's own when None; `dialect` is how it
        writes ConnectRequest, as the settings say when None; `advertise` is the address that
        this peer dials back, the collector's own when None. Raises `PeerUnreachable` or
        `PeerRefused`.
        """
        return await self._connections.connect_to(
            address, namespaces, dialect=dialect, advertise=advertise
        )

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that it shares with its peers now."""
        return self._connections.namespaces

    async def set_namespaces(self, namespaces: Iterable[str]) -> None:
        """Shares these namespaces with its peers from now on, and tells all of them.

        What is not among them any more is not routed to a peer from this moment on, nor, once a
        peer has heard of it, by that peer to here; its handlers stay. Returns when everybody who
        can be reached has heard; the others hear as soon as they can be. Raises `SettingsError`
        for a namespace without a name.
        """
        wanted = tuple(namespaces)
        if "" in wanted:
            raise SettingsError("namespaces", "a namespace needs a name")
        await self._connections.set_namespaces(wanted)
        if self._meeting is not None:
            await self._meeting.announce(self._settings.advertise or self._address, wanted)

    async def add_namespaces(self, *namespaces: str) -> None:
        """Shares these namespaces too; see `set_namespaces`."""
        await self.set_namespaces((*self.namespaces, *namespaces))

    async def remove_namespaces(self, *namespaces: str) -> None:
        """Shares these namespaces no more; see `set_namespaces`."""
        await self.set_namespaces(name for name in self.namespaces if name not in namespaces)

    def connections(self) -> tuple[Connection, ...]:
        """Returns every connection as it is now."""
        return self._connections.snapshot()

    # For tests

    def statistics(self) -> Statistics:
        """Returns what was counted since the collector became ready."""
        return Statistics(
            rpcs=dict(self._guard.counts),
            loopback_calls=sum(link.calls for link in self._links),
            executions=self._handlers.executions(),
        )

    def checkpoint(self) -> object:
        """Returns the present state, as a value that `restore` takes."""
        return _Checkpoint(
            records=self._store.checkpoint(),
            handlers=self._handlers.checkpoint(),
            connections=self._connections.checkpoint(),
            validator=self._dispatcher.validator,
            rpcs=dict(self._guard.counts),
            loopback_calls=self.statistics().loopback_calls,
        )

    async def restore(self, checkpoint: object) -> None:
        """Goes back to the state of the checkpoint, without stopping.

        Registry records, handlers, connections, the validator and the counts are as they were;
        implementations given as classes are made anew, believed answers are forgotten, and the
        probe has counted nothing.
        """
        assert isinstance(checkpoint, _Checkpoint)
        self._store.restore(checkpoint.records)
        self._handlers.restore(checkpoint.handlers)
        self._connections.restore(checkpoint.connections)
        self._dispatcher.validator = checkpoint.validator
        if isinstance(checkpoint.validator, CachedValidator):
            checkpoint.validator.forget()
        if self._probe:
            self._probe.reset()
        self._guard.counts.clear()
        self._guard.counts.update(checkpoint.rpcs)
        for link in self._links:
            link.reset_calls(0)
        self._links[-1].reset_calls(checkpoint.loopback_calls)

    # Inside

    def _declare_own_services(self) -> None:
        system = self._settings.system_namespace
        descriptors = service_descriptors()
        for service in self._services:
            if service == PORT:
                continue
            self._store.declare(service_record(system, descriptors[service]))
        if self._probe is not None:
            declare_methods(self._store, system, PORT, self._probe.registered_on_port)
            for namespace in dict.fromkeys(self._settings.probe):
                for method, handler in self._probe.handlers.items():
                    self._handlers.add(namespace, PROBE, method, handler, decode=False)
                declare_methods(self._store, namespace, PROBE, self._probe.declared)

    @property
    def _access(self) -> tuple[grpc.aio.ServerInterceptor, ...]:
        guard = None if self._gate is None else self._gate.guard
        return () if guard is None else (guard,)

    def _attach_dispatcher(self, server: grpc.aio.Server) -> None:
        if self._settings.dialect is Dialect.NATIVE:
            dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(self._dispatcher, server)
            return
        connect = {
            "Connect": grpc.unary_unary_rpc_method_handler(
                self._dispatcher.Connect,
                request_deserializer=self._settings.dialect.read,
                response_serializer=ConnectResponse.SerializeToString,
            )
        }
        # Older grpcio asks generic handlers alone, the first one first; newer asks registered
        # methods before them, the last one wins. So it stands on both sides of the generated one.
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(DISPATCHER, connect),)
        )
        dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(self._dispatcher, server)
        server.add_registered_method_handlers(DISPATCHER, connect)

    def _attach(self, server: grpc.aio.Server) -> None:
        self._attach_dispatcher(server)
        registry_pb2_grpc.add_CollectorRegistryServicer_to_server(
            RegistryService(
                self._store,
                # Where callers are known, who may write there is the policy's to say.
                system_namespace="" if self._access else self._settings.system_namespace,
                max_message_bytes=self._settings.max_message_bytes,
            ),
            server,
        )
        self._health.add_to(server)
        if ADMIN in self._services:
            self._add_admin(server)
        if REFLECTION in self._services:
            add_reflection(server, self._services)
        if self._probe is not None:
            self._probe.add_to(server)

    def _add_admin(self, server: grpc.aio.Server) -> None:
        from collector_reference.admin import AdminService, AdminView
        from collector_reference.wire import admin_pb2_grpc

        view = AdminView(
            collector_id=self.collector_id,
            namespaces=lambda: self.namespaces,
            connections=self.connections,
            handlers=self._handlers.runs,
            rpcs=lambda: self._guard.counts,
            loopback_calls=lambda: self.statistics().loopback_calls,
        )
        tls = self._settings.tls
        asks = self._settings.tokens is not None or (tls is not None and tls.client_auth)
        admin_pb2_grpc.add_CollectorAdminServicer_to_server(
            AdminService(view, everybody=asks), server
        )

    async def _add_backends(self) -> None:
        await asyncio.gather(
            *(
                self.add_backend(each.namespace, each.service, each.address)
                for each in self._settings.backends
            )
        )

    def _numbers(self) -> Numbers:
        from collector_reference.observability.metrics import Numbers

        connections = self.connections()
        validator = self._dispatcher.validator
        return Numbers(
            connections=len(connections),
            established=sum(each.established for each in connections),
            validations={
                "asked": sum(link.calls for link in self._links),
                "cached": validator.hits if isinstance(validator, CachedValidator) else 0,
            },
            executions={key: runs for key, runs in self._handlers.runs().items() if runs},
        )

    def _loopback_health(self) -> LoopbackHealth:
        return LoopbackHealth(
            self._links[0].channel,
            self._services,
            every=self._settings.health_interval.total_seconds(),
            limit=self._settings.connect_limit.total_seconds(),
            metadata=(*self._loopback_header, LOOK),
            uncount=self._guard.uncount,
        )

    async def _prove_wiring(self) -> None:
        own = self._link(self._address, remote=False)
        self._links = (own,)
        remote_address = self._settings.registry_address
        if self._settings.validation and remote_address is not None:
            self._links = (own, self._link(remote_address, remote=True))
        own_namespace = self._settings.system_namespace
        records = [record for record in self._store.declared() if record.namespace != own_namespace]
        limit = self._settings.ready_limit
        for link in self._links:
            await link.until_proven(records, limit=limit)
        if self._settings.validation and self._dispatcher.validator is None:
            self._dispatcher.validator = self._links[-1].validator(
                life=self._settings.validation_cache, generation=lambda: self._store.generation
            )

    def _link(self, address: str, *, remote: bool) -> RegistryLink:
        return RegistryLink(
            dial(
                address,
                max_message_bytes=self._settings.max_message_bytes,
                outgoing=self._outgoing,
                own_port=not remote,
            ),
            address=address,
            remote=remote,
            witness=(self._settings.system_namespace, REGISTRY, "ValidateMethod"),
            limit=self._settings.connect_limit,
            metadata=() if remote else self._loopback_header,
            asker=_ASKERS[self._settings.validator],
            explain=functools.partial(
                why_unreachable, address, outgoing=self._outgoing, seconds=1.0
            ),
        )

    async def _join(self) -> None:
        """Becomes a member where that is asked for; raises `NotReady`."""
        choice = self._settings.membership
        if choice is None:
            return
        from collector_reference.membership.meeting import Meeting

        self._meeting = Meeting(
            choice,
            own_id=self.collector_id,
            limit=self._settings.ready_limit,
            connect=self._connections.connect_to,
            forget=self._connections.forget,
        )
        try:
            await self._meeting.join(
                self._settings.advertise or self._address, self._settings.namespaces
            )
        except BaseException:
            await self.kill()
            raise

    async def _tell_health(self, serving: bool) -> None:
        self._answering = serving
        await self._say_health()

    async def _tell_absent(self, absent: frozenset[str]) -> None:
        self._absent = absent
        await self._say_health()

    async def _say_health(self) -> None:
        if not self._guard.draining:
            await self._health.set(serving=self._answering and self._writable, absent=self._absent)

    def _store_changed(self, writable: bool) -> None:
        self._writable = writable
        telling = asyncio.create_task(self._tell_health(self._answering))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)


def _observation(
    settings: CollectorSettings, loopback_token: str, tracer_provider: Any
) -> Observation | None:
    """Returns what tells of calls; None, and nothing imported, where nothing is asked for."""
    if tracer_provider is None and (settings.call_log, settings.metrics, settings.tracing) == (
        (None,) * 3
    ):
        return None
    from collector_reference.observability.observation import Observation

    return Observation(settings, loopback_token=loopback_token, tracer_provider=tracer_provider)


def _gate(settings: CollectorSettings, loopback_token: str) -> Gate | None:
    """Returns the collector's security; None, and nothing imported, where none is asked for."""
    if (settings.tls, settings.tokens, settings.own_token, settings.policy) == (None,) * 4:
        return None
    from collector_reference.security.gate import Gate

    return Gate(settings, loopback_token=loopback_token)
