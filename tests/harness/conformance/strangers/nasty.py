"""Programs that no collector should be: `nasty.py KIND`, by the launch contract or not."""

import os
import signal
import socket
import sys
import time

kind = sys.argv[1]
if kind == "garbage":
    os.write(1, bytes(range(256)) * 4096)
    sys.exit(0)
if kind == "unlisted":  # ready, but nobody listens
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    print(f"collector listening on 127.0.0.1:{port}", flush=True)
    time.sleep(600)
if kind == "mute":  # takes connections, and never says a word
    server = socket.create_server(("127.0.0.1", 0))
    print(f"collector listening on 127.0.0.1:{server.getsockname()[1]}", flush=True)
    time.sleep(600)
if kind == "stubborn":  # is never ready, and does not want to end
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

from collector_reference.__main__ import main  # noqa: E402 - the others are collectors
from collector_reference.registry import service  # noqa: E402

if kind == "flooding":
    for _ in range(64):
        os.write(1, b"o" * 65_536 + b"\n")
        os.write(2, b"e" * 65_536 + b"\n")
if kind == "mortal":  # dies of the fourth list
    asked = 0
    real = service.RegistryService.ListServices

    async def counted(self, request, context):
        global asked
        asked += 1
        if asked > 3:
            print("oh dear", file=sys.stderr, flush=True)
            os._exit(7)
        return await real(self, request, context)

    service.RegistryService.ListServices = counted
if kind == "aloof":  # never makes the links that it is told to
    os.environ.pop("COLLECTOR_CONNECT", None)
sys.exit(main())
