"""Following another Landed's stream: events as they are written, and coming back behind the last one."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx
import pytest

from landed.domain.errors import InputInvalid, NotAllowed
from landed.services import following
from landed.services.following import Event, Remote
from landed.services.streaming import Step

pytestmark = pytest.mark.anyio

CALLBACK: Final[dict[str, Any]] = {
    "id": "1", "account": "shop", "received_at": "2026-03-02T09:15:01Z", "method": "POST", "url": "https://x/",
    "kind": None, "our_id": None, "verified_by": [], "body_bytes": 1, "verdict": "accepted", "outcome": None,
    "reason": None, "detail": None, "provider": "plivo", "header_lines": [["a", "b"]], "body": "x\u2028\x85y",
    "body_base64": None, "body_truncated": False, "body_masked": False, "told": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAUSES_S", (0.0,))


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(*parts: bytes) -> list[Event]:
    return [event async for event in following.events(chunks(*parts))]


async def test_events_are_read_however_they_are_cut() -> None:
    stream = b'retry: 2000\n\nid: a\n\n: keep-alive\n\nid: b\r\nevent: callback\r\ndata: {"x":\r\ndata: 1}\r\n\r\n'

    whole = await read(stream)

    assert whole == [Event("a", "", b""), Event(None, "", b""), Event("b", "callback", b'{"x":\n1}')]
    assert await read(*(stream[at : at + 1] for at in range(len(stream)))) == whole


async def test_what_is_not_ended_is_no_event() -> None:
    assert await read(b"id: a\ndata: x\n") == []


class Server:
    """Answers in turn; remembers where each reader wanted to begin."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.places: list[str | None] = []
        self.troubles: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer k"
        self.places.append(request.headers.get("last-event-id"))
        return self.answers.pop(0)()

    async def steps(self, number: int, place: str | None = None) -> list[Step | None]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
            remote = Remote(
                http=http, server="http://landed.test", key="k", parameters=(), trouble=self.troubles.append
            )
            found: list[Step | None] = []
            async for step in remote.steps(place):
                found.append(step)
                if len(found) == number:
                    break
            return found


def streaming(*events: str) -> Callable[[], httpx.Response]:
    content = "".join(f"{event}\n\n" for event in events)
    return lambda: httpx.Response(200, content=content, headers={"content-type": "text/event-stream; charset=utf-8"})


def failing(error: Exception) -> Callable[[], httpx.Response]:
    def fail() -> httpx.Response:
        raise error

    return fail


def problem(status: int, detail: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json={"detail": detail})


async def test_a_stream_that_ends_is_gone_on_with_behind_its_last_event() -> None:
    server = Server(streaming("id: a", ": hm", "id: b"), streaming("id: c"))

    steps = await server.steps(4)

    assert [step and step.place for step in steps] == ["a", None, "b", "c"]
    assert server.places == [None, "b"]
    assert server.troubles == []


async def test_trouble_is_told_once_until_it_is_over() -> None:
    broken = failing(httpx.ReadError("reset"))
    server = Server(broken, failing(httpx.ConnectError("refused")), problem(503, "Not now"), streaming("id: a"))

    assert await server.steps(1, "start") == [Step("a", None)]
    assert server.places == ["start"] * 4
    assert server.troubles == ["http://landed.test cannot be reached.", None], "the first break says nothing yet"


async def test_a_callback_comes_as_it_is_whatever_characters_are_in_it() -> None:
    line = json.dumps(CALLBACK, ensure_ascii=False)
    server = Server(streaming(f"id: a\nevent: callback\ndata: {line}"))

    (step,) = await server.steps(1)

    assert step is not None
    assert step.callback is not None
    assert step.callback.body == "x\u2028\x85y"
    assert step.callback.header_lines == [("a", "b")]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (problem(401, "This key is not known."), NotAllowed, "This key is not known."),
        (problem(422, "There is no account 'x'."), InputInvalid, "There is no account 'x'."),
        (lambda: httpx.Response(404, content=b"gone"), InputInvalid, "no stream of callbacks"),
        (lambda: httpx.Response(302, headers={"location": "/login"}), InputInvalid, "no stream of callbacks"),
        (lambda: httpx.Response(200, html="<p>Welcome</p>\n\n"), InputInvalid, "no stream of callbacks"),
        (lambda: httpx.Response(200), InputInvalid, "no stream of callbacks"),
        (streaming("id: a\nevent: callback\ndata: {}"), InputInvalid, "another version"),
    ],
)
async def test_what_will_not_get_better_ends_it(
    answer: Callable[[], httpx.Response], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await Server(answer).steps(1)


async def test_no_key_is_shown() -> None:
    async with httpx.AsyncClient() as http:
        assert "geheim" not in repr(
            Remote(http=http, server="http://x", key="geheim", parameters=(), trouble=lambda _: None)
        )
