"""gRPC's own debug log, which gRPC only reads when it is loaded: so the process begins anew with
what switches it on (S2).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from collector_reference.errors import SettingsError

__all__ = ["grpc_variables", "restart_with_grpc_debug"]

_VARIABLE = "COLLECTOR_GRPC_DEBUG"
_ON = "call_error,connectivity_state,http"


def grpc_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables of gRPC's that COLLECTOR_GRPC_DEBUG means; none where it is off.

    It is `off`, `on`, or gRPC's names of what to trace, comma-separated. Raises `SettingsError`.
    """
    text = environment.get(_VARIABLE) or "off"
    if text == "off":
        return {}
    if not re.fullmatch(r"-?[a-z_0-9*]+(,-?[a-z_0-9*]+)*", text):
        raise SettingsError(
            _VARIABLE, f"'{text}' is neither 'on', 'off' nor a list such as http,connectivity_state"
        )
    return {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": _ON if text == "on" else text}


def restart_with_grpc_debug(environment: Mapping[str, str]) -> None:
    """Begins the process anew where gRPC's debug log is asked for and not on yet.

    `environment` is that of the settings, flags included. Raises `SettingsError`.
    """
    wanted = grpc_variables(environment)
    if wanted and not all(os.environ.get(name) == value for name, value in wanted.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **wanted})  # noqa: S606
