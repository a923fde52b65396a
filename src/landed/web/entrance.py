"""Which application a request is for: the API has its paths, everything else is a page."""

from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

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
        await app(scope, receive, send)


def _is_api(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in API_PATHS)
