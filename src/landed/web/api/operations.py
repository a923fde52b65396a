"""/health/*, /metrics: for those who keep it running. No key is needed, and nothing of persons is told."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

#: What is checked, by name. Raises StoreUnavailable (or SchemaBehind) where we are not ready.
Health: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
#: Prometheus text.
Metrics: TypeAlias = Callable[[], Awaitable[bytes]]


def router(health: Health, metrics: Metrics) -> APIRouter:
    routes = APIRouter(tags=["operations"])

    @routes.get("/health/live", summary="Whether the process runs")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @routes.get("/health/ready", summary="Whether callbacks can be kept: database, schema, journal; 503 where not")
    async def ready() -> dict[str, Any]:
        return {"status": "ready", "checks": await health()}

    @routes.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def figures() -> Response:
        return Response(await metrics(), media_type=CONTENT_TYPE_LATEST)

    return routes
