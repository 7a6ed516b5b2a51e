"""A handler table that cannot take a blow."""

from __future__ import annotations

import os

from collector_reference.dispatch.handlers import HandlerTable


class GlassJaw(HandlerTable):
    """Lets what no handler should raise end the process."""

    async def run(self, handler, payload, context):
        output, error = await super().run(handler, payload, context)
        if error == "internal error":
            os._exit(70)
        return output, error
