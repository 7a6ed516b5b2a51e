"""The token that this collector presents: from a file that somebody renews, or made by itself."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from collector_reference.errors import SettingsError
from collector_reference.security.extra import jwt_library
from collector_reference.security.keys import Key, read_signing_key
from collector_reference.security.outgoing import BearerToken
from collector_reference.security.reloading import Reloaded
from collector_reference.security.tokens import LONGEST_TOKEN
from collector_reference.security.values import OwnTokenSettings

__all__ = ["TokenFile", "TokenMaker", "own_token"]


def own_token(settings: OwnTokenSettings, collector_id: str) -> BearerToken:
    """Returns where the token comes from; raises `SettingsError` where it cannot come from."""
    if settings.file is not None:
        return TokenFile(settings)
    return TokenMaker(settings, collector_id)


class TokenFile:
    """A token in a file."""

    def __init__(self, settings: OwnTokenSettings) -> None:
        assert settings.file is not None
        path = settings.file

        def read() -> str:
            try:
                with path.open("rb") as file:
                    token = file.read(LONGEST_TOKEN + 2).decode("ascii").strip()
            except OSError as error:
                raise SettingsError(
                    "COLLECTOR_TOKEN_FILE", f"'{path}' cannot be read: {error.strerror or error}"
                ) from error
            except UnicodeDecodeError as error:
                raise SettingsError("COLLECTOR_TOKEN_FILE", f"'{path}' holds no token") from error
            if not token or len(token) > LONGEST_TOKEN or not token.isprintable() or " " in token:
                raise SettingsError("COLLECTOR_TOKEN_FILE", f"'{path}' holds no token")
            return token

        self._file: Reloaded[str] = Reloaded((path,), read, what="the own token")

    def current(self) -> str | None:
        """See `BearerToken`."""
        return self._file.current()


class TokenMaker:
    """Makes tokens that say who this collector is."""

    def __init__(
        self,
        settings: OwnTokenSettings,
        collector_id: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert settings.signing_key is not None
        path, variable = settings.signing_key, "COLLECTOR_TOKEN_SIGNING_KEY"
        self._jwt = jwt_library(variable)
        self._settings = settings
        self._collector_id = collector_id
        self._clock = clock
        self._key: Reloaded[Key] = Reloaded(
            (path,), lambda: read_signing_key(path, variable=variable), what="the signing key"
        )
        self._made = ""
        self._made_of: Key | None = None
        self._renew_at = 0.0

    def current(self) -> str | None:
        """See `BearerToken`."""
        now = self._clock()
        key = self._key.current()
        if now >= self._renew_at or key is not self._made_of:
            life = self._settings.life.total_seconds()
            claims: dict[str, object] = {
                "sub": self._collector_id,
                self._settings.id_claim: self._collector_id,
                "iat": int(now),
                "exp": int(now + life),
                "jti": uuid.uuid4().hex,
            }
            if self._settings.issuer is not None:
                claims["iss"] = self._settings.issuer
            if self._settings.audience:
                claims["aud"] = list(self._settings.audience)
            headers = None if key.kid is None else {"kid": key.kid}
            self._made = self._jwt.encode(
                claims, key.material, algorithm=key.algorithm, headers=headers
            )
            self._made_of = key
            self._renew_at = now + life * 0.8
        return self._made
