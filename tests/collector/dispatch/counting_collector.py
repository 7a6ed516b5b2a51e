"""A collector process whose handler writes down, past its own death, each time that it runs.

`python counting_collector.py ID FOLDER`: it serves `orders/Counting.Run`, prints its address
and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from collector_reference import Collector, CollectorSettings


async def main(collector_id: str, folder: Path) -> None:
    # What write has taken outlives a SIGKILL: it is the kernel's.
    log = os.open(folder / collector_id, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def run(key: str, _context: object) -> str:
        os.write(log, f"{key}\n".encode())
        # So that faults also hit between the execution and its answer.
        await asyncio.sleep(int(key) % 7 / 500)
        return key

    collector = Collector(CollectorSettings(collector_id=collector_id, namespaces=("orders",)))
    collector.register_service("orders", "Counting", "Run", run)
    async with collector:
        print(collector.address, flush=True)
        ended = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(ended), sys.stdin
        )
        await ended.read()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
