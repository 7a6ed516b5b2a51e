"""`USER_SERVICE_URL=host:50051 python -m commerce_system.orders --database sqlite:orders.db`."""

import asyncio
import sys
from collections.abc import Sequence

from commerce_system.orders.server import orders_server
from commerce_system.process import run

__all__ = ["main"]


async def main(words: Sequence[str] | None = None) -> int:
    """Runs the service; `words` are its flags, by default those of the command line."""
    takes = (
        "listen",
        "database",
        "users",
        "register",
        "limit",
        "breaker-failures",
        "breaker-open",
        "grace",
        "tracing",
        "without",
    )
    return await run("orders", orders_server, takes=takes, words=words)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
