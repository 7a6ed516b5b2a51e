"""A collector with too few places: a served call keeps one while it waits for another."""

from __future__ import annotations

import asyncio

from collector_reference.dispatch.service import DispatcherService
from collector_reference.registry.service import RegistryService

PLACES = asyncio.Semaphore(8)


class PatientDispatcher(DispatcherService):
    """Keeps a place for the whole of a call."""

    async def Serve(self, request, context):
        async with PLACES:
            return await super().Serve(request, context)


class PatientRegistry(RegistryService):
    """Waits for a place, which the call that asks may be keeping."""

    async def ValidateMethod(self, request, context):
        async with PLACES:
            return await super().ValidateMethod(request, context)
