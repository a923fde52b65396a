"""/settings/users: who may look at the pages."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import InputInvalid
from landed.domain.users import Role
from landed.services import users
from landed.services.passwords import Passwords
from landed.store import users as rows
from landed.store.accounts import Pool
from landed.web.dashboard.pages import Page, Pages

_HERE = "/settings/users"


def router(pages: Pages, pool: Pool, passwords: Passwords) -> APIRouter:
    routes = APIRouter(prefix=_HERE)
    Admins = Annotated[Page, Depends(pages.admins)]  # noqa: N806  a type

    @routes.get("")
    async def show(page: Admins) -> Response:
        return page.render("settings/users.html", users=await rows.every(pool), link=None)

    @routes.post("")
    async def add(page: Admins) -> Response:
        user = await users.add(
            pool,
            passwords,
            name=page.form.text("name", "the name"),
            role=_role(page.form.text("role", "the role")),
            password=page.form.secret("password") or None,
        )
        await page.record("user.created", f"user:{user.name} as {user.role}")
        if user.has_password:
            return page.go(_HERE, said=f"{user.name} may sign in now, as {user.role}.")
        return await _with_link(page, user.name)

    @routes.post("/role")
    async def change_role(page: Admins) -> Response:
        user = await users.set_role(pool, page.form.text("name"), _role(page.form.text("role")))
        await page.record("user.role_changed", f"user:{user.name} to {user.role}")
        return page.go(_HERE, said=f"{user.name} is {user.role} now.")

    @routes.post("/password")
    async def set_password(page: Admins) -> Response:
        user = await users.set_password(pool, passwords, page.form.text("name"), page.form.secret("password"))
        await page.record("user.password_set", f"user:{user.name}")
        return page.go(_HERE, said=f"{user.name} has another password, and is signed out everywhere.")

    @routes.post("/disable")
    async def disable(page: Admins) -> Response:
        user = await users.disable(pool, page.form.text("name"), pages.clock())
        await page.record("user.disabled", f"user:{user.name}")
        return page.go(_HERE, said=f"{user.name} is shut out.")

    @routes.post("/enable")
    async def enable(page: Admins) -> Response:
        user = await users.enable(pool, page.form.text("name"))
        await page.record("user.enabled", f"user:{user.name}")
        return page.go(_HERE, said=f"{user.name} may come in again.")

    @routes.post("/link")
    async def link(page: Admins) -> Response:
        return await _with_link(page, page.form.text("name").lower())

    async def _with_link(page: Page, name: str) -> Response:
        token = await users.link(pool, name, pages.clock())
        await page.record("user.link_made", f"user:{name}")
        url = f"{pages.public_url}/sign-in/{token}"
        return page.render("settings/users.html", users=await rows.every(pool), link={"name": name, "url": url})

    return routes


def _role(text: str) -> Role:
    if text not in Role.__members__.values():
        raise InputInvalid(f"There is no role {text[:40]!r}; there are: {', '.join(Role)}.", field="role")
    return Role(text)
