"""The two services as scenarios start them: each runs until it is told to end."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def auth(port: int) -> None:
    """The auth service. DATABASE_URL tells its database, TLS_CERT and others its certificate."""
    from identity_system.auth.__main__ import main

    sys.exit(main(["--listen", f"127.0.0.1:{port}"]))


async def user(port: int) -> None:
    """The user service. AUTH_SERVICE_ADDRESS tells where auth is, USER_PROTOCOL how it is asked."""
    from identity_system.user.__main__ import main

    sys.exit(await main(["--listen", f"127.0.0.1:{port}"]))
