"""The REST front of the user service, as a FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from identity_system.security import caller
from identity_system.user import schemas
from identity_system.user.auth_client import AuthClient
from identity_system.user.profiles import Profiles
from identity_system.user.settings import UserSettings
from identity_system.wire import auth_pb2, user_pb2
from shared_system.database import Database
from shared_system.exact_json import JsonResponse
from shared_system.moments import as_text
from shared_system.rest import WRITING_ERRORS, ExactRoute, answers, rest_application

__all__ = ["application"]

_ERRORS = answers(schemas.Error, WRITING_ERRORS)
_UNKNOWN = answers(schemas.Error, {401: "The caller is not known: the error tells why"})
_FORBIDDEN = answers(schemas.Error, {403: "The caller lacks a right"})
_ABSENT = answers(schemas.Error, {404: "There is no such profile"})
_TAKEN = answers(schemas.Error, {409: "Somebody has this email"})
_BEARER = HTTPBearer(auto_error=False, description="An access token, as POST /login gives it.")


def application(
    settings: UserSettings, auth: AuthClient, profiles: Profiles, database: Database
) -> FastAPI:
    """Returns the REST front as an ASGI application."""
    app = rest_application("identity", settings.practices, settings.request_limit_seconds)
    app.include_router(_open_routes(auth), responses=_ERRORS)
    app.include_router(_guarded_routes(auth, profiles), responses=_ERRORS | _UNKNOWN)
    _add_health(app, auth, database)
    return app


def _open_routes(auth: AuthClient) -> APIRouter:
    router = APIRouter(route_class=ExactRoute)

    @router.post(
        "/register",
        status_code=201,
        response_model=schemas.Account,
        responses=_TAKEN,
    )
    async def register(body: schemas.Credentials) -> Response:
        made = await auth.register(body.email, body.password)
        told = {"id": made.id, "email": made.email, "createdAt": as_text(made.created_at)}
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
        return JsonResponse({"token": made.token, "expiresAt": as_text(made.expires_at)}, 201)

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
            "accessExpiresAt": as_text(tokens.access_expires_at),
            "refreshExpiresAt": as_text(tokens.refresh_expires_at),
        },
        headers={"cache-control": "no-store"},
    )


def _profile(profile: user_pb2.Profile) -> Response:
    return JsonResponse(
        {"accountId": profile.account_id, "name": profile.name, "about": profile.about}
    )
