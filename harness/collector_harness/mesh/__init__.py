"""From a topology to running nodes that are connected, and back to nothing."""

from collector_harness.mesh.mesh import Mesh
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.service import MeshService

__all__ = ["Mesh", "MeshNode", "MeshService"]
