"""What stands before all that the simulator serves: who may call it, how much may be sent, and what a fault looks like.

A page in a browser on this machine can reach whatever listens here. It is kept out by the names it has to use: `Host`
is one of this machine's, so that a foreign name that leads here is no way in, and `Origin` is our own.
"""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landed.domain import errors
from landed.domain.errors import InputInvalid, LandedError, RequestTooLarge
from landed.simulator.simulation import Served, Simulation

BODY_BYTES_MAX: Final = 1024 * 1024
PREFIX: Final = "/_sim"
_STATUSES: Final[Mapping[type[LandedError], HTTPStatus]] = {
    errors.InputInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
}


class Guard:
    """Refuses what comes under a foreign name, from a foreign page, or is too large; tells watchers of the rest."""

    def __init__(self, app: ASGIApp, *, simulation: Simulation, hosts: Collection[str]) -> None:
        self._app = app
        self._simulation = simulation
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            await self._app(scope, _bounded(receive), send)
        else:
            await self._watched(scope, _bounded(receive), send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Request(scope).headers
        host = headers.get("host", "")
        if not self._is_ours(host):
            return problem(
                HTTPStatus.FORBIDDEN,
                "host_not_allowed",
                f"Call this by an address of this machine, not by {host[:100]!r}; --allow-host adds a name.",
            )
        if not scope["path"].startswith(PREFIX):
            return None  # that of Plivo says in Plivo's words that a body is too large
        if not _is_same_origin(headers, host):
            return problem(HTTPStatus.FORBIDDEN, "origin_not_allowed", "Pages from elsewhere may not ask this.")
        length = headers.get("content-length", "")
        return answer(_too_large()) if length.isdecimal() and int(length) > BODY_BYTES_MAX else None

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        is_known = name in self._hosts or name == "localhost" or name.endswith(".localhost") or self._is_address(name)
        return is_known and "@" not in host

    def _is_address(self, name: str) -> bool:
        """An address cannot be made to lead elsewhere, as a name can."""
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or any(host in self._hosts for host in ("0.0.0.0", "::"))  # noqa: S104  was bound

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            elapsed_ms = round((perf_counter() - started) * 1000, 1)
            served = Served(scope["method"], scope["path"], status, elapsed_ms)
            for watch in self._simulation.watchers:
                watch(served)


def _is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def receive_bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise _too_large()
        return message

    return receive_bounded


def _too_large() -> RequestTooLarge:
    return RequestTooLarge(f"The body is over {BODY_BYTES_MAX // 1024} KiB.")


# --- what a fault looks like ---------------------------------------------------------------------------------------


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """As Landed's API has it (RFC 9457)."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    return JSONResponse({**content, "code": code, **more}, status, media_type="application/problem+json")


def answer(error: LandedError) -> JSONResponse:
    status = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), None)
    if status is None:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, LandedError.code, "Something went wrong in the simulator.")
    more = {"field": error.field} if isinstance(error, InputInvalid) and error.field else {}
    return problem(status, error.code, str(error), **more)


async def landed_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LandedError)  # noqa: S101  it is registered for these
    return answer(error)


async def http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  as above
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    detail = f"There is nothing here; {PREFIX} lists what there is." if error.status_code == 404 else error.detail
    return problem(error.status_code, code, detail)


async def unexpected(_: Request, error: Exception) -> JSONResponse:
    return answer(LandedError(str(error)))
