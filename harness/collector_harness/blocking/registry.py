"""The registry of one node, for plain test functions."""

from __future__ import annotations

from collector_harness.blocking.calls import Caller, waiting
from collector_harness.client import NodeClient

__all__ = ["BlockingRegistry"]


class BlockingRegistry(Caller):
    """The registry of one node: `mesh["west"].registry`. Calls return a `Reply`, also when they
    fail.
    """

    register_service = waiting(NodeClient.register_service)
    register_proto = waiting(NodeClient.register_proto)
    lookup_service = waiting(NodeClient.lookup_service)
    validate = waiting(NodeClient.validate)
    list_services = waiting(NodeClient.list_services)
