"""`AUTH_SECRET=... python -m identity_system.auth --database sqlite:auth.db`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

__all__ = ["main"]

# Without what holds metadata or messages: tokens and passwords are in them.
_TRACES = "connectivity_state,server_channel,http_keepalive"
_BAD_SETTING, _CANNOT_START = 2, 3


def main(words: Sequence[str] | None = None) -> int:
    """Runs the service until SIGTERM or SIGINT; `words` are its flags, by default those of the
    command line. Returns 0; 2 for a setting that cannot be used; 3 when it cannot start.
    """
    words = sys.argv[1:] if words is None else words
    if "--grpc-debug" in words or os.environ.get("AUTH_GRPC_DEBUG") == "1":
        # gRPC reads them once, when it is first used. Who asks for it here means it, whatever
        # verbosity was handed down.
        os.environ["GRPC_VERBOSITY"] = "DEBUG"
        os.environ.setdefault("GRPC_TRACE", _TRACES)
    import grpc

    from identity_system.auth.server import auth_server
    from identity_system.auth.settings import parse
    from shared_system import logs, tracing
    from shared_system.failures import Failure
    from shared_system.serving import CannotListen

    settings = parse(words, os.environ)
    logs.to_standard_error("auth")
    if settings.grpc_debug:
        logging.getLogger().setLevel(logging.DEBUG)
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    try:
        end_tracing = tracing.setting_up(settings.tracing, "auth")
        try:
            with auth_server(settings) as address:
                print(f"auth listening on {address}", flush=True)
                told.wait()
        finally:
            end_tracing()
    except ValueError as error:
        print(f"auth: {error}", file=sys.stderr)
        return _BAD_SETTING
    except (CannotListen, ModuleNotFoundError, Failure, grpc.RpcError) as error:
        print(f"auth: {error}", file=sys.stderr)
        return _CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main())
