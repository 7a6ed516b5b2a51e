"""Bearer tokens of callers: from the header to a caller, or a refusal in words for strangers.

Everything that arrives here is hostile: it is bounded before it is parsed, and no text of it
is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from collector_reference.errors import CollectorError
from collector_reference.security.extra import jwt_library
from collector_reference.security.identity import Caller, of_claims
from collector_reference.security.keys import Key, read_verifying_keys
from collector_reference.security.reloading import Reloaded
from collector_reference.security.values import TokenSettings

__all__ = ["LONGEST_TOKEN", "TokenVerifier", "Unauthenticated", "bearer"]

LONGEST_TOKEN = 8 * 1024
"""Bytes of the longest token that is looked at."""

_LONGEST_HEADER = 1024
_MOST_REMEMBERED = 1000
_VARIABLE = "COLLECTOR_TOKEN_KEYS"


class Unauthenticated(CollectorError):
    """Who calls has not proven who it is. The text is for the wire: it tells a reason, and
    nothing of the token or the keys.
    """


def bearer(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Returns the token of a call; raises `Unauthenticated` where there is not exactly one."""
    found = [value for key, value in metadata if key == "authorization"]
    if not found:
        raise Unauthenticated("a bearer token is required")
    if len(found) > 1:
        raise Unauthenticated("there is more than one authorization header")
    text = found[0]
    if not isinstance(text, str) or text[:7].lower() != "bearer ":
        raise Unauthenticated("the authorization header is not 'Bearer TOKEN'")
    token = text[7:].strip()
    if not token:
        raise Unauthenticated("a bearer token is required")
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated("the token is too long")
    return token


class TokenVerifier:
    """Verifies tokens, and remembers those that it verified until they expire."""

    def __init__(self, settings: TokenSettings, *, clock: Callable[[], float] = time.time) -> None:
        """Raises `SettingsError` for keys that cannot be used, and without the extra."""
        self._settings = settings
        self._clock = clock
        self._jwt = jwt_library(_VARIABLE)
        self._keys: Reloaded[tuple[Key, ...]] = Reloaded(
            settings.keys,
            lambda: read_verifying_keys(settings.keys, variable=_VARIABLE),
            what="the file of token keys",
        )
        self._known: dict[str, tuple[float, int, Caller]] = {}

    def verify(self, token: str) -> Caller:
        """Returns who holds the token; raises `Unauthenticated`."""
        keys = self._keys.current()
        known = self._known.get(token)
        if known is not None and known[1] == self._keys.version and known[0] > self._clock():
            return known[2]
        claims = self._verified(token, keys)
        caller = of_claims(
            claims, id_claim=self._settings.id_claim, roles_claim=self._settings.roles_claim
        )
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        end = float(claims["exp"]) + self._settings.leeway.total_seconds()  # type: ignore[arg-type] # PyJWT checked that it is a number
        self._known[token] = (end, self._keys.version, caller)
        return caller

    def _verified(self, token: str, keys: tuple[Key, ...]) -> Mapping[str, object]:
        header = self._header(token)
        failure = Unauthenticated("the token is signed by no key that is trusted here")
        for key in _candidates(header, keys):
            try:
                return self._decoded(token, key)
            except self._jwt.InvalidSignatureError:
                continue
            except Exception as error:  # noqa: BLE001 - hostile text finds every gap of a parser
                raise self._refusal(error) from None
        raise failure

    def _header(self, token: str) -> Mapping[str, Any]:
        first, _, rest = token.partition(".")
        if rest.count(".") != 1 or len(first) > _LONGEST_HEADER:
            raise Unauthenticated("the token is malformed")
        try:
            header: Mapping[str, Any] = self._jwt.get_unverified_header(token)
        except Exception:  # noqa: BLE001 - hostile text finds every gap of a parser
            raise Unauthenticated("the token is malformed") from None
        if "crit" in header or header.get("b64") is False:
            raise Unauthenticated("the token demands an extension that is not known here")
        return header

    def _decoded(self, token: str, key: Key) -> Mapping[str, object]:
        settings = self._settings
        claims: Mapping[str, object] = self._jwt.decode(
            token,
            key.material,
            algorithms=[key.algorithm],
            issuer=settings.issuer,
            audience=settings.audience or None,
            leeway=settings.leeway.total_seconds(),
            options={"require": ["exp"]},
        )
        return claims

    def _refusal(self, error: Exception) -> Unauthenticated:
        jwt = self._jwt
        for kind, text in (
            (jwt.ExpiredSignatureError, "the token has expired"),
            (jwt.ImmatureSignatureError, "the token is not valid yet"),
            (jwt.InvalidIssuerError, "the token is from another issuer"),
            (jwt.InvalidAudienceError, "the token is meant for another audience"),
            (jwt.MissingRequiredClaimError, "the token lacks a claim that is required"),
        ):
            if isinstance(error, kind):
                return Unauthenticated(text)
        return Unauthenticated("the token is malformed")


def _candidates(header: Mapping[str, Any], keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Returns the keys that may have signed: of the header's algorithm, and of its name where it
    gives one that is known; else those without a name, or the only one.
    """
    fitting = tuple(key for key in keys if key.algorithm == header.get("alg"))
    kid = header.get("kid")
    if kid is None:
        nameless = tuple(key for key in fitting if key.kid is None)
        return nameless or (fitting if len(fitting) == 1 else ())
    named = tuple(key for key in fitting if key.kid == kid)
    return named or tuple(key for key in fitting if key.kid is None)
