"""The API, put together."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncEngine

import landed
from landed.domain.accounts import Scope
from landed.providers.base import Provider
from landed.services.reading import Reader
from landed.services.reporting import Reporter
from landed.web import problems
from landed.web.api import accounts as account_routes
from landed.web.api import analytics, callbacks, documentation, messages, operations
from landed.web.api.keys import Authenticate, permitted


def create_api(
    *,
    engine: AsyncEngine,
    providers: Mapping[str, Provider],
    authenticate: Authenticate,
    accounts: account_routes.Accounts,
    public_url: str,
    health: operations.Health,
    metrics: operations.Metrics,
    more: Sequence[APIRouter] = (),
) -> FastAPI:
    """The application behind /v1, /health, /metrics and /docs; `more` are routers of others."""
    api = FastAPI(
        title="Landed",
        version=landed.__version__,
        description="What became of every message you sent.",
        docs_url=None,  # the framework's page loads its scripts from elsewhere: documentation.py has ours
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(api)
    readers = permitted(authenticate, Scope.READ)
    reader = Reader(engine, providers)
    for routes in (
        messages.router(reader, readers),
        callbacks.router(reader, readers),
        account_routes.router(accounts, public_url, readers),
        analytics.router(Reporter(engine, providers), readers),
        *more,
    ):
        api.include_router(routes, responses=problems.RESPONSES)
    api.include_router(operations.router(health, metrics), responses={503: problems.RESPONSES[503]})
    _describe_problems(api)
    page = ""

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        nonlocal page
        page = page or documentation.page(api.openapi())
        return HTMLResponse(page, headers=documentation.HEADERS)

    return api


def _describe_problems(api: FastAPI) -> None:
    """Put the one shape of errors into the description, in place of the framework's own."""
    described = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            schemas = described()["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}), Problem=problem)
        assert api.openapi_schema is not None  # noqa: S101  it was made just now
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
