"""/shared: a page for whoever has the link, with numbers masked."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from landed.domain.errors import InputInvalid
from landed.domain.users import SharedLink
from landed.services import sharing
from landed.store.accounts import Pool
from landed.web.dashboard.pages import SHARED, Page, Pages

#: Of the request for the link, what the request for the page it shows has, too.
_SAME: Final = ("type", "asgi", "http_version", "method", "scheme", "server", "client", "headers")


class _Shown(Response):
    """The page of a link, as the whole application answers it."""

    def __init__(self, app: ASGIApp, link: SharedLink) -> None:
        super().__init__()
        self._app = app
        self._link = link

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, query = self._link.path, self._link.query
        shown = {name: scope[name] for name in _SAME if name in scope}
        shown |= {"path": path, "raw_path": path.encode(), "query_string": query.encode(), SHARED: self._link}
        await self._app(shown, receive, send)


def router(pages: Pages, pool: Pool, *, shown_by: ASGIApp) -> APIRouter:
    """`shown_by` is the application that has the pages."""
    routes = APIRouter()

    @routes.get("/shared/{token}")
    async def show(request: Request, token: str) -> Response:
        return _Shown(shown_by, await sharing.find(pool, token, pages.clock()))

    @routes.post("/shared")
    async def share(page: Annotated[Page, Depends(pages.operators)]) -> Response:
        path, days = page.form.text("path", "the page"), page.form.text("days", "for how many days")
        if path not in pages.shareable or not days.isdecimal():
            raise InputInvalid("This page cannot be shared.", field="path")
        link, token = await sharing.share(
            pool,
            path=path,
            query=page.form.get("query") or "",
            days=int(days[:4]),
            by=page.user.name,
            now=pages.clock(),
        )
        await page.record("link.shared", f"{link.path} until {link.expires_at:%Y-%m-%d}")
        return page.render("shared.html", link=link, address=f"{pages.public_url}/shared/{token}")

    return routes
