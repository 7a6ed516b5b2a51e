"""Guards of the port that open the wrong doors, or take what is said at them the wrong way."""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError

from collector_reference.validation.interceptor import PortGuard


class NextDoor(PortGuard):
    """Lets in who is registered anywhere."""

    def _is_open(self, path):
        service, _, method = path.removeprefix("/").rpartition("/")
        return any(
            record.service_name == service and method in record.methods
            for record in self._store.services(None)
        )


class VaguePorter(PortGuard):
    """Has not found what there never was."""

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is not None:

            async def again(_details):  # who asks twice is asked by fewer
                return handler

            return await super().intercept_service(again, handler_call_details)

        async def refuse(_requests, context):
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such method")

        return grpc.stream_stream_rpc_method_handler(refuse)


class _Reader(PortGuard):
    def _unreadable(self, path, error, empty):
        raise NotImplementedError

    async def intercept_service(self, continuation, handler_call_details):
        path = handler_call_details.method

        async def continued(details):
            handler = await continuation(details)
            if handler is None or not path.startswith("/collector."):
                return handler
            read = handler.request_deserializer

            def reading(data):
                try:
                    return read(data)
                except DecodeError as error:
                    return self._unreadable(path, error, lambda: read(b""))

            return handler._replace(request_deserializer=reading)

        return await super().intercept_service(continued, handler_call_details)


class Sulker(_Reader):
    """Talks to nobody after an insult."""

    def _unreadable(self, path, error, empty):
        self.draining = True
        raise error


class Guesser(_Reader):
    """Reads nothing into what it cannot read."""

    def _unreadable(self, path, error, empty):
        return empty()
