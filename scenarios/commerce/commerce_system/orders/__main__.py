"""`USER_SERVICE_URL=host:50051 python -m commerce_system.orders --database sqlite:orders.db`."""

import sys

from commerce_system.orders.server import orders_server
from commerce_system.shared.process import run

sys.exit(
    run(
        "orders",
        orders_server,
        takes=(
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
        ),
    )
)
