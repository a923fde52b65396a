"""Which requests are the API's, and which are for pages."""

from typing import Any

import pytest

from landed.web.entrance import Entrance

pytestmark = pytest.mark.anyio


async def asked(path: str, public_url: str = "https://landed.test") -> tuple[str, str]:
    """Who was asked for what path."""
    seen = []

    def app(name: str) -> Any:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            seen.append((name, scope["path"]))

        return answer

    entrance = Entrance(api=app("api"), dashboard=app("dashboard"), public_url=public_url)
    await entrance({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize("path", ["/v1", "/v1/x", "/health/live", "/metrics", "/docs", "/openapi.json", "/callbacks/x"])
async def test_the_api_keeps_its_paths(path: str) -> None:
    assert await asked(path) == ("api", path)


@pytest.mark.parametrize("path", ["/", "/v2", "/v10/x", "/messages", "/healthy", "/static/x/app.css"])
async def test_everything_else_is_a_page(path: str) -> None:
    assert await asked(path) == ("dashboard", path)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/sms/v1/x", ("api", "/v1/x")),
        ("/sms", ("dashboard", "/")),
        ("/messages", ("dashboard", "/messages")),
        ("/smsx", ("dashboard", "/smsx")),
    ],
)
async def test_the_path_of_the_public_url_is_taken_away_where_a_proxy_left_it(path: str, seen: tuple[str, str]) -> None:
    assert await asked(path, "https://landed.test/sms") == seen
