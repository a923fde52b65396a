"""Which requests are the API's, and which are for pages."""

from typing import Any

import pytest
from structlog.testing import capture_logs

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


START = {"type": "http.response.start", "status": 200, "headers": []}
SECRET = "+14155550123"


async def after_failing_behind(*messages: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """What was sent and logged, of an application that fails once it has sent these."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        raise RuntimeError(SECRET)

    async def send(message: Any) -> None:
        sent.append(message)

    entrance = Entrance(api=app, dashboard=app, public_url="https://landed.test")
    with capture_logs() as logs:
        await entrance({"type": "http", "method": "GET", "path": "/x"}, None, send)  # type: ignore[arg-type]
    return sent, logs


async def test_a_failure_that_was_answered_ends_here_and_the_server_writes_nothing_of_it() -> None:
    """Starlette raises it again behind the answer; what is to be written down was, where it was answered."""
    end = {"type": "http.response.body", "body": b"Something went wrong"}

    assert await after_failing_behind(START, end) == ([START, end], [])


@pytest.mark.parametrize("more", [[], [{"type": "http.response.body", "body": b"half", "more_body": True}]], ids=len)
async def test_an_answer_that_breaks_off_is_written_down_without_what_it_was_about(more: list[dict[str, Any]]) -> None:
    sent, logs = await after_failing_behind(START, *more)

    assert sent == [START, *more]
    assert [(line["event"], line["error"]) for line in logs] == [("answer_broken_off", "RuntimeError")]
    assert SECRET not in str(logs)


async def test_what_fails_without_any_answer_is_for_the_server_to_answer() -> None:
    with pytest.raises(RuntimeError):
        await after_failing_behind()
