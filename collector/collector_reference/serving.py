"""A collector as a process: the launch contract's ready line, signals and exit codes.

Reading flags is the command line's business; what is served is the collector's.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping

from collector_reference.errors import (
    BackendUnusable,
    BindError,
    MissingExtra,
    NotReady,
    SettingsError,
    StoreUnusable,
)
from collector_reference.observability.values import CallLog
from collector_reference.server import Collector
from collector_reference.settings import CollectorSettings

__all__ = [
    "CANNOT_LISTEN",
    "INTERRUPTED",
    "INVALID_SETTINGS",
    "LACKS",
    "NOT_READY",
    "STOPPED",
    "complain",
    "serve",
]

_LOG = logging.getLogger(__name__)

STOPPED = 0
"""It was asked to stop, and did."""
INVALID_SETTINGS = 2
"""A file of certificates, keys or rules cannot be used."""
CANNOT_LISTEN = 3
"""The address cannot be listened on."""
LACKS = 3
"""The registry's file cannot be used, or a library is not installed."""
NOT_READY = 5
"""The registry (LOOP-003) or a backend could not be asked within the limit."""
INTERRUPTED = 130
"""It was interrupted from the keyboard."""


def process_settings(environment: Mapping[str, str]) -> CollectorSettings:
    """Returns the settings of a collector that is a process of its own.

    It logs its calls unless COLLECTOR_CALL_LOG says otherwise; the rest is as
    `CollectorSettings.from_environment` reads it. Raises `SettingsError`.
    """
    log = environment.get("COLLECTOR_CALL_LOG") or CallLog.TEXT.value
    return CollectorSettings.from_environment({**environment, "COLLECTOR_CALL_LOG": log})


def complain(problem: object) -> None:
    """Tells on standard error why the collector does not serve."""
    print(f"error: {problem}", file=sys.stderr)


def serve(settings: CollectorSettings) -> int:
    """Runs a collector until SIGTERM or SIGINT, and returns the exit code.

    Prints `collector listening on HOST:PORT` once it is ready, and logs to standard error. The
    first signal stops it gracefully, a second one at once.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    if settings.call_log is CallLog.JSON:
        _only_json_on_its_lines()
    try:
        return asyncio.run(_serve(settings))
    except BindError as error:
        complain(error)
        return CANNOT_LISTEN
    except NotReady as error:
        complain(error)
        return NOT_READY
    except BackendUnusable as error:
        complain(f"COLLECTOR_BACKENDS: {error}")
        return NOT_READY
    except StoreUnusable as error:
        complain(f"COLLECTOR_REGISTRY: {error}")
        return LACKS
    except SettingsError as error:
        complain(error)
        return INVALID_SETTINGS
    except MissingExtra as error:
        complain(error)
        return LACKS


def _only_json_on_its_lines() -> None:
    from collector_reference.observability.call_log import LOGGER

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.propagate = False


async def _serve(settings: CollectorSettings) -> int:
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    collector = Collector(settings)
    _LOG.info("collector '%s' is starting", settings.collector_id)
    starting = asyncio.create_task(collector.start())
    first_signal = asyncio.create_task(signals.get())
    await asyncio.wait({starting, first_signal}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        try:
            starting.result()
        except BaseException:
            first_signal.cancel()
            raise
        print(f"collector listening on {collector.address}", flush=True)
        if collector.metrics_address is not None:
            _LOG.info("metrics at http://%s/metrics", collector.metrics_address)
        number = await first_signal
        stopping = asyncio.create_task(collector.stop())
        second_signal = asyncio.create_task(signals.get())
        await asyncio.wait({stopping, second_signal}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await collector.kill()
        second_signal.cancel()
        await stopping
    else:
        number = first_signal.result()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    return INTERRUPTED if number == signal.SIGINT else STOPPED
