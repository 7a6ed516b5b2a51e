"""The collector: one server on one port, from binding to the last call.

It puts the pieces together; what they do is elsewhere: `registration` for handlers, `own_services`
for the port, `wiring` for the registry, `optional_parts` for what is off unless asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio

from collector_reference.addresses import parse_listen
from collector_reference.binding import bind
from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.dialects import Dialect
from collector_reference.dispatch.handlers import HandlerTable
from collector_reference.dispatch.peers import Connection
from collector_reference.dispatch.service import DispatcherService
from collector_reference.dispatch.workers import Workers
from collector_reference.errors import SettingsError
from collector_reference.introspection import Health
from collector_reference.optional_parts import add_admin, make_gate, make_meeting, make_observation
from collector_reference.own_services import attach, declare, own_services
from collector_reference.probe import Probe
from collector_reference.registration import Registration
from collector_reference.registry.choice import make_store
from collector_reference.registry.service import RegistryService
from collector_reference.registry.store import RegistryStore
from collector_reference.settings import CollectorSettings
from collector_reference.snapshots import CollectorCheckpoint, Statistics
from collector_reference.validation.interceptor import PortGuard
from collector_reference.validation.validators import CachedValidator, RegistryValidator
from collector_reference.wire.dispatcher_pb2 import ConnectResponse
from collector_reference.wiring import Wiring

if TYPE_CHECKING:
    from collector_reference.admin import AdminView
    from collector_reference.membership.meeting import Meeting
    from collector_reference.observability.metrics import Numbers

__all__ = ["Collector", "Statistics"]

_HANG_UP = 0.02
"""Seconds that a killed collector gives its peers to hang up. One that cuts them off without
makes gRPC write a line to standard error for each."""


class Collector(Registration):
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
        store = (
            make_store(settings.registry, limit=settings.ready_limit) if store is None else store
        )
        self._workers = Workers(settings.worker_threads, name=settings.collector_id)
        super().__init__(settings, store=store, handlers=HandlerTable(self._workers))
        self._interceptors = tuple(interceptors)
        token = uuid.uuid4().hex
        self._gate = make_gate(settings, loopback_token=token)
        outgoing = None if self._gate is None else self._gate.outgoing
        self._access = None if self._gate is None else self._gate.guard
        self._connections = Connections(settings, outgoing=outgoing)
        self._dispatcher = DispatcherService(
            settings, handlers=self._handlers, connections=self._connections
        )
        self._registry = RegistryService(
            store,
            # Where callers are known, who may write there is the policy's to say.
            system_namespace="" if self._access else settings.system_namespace,
            max_message_bytes=settings.max_message_bytes,
        )
        self._observation = make_observation(
            settings, loopback_token=token, tracer_provider=tracer_provider
        )
        self._guard = PortGuard(
            store,
            system_namespace=settings.system_namespace,
            guarding=settings.validation,
            loopback_token=token,
        )
        self._probe = Probe(settings.collector_id) if settings.probe else None
        self._health = Health(own_services(settings))
        declare(settings, store, self._handlers, self._probe)
        self._wiring = Wiring(
            settings,
            store=store,
            dispatcher=self._dispatcher,
            guard=self._guard,
            health=self._health,
            loopback_token=token,
            outgoing=outgoing,
        )
        self._server: grpc.aio.Server | None = None
        self._address = ""
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
                *(() if self._access is None else (self._access,)),
            ),
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._settings.max_message_bytes),
            ),
        )
        attach(
            server,
            self._settings,
            dispatcher=self._dispatcher,
            registry=self._registry,
            health=self._health,
            probe=self._probe,
        )
        add_admin(server, self._settings, self._admin_view)
        try:
            credentials = None if self._gate is None else self._gate.server_credentials()
            self._address = bind(server, parse_listen(self._settings.listen), credentials)
            await self._store.open(self._wiring.store_changed)
            await server.start()
            await self._add_backends()
            await self._wiring.prove(self._address)
            if self._observation is not None:
                self._observation.open(self._numbers)
            await self._wiring.say_health()
            self._guard.counts.clear()
            self._connections.open((self._advertised, self._address))
            self._wiring.watch()
            self._meeting = make_meeting(self._settings, self._connections)
            if self._meeting is not None:
                await self._meeting.join(self._advertised, self._settings.namespaces)
        except BaseException:
            await self.kill()
            raise

    async def stop(self, grace: timedelta | None = None) -> None:
        """Stops gracefully: refuses new calls, lets those in flight end within the grace (OPS-003).

        `grace` defaults to the settings'. When it is over, what still runs is cancelled.
        """
        seconds = (self._settings.grace if grace is None else grace).total_seconds()
        try:
            if self._server is not None and not self._stopped.is_set():
                seconds = await self._drain(seconds)
        except BaseException:
            await self._shut(_HANG_UP)
            raise
        await self._shut(seconds or None)

    async def _drain(self, seconds: float) -> float:
        """Refuses new calls for a while, and returns how much of the grace is left then."""
        begun = asyncio.get_running_loop().time()
        window = min(self._settings.refusal_window.total_seconds(), seconds)
        await self._health.set(serving=False)
        # Who has forgotten a member would take what it then tells for a new connection.
        await _within(window / 2, self._connections.leave())
        if self._meeting is not None:
            await _within(window / 2, self._meeting.leave())
        self._guard.draining = True
        seconds = max(seconds - window - (asyncio.get_running_loop().time() - begun), 0)
        await _within(window, self._stopped.wait())
        return seconds

    async def kill(self) -> None:
        """Stops at once: calls in flight are cancelled."""
        try:
            await self.disconnect()
        finally:
            await self._shut(_HANG_UP)

    async def disconnect(self) -> None:
        """Closes every connection that it made, its own loopback's too; it cannot route any more.

        Collectors of one process that all do this before they stop are spared a line of gRPC's on
        standard error for each connection that is cut.
        """
        await asyncio.gather(self._connections.close(), self._wiring.close())

    async def _shut(self, seconds: float | None) -> None:
        self._stopped.set()
        # The last one first, and all of them, whatever one raises: gRPC's server above all must
        # never be left to the garbage collector.
        async with contextlib.AsyncExitStack() as steps:
            steps.callback(self._workers.close)
            for part in (self._store, self._observation, self._backends):
                if part is not None:
                    steps.push_async_callback(part.close)
            steps.push_async_callback(self.disconnect)
            if self._server is not None:
                steps.push_async_callback(self._server.stop, seconds)
            if self._meeting is not None:
                steps.push_async_callback(self._meeting.leave)
            steps.push_async_callback(self._wiring.rest)

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

        Others are not routed to a peer any more, nor, once a peer has heard of it, from there to
        here; handlers stay. Returns when everybody who can be reached has heard; the others hear
        later. Raises `SettingsError` for a namespace without a name.
        """
        wanted = tuple(namespaces)
        if "" in wanted:
            raise SettingsError("namespaces", "a namespace needs a name")
        await self._connections.set_namespaces(wanted)
        if self._meeting is not None:
            await self._meeting.announce(self._advertised, wanted)

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
            loopback_calls=self._wiring.calls,
            executions=self._handlers.executions(),
        )

    def checkpoint(self) -> object:
        """Returns the present state, as a value that `restore` takes."""
        return CollectorCheckpoint(
            records=self._store.checkpoint(),
            handlers=self._handlers.checkpoint(),
            connections=self._connections.checkpoint(),
            validator=self._dispatcher.validator,
            rpcs=dict(self._guard.counts),
            loopback_calls=self._wiring.calls,
        )

    async def restore(self, checkpoint: object) -> None:
        """Goes back to the state of the checkpoint, without stopping.

        Registry records, handlers, connections, the validator and the counts are as they were;
        implementations given as classes are made anew, believed answers are forgotten, and the
        probe has counted nothing.
        """
        assert isinstance(checkpoint, CollectorCheckpoint)
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
        self._wiring.reset_calls(checkpoint.loopback_calls)

    # Inside

    @property
    def _advertised(self) -> str:
        return self._settings.advertise or self._address

    def _admin_view(self) -> AdminView:
        from collector_reference.admin import AdminView

        return AdminView(
            collector_id=self.collector_id,
            namespaces=lambda: self.namespaces,
            connections=self.connections,
            handlers=self._handlers.runs,
            rpcs=lambda: self._guard.counts,
            loopback_calls=lambda: self._wiring.calls,
        )

    def _numbers(self) -> Numbers:
        from collector_reference.observability.metrics import Numbers

        connections = self.connections()
        return Numbers(
            connections=len(connections),
            established=sum(each.established for each in connections),
            validations=self._wiring.validations(),
            executions={key: runs for key, runs in self._handlers.runs().items() if runs},
        )


async def _within(seconds: float, work: Awaitable[object]) -> None:
    """Waits until it is done, or the time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work
