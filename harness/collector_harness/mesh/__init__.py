"""From a topology to running nodes that are connected, and back to nothing."""

from collector_harness.mesh.mesh import Mesh
from collector_harness.mesh.node import MeshNode

__all__ = ["Mesh", "MeshNode"]
