"""Leaves the scenario out where nginx is missing, or what the shop is made of."""

import shutil
from importlib.util import find_spec

NEEDED = ("alembic", "fastapi", "grpc_tools", "httpx", "jwt", "simplejson", "sqlalchemy", "uvicorn")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

collect_ignore_glob = (
    [] if NGINX and all(find_spec(name) for name in NEEDED) else ["*.scenario.yaml"]
)
