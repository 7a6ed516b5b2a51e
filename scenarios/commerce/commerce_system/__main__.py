"""`python -m commerce_system`: the whole system at once, to be tried with curl.

`--database postgresql` runs a PostgreSQL for it; `sqlite:FOLDER` and `postgresql://...` keep
what is stored.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import jwt

from commerce_system.databases import made_databases
from commerce_system.gateway.tokens import AUDIENCE
from commerce_system.process import run
from commerce_system.settings import ServiceSettings
from commerce_system.system import whole_system

_TOLD = """\
users    {users}
orders   {orders}
gateway  http://{gateway}

curl -X POST http://{gateway}/users -H 'content-type: application/json' \\
  -d '{{"name": "John Doe", "email": "john@example.com"}}'
curl -X POST http://{gateway}/orders -H 'content-type: application/json' \\
  -d '{{"userId": 1, "items": [{{"productName": "Laptop", "quantity": 1, "price": 999.99}}]}}'
curl http://{gateway}/api/orders/1 -H 'authorization: Bearer {token}'
"""


@asynccontextmanager
async def _shown(settings: ServiceSettings) -> AsyncIterator[str]:
    secret = settings.jwt_secret or secrets.token_hex(32)
    claims = {"sub": "you", "aud": AUDIENCE, "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, secret, "HS256")
    with made_databases(settings.database) as databases:
        async with whole_system(replace(settings, jwt_secret=secret), databases) as addresses:
            print(
                _TOLD.format(
                    users=addresses.users,
                    orders=addresses.orders,
                    gateway=addresses.gateway,
                    token=token,
                )
            )
            yield addresses.gateway


if __name__ == "__main__":
    os.environ["DATABASE_URL"] = os.environ.get("DATABASE_URL") or "sqlite"
    sys.exit(
        asyncio.run(
            run(
                "gateway",
                _shown,
                takes=(
                    "listen",
                    "database",
                    "open-routes",
                    "limit",
                    "request-limit",
                    "breaker-failures",
                    "breaker-open",
                    "grace",
                    "tracing",
                    "without",
                ),
            )
        )
    )
