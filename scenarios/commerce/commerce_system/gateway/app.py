"""The gateway's routes: /users and /orders as in the guide, and the same behind tokens in /api."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query
from starlette.responses import Response

from commerce_system.gateway import schemas
from commerce_system.gateway.money import to_minor
from commerce_system.gateway.presentation import order_json, user_json
from commerce_system.gateway.services import Services
from commerce_system.gateway.tokens import Tokens
from commerce_system.settings import ServiceSettings
from commerce_system.wire import orders_pb2, users_pb2
from shared_system.exact_json import JsonResponse
from shared_system.rest import (
    READING_ERRORS,
    WRITING_ERRORS,
    ExactRoute,
    answers,
    rest_application,
)

__all__ = ["application"]

_Key = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        description="The same key and content answer the same, however often they are sent.",
        pattern=r"^[\x21-\x7e]{1,200}$",
    ),
]
_PathId = Annotated[int, Path(ge=1, le=schemas.LARGEST_ID)]
_ABSENT = {404: "There is no such user or order"}
_TAKEN = {409: "It is there already, or the key was used"}
_ERRORS = answers(schemas.Error, READING_ERRORS | _ABSENT)
_MAKING_ERRORS = answers(schemas.Error, WRITING_ERRORS | _ABSENT | _TAKEN)
_TOKEN_ERRORS = answers(schemas.Error, {401: "There is no token", 403: "The token is not good"})


def application(settings: ServiceSettings, services: Services) -> FastAPI:
    """Returns the gateway as an ASGI application."""
    practices = settings.practices
    app = rest_application("commerce gateway", practices, settings.request_limit_seconds)
    app.include_router(
        _routes(services),
        prefix="/api",
        dependencies=[Depends(Tokens(settings.jwt_secret))],
        responses=_TOKEN_ERRORS,
    )
    if settings.open_routes:
        app.include_router(_routes(services))
    _add_health(app, settings, services)
    return app


def _routes(services: Services) -> APIRouter:
    router = APIRouter(route_class=ExactRoute)

    @router.post(
        "/users", status_code=201, response_model=schemas.MadeUser, responses=_MAKING_ERRORS
    )
    async def create_user(body: schemas.NewUser, key: _Key = None) -> Response:
        made = await services.create_user(
            users_pb2.CreateUserRequest(
                name=body.name,
                email=body.email,
                phone=body.phone,
                address=body.address,
                idempotency_key=key or _new_key(),
            )
        )
        return _made({"user": user_json(made.user), "message": made.message}, made.replayed)

    @router.get("/users/{user_id}", response_model=schemas.AUser, responses=_ERRORS)
    async def get_user(user_id: _PathId) -> Response:
        found = await services.get_user(users_pb2.GetUserRequest(user_id=user_id))
        return JsonResponse({"user": user_json(found.user)})

    @router.post(
        "/orders", status_code=201, response_model=schemas.MadeOrder, responses=_MAKING_ERRORS
    )
    async def create_order(body: schemas.NewOrder, key: _Key = None) -> Response:
        made = await services.create_order(
            orders_pb2.CreateOrderRequest(
                user_id=body.user_id,
                items=[
                    orders_pb2.OrderItem(
                        product_name=item.product_name,
                        quantity=item.quantity,
                        price_minor=to_minor(item.price),
                    )
                    for item in body.items
                ],
                idempotency_key=key or _new_key(),
            )
        )
        return _made({"order": order_json(made.order), "message": made.message}, made.replayed)

    @router.get("/orders/{order_id}", response_model=schemas.AnOrder, responses=_ERRORS)
    async def get_order(order_id: _PathId) -> Response:
        found = await services.get_order(orders_pb2.GetOrderRequest(order_id=order_id))
        return JsonResponse({"order": order_json(found.order)})

    @router.get("/orders", response_model=schemas.Orders, responses=_ERRORS)
    async def list_orders(
        user_id: Annotated[int, Query(alias="userId", ge=1, le=schemas.LARGEST_ID)],
        page_size: Annotated[int, Query(alias="pageSize", ge=1, le=100)] = 50,
        after_id: Annotated[int, Query(alias="afterId", ge=0, le=schemas.LARGEST_ID)] = 0,
    ) -> Response:
        found = await services.list_orders(
            orders_pb2.ListOrdersRequest(user_id=user_id, page_size=page_size, after_id=after_id)
        )
        return JsonResponse({"orders": [order_json(order) for order in found.orders]})

    return router


def _new_key() -> str:
    # Our own retries are safe with it, though the client's are not.
    return uuid.uuid4().hex


def _made(content: dict[str, Any], replayed: bool) -> Response:
    headers = {"idempotent-replayed": "true"} if replayed else None
    return JsonResponse(content, 201, headers)


def _add_health(app: FastAPI, settings: ServiceSettings, services: Services) -> None:
    @app.get(
        "/health",
        response_model=schemas.Health,
        responses={503: {"model": schemas.Health, "description": "A service is not well"}},
    )
    async def health() -> Response:
        well = {"userService": True, "orderService": True}
        if settings.practices.health:
            well = await services.health()
        content = {
            "status": "ok" if all(well.values()) else "degraded",
            "services": {
                name: "connected" if good else "disconnected" for name, good in well.items()
            },
        }
        return JsonResponse(content, 200 if all(well.values()) else 503)
