"""What every REST front of a sample does alike: reading bodies, telling errors, describing them.

Which routes there are is the sample's; what surrounds a request as a whole is in `edge`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException as AnyHttpException
from starlette.responses import Response

from shared_system.edge import Edge
from shared_system.exact_json import JsonResponse, read_json
from shared_system.failures import Failure
from shared_system.practices import Practices
from shared_system.translation import error_body, http_status

__all__ = ["READING_ERRORS", "WRITING_ERRORS", "ExactRoute", "answers", "rest_application"]

READING_ERRORS = {
    400: "The request cannot be right",
    429: "Too much at once",
    500: "Something broke",
    503: "A service cannot be reached at the moment",
    504: "A service did not answer in time",
}
"""What any request may be answered, by HTTP status."""
WRITING_ERRORS = READING_ERRORS | {413: "The body is too large", 415: "The body is not JSON"}
"""The same for a request with a body."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class _ExactRequest(Request):
    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except ValueError as error:
            raise HTTPException(400, str(error)) from error


class ExactRoute(APIRoute):
    """Reads bodies with exact numbers, and only JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler of one route."""
        handle = super().get_route_handler()

        async def exact(request: Request) -> Response:
            if request.method in _WITH_BODY:
                kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind != "application/json":
                    raise HTTPException(415, "the body must be application/json")
            return await handle(_ExactRequest(request.scope, request.receive))

        return exact


def rest_application(title: str, practices: Practices, request_limit_seconds: float) -> FastAPI:
    """Returns an application that has no routes yet. A request to it may take so long."""
    app = FastAPI(title=title, version="1", docs_url=None, redoc_url=None)
    _add_errors(app, codes=practices.codes)
    _describe_errors(app)
    app.add_middleware(Edge, practices=practices, request_limit_seconds=request_limit_seconds)
    return app


def answers(model: type[BaseModel], reasons: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Returns what the OpenAPI tells of these answers, all of one model."""
    return {status: {"model": model, "description": reason} for status, reason in reasons.items()}


def _add_errors(app: FastAPI, *, codes: bool) -> None:
    """Answers what went wrong as `{"error": sentence}`; without `codes` failures are all 500."""

    @app.exception_handler(Failure)
    async def failed(_request: Request, failure: Failure) -> Response:
        status = http_status(failure.code) if codes else 500
        headers = {"retry-after": "1"} if status in (429, 503) else {}
        if status == 401:
            headers["www-authenticate"] = "Bearer"
        return JsonResponse(error_body(failure), status, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return JsonResponse({"error": "; ".join(_sentences(error))}, 400)

    @app.exception_handler(AnyHttpException)
    async def refused(_request: Request, error: AnyHttpException) -> Response:
        detail: object = error.detail
        content = detail if isinstance(detail, dict) else {"error": detail}
        return JsonResponse(content, error.status_code, dict(error.headers or {}))


def _describe_errors(app: FastAPI) -> None:
    """Has the OpenAPI tell our own answers to bad requests in place of FastAPI's."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        whole = describe()
        for path in whole["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            whole["components"]["schemas"].pop(name, None)
        return whole

    app.openapi = described  # type: ignore[method-assign] # FastAPI's documented way


def _sentences(error: RequestValidationError) -> list[str]:
    """Says for each mistake where it is and what it is; at most ten."""
    told = []
    for mistake in error.errors()[:10]:
        place = ""
        for part in mistake["loc"][1:]:
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
        told.append(f"{place or mistake['loc'][0]}: {mistake['msg']}"[:300])
    return told
