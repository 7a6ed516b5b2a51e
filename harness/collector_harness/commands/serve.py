"""`collector-harness serve`: one reference collector, by the launch contract.

A flag stands for each variable of the contract and is read by the same code: here flags
only replace variables. What the collector then does lives in `collector_reference`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from collector_harness.commands.operations_flags import OPERATIONS_FLAGS
from collector_harness.commands.options import debug_option
from collector_harness.commands.routing_flags import ROUTING_FLAGS
from collector_harness.commands.security_flags import SECURITY_FLAGS

__all__ = ["FLAGS", "command", "environment_with"]

F = TypeVar("F", bound=Callable[..., Any])

FLAGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "COLLECTOR_ID": ("--id", "ID", "The collector's id; made up where none is given."),
    "COLLECTOR_LISTEN": (
        "--listen",
        "HOST:PORT",
        "Where to bind; port 0 is any free one. Default: 127.0.0.1:0.",
    ),
    "COLLECTOR_NAMESPACES": (
        "--namespaces",
        "NAMES",
        "The namespaces that it shares with its peers, comma-separated.",
    ),
    "COLLECTOR_ADVERTISE": (
        "--advertise",
        "ADDRESS",
        "The address that it tells its peers. Default: the bound one.",
    ),
    "COLLECTOR_CONNECT": (
        "--connect",
        "ADDRESSES",
        "Addresses to connect to, comma-separated; tried again until they answer.",
    ),
    "COLLECTOR_SYSTEM_NAMESPACE": (
        "--system-namespace",
        "NAME",
        "The namespace of its own services, against which its port is guarded. Default: system.",
    ),
    "COLLECTOR_REGISTRY_ADDRESS": (
        "--registry-address",
        "ADDRESS",
        "The registry that its dispatcher asks. Default: its own, over the loopback.",
    ),
    "COLLECTOR_PROBE": (
        "--probe",
        "NAMES",
        "The namespaces in which it serves the probe service, comma-separated.",
    ),
    "COLLECTOR_DIALECT": (
        "--dialect",
        "NAME",
        "How ConnectRequest is laid out: native, the default, or accretional.",
    ),
    "COLLECTOR_VALIDATION": ("--validation", "on|off", "Validate calls. Default: on."),
    "COLLECTOR_REGISTRY": (
        "--registry",
        "STORE",
        "Where registrations are kept: memory, the default, sqlite:PATH or etcd:HOST:PORT/PREFIX.",
    ),
    "COLLECTOR_MEMBERSHIP": (
        "--membership",
        "PLACE",
        "Where collectors find and connect to each other: etcd:HOST:PORT/PREFIX. Default: nowhere.",
    ),
    "COLLECTOR_VALIDATOR": (
        "--validator",
        "NAME",
        "How the registry is asked: validate, or register-probe, which leaves records behind.",
    ),
    **SECURITY_FLAGS,
    **ROUTING_FLAGS,
    **OPERATIONS_FLAGS,
}
"""Flag, placeholder and help by the variable that the flag stands for."""


def _flags(function: F) -> F:
    for variable, (flag, placeholder, help_text) in reversed(tuple(FLAGS.items())):
        function = click.option(
            flag, variable.lower(), metavar=placeholder, help=f"{help_text}  [{variable}]"
        )(function)
    return function


@click.command(
    "serve",
    short_help="Run one reference collector.",
    epilog="""\b
Examples:
  collector-harness serve --id west --namespaces users,orders --listen 127.0.0.1:50051
  collector-harness serve --id east --namespaces orders --probe orders --connect 127.0.0.1:50051
  COLLECTOR_ID=west COLLECTOR_NAMESPACES=users collector-harness serve""",
)
@_flags
@debug_option
def command(**given: str | None) -> int:
    """Runs one reference collector until SIGTERM or Ctrl-C.

    Once it is ready it prints one line, 'collector listening on HOST:PORT'; its log goes to
    standard error. Each flag has an environment variable, which the flag beats.
    """
    from collector_harness.errors import InvalidInput, Problem
    from collector_harness.heap import begin_work
    from collector_reference.errors import SettingsError
    from collector_reference.grpc_debug import restart_with_grpc_debug
    from collector_reference.serving import process_settings, serve

    try:
        environment = environment_with(given, os.environ)
        restart_with_grpc_debug(environment)
        settings = process_settings(environment)
    except SettingsError as error:
        flag = FLAGS[error.setting][0] if error.setting in FLAGS else error.setting
        name = f"{flag} ({error.setting})" if flag != error.setting else flag
        raise InvalidInput(Problem(message=f"{name}: {error.problem}")) from error
    begin_work()
    return serve(settings)


def environment_with(
    given: Mapping[str, str | None], environment: Mapping[str, str]
) -> dict[str, str]:
    """Returns the environment with each variable replaced whose flag was given."""
    flags = {name.upper(): value for name, value in given.items() if value is not None}
    return {**environment, **flags}
