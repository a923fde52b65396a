"""The bodies of API requests, read within a limit before anything looks at them: the framework has none of its own."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landed.domain.errors import RequestTooLarge
from landed.web import problems

#: What is put in is a handful of fields.
BODY_BYTES_MAX: Final = 256 * 1024
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyLimit:
    """Answers 413 where a body is larger, without having read more of it than that."""

    def __init__(self, app: ASGIApp, bytes_max: int = BODY_BYTES_MAX) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # whoever asked is gone
            body += message.get("body", b"")
            if len(body) > self._bytes_max:
                too_large = RequestTooLarge(f"A request's body may have {self._bytes_max} bytes.")
                await problems.response(too_large)(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        is_read = False

        async def read() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, read, send)
