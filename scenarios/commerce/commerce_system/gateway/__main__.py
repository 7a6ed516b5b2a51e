"""`USER_SERVICE_URL=... ORDER_SERVICE_URL=... JWT_SECRET=... python -m commerce_system.gateway`."""

import asyncio
import sys
from collections.abc import Sequence

from commerce_system.gateway.server import gateway_server
from commerce_system.process import run

__all__ = ["main"]


async def main(words: Sequence[str] | None = None) -> int:
    """Runs the service; `words` are its flags, by default those of the command line."""
    takes = (
        "listen",
        "users",
        "orders",
        "open-routes",
        "limit",
        "request-limit",
        "breaker-failures",
        "breaker-open",
        "grace",
        "tracing",
        "without",
    )
    return await run("gateway", gateway_server, takes=takes, words=words)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
