"""What clients send and get, as pydantic models: they check requests and make the OpenAPI."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt
from pydantic.alias_generators import to_camel

__all__ = [
    "LARGEST_ID",
    "AUser",
    "AnOrder",
    "Error",
    "Health",
    "MadeOrder",
    "MadeUser",
    "NewOrder",
    "NewUser",
    "Orders",
]

LARGEST_ID = 2**31 - 1


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=False, validate_by_alias=True, extra="forbid"
    )


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are no amounts")  # noqa: TRY004 - pydantic's way
    return value


Id = Annotated[StrictInt, Field(ge=1, le=LARGEST_ID)]
Price = Annotated[
    Decimal, BeforeValidator(_no_truth), Field(ge=0, le=10**10, decimal_places=2, max_digits=13)
]


class NewUser(_Model):
    """Somebody who wants to order."""

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=254)
    phone: str = Field("", max_length=50)
    address: str = Field("", max_length=500)


class User(_Model):
    """A user."""

    id: int
    name: str
    email: str
    phone: str
    address: str
    created_at: datetime


class AUser(_Model):
    """One user."""

    user: User


class MadeUser(AUser):
    """A user that was made."""

    message: str


class NewItem(_Model):
    """So many of one product, at the price of one."""

    product_name: str = Field(min_length=1, max_length=200)
    quantity: StrictInt = Field(ge=1, le=1_000_000)
    price: Price


class NewOrder(_Model):
    """What somebody orders."""

    user_id: Id
    items: list[NewItem] = Field(min_length=1, max_length=100)


class Item(_Model):
    """One line of an order."""

    product_name: str
    quantity: int
    price: float


class Order(_Model):
    """An order."""

    id: int
    user_id: int
    user_name: str
    user_email: str
    items: list[Item]
    total_amount: float
    status: str
    created_at: datetime


class AnOrder(_Model):
    """One order."""

    order: Order


class MadeOrder(AnOrder):
    """An order that was made."""

    message: str


class Orders(_Model):
    """Orders of one user, oldest first."""

    orders: list[Order]


class Error(_Model):
    """Why a request was not done."""

    error: str
    reason: str | None = None


class Health(_Model):
    """How the system is: `ok` or `degraded`, and each service `connected` or `disconnected`."""

    status: str
    services: dict[str, str]
