"""`python -m commerce_system.users --database sqlite:users.db --listen 127.0.0.1:50051`."""

import asyncio
import sys
from collections.abc import Sequence

from commerce_system.process import run
from commerce_system.users.server import users_server

__all__ = ["main"]


async def main(words: Sequence[str] | None = None) -> int:
    """Runs the service; `words` are its flags, by default those of the command line."""
    takes = ("listen", "database", "register", "grace", "tracing", "without")
    return await run("users", users_server, takes=takes, words=words)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
