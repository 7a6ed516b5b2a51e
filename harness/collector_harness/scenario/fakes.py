"""Invented data for `${fake.name}`, the same for the same seed whatever else runs.

Each value is drawn anew from (seed, case, step, how many were drawn before in that
step), so neither the order of cases nor what runs beside them changes it.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import zlib
from typing import TYPE_CHECKING

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem

if TYPE_CHECKING:
    from faker import Faker

__all__ = ["Fakes", "fake_problem"]


class Fakes:
    """A stream of invented values."""

    def __init__(self, *, seed: int, key: str) -> None:
        """`key` tells this stream from others of the same seed: case and step."""
        self._seed = seed
        self._key = key
        self._drawn = 0

    def child(self, key: str) -> Fakes:
        """Returns the stream of something inside, such as a step."""
        return Fakes(seed=self._seed, key=f"{self._key}/{key}")

    def draw(self, name: str) -> object:
        """Returns the next value of a Faker provider, such as `sentence`, as a JSON value.

        Raises `InvalidInput` for a provider that does not exist or needs arguments, and
        `EnvironmentLacks` without the package.
        """
        problem = fake_problem(name)
        if problem is not None:
            raise InvalidInput(problem)
        faker = _faker()
        faker.seed_instance(zlib.crc32(f"{self._seed}/{self._key}/{self._drawn}".encode()))
        self._drawn += 1
        return _as_json(getattr(faker, name)())


@functools.lru_cache(maxsize=1024)
def fake_problem(name: str) -> Problem | None:
    """Returns what is wrong with `${fake.NAME}`; None where it can be drawn."""
    faker = _faker()
    if not name.startswith("_") and name in _providers():
        try:
            _as_json(getattr(faker, name)())
        except Exception:  # noqa: BLE001 - whatever a provider raises, it cannot be used so
            return Problem(
                message=f"the fake '{name}' cannot be drawn without arguments",
                hint="choose another: sentence, word, user_name, email, uuid4, random_int",
            )
        return None
    return Problem(
        message=f"there is no fake '{name}'",
        hint=did_you_mean(name, _providers(), what="some are"),
    )


@functools.cache
def _faker() -> Faker:
    try:
        from faker import Faker  # slow to import, and most scenarios need none
    except ImportError as error:
        raise EnvironmentLacks(
            "${fake...} needs the package faker, which is an extra: "
            "pip install 'collector-harness[faker]'"
        ) from error
    return Faker("en_US", use_weighting=False)


@functools.cache
def _providers() -> tuple[str, ...]:
    faker = _faker()
    return tuple(
        sorted(
            {
                name
                for provider in faker.get_providers()
                for name in dir(provider)
                if not name.startswith(("_", "seed")) and callable(getattr(provider, name))
            }
        )
    )


def _as_json(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(item) for item in value]
    return str(value)
