"""`python -m collector_reference`: a collector from the environment alone (OPS-004)."""

from __future__ import annotations

import os
import sys

from collector_reference.errors import SettingsError
from collector_reference.grpc_debug import restart_with_grpc_debug
from collector_reference.serving import complain, process_settings, serve

_INVALID_SETTINGS = 2


def main() -> int:
    """Reads the environment, serves, and returns the exit code."""
    try:
        restart_with_grpc_debug(os.environ)
        settings = process_settings(os.environ)
    except SettingsError as error:
        complain(error)
        return _INVALID_SETTINGS
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
