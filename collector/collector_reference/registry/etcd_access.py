"""How etcd is dialled, as a frozen value: by TLS, and by a user where it asks for one.

The files are named here and read when etcd is dialled; the password is in a file, never in a
variable or in the name of a place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collector_reference.errors import SettingsError

__all__ = ["OPEN", "TLS_VARIABLES", "EtcdAccess", "access_from"]

TLS_VARIABLES = {
    "ca": "COLLECTOR_ETCD_TLS_CA",
    "cert": "COLLECTOR_ETCD_TLS_CERT",
    "key": "COLLECTOR_ETCD_TLS_KEY",
}
"""The variable of each file that TLS needs."""
_FILES = TLS_VARIABLES | {"password_file": "COLLECTOR_ETCD_PASSWORD_FILE"}
_USER = "COLLECTOR_ETCD_USER"


@dataclass(frozen=True, kw_only=True, slots=True)
class EtcdAccess:
    """What is shown to etcd, and trusted. Raises `SettingsError` for half of a pair."""

    ca: Path | None = None
    """Whom its members must be certified by; None for whom the machine trusts."""
    cert: Path | None = None
    """What is shown to them, together with `key`; None for nothing."""
    key: Path | None = None
    user: str | None = None
    """Who logs in, together with `password_file`; None for nobody."""
    password_file: Path | None = None
    """A file with the password alone; white space around it does not count."""

    def __post_init__(self) -> None:
        if (self.cert is None) is not (self.key is None):
            missing = "cert" if self.cert is None else "key"
            raise SettingsError(
                TLS_VARIABLES[missing], "a certificate and its key are given together"
            )
        if (self.user is None) is not (self.password_file is None):
            missing = _USER if self.user is None else _FILES["password_file"]
            raise SettingsError(missing, "a user and the file of its password are given together")

    @property
    def names_tls(self) -> bool:
        """Whether it holds anything that only TLS needs."""
        return self.ca is not None or self.cert is not None

    def password(self) -> str:
        """Returns the password of the user; raises `SettingsError`."""
        assert self.password_file is not None
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise SettingsError(
                _FILES["password_file"],
                f"'{self.password_file}' cannot be read: {reason}",
            ) from error


OPEN = EtcdAccess()
"""Nothing is shown, and what the machine trusts is trusted."""


def access_from(environment: Mapping[str, str]) -> EtcdAccess:
    """Reads the variables about etcd; raises `SettingsError`."""
    files = {name: Path(path) for name, at in _FILES.items() if (path := environment.get(at))}
    return EtcdAccess(**files, user=environment.get(_USER) or None)
