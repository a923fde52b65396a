"""/account: one's own password and browsers."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import InputInvalid
from landed.services.signing_in import SignInThrottled
from landed.web.dashboard.pages import Page, Pages


def router(pages: Pages) -> APIRouter:
    routes = APIRouter(prefix="/account")
    signing_in = pages.signing_in
    Viewers = Annotated[Page, Depends(pages.viewers)]  # noqa: N806  a type

    async def render(page: Page, status: int = 200, problem: str | None = None) -> Response:
        sessions = await signing_in.sessions(page.user)
        return page.render("account.html", status=status, user=page.user, sessions=sessions, problem=problem)

    @routes.get("")
    async def show(page: Viewers) -> Response:
        return await render(page)

    @routes.post("/password")
    async def change_password(page: Viewers) -> Response:
        assert page.session is not None  # noqa: S101  the guard saw to it
        form = page.form
        try:
            if form.secret("password") != form.secret("again"):
                raise InputInvalid("The two passwords differ.", field="again")
            await signing_in.change_password(page.session, form.secret("old_password"), form.secret("password"))
        except (InputInvalid, SignInThrottled) as error:
            return await render(page, 422 if isinstance(error, InputInvalid) else 429, str(error))
        await page.record("user.password_changed", f"user:{page.user.name}")
        return page.go("/account", said="You have another password; other browsers are signed out.")

    @routes.post("/sign-out")
    async def sign_out_one(page: Viewers) -> Response:
        number = page.form.text("id")
        if not await signing_in.sign_out_one(page.user, int(number) if number.isdecimal() and len(number) < 10 else 0):
            raise InputInvalid("That browser is signed out already.", field="id")
        await page.record("user.signed_out", f"user:{page.user.name}")
        return page.go("/account", said="That browser is signed out.")

    @routes.post("/sign-out-everywhere")
    async def sign_out_everywhere(page: Viewers) -> Response:
        await signing_in.sign_out_everywhere(page.user)
        await page.record("user.signed_out_everywhere", f"user:{page.user.name}")
        response = page.go("/sign-in", said="You are signed out everywhere.")
        pages.delete_cookie(response, "session")
        return response

    return routes
