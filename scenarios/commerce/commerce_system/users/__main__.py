"""`python -m commerce_system.users --database sqlite:users.db --listen 127.0.0.1:50051`."""

import sys

from commerce_system.shared.process import run
from commerce_system.users.server import users_server

sys.exit(
    run(
        "users",
        users_server,
        takes=("listen", "database", "register", "grace", "tracing", "without"),
    )
)
