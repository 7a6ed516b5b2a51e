"""Clerks of the registry: services that read or answer requests a little wrong."""

from __future__ import annotations

import asyncio

import grpc

from collector_reference.registry.service import RegistryService
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.registry_pb2 import (
    LookupServiceResponse,
    RegisteredService,
    RegisterServiceResponse,
    ValidateMethodResponse,
)


class HalfFinished(RegistryService):
    """Has no room for protos yet."""

    async def RegisterProto(self, request, context):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "to do")


class Mumbler(RegistryService):
    """Says nothing where there is nothing."""

    async def LookupService(self, request, context):
        response = await super().LookupService(request, context)
        if response.status.code == Status.NOT_FOUND:
            return LookupServiceResponse()
        return response


class SoftSpoken(RegistryService):
    """Refuses without a gRPC error."""

    async def RegisterService(self, request, context):
        if self._store.service(request.namespace, request.service_descriptor.name):
            return RegisterServiceResponse(status=Status(code=Status.ALREADY_EXISTS))
        return await super().RegisterService(request, context)


class Godparent(RegistryService):
    """Finds a name for what has none."""

    async def RegisterProto(self, request, context):
        if not request.file_descriptor.name:
            request.file_descriptor.name = "unnamed.proto"
        return await super().RegisterProto(request, context)


class Namesake(RegistryService):
    """Takes the first who goes by a name."""

    async def LookupService(self, request, context):
        if self._store.service(request.namespace, request.service_name) is not None:
            for record in self._store.services(None):
                if record.service_name == request.service_name:
                    request.namespace = record.namespace
                    break
        return await super().LookupService(request, context)


class Simplifier(RegistryService):
    """Hands out what it thinks matters."""

    async def LookupService(self, request, context):
        copy = LookupServiceResponse()
        copy.CopyFrom(await super().LookupService(request, context))
        for method in copy.service.service_descriptor.method:
            method.ClearField("server_streaming")
        if not copy.service.id:
            copy.ClearField("service")
        return copy


class Sweeper(RegistryService):
    """Tidies what it is handed."""

    async def RegisterService(self, request, context):
        methods = request.service_descriptor.method
        kept = {method.name: method for method in reversed(methods) if method.name}
        tidy = [kept[name] for name in reversed(kept)]
        del methods[:]
        methods.extend(tidy)
        return await super().RegisterService(request, context)


class DeepDiver(RegistryService):
    """Counts what is inside of messages, too."""

    async def RegisterProto(self, request, context):
        response = await super().RegisterProto(request, context)
        for message in request.file_descriptor.message_type:
            response.registered_messages.extend(each.name for each in message.nested_type)
        return response


class EmptyEnvelope(RegistryService):
    """Hands out an empty record where there is none."""

    async def LookupService(self, request, context):
        response = await super().LookupService(request, context)
        if response.status.code == Status.NOT_FOUND:
            return LookupServiceResponse(status=response.status, service=RegisteredService())
        return response


class Gossip(RegistryService):
    """Tells what it has heard elsewhere."""

    async def LookupService(self, request, context):
        if self._store.service(request.namespace, request.service_name) is None:
            for record in self._store.services(None):
                if record.service_name == request.service_name:
                    request.namespace = record.namespace
                    break
        return await super().LookupService(request, context)


class Snob(RegistryService):
    """Knows only those of good family."""

    async def ValidateMethod(self, request, context):
        if "." in request.service_name:
            return await super().ValidateMethod(request, context)
        return ValidateMethodResponse(status=Status(code=Status.NOT_FOUND), message="who?")


class BlankCheque(RegistryService):
    """Lets the caller fill in the method."""

    async def ValidateMethod(self, request, context):
        if not request.method_name and self._store.service(request.namespace, request.service_name):
            return ValidateMethodResponse(status=Status(code=Status.OK), is_valid=True)
        return await super().ValidateMethod(request, context)


class CutShort(RegistryService):
    """Keeps long lists short, and to itself that it does."""

    async def ListServices(self, request, context):
        response = await super().ListServices(request, context)
        del response.services[20_000:]
        response.status.details.pop("truncated", None)
        return response


class SlowHand(RegistryService):
    """Looks first, and writes when it gets round to it."""

    async def RegisterService(self, request, context):
        if self._store.service(request.namespace, request.service_descriptor.name) is None:
            await asyncio.sleep(0.01)
            if self._store.service(request.namespace, request.service_descriptor.name):
                return RegisterServiceResponse(
                    status=Status(code=Status.OK),
                    service_id=f"{request.namespace}/{request.service_descriptor.name}",
                )
        return await super().RegisterService(request, context)
