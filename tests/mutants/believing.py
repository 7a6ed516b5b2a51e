"""Validators that believe too much, too long, or the wrong thing."""

from __future__ import annotations

from datetime import timedelta

from collector_reference.errors import NotRegistered, RegistryUnavailable
from collector_reference.validation.validators import CachedValidator


class Gist(CachedValidator):
    """Remembers which services are fine."""

    def __init__(self, inner, **others):
        super().__init__(inner, **others)
        self._fine = set()

    async def validate_service_method(self, namespace, service, method, *, time_left=None):
        if (namespace, service) not in self._fine:
            await super().validate_service_method(namespace, service, method, time_left=time_left)
            self._fine.add((namespace, service))


class Pessimist(CachedValidator):
    """Takes silence for a no."""

    async def validate_service_method(self, namespace, service, method, *, time_left=None):
        try:
            await super().validate_service_method(namespace, service, method, time_left=time_left)
        except RegistryUnavailable as error:
            raise NotRegistered(f"{service}.{method}") from error


class BlindTrust(CachedValidator):
    """Takes silence for a yes."""

    async def validate_service_method(self, namespace, service, method, *, time_left=None):
        try:
            await super().validate_service_method(namespace, service, method, time_left=time_left)
        except RegistryUnavailable:
            pass


class Elephant(CachedValidator):
    """Never forgets, though it notices when its own registry changes."""

    def __init__(self, inner, *, life, **others):
        super().__init__(inner, life=timedelta(days=1), **others)


class SetInItsWays(CachedValidator):
    """Never forgets, whatever changes."""

    def __init__(self, inner, *, life, generation, **others):
        super().__init__(inner, life=timedelta(days=1), generation=lambda: 0, **others)
