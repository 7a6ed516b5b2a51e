"""`USER_SERVICE_URL=... ORDER_SERVICE_URL=... JWT_SECRET=... python -m commerce_system.gateway`."""

import sys

from commerce_system.gateway.server import gateway_server
from commerce_system.shared.process import run

sys.exit(
    run(
        "gateway",
        gateway_server,
        takes=(
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
        ),
    )
)
