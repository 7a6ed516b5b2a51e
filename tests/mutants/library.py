"""Collectors that break what only the Python API shows: targets `python:library:NAME`."""

from __future__ import annotations

import logging
from dataclasses import replace

from asking import Shortcut

from collector_reference import Collector

_CALLS = logging.getLogger("collector_reference.calls")


class SetInStone(Collector):
    """Keeps the validator that it was started with."""

    def set_registry_validator(self, validator):
        pass


class NeverAlone(Collector):
    """Will not be without a validator once it has had one."""

    def set_registry_validator(self, validator):
        if validator is not None:
            super().set_registry_validator(validator)


class WornOut(Collector):
    """Changes its validator a few times, and then no more."""

    _left = 5

    def set_registry_validator(self, validator):
        if self._left:
            self._left -= 1
            super().set_registry_validator(validator)


class QuickExit(Collector):
    """Takes a graceful end for a sudden one."""

    async def stop(self, grace=None):
        await self.kill()


class SelfTaught(Collector):
    """Looks into its store, where it should ask at its port."""

    async def start(self):
        await super().start()
        self.set_registry_validator(Shortcut(self._store))


class TightLipped(Collector):
    """Logs nothing of its calls."""

    def __init__(self, settings, **options):
        super().__init__(replace(settings, call_log=None), **options)


class Stutterer(Collector):
    """Logs each call twice."""

    async def start(self):
        await super().start()
        _CALLS.addFilter(self._again)

    async def kill(self):
        _CALLS.removeFilter(self._again)
        await super().kill()

    async def _shut(self, seconds):
        _CALLS.removeFilter(self._again)
        await super()._shut(seconds)

    def _again(self, record):
        if not getattr(record, "again", False):
            _CALLS.info("%s", record.getMessage(), extra={"again": True})
        return True


class Anonymiser(Collector):
    """Logs its calls without what they belong to."""

    async def start(self):
        await super().start()
        _CALLS.addFilter(self._without)

    async def _shut(self, seconds):
        _CALLS.removeFilter(self._without)
        await super()._shut(seconds)

    def _without(self, record):
        words = record.getMessage().split()
        record.msg, record.args = (
            " ".join(word for word in words if not word.startswith("correlation_id")),
            (),
        )
        return True
