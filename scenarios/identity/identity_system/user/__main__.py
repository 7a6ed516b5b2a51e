"""`AUTH_SERVICE_ADDRESS=localhost:50051 python -m identity_system.user --listen 127.0.0.1:8000`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from identity_system.user.server import user_server
from identity_system.user.settings import parse
from shared_system.process import run_process

__all__ = ["main"]


async def main(words: Sequence[str] | None = None) -> int:
    """Runs the service; `words` are its flags, by default those of the command line."""
    settings = parse(sys.argv[1:] if words is None else words, os.environ)
    return await run_process("user", user_server(settings), spans=settings.tracing, gracefully=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
