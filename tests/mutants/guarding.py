"""A guard of the port with a blind spot."""

from __future__ import annotations

from collector_reference.validation.interceptor import PortGuard


class SleepyDoorman(PortGuard):
    """Does not see streams."""

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is not None and handler.response_streaming:
            return handler

        async def again(_details):  # who asks twice is asked by fewer
            return handler

        return await super().intercept_service(again, handler_call_details)
