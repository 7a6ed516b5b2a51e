"""A collector as a process: the launch contract's ready line, signals and exit codes.

Reading flags is the command line's business; what is served is the collector's.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from collector_reference.errors import BindError, MissingExtra, NotReady, StoreUnusable
from collector_reference.server import Collector
from collector_reference.settings import CollectorSettings

__all__ = ["CANNOT_LISTEN", "INTERRUPTED", "LACKS", "NOT_READY", "STOPPED", "serve"]

_LOG = logging.getLogger(__name__)

STOPPED = 0
"""It was asked to stop, and did."""
CANNOT_LISTEN = 3
"""The address cannot be listened on."""
LACKS = 3
"""The registry's file cannot be used, or a library is not installed."""
NOT_READY = 5
"""The registry could not be asked within the limit (LOOP-003)."""
INTERRUPTED = 130
"""It was interrupted from the keyboard."""


def serve(settings: CollectorSettings) -> int:
    """Runs a collector until SIGTERM or SIGINT, and returns the exit code.

    Prints `collector listening on HOST:PORT` once it is ready, and logs to standard error. The
    first signal stops it gracefully, a second one at once.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        return asyncio.run(_serve(settings))
    except BindError as error:
        print(error, file=sys.stderr)
        return CANNOT_LISTEN
    except NotReady as error:
        print(error, file=sys.stderr)
        return NOT_READY
    except StoreUnusable as error:
        print(f"COLLECTOR_REGISTRY: {error}", file=sys.stderr)
        return LACKS
    except MissingExtra as error:
        print(error, file=sys.stderr)
        return LACKS


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
