"""/settings: accounts, shared links, the audit log, and what is set where."""

from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.accounts import PathRole
from landed.services import auditing, sharing
from landed.services.accounts import path_url
from landed.store import shared_links
from landed.store.accounts import Pool
from landed.web.api.accounts import Accounts
from landed.web.dashboard.pages import Page, Pages


class ShownSetting(NamedTuple):
    """As `landed settings` prints it: secrets are stars."""

    variable: str
    value: str | None
    source: str
    meaning: str


def router(pages: Pages, pool: Pool, accounts: Accounts, settings: Callable[[], Sequence[ShownSetting]]) -> APIRouter:
    routes = APIRouter(prefix="/settings")

    @routes.get("/accounts")
    async def show_accounts(page: Annotated[Page, Depends(pages.operators)]) -> Response:
        urls_shown = page.viewer is not None and page.viewer.may("admin")  # whoever has one can call back
        shown = [
            (
                account,
                [path_url(pages.public_url, path.role, path.value) for path in account.paths if urls_shown],
                sum(path.role == PathRole.OWN for path in account.paths),
            )
            for account in await accounts()
        ]
        return page.render("settings/accounts.html", accounts=shown, urls_shown=urls_shown)

    @routes.get("/links")
    async def show_links(page: Annotated[Page, Depends(pages.operators)]) -> Response:
        return page.render("settings/links.html", links=await shared_links.every(pool))

    @routes.post("/links/revoke")
    async def revoke_link(page: Annotated[Page, Depends(pages.operators)]) -> Response:
        number = page.form.text("id")
        await sharing.revoke(pool, int(number) if number.isdecimal() and len(number) < 10 else 0, pages.clock())
        await page.record("link.revoked", f"link:{number}")
        return page.go("/settings/links", said="The link is over.")

    @routes.get("/audit")
    async def show_audit(page: Annotated[Page, Depends(pages.admins)]) -> Response:
        view = page.view
        is_dated = view.value("since") is not None or view.value("until") is not None
        found = await auditing.page(
            pool,
            since=view.period.since if is_dated else None,
            until=view.period.until if is_dated else None,
            actor=view.value("actor"),
            action=view.value("action"),
            cursor=view.value("cursor"),
        )
        return page.render("settings/audit.html", found=found)

    @routes.get("/values")
    async def show_values(page: Annotated[Page, Depends(pages.admins)]) -> Response:
        return page.render("settings/values.html", settings=settings())

    return routes
