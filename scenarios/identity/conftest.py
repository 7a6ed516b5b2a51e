"""Leaves the identity system's scenarios out where its libraries are missing: the oldest
dependencies that are promised are those of the harness, not of its samples.
"""

from importlib.util import find_spec

NEEDED = ("alembic", "argon2", "fastapi", "httpx", "jwt", "simplejson", "sqlalchemy", "uvicorn")

collect_ignore_glob = [] if all(find_spec(name) for name in NEEDED) else ["*.scenario.yaml"]
