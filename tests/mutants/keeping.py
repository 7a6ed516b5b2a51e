"""A store that gets one thing wrong when it is opened."""

from __future__ import annotations

from collector_reference.registry.sqlite import SqliteStore


class Goldfish(SqliteStore):
    """Begins with a clean sheet each time."""

    def __init__(self, path):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        super().__init__(path)
