"""The parts of a collector that are off unless asked for: security, observation, the admin
service and membership. Their modules, and the libraries that those need, are imported here and
only when a setting asks.

What they do is in their packages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc.aio

from collector_reference.settings import AdminAccess, CollectorSettings

if TYPE_CHECKING:
    from collector_reference.admin import AdminView
    from collector_reference.dispatch.connections import Connections
    from collector_reference.membership.meeting import Meeting
    from collector_reference.observability.observation import Observation
    from collector_reference.security.gate import Gate

__all__ = ["add_admin", "make_gate", "make_meeting", "make_observation"]


def make_gate(settings: CollectorSettings, *, loopback_token: str) -> Gate | None:
    """Returns the collector's security; None where none is asked for.

    Raises `SettingsError` for files that cannot be used, and `MissingExtra`.
    """
    if (settings.tls, settings.tokens, settings.own_token, settings.policy) == (None,) * 4:
        return None
    from collector_reference.security.gate import Gate

    return Gate(settings, loopback_token=loopback_token)


def make_observation(
    settings: CollectorSettings, *, loopback_token: str, tracer_provider: Any
) -> Observation | None:
    """Returns what tells of calls; None where nothing is asked for. Raises `MissingExtra`."""
    asked_for = (settings.call_log, settings.metrics, settings.tracing, tracer_provider)
    if asked_for == (None,) * 4:
        return None
    from collector_reference.observability.observation import Observation

    return Observation(settings, loopback_token=loopback_token, tracer_provider=tracer_provider)


def make_meeting(settings: CollectorSettings, connections: Connections) -> Meeting | None:
    """Returns the collector's membership; None where none is asked for."""
    if settings.membership is None:
        return None
    from collector_reference.membership.meeting import Meeting

    return Meeting(
        settings.membership,
        own_id=settings.collector_id,
        limit=settings.ready_limit,
        connect=connections.connect_to,
        forget=connections.forget,
    )


def add_admin(
    server: grpc.aio.Server, settings: CollectorSettings, view: Callable[[], AdminView]
) -> None:
    """Puts the admin service on a port that is not open yet, where that is asked for."""
    if settings.admin is AdminAccess.OFF:
        return
    from collector_reference.admin import AdminService
    from collector_reference.wire import admin_pb2_grpc

    local = settings.admin is AdminAccess.LOCAL
    admin_pb2_grpc.add_CollectorAdminServicer_to_server(AdminService(view(), local=local), server)
