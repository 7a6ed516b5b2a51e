"""Collectors that each get one thing wrong between their start and their end."""

from __future__ import annotations

import asyncio

import grpc

from collector_reference.introspection import Health
from collector_reference.server import Collector
from collector_reference.validation.interceptor import PortGuard

WARM = asyncio.Event()
WARMING_UP = 0.3


class Sunshine(Health):
    """Is always well."""

    async def set(self, *, serving, **others):
        del serving
        await super().set(serving=True, **others)


class SlowWaker(Health):
    """Says that it is ready while it is still getting up."""

    def __init__(self, services):
        super().__init__(services)
        self._warming = None

    async def set(self, *, serving, **others):
        if not serving or WARM.is_set():
            await super().set(serving=serving, **others)
            return
        # Health tells the truth.
        await super().set(serving=False, **others)
        if serving and self._warming is None:
            self._warming = asyncio.create_task(self._get_up(others))

    async def _get_up(self, others):
        await asyncio.sleep(WARMING_UP)
        WARM.set()
        await super().set(serving=True, **others)


class SlowOpener(PortGuard):
    """Has nobody at the counter yet, but for those who ask how it is."""

    async def intercept_service(self, continuation, handler_call_details):
        health = handler_call_details.method.startswith("/grpc.health.v1.")
        if WARM.is_set() or health or self._is_own(handler_call_details):
            return await super().intercept_service(continuation, handler_call_details)

        async def refuse(_requests, context):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "getting up")

        return grpc.stream_stream_rpc_method_handler(refuse)


class DoorSlammer(Collector):
    """Leaves at once when it is asked to go."""

    async def stop(self, grace=None):
        del grace
        await self.kill()
