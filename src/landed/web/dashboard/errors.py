"""Errors as pages: what happened, whose turn it is, and the way on. Scripts get them as the API tells them."""

from http import HTTPStatus
from math import ceil
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from landed.domain.errors import InputInvalid, LandedError
from landed.services.guessing import SearchThrottled
from landed.services.signing_in import SignInRefused, SignInThrottled
from landed.web import problems
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import address
from landed.web.dashboard.viewer import Forbidden, SignInNeeded

_STATUSES: Final = {
    SignInNeeded: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    SignInRefused: HTTPStatus.FORBIDDEN,
    SignInThrottled: HTTPStatus.TOO_MANY_REQUESTS,
    SearchThrottled: HTTPStatus.TOO_MANY_REQUESTS,
}
_TITLES: Final = {
    401: "Sign in first",
    403: "Not allowed",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "Not as things stand now",
    413: "Too large",
    422: "That cannot be used",
    429: "Too many tries",
    500: "Something went wrong on our side",
    502: "The provider did not do it",
    503: "Not available right now",
}


def install(app: FastAPI, pages: Pages) -> None:
    @app.exception_handler(LandedError)
    async def landed_error(request: Request, error: LandedError) -> Response:
        if isinstance(error, SignInNeeded) and request.method in ("GET", "HEAD") and is_looked_at(request):
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(address(f"{pages.root}/sign-in", {"next": asked if asked != "/" else None}), 303)
        status = _STATUSES.get(type(error)) or problems.status_of(error)
        detail = str(error) if status < 500 or status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return _answer(pages, request, status, detail, error.code, retry_after_s=getattr(error, "retry_after_s", None))

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()[:5])
        return _answer(pages, request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{told}.", InputInvalid.code)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        answer = _answer(pages, request, status, None, status.phrase.lower().replace(" ", "_"))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        problems.log_unexpected("page_failed", request.scope, error)
        try:
            return _answer(pages, request, HTTPStatus.INTERNAL_SERVER_ERROR, None, LandedError.code)
        except Exception:
            return PlainTextResponse("Something went wrong on our side; the log has the details.\n", 500)


def is_looked_at(request: Request) -> bool:
    """Whether a person waits for it, rather than a script."""
    return request.headers.get("sec-fetch-dest") != "empty" and not request.headers.get("accept", "").startswith(
        ("application/json", "text/event-stream")
    )


def _answer(
    pages: Pages,
    request: Request,
    status: HTTPStatus,
    detail: str | None,
    code: str,
    retry_after_s: float | None = None,
) -> Response:
    headers = {}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["retry-after"] = str(ceil(retry_after_s or problems.RETRY_AFTER_S))
    if not is_looked_at(request):
        response = problems.plain(status, code, detail or _TITLES.get(status, status.phrase))
    else:
        page: Page = getattr(request.state, "page", None) or Page(pages, request, viewer=None)
        page.forget_view()
        response = page.render(
            "error.html", status=status, code=int(status), title=_TITLES.get(status, status.phrase), detail=detail
        )
    response.headers.update(headers)
    return response
