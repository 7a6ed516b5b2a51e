"""Calls to one node, typed and by name, and what comes back as values."""

from collector_harness.client.decoding import from_any, json_values
from collector_harness.client.encoding import to_any
from collector_harness.client.node_client import DEFAULT_TIMEOUT, NodeClient
from collector_harness.client.reply import MISSING, UNDECODABLE, Metadata, Reply
from collector_harness.client.transport import MetadataInput

__all__ = [
    "DEFAULT_TIMEOUT",
    "MISSING",
    "UNDECODABLE",
    "Metadata",
    "MetadataInput",
    "NodeClient",
    "Reply",
    "from_any",
    "json_values",
    "to_any",
]
