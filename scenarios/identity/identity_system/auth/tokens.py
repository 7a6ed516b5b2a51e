"""Access tokens: signed JWTs. What is stored of them, and whether they were revoked, is in `store`.

They are signed by an Ed25519 key (EdDSA). Only that algorithm is taken, so that neither `none` nor
our public key, used as somebody's HMAC secret, makes a good token.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["AUDIENCE", "ISSUER", "AccessToken", "BadToken", "Signer", "now"]

ISSUER = "identity"
AUDIENCE = "identity"
"""The audience of tokens for the services of this system."""
_ALGORITHM = "EdDSA"
_LONGEST = 4096
_CLAIMS = ["iss", "aud", "sub", "sid", "jti", "exp"]
_REASONS = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for somebody else",
    jwt.InvalidIssuerError: "the token is not one of ours",
    jwt.MissingRequiredClaimError: "the token lacks a claim",
    jwt.InvalidSignatureError: "the token was not signed by us",
    jwt.InvalidAlgorithmError: "the token was not signed by us",
}


class BadToken(Exception):
    """A token that is not good. The text says why."""


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """What an access token says."""

    token_id: str
    account_id: str
    session: str
    """The login that it descends from."""
    rights: tuple[str, ...]
    expires_at: datetime


def now() -> datetime:
    """Returns the time, in UTC."""
    return datetime.now(UTC)


class Signer:
    """Signs and reads access tokens. All instances of the service have the same secret."""

    def __init__(self, secret: str, clock: Callable[[], datetime] = now) -> None:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"identity access tokens")
        self._key = Ed25519PrivateKey.from_private_bytes(derived.derive(secret.encode()))
        self._public = self._key.public_key()
        self._clock = clock

    def sign(
        self,
        account_id: str,
        session: str,
        rights: Iterable[str],
        life: timedelta,
        audience: str = AUDIENCE,
    ) -> tuple[str, datetime]:
        """Returns a new token, and when it expires."""
        began = self._clock()
        # Whole seconds are what a token holds.
        expires = (began + life).replace(microsecond=0)
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": account_id,
            "sid": session,
            "jti": secrets.token_hex(16),
            "iat": int(began.timestamp()),
            "exp": int(expires.timestamp()),
            "rights": sorted(rights),
        }
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"typ": "at+jwt"}), expires

    def read(self, token: str, audience: str = AUDIENCE) -> AccessToken:
        """Returns what a good token says. Raises `BadToken`."""
        claims = self._claims(token, audience)
        rights = claims.get("rights")
        if not isinstance(rights, list) or not all(isinstance(right, str) for right in rights):
            raise BadToken("the token lacks a claim")
        return AccessToken(
            token_id=str(claims["jti"]),
            account_id=str(claims["sub"]),
            session=str(claims["sid"]),
            rights=tuple(rights),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        if len(token) > _LONGEST:
            raise BadToken("the token is not one of ours")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=[_ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            reason = _REASONS.get(type(error), "the token is not one of ours")
            raise BadToken(reason) from error
        # By our own clock, so that a test need not wait.
        if claims["exp"] <= self._clock().timestamp():
            raise BadToken("the token has expired")
        return claims
