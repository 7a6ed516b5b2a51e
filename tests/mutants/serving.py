"""Collectors that each get one thing wrong when they serve a call."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf.any_pb2 import Any
from google.protobuf.empty_pb2 import Empty

from collector_reference.dispatch import routing
from collector_reference.dispatch.handlers import HandlerContext, HandlerTable
from collector_reference.dispatch.routing import Failure
from collector_reference.dispatch.service import DispatcherService
from collector_reference.wire.common_pb2 import Status


class Concierge(DispatcherService):
    """Takes a namespace that it does not have for one that is closed."""

    async def Serve(self, request, context):
        response = await super().Serve(request, context)
        if (
            response.status.code == Status.HTTP_NOT_FOUND
            and request.namespace not in self._connections.namespaces
        ):
            response.status.code = Status.HTTP_FORBIDDEN
        return response


class HeadStart(DispatcherService):
    """Runs a method while it asks whether it may."""

    async def Serve(self, request, context):
        names = request.namespace, request.service.service_name, request.method_name
        response = await super().Serve(request, context)
        handler = self._handlers.find(*names)
        if response.status.code == Status.HTTP_NOT_FOUND and handler is not None:
            payload = request.input if request.HasField("input") else None
            await self._handlers.run(
                handler, payload, HandlerContext(self._id, *names, {}, context)
            )
        return response


class OneExcuse(DispatcherService):
    """Has the same words for whatever it cannot find."""

    def _no_handler(self, namespace, service, method):
        return Failure(
            routing.NOT_FOUND,
            f"service not registered in registry: {namespace}/{service}.{method}",
        )


class TightLipped(DispatcherService):
    """Does not tell what went wrong in a handler."""

    async def _execute(self, *request):
        output, failure = await super()._execute(*request)
        if failure is not None and failure.message.startswith("handler error: "):
            failure = replace(failure, message="handler error")
        return output, failure


class GiftWrapper(HandlerTable):
    """Packs up also what is nothing."""

    async def run(self, handler, payload, context):
        output, error = await super().run(handler, payload, context)
        if error is None and output is None and payload is not None:
            output = Any()
            output.Pack(Empty())
        return output, error


class FirstNameBasis(HandlerTable):
    """Knows handlers by their methods."""

    def find(self, namespace, service, method):
        found = super().find(namespace, service, method)
        if found is None:
            for key in self.runs():
                if (key[0], key[2]) == (namespace, method):
                    return super().find(*key)
        return found


class Joiner(HandlerTable):
    """Knows handlers by the text of service, dot and method."""

    def find(self, namespace, service, method):
        found = super().find(namespace, service, method)
        if found is None:
            for key in self.runs():
                if (key[0], f"{key[1]}.{key[2]}") == (namespace, f"{service}.{method}"):
                    return super().find(*key)
        return found


class HungryEcho(HandlerTable):
    """Unpacks the input of an Echo without looking whether there is one."""

    async def run(self, handler, payload, context):
        if payload is None and context.method == "Echo":
            return None, "internal error"
        return await super().run(handler, payload, context)


class Unsigned(DispatcherService):
    """Signs only what it is proud of."""

    async def Serve(self, request, context):
        response = await super().Serve(request, context)
        if response.status.code != Status.HTTP_OK:
            response.executor_id = ""
        return response


class HalfBlind(DispatcherService):
    """Looks for a contradiction when it serves, and not when it dispatches."""

    async def Dispatch(self, request, context):
        request.service.ClearField("namespace")
        return await super().Dispatch(request, context)
