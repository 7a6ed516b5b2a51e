"""From a topology to running nodes that are connected, and back to nothing."""

from collector_harness.mesh.mesh import Mesh, MeshNode

__all__ = ["Mesh", "MeshNode"]
