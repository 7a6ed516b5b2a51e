"""The services of the shop as scenarios start them: each runs until it is told to end."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


async def users(port: int) -> None:
    """The users service. DATABASE_URL tells its database."""
    from commerce_system.users.__main__ import main

    sys.exit(await main(["--listen", f"127.0.0.1:{port}"]))


async def orders(port: int) -> None:
    """The orders service. USER_SERVICE_URL tells where the users are."""
    from commerce_system.orders.__main__ import main

    sys.exit(await main(["--listen", f"127.0.0.1:{port}"]))


async def gateway(port: int) -> None:
    """The gateway. USER_SERVICE_URL and ORDER_SERVICE_URL tell where the services are."""
    from commerce_system.gateway.__main__ import main

    sys.exit(await main(["--listen", f"127.0.0.1:{port}"]))
