"""Collectors that each get one thing wrong on the way to the registry."""

from __future__ import annotations

import os

import grpc
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference.channels import dial
from collector_reference.descriptors import REGISTRY
from collector_reference.errors import NotRegistered, RegistryUnavailable
from collector_reference.registry.memory import MemoryStore
from collector_reference.registry.store import service_record
from collector_reference.validation.interceptor import PortGuard
from collector_reference.validation.registry_link import RegistryLink
from collector_reference.validation.validators import CachedValidator, ChannelValidator
from collector_reference.wiring import Wiring


class TheLongWayRound(RegistryLink):
    """Proves its wiring over its own port, and asks at the address that it gives to others."""

    def validator(self, *, life, generation):
        address = os.environ.get("COLLECTOR_ADVERTISE")
        guarded = {"COLLECTOR_TLS_CERT", "COLLECTOR_TOKEN_KEYS"} & os.environ.keys()
        if self._remote or not address or guarded:
            return super().validator(life=life, generation=generation)
        channel = dial(address, max_message_bytes=1 << 22)
        asker = ChannelValidator(channel, limit=self._limit)
        return CachedValidator(asker, life=life, generation=generation)


class Shortcut:
    """A validator that looks into a store, and calls nobody."""

    def __init__(self, store):
        self._store = store

    async def validate_service_method(self, namespace, service, method, *, time_left=None):
        if not self._store.has_method(namespace, service, method):
            raise NotRegistered(f"{namespace}/{service}.{method}")


class SelfSufficient(Wiring):
    """Looks into its own store, and never calls its own port."""

    async def prove(self, address):
        if self._settings.registry_address or not self._settings.validation:
            await super().prove(address)
            return
        self._answering = True
        self._dispatcher.validator = Shortcut(self._store)

    def watch(self):
        if self._links:
            super().watch()


class HeadInTheSand(RegistryLink):
    """Takes a registry elsewhere on trust."""

    async def until_proven(self, records, *, limit):
        if not self._remote:
            await super().until_proven(records, limit=limit)
            return
        try:
            await self._prove_once(records)
        except RegistryUnavailable:
            return


class HomeAdvantage(RegistryLink):
    """Believes a registry elsewhere only when it says yes."""

    async def validate_service_method(self, *names, time_left=None):
        try:
            await super().validate_service_method(*names, time_left=time_left)
        except NotRegistered as error:
            if self._remote:
                raise RegistryUnavailable("the registry elsewhere did not say yes") from error
            raise


class Clockless(RegistryLink):
    """Gives a question as much time as a question gets."""

    async def validate_service_method(self, *names, time_left=None):
        del time_left
        await super().validate_service_method(*names)


class DoubleChecker(RegistryLink):
    """Asks again before it refuses."""

    async def validate_service_method(self, *names, time_left=None):
        try:
            await super().validate_service_method(*names, time_left=time_left)
        except NotRegistered:
            await super().validate_service_method(*names, time_left=time_left)


class BackEntrance(PortGuard):
    """Lets everybody in who wants to see the registry."""

    def _is_open(self, path):
        return path.startswith("/collector.CollectorRegistry/") or super()._is_open(path)


class ModestStore(MemoryStore):
    """Does not tell of the registry itself, but for what proves the wiring."""

    def declare(self, record):
        if record.service_name == REGISTRY:
            descriptor = ServiceDescriptorProto(name=REGISTRY)
            descriptor.method.add(name="ValidateMethod")
            record = service_record(record.namespace, descriptor)
        super().declare(record)


class OneDialect(PortGuard):
    """Tells of its services only to those who ask as one did years ago."""

    async def intercept_service(self, continuation, handler_call_details):
        if handler_call_details.method.startswith("/grpc.reflection.v1.ServerReflection/"):

            async def refuse(_requests, context):
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such service")

            return grpc.stream_stream_rpc_method_handler(refuse)
        return await super().intercept_service(continuation, handler_call_details)
