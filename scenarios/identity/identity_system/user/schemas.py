"""What clients send and get, as pydantic models: they check requests and make the OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt
from pydantic.alias_generators import to_camel

__all__ = [
    "Account",
    "Credentials",
    "Error",
    "Health",
    "IssuedToken",
    "Me",
    "NewProfile",
    "NewToken",
    "Profile",
    "RefreshToken",
    "Tokens",
]


class _Model(BaseModel):
    # A mistake is told without what was sent: it may be a password.
    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


class Credentials(_Model):
    """How somebody shows who they are."""

    email: str = Field(min_length=3, max_length=254)
    password: str = Field(min_length=1, max_length=200)


class RefreshToken(_Model):
    """A refresh token."""

    refresh_token: str = Field(min_length=1, max_length=4096)


class NewToken(_Model):
    """What a token for another audience is to be."""

    audience: str = Field(min_length=1, max_length=100)
    rights: list[Annotated[str, Field(max_length=61)]] = Field(default=[], max_length=30)
    life_seconds: StrictInt = Field(default=0, ge=0, le=2**31 - 1)


class NewProfile(_Model):
    """What somebody tells of themselves."""

    name: str = Field(min_length=1, max_length=200)
    about: str = Field(default="", max_length=2000)


class Account(_Model):
    """An account."""

    id: str
    email: str
    created_at: datetime


class Tokens(_Model):
    """What a login gives, and each refresh."""

    access_token: str
    refresh_token: str
    token_type: str
    access_expires_at: datetime
    refresh_expires_at: datetime


class IssuedToken(_Model):
    """A token for another audience."""

    token: str
    expires_at: datetime


class Me(_Model):
    """Who a token is of."""

    account_id: str
    email: str
    rights: list[str]


class Profile(_Model):
    """What somebody told of themselves."""

    account_id: str
    name: str
    about: str


class Error(_Model):
    """Why a request was not done."""

    error: str


class Health(_Model):
    """How the system is: `ok` or `degraded`, and whether auth and the database answer."""

    status: str
    auth: str
    database: str
