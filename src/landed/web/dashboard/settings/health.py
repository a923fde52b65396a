"""/settings: how Landed itself is doing."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.services.watching import Condition
from landed.store import health
from landed.store.accounts import Pool
from landed.web.dashboard.pages import Page, Pages

#: How tracking and sending stand; None while the database is away.
Ask: TypeAlias = Callable[[], Awaitable[Condition | None]]


def router(pages: Pages, pool: Pool, condition: Ask, retention_days: int) -> APIRouter:
    routes = APIRouter()

    @routes.get("/settings")
    async def show(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        return page.render(
            "settings/health.html",
            condition=await condition(),
            volume=await health.volume(pool),
            retention_days=retention_days,
        )

    @routes.get("/settings/health.json")
    async def figures(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        """What changes from second to second, for static/health.js."""
        now = await condition()
        volume = await health.volume(pool, tables_max=0)
        told: dict[str, Any] = {"database_bytes": volume.database_bytes, "callbacks_written": volume.callbacks_written}
        if now is not None:
            told |= {
                "lag_rows": now.lag_rows,
                "lag_s": round(now.lag_s, 1),
                "outbox_waiting": now.outbox.waiting,
                "outbox_unknown": now.outbox.unknown,
                "lookups_due": now.lookups_due,
                "set_aside": sum(now.set_aside.values()),
            }
        return page.json(told)

    return routes
