"""How the stand-in for Routee reads requests and answers them: JSON, and errors with codes of nine digits."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from landed.simulator.carrier.scenario import Answer, Outcome

#: Nobody waits for longer; then even a hanging request is over.
_HANG_S_MAX: Final = 120
_LOOK_EVERY_S: Final = 0.05

INVALID: Final = "400005000"
#: Of a no that Routee's pages give no code for.
FORBIDDEN: Final = "403000000"
THROTTLED: Final = "429000000"


class Problem(Exception):
    """A no, as Routee tells it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        properties: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content: dict[str, Any] = {
            "code": code,
            "developerMessage": message,
            "properties": dict(properties or {}),
            "entity": None,
        }
        self.headers = headers

    def answer(self) -> Response:
        return JSONResponse(self.content, self.status, self.headers)


class AccessProblem(Problem):
    """A no to whoever asks, in OAuth's form."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(status, "", description)
        self.content = {"error": error, "error_description": description}
        if status == 401:
            self.headers = {"WWW-Authenticate": f'{"Basic" if error == "invalid_client" else "Bearer"} realm="Routee"'}


def invalid(properties: Mapping[str, str]) -> Problem:
    """`properties`: what is wrong, by the field's name."""
    return Problem(400, INVALID, "Invalid SMS data", properties)


class HangUp(Response):
    """Closes the connection amid the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def refuse(outcome: Outcome | None) -> None:
    """Raise what a magic number wants to be answered instead of being taken."""
    match outcome.answer if outcome else None:
        case Answer.BAD_REQUEST:
            raise invalid({"to": "is a magic number for an invalid request"})
        case Answer.FORBIDDEN:
            raise Problem(403, FORBIDDEN, "The country is not enabled for this application")
        case Answer.THROTTLED:
            raise throttled(1)
        case Answer.SERVER_ERROR:
            raise Problem(500, "500000000", "Internal server error")


def throttled(after_s: int) -> Problem:
    return Problem(429, THROTTLED, "Too many requests", headers={"Retry-After": str(after_s)})


async def leave_out(request: Request, outcome: Outcome | None) -> Response | None:
    """What a magic number wants in place of the answer of a request that was taken; None: the answer."""
    match outcome.answer if outcome else None:
        case Answer.HANG_UP:
            return HangUp()
        case Answer.HANG:
            for _ in range(int(_HANG_S_MAX / _LOOK_EVERY_S)):
                if await request.is_disconnected():
                    break
                await asyncio.sleep(_LOOK_EVERY_S)
            return HangUp()
    return None


async def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


async def json_of(request: Request) -> Any:
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Problem(400, INVALID, "The body is not JSON") from error
    if not _can_be_told(content):
        fields = content if isinstance(content, dict) else {}
        wrong = [name for name, value in fields.items() if _can_be_told(name) and not _can_be_told(value)]
        raise invalid(dict.fromkeys(wrong, "has half of a surrogate pair, or a number that is none"))
    return content


def _can_be_told(content: Any) -> bool:
    """Whether it can be written again, in an answer or a callback: JSON lets in what UTF-8 and JSON cannot say."""
    try:
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


async def object_of(request: Request) -> dict[str, Any]:
    content = await json_of(request)
    if not isinstance(content, dict):
        raise Problem(400, INVALID, "The body is no JSON object")
    return content


def moment(text: str | None) -> datetime | None:
    """A time as Routee takes it; None where it is none. Without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text or "")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
