"""/settings/keys: API keys."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.accounts import Scope
from landed.domain.errors import InputInvalid
from landed.services import api_keys
from landed.store import api_keys as rows
from landed.store.accounts import Pool
from landed.store.sealing import Sealer
from landed.web.api.accounts import Accounts
from landed.web.dashboard.pages import Page, Pages

_HERE = "/settings/keys"


def router(pages: Pages, pool: Pool, sealer: Sealer, accounts: Accounts) -> APIRouter:
    routes = APIRouter(prefix=_HERE)
    Admins = Annotated[Page, Depends(pages.admins)]  # noqa: N806  a type

    async def render(page: Page, made: str | None = None, key: str | None = None) -> Response:
        names = {account.id: account.name for account in await accounts()}
        return page.render("settings/keys.html", keys=await rows.every(pool), accounts=names, made=made, key=key)

    @routes.get("")
    async def show(page: Admins) -> Response:
        return await render(page)

    @routes.post("")
    async def create(page: Admins) -> Response:
        scope = page.form.text("scope")
        if scope not in Scope.__members__.values():
            raise InputInvalid(f"There is no scope {scope[:40]!r}; there are: {', '.join(Scope)}.", field="scope")
        made, key = await api_keys.create(
            pool,
            sealer,
            name=page.form.text("name", "the key's name"),
            scope=Scope(scope),
            account=page.form.get("account"),
            now=pages.clock(),
        )
        await page.record("key.created", f"key:{made.name} to {made.scope}")
        return await render(page, made.name, key)

    @routes.post("/revoke")
    async def revoke(page: Admins) -> Response:
        name = page.form.text("name")
        await rows.revoke(pool, name, pages.clock())
        await page.record("key.revoked", f"key:{name}")
        return page.go(_HERE, said=f"The key {name} is refused from now on.")

    return routes
