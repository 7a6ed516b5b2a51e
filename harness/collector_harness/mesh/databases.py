"""The databases that services of one mesh are given: fresh ones, or those of somebody else."""

from __future__ import annotations

from collections.abc import Callable

from collector_harness.mesh.folder import MeshFolder
from collector_harness.topology.services import Service

__all__ = ["Databases"]

_SQLITE = "sqlite:"


class Databases:
    """The databases of one mesh, as URLs that SQLAlchemy and most frameworks read."""

    def __init__(self, folder: MeshFolder, fill: Callable[[str], str]) -> None:
        """`fill` replaces the references in a text."""
        self._folder = folder
        self._fill = fill

    def url(self, service: Service) -> str | None:
        """Returns where the database of a service is; None where it has none.

        `sqlite:NAME` is a file of the mesh, which goes with it; anything else is as it is written.
        """
        if service.database is None:
            return None
        if not _is_fresh(service):
            return self._fill(service.database)
        name = service.database.removeprefix(_SQLITE)
        return f"sqlite:///{self._folder.place(f'{service.name}-{name}')}"

    def forget(self, service: Service) -> None:
        """Removes what is in the fresh database of a service that does not run now."""
        url = self.url(service) if _is_fresh(service) else None
        if url is not None:
            file = url.removeprefix("sqlite:///")
            for path in self._folder.place("").glob("*"):
                # Its journal and its shared memory stand beside it.
                if str(path).startswith(file):
                    path.unlink(missing_ok=True)


def _is_fresh(service: Service) -> bool:
    return service.database is not None and service.database.startswith(_SQLITE)
