"""Binding the port, and telling why it could not be bound.

What is served on it is not known here.
"""

from __future__ import annotations

import errno
import logging
import socket

import grpc
import grpc.aio

from collector_reference.addresses import ListenAddress, dialable, is_loopback
from collector_reference.errors import BindError

__all__ = ["bind"]

_LOG = logging.getLogger(__name__)


def bind(
    server: grpc.aio.Server,
    listen: ListenAddress,
    credentials: grpc.ServerCredentials | None = None,
) -> str:
    """Returns the address at which the bound server can be dialled; raises `BindError`.

    `credentials` are those of TLS, None for plaintext.
    """
    try:
        if credentials is None:
            port = server.add_insecure_port(str(listen))
        else:
            port = server.add_secure_port(str(listen), credentials)
    except RuntimeError as error:
        raise BindError(str(listen), _why_not(listen)) from error
    if credentials is None and not is_loopback(listen.host):
        _LOG.warning(
            "listening on %s in plaintext: anybody who reaches this machine can call", listen
        )
    return dialable(listen.host, port)


def _why_not(listen: ListenAddress) -> str:
    """Returns the reason for which the address cannot be bound: gRPC does not tell it."""
    try:
        found = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        return f"the host is not known ({error.strerror})"
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (
                errno.EADDRNOTAVAIL,
                errno.EAFNOSUPPORT,
            ):
                return "this machine has no such IPv6 address; IPv6 may be off: use 127.0.0.1"
            if error.errno == errno.EADDRINUSE:
                return "the address is in use: stop who listens there, or use port 0"
            return error.strerror or str(error)
    return "gRPC could not bind it"
