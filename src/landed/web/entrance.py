"""Which application a request is for: the API has its paths, everything else is a page. What fails there ends here."""

from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landed.web import problems

#: With everything below them.
API_PATHS: Final = ("/v1", "/health", "/metrics", "/docs", "/openapi.json", "/callbacks")


class Entrance:
    """Takes the path of the public URL away, where a proxy in front has left it there."""

    def __init__(self, *, api: ASGIApp, dashboard: ASGIApp, public_url: str) -> None:
        self._api = api
        self._dashboard = dashboard
        self._root = urlsplit(public_url).path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        path: str = scope["path"]
        if self._root and (path == self._root or path.startswith(f"{self._root}/")):
            path = path[len(self._root) :] or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        app = self._api if _is_api(path) else self._dashboard
        await _answered(app, scope, receive, send)


async def _answered(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Starlette raises what failed once more behind the answer that says so. uvicorn would log all it says, numbers and
    texts too, and break the connection."""
    has_begun = is_over = False

    async def noticing(message: Message) -> None:
        nonlocal has_begun, is_over
        await send(message)
        has_begun = True
        is_over = message["type"] == "http.response.body" and not message.get("more_body", False)

    try:
        await app(scope, receive, noticing)
    except Exception as error:
        if not has_begun:
            raise
        if not is_over:
            problems.log_unexpected("answer_broken_off", scope, error)


def _is_api(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in API_PATHS)
