"""A DNS server that stands where a cluster's would: it knows the names that it is told, all of
this machine, and writes a line for each answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

__all__ = ["serve"]


class _Names(BaseResolver):  # type: ignore[misc] # dnslib is not typed
    def __init__(self, names: set[str]) -> None:
        self._names = names

    def resolve(self, request: Any, _handler: Any) -> Any:
        """Answers one question."""
        reply, name = request.reply(), str(request.q.qname).rstrip(".")
        if name not in self._names:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            reply.add_answer(RR(name, rdata=A("127.0.0.1"), ttl=1))
        told = " ".join(str(each.rdata) for each in reply.rr) or RCODE.get(reply.header.rcode)
        # In one piece, because several threads answer.
        sys.stdout.write(f"{name} {QTYPE.get(request.q.qtype)} {told}\n")
        sys.stdout.flush()
        return reply


async def serve(port: int) -> None:
    """Serves until it is ended: by TCP on the port, and by UDP where DNS_ADDRESS says that it is
    asked. DNS_NAMES are the names that it knows, with commas.
    """
    names = _Names(set(os.environ["DNS_NAMES"].split(",")))
    asked = int(os.environ["DNS_ADDRESS"].rpartition(":")[2])
    quiet = DNSLogger("-request,-reply,-truncated,-recv,-send,-error", prefix=False)
    for number, tcp in ((asked, False), (port, True)):
        server = DNSServer(names, port=number, address="127.0.0.1", tcp=tcp, logger=quiet)
        server.start_thread()
    await asyncio.Event().wait()
