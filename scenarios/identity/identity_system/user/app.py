"""The REST front of the user service, as a FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.responses import Response

from identity_system.security import caller
from identity_system.user import schemas
from identity_system.user.auth_client import AuthClient
from identity_system.user.profiles import Profiles
from identity_system.user.settings import UserSettings
from identity_system.wire import auth_pb2, user_pb2
from shared_system.database import Database
from shared_system.edge import Edge
from shared_system.exact_json import JsonResponse
from shared_system.rest import ExactRoute, add_errors, describe_errors

__all__ = ["application"]

_Answers = dict[int | str, dict[str, Any]]


def _told(**reasons: str) -> _Answers:
    return {
        int(status.removeprefix("_")): {"model": schemas.Error, "description": reason}
        for status, reason in reasons.items()
    }


_ERRORS = _told(
    _400="The request cannot be right",
    _413="The body is too large",
    _415="The body is not JSON",
    _429="Too much at once",
    _500="Something broke",
    _503="A service cannot be reached at the moment",
    _504="A service did not answer in time",
)
_UNKNOWN = _told(_401="The caller is not known: the error tells why")
_FORBIDDEN = _told(_403="The caller lacks a right")
_ABSENT = _told(_404="There is no such profile")
_BEARER = HTTPBearer(auto_error=False, description="An access token, as POST /login gives it.")


def application(
    settings: UserSettings, auth: AuthClient, profiles: Profiles, database: Database
) -> FastAPI:
    """Returns the REST front as an ASGI application."""
    app = FastAPI(title="identity", version="1", docs_url=None, redoc_url=None)
    app.include_router(_open_routes(auth), responses=_ERRORS)
    app.include_router(_guarded_routes(auth, profiles), responses=_ERRORS | _UNKNOWN)
    _add_health(app, auth, database)
    add_errors(app)
    describe_errors(app)
    app.add_middleware(
        Edge,
        practices=settings.practices,
        request_limit_seconds=settings.request_limit_seconds,
    )
    return app


def _open_routes(auth: AuthClient) -> APIRouter:
    router = APIRouter(route_class=ExactRoute)

    @router.post(
        "/register",
        status_code=201,
        response_model=schemas.Account,
        responses=_told(_409="Somebody has this email"),
    )
    async def register(body: schemas.Credentials) -> Response:
        made = await auth.register(body.email, body.password)
        told = {"id": made.id, "email": made.email, "createdAt": _moment(made.created_at)}
        return JsonResponse(told, 201)

    @router.post("/login", response_model=schemas.Tokens, responses=_UNKNOWN)
    async def login(body: schemas.Credentials) -> Response:
        return _tokens(await auth.login(body.email, body.password))

    @router.post("/refresh", response_model=schemas.Tokens, responses=_UNKNOWN)
    async def refresh(body: schemas.RefreshToken) -> Response:
        return _tokens(await auth.refresh(body.refresh_token))

    @router.post("/logout", status_code=204, response_class=Response)
    async def logout(body: schemas.RefreshToken) -> Response:
        await auth.revoke(body.refresh_token)
        return Response(status_code=204)

    return router


def _guarded_routes(auth: AuthClient, profiles: Profiles) -> APIRouter:
    async def authenticated(
        request: Request,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> AsyncIterator[None]:
        """Finds out who calls, and has the calls that this causes carry the same token."""
        token = caller.bearer_of(request.headers.items())
        principal = await auth.verify(token)
        with caller.acting(principal), caller.offering(token):
            yield

    router = APIRouter(route_class=ExactRoute, dependencies=[Depends(authenticated)])

    @router.get("/me", response_model=schemas.Me)
    async def me() -> Response:
        principal = caller.current()
        return JsonResponse(
            {
                "accountId": principal.account_id,
                "email": principal.email,
                "rights": sorted(principal.rights),
            }
        )

    @router.get("/me/profile", response_model=schemas.Profile, responses=_ABSENT)
    async def get_profile() -> Response:
        return _profile(await profiles.get_me(user_pb2.GetMeRequest()))

    @router.put("/me/profile", response_model=schemas.Profile)
    async def put_profile(body: schemas.NewProfile) -> Response:
        request = user_pb2.PutMeRequest(name=body.name, about=body.about)
        return _profile(await profiles.put_me(request))

    @router.get(
        "/users/{account_id}", response_model=schemas.Profile, responses=_ABSENT | _FORBIDDEN
    )
    async def get_user(
        account_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
    ) -> Response:
        return _profile(await profiles.get_user(user_pb2.GetUserRequest(account_id=account_id)))

    @router.post(
        "/tokens", status_code=201, response_model=schemas.IssuedToken, responses=_FORBIDDEN
    )
    async def issue(body: schemas.NewToken) -> Response:
        made = await auth.issue(
            auth_pb2.IssueRequest(
                audience=body.audience, rights=body.rights, life_seconds=body.life_seconds
            )
        )
        return JsonResponse({"token": made.token, "expiresAt": _moment(made.expires_at)}, 201)

    return router


def _add_health(app: FastAPI, auth: AuthClient, database: Database) -> None:
    @app.get(
        "/health",
        response_model=schemas.Health,
        responses={503: {"model": schemas.Health, "description": "Something is not well"}},
    )
    async def health() -> Response:
        well = await asyncio.gather(auth.is_well(), database.is_well())
        words = ["connected" if good else "disconnected" for good in well]
        return JsonResponse(
            {
                "status": "ok" if all(well) else "degraded",
                "auth": words[0],
                "database": words[1],
            },
            200 if all(well) else 503,
        )


def _tokens(tokens: auth_pb2.Tokens) -> Response:
    return JsonResponse(
        {
            "accessToken": tokens.access_token,
            "refreshToken": tokens.refresh_token,
            "tokenType": "Bearer",
            "accessExpiresAt": _moment(tokens.access_expires_at),
            "refreshExpiresAt": _moment(tokens.refresh_expires_at),
        },
        headers={"cache-control": "no-store"},
    )


def _profile(profile: user_pb2.Profile) -> Response:
    return JsonResponse(
        {"accountId": profile.account_id, "name": profile.name, "about": profile.about}
    )


def _moment(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
