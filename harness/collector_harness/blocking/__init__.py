"""Meshes for plain test functions: every call waits for its answer.

The mesh itself lives on the loop of a `Runtime`; nothing here is asynchronous, and
nothing here decides anything.
"""

from collector_harness.blocking.mesh import BlockingMesh
from collector_harness.blocking.node import BlockingNode
from collector_harness.blocking.registry import BlockingRegistry
from collector_harness.blocking.service import BlockingService

__all__ = ["BlockingMesh", "BlockingNode", "BlockingRegistry", "BlockingService"]
