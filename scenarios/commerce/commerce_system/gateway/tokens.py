"""Who may come in: 401 without a token, 403 with one that is not good, as the guide has them."""

from __future__ import annotations

import time
from typing import Annotated, Any

import jwt
from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

__all__ = ["AUDIENCE", "Tokens"]

AUDIENCE = "commerce"
_MOST_SPENT = 10_000
_DESCRIBED = HTTPBearer(
    auto_error=False, description="A JWT, signed by JWT_SECRET (HS256), for the audience commerce."
)
_REASONS = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for somebody else",
    jwt.MissingRequiredClaimError: "the token lacks a claim",
    jwt.InvalidSignatureError: "the token was not signed by us",
    jwt.InvalidAlgorithmError: "the token was not signed by us",
}


class Tokens:
    """Checks tokens. One that says `single_use` is good once; that is remembered by this gateway,
    so that such tokens need one gateway, or one that always gets them.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._spent: dict[str, float] = {}

    async def __call__(
        self,
        request: Request,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_DESCRIBED)] = None,
    ) -> None:
        """Lets a request pass, or raises 401 or 403."""
        header = request.headers.get("authorization", "").strip()
        if not header:
            raise HTTPException(401, "Unauthorized", {"www-authenticate": "Bearer"})
        scheme, _, rest = header.partition(" ")
        # The guide's own code takes the whole header for the token.
        token = rest.strip() if scheme.lower() == "bearer" else header
        try:
            self._check(token)
        except jwt.InvalidTokenError as error:
            reason = _REASONS.get(type(error), "the token is not one of ours")
            raise HTTPException(403, {"error": "Forbidden", "reason": reason}) from error

    def _check(self, token: str) -> None:
        if not self._secret:
            raise jwt.InvalidTokenError
        claims = jwt.decode(
            token,
            self._secret,
            algorithms=["HS256"],
            audience=AUDIENCE,
            options={"require": ["exp", "aud"]},
        )
        if claims.get("single_use"):
            self._spend(claims)

    def _spend(self, claims: dict[str, Any]) -> None:
        identity = claims.get("jti")
        now = time.time()
        if not isinstance(identity, str) or identity in self._spent:
            raise jwt.InvalidTokenError
        self._spent = {known: until for known, until in self._spent.items() if until > now}
        if len(self._spent) >= _MOST_SPENT:
            raise jwt.InvalidTokenError
        self._spent[identity] = float(claims["exp"])
