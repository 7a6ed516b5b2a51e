"""Handler tables that tell callers all that would help their author."""

from __future__ import annotations

import sys
import traceback

from collector_reference.dispatch.handlers import HandlerTable


class Chatterbox(HandlerTable):
    """Sends the stack along with the failure."""

    async def run(self, handler, payload, context):
        output, error = await super().run(handler, payload, context)
        if error == "internal error":
            error = "internal error\n" + "".join(traceback.format_stack(limit=3))
        return output, error


class SignPost(HandlerTable):
    """Says in which program the failure was."""

    async def run(self, handler, payload, context):
        output, error = await super().run(handler, payload, context)
        if error == "internal error":
            error = f"internal error in {sys.argv[0]}"
        return output, error
