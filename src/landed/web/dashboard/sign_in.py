"""/sign-in, /sign-in/{token}, /start/{token}, /sign-out: who comes in, and who leaves."""

import re
from math import ceil
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import InputInvalid
from landed.services.signing_in import SESSION_MAX, SignedIn, SignInRefused, SignInThrottled
from landed.web.dashboard.pages import Page, Pages, next_path
from landed.web.dashboard.viewer import Forbidden

#: How long a browser is known as one that was signed in, so that others' wrong passwords do not delay it.
_KNOWN_S = 180 * 86400
#: Programs of chats and search engines that look at a link before a person does, as their User-Agent says. A Cubot is
#: a phone.
_LOOKS_AHEAD: Final = re.compile(r"(?<!cu)bot\b|preview|externalhit|whatsapp|crawl|spider", re.IGNORECASE)


def router(pages: Pages) -> APIRouter:
    routes = APIRouter()
    signing_in = pages.signing_in
    Anybody = Annotated[Page, Depends(pages.everybody)]  # noqa: N806  a type

    @routes.get("/sign-in")
    async def ask(page: Anybody) -> Response:
        if page.session is not None:
            return page.go("/")
        return page.render(
            "sign_in.html", name="", problem=None, to=page.view.value("next"), nobody=await signing_in.nobody_yet()
        )

    @routes.post("/sign-in")
    async def sign_in(page: Anybody) -> Response:
        form, to = page.form, page.form.get("next")
        name = form.get("name") or ""
        try:
            signed_in = await signing_in.by_password(
                name,
                form.secret("password"),
                address=page.address,
                browser=_browser(page),
                known=page.request.cookies.get(pages.cookie_name("known")),
            )
        except (SignInRefused, SignInThrottled) as error:
            if isinstance(error, SignInRefused):  # the others are as many as somebody likes to send
                await page.record("user.sign_in_failed", error.name and f"user:{error.name}")
            response = page.render(
                "sign_in.html",
                status=429 if isinstance(error, SignInThrottled) else 403,
                name=name,
                problem=str(error),
                to=to,
                nobody=False,
            )
            if isinstance(error, SignInThrottled):
                response.headers["retry-after"] = str(ceil(error.retry_after_s))
            return response
        return await _let_in(page, signed_in, next_path(to))

    @routes.get("/sign-in/{token}")
    async def sign_in_by_link(page: Anybody, token: str) -> Response:
        is_ahead = "prefetch" in page.request.headers.get("sec-purpose", "") or _LOOKS_AHEAD.search(_browser(page))
        if is_ahead or page.request.method == "HEAD":
            raise Forbidden("This link works once: it is not to be fetched ahead.")
        try:
            signed_in = await signing_in.by_link(token, address=page.address, browser=_browser(page))
        except SignInRefused as error:
            return page.render("sign_in.html", status=403, name="", problem=str(error), to=None, nobody=False)
        return await _let_in(page, signed_in, "/")

    @routes.get("/start/{token}")
    async def ask_first(page: Anybody, token: str) -> Response:
        is_start = await signing_in.is_start(token)
        return page.render("start.html", status=200 if is_start else 403, is_start=is_start, name="", problem=None)

    @routes.post("/start/{token}")
    async def start(page: Anybody, token: str) -> Response:
        form, name = page.form, page.form.get("name") or ""
        password = form.secret("password")
        try:
            if password != form.secret("again"):
                raise InputInvalid("The two passwords differ.", field="again")
            signed_in = await signing_in.as_first(token, name, password, address=page.address, browser=_browser(page))
        except InputInvalid as error:
            return page.render("start.html", status=422, is_start=True, name=name, problem=str(error))
        except SignInRefused:
            return page.render("start.html", status=403, is_start=False, name=name, problem=None)
        return await _let_in(page, signed_in, "/", action="user.created_first")

    @routes.post("/sign-out")
    async def sign_out(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        await signing_in.sign_out(page.request.cookies.get(pages.cookie_name("session"), ""))
        await page.record("user.signed_out", f"user:{page.user.name}")
        response = page.go("/sign-in", said="You are signed out.")
        pages.delete_cookie(response, "session")
        return response

    async def _let_in(page: Page, signed_in: SignedIn, to: str, action: str = "user.signed_in") -> Response:
        name = f"user:{signed_in.user.name}"
        await pages.auditor.record(name, action, name, page.address)
        if page.session is not None:  # the token changes whenever somebody signs in
            await signing_in.sign_out(page.request.cookies.get(pages.cookie_name("session"), ""))
        response = page.go(to)
        pages.set_cookie(response, "session", signed_in.token, max_age_s=int(SESSION_MAX.total_seconds()))
        pages.set_cookie(response, "known", signed_in.known, max_age_s=_KNOWN_S)
        pages.delete_cookie(response, "visit")
        return response

    return routes


def _browser(page: Page) -> str:
    return page.request.headers.get("user-agent", "")
