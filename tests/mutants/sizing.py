"""Settings that take the limit of messages for something else."""

from __future__ import annotations

from collector_reference.settings import CollectorSettings


class Bottomless(CollectorSettings):
    """Takes messages of any size."""

    def __post_init__(self):
        CollectorSettings.__post_init__(self)
        object.__setattr__(self, "max_message_bytes", 512 * 1024 * 1024)


class Narrow(CollectorSettings):
    """Takes four megabytes for four million bytes."""

    def __post_init__(self):
        CollectorSettings.__post_init__(self)
        object.__setattr__(self, "max_message_bytes", 4_000_000)


class Endless(CollectorSettings):
    """Has room for whoever wants to connect."""

    def __post_init__(self):
        CollectorSettings.__post_init__(self)
        object.__setattr__(self, "max_connections", 1_000_000)
