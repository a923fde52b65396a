"""What every provider's client does with HTTP, where no server is needed."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.errors import OutcomeUnknown, ProviderFailed, ProviderUnreachable, SendFailed
from landed.providers.http import (
    ANSWER_BYTES_MAX,
    Answer,
    Api,
    Problem,
    Request,
    form_content,
    json_content,
    open_client,
    retry_after_s,
    segment,
    shown,
    strings,
)

CREATE = Request(what="do it", method="POST", url="http://api.test/", content=b"{}")
LOOK = Request(what="look", method="GET", url="http://api.test/", is_repeatable=True)


def ask(request: Request, answer: Callable[[httpx.Request], Any]) -> Answer | SendFailed:
    """What comes of it with a transport that says nothing of its steps."""

    async def asked() -> Answer | SendFailed:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            try:
                return await Api("Acme", http, lambda request, answer: Problem()).ask(request)
            except SendFailed as error:
                return error

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("raised", "of_create", "of_look"),
    [
        (httpx.ConnectError, ProviderUnreachable, ProviderUnreachable),
        (httpx.ConnectTimeout, ProviderUnreachable, ProviderUnreachable),
        (httpx.PoolTimeout, ProviderUnreachable, ProviderUnreachable),
        (httpx.ProxyError, ProviderUnreachable, ProviderUnreachable),
        (httpx.UnsupportedProtocol, ProviderUnreachable, ProviderUnreachable),
        (httpx.WriteError, OutcomeUnknown, ProviderFailed),
        (httpx.WriteTimeout, OutcomeUnknown, ProviderFailed),
        (httpx.ReadError, OutcomeUnknown, ProviderFailed),
        (httpx.ReadTimeout, OutcomeUnknown, ProviderFailed),
        (httpx.CloseError, OutcomeUnknown, ProviderFailed),
        (httpx.RemoteProtocolError, OutcomeUnknown, ProviderFailed),
        (httpx.LocalProtocolError, OutcomeUnknown, ProviderFailed),
        (httpx.DecodingError, OutcomeUnknown, ProviderFailed),
        (RuntimeError, OutcomeUnknown, ProviderFailed),
    ],
)
def test_where_nobody_watches_the_kind_of_the_error_decides(
    raised: type[Exception], of_create: type[SendFailed], of_look: type[SendFailed]
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise raised("SECRET")

    for request, expected in ((CREATE, of_create), (LOOK, of_look)):
        error = ask(request, fail)
        assert type(error) is expected
        assert raised.__name__ in str(error)
        assert "SECRET" not in str(error)


def test_a_request_whose_head_alone_was_written_did_not_go_out() -> None:
    class Watched(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            for step in ("connection.connect_tcp.complete", "http11.send_request_headers.started"):
                await request.extensions["trace"](step, {})
            raise httpx.WriteError("broken")

    async def asked(request: Request) -> Answer:
        async with httpx.AsyncClient(transport=Watched()) as http:
            return await Api("Acme", http, lambda request, answer: Problem()).ask(request)

    with pytest.raises(ProviderUnreachable):
        asyncio.run(asked(CREATE))
    with pytest.raises(ProviderFailed):  # all of a request without a body is its head
        asyncio.run(asked(LOOK))


def test_an_answer_of_any_size_is_read_no_further_than_any_answer_goes() -> None:
    answer = ask(LOOK, lambda request: httpx.Response(200, content=b" " * (ANSWER_BYTES_MAX + 1)))

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.content()) == (200, None, None)


def test_redirects_are_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://elsewhere.test/"})

    ask(CREATE, answer)

    assert asked == ["http://api.test/"]


def test_no_account_sends_the_cookies_of_another() -> None:
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"set-cookie": "session=1"}, json={})

    async def asked() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            for _ in range(2):
                await Api("Acme", http, lambda request, answer: Problem()).ask(CREATE)

    asyncio.run(asked())
    assert sent == [None, None]


def test_nothing_goes_out_once_the_connections_are_closed() -> None:
    async def asked() -> Answer:
        http = httpx.AsyncClient()
        await http.aclose()
        return await Api("Acme", http, lambda request, answer: Problem()).ask(CREATE)

    with pytest.raises(ProviderUnreachable):
        asyncio.run(asked())


@pytest.mark.parametrize("url", ["http://[", "http://a b\n", "http://x:y", "nothing", ""])
def test_nothing_goes_out_to_what_is_no_url(url: str) -> None:
    request = replace(CREATE, url=url)

    async def asked() -> Answer:
        async with httpx.AsyncClient() as http:
            return await Api("Acme", http, lambda request, answer: Problem()).ask(request)

    with pytest.raises(ProviderUnreachable):
        asyncio.run(asked())


@pytest.mark.parametrize("text", ["half a pair: \ud83d", "\0", "\u2028"])
def test_any_text_can_be_written(text: str) -> None:
    assert json.loads(json_content({"text": text})) == {"text": text}
    assert form_content({"text": text}).startswith(b"text=")
    assert segment(text)


def test_the_timeouts_are_those_that_providers_need() -> None:
    timeout = open_client().timeout

    assert (timeout.connect, timeout.read) == (5.0, 15.0)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b'{"price": 0.0070, "units": 2}', {"price": "0.0070", "units": 2}),
        (b'{"text": "a\\u0000b"}', None),
        (b'{"text": "\\ud800"}', None),
        (b'{"price": NaN, "units": 12345678901234567890}', {"price": "NaN", "units": "12345678901234567890"}),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b"", None),
        (b'{"half": ', None),
    ],
)
def test_what_no_table_can_hold_is_no_answer(body: bytes, content: Any) -> None:
    assert Answer(status=200, headers={}, body=body).content() == content


def test_how_long_to_wait_may_be_told_as_a_moment() -> None:
    now = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
    headers = {"date": now.strftime("%a, %d %b %Y %H:%M:%S GMT"), "retry-after": "Mon, 02 Mar 2026 12:00:30 GMT"}

    assert retry_after_s(headers) == 30.0
    assert retry_after_s({**headers, "retry-after": "Mon, 02 Mar 2026 11:00:00 GMT"}) == 0.0
    assert retry_after_s({**headers, "retry-after": "Mon, 99 Mar 2026"}) is None


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("src 14155550123 is not yours", "src 1415•••••23 is not yours"),
        ("not +1 (415) 555-0123", "not +1 (415) •••-••23"),
        ("code 123456 is short", "code 123456 is short"),
        (
            "message 83876bdb-2033-4876-bfaf-0ff8693705af is gone",
            "message 83876bdb-2033-4876-bfaf-0ff8693705af is gone",
        ),
        ("your text is: Hello\n  there, friend!", "your text is: …"),
        ("HELLO THERE, FRIEND", "…"),
        ("…there, friend! is cut off", "… is cut off"),
        ("nothing to hide", "nothing to hide"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_what_a_provider_says_is_fit_to_be_shown(said: str, left: str) -> None:
    assert shown(said, ["Hello there, friend!", ""]) == left


@given(st.text(min_size=3, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_what_is_withheld_never_shows(secret: str, before: str, after: str) -> None:
    plain = " ".join(secret.split())

    assert len(plain) < 3 or plain not in shown(f"{before} {secret} {after}", [secret]).replace("…", "")


@pytest.mark.parametrize("text", ["..", ".", "a/b", "a?b", "a b", "ü"])
def test_an_id_is_one_segment_of_a_path(text: str) -> None:
    url = httpx.URL(f"http://api.test/before/{segment(text)}/after/")

    assert url.raw_path.decode().count("/") == 4


def test_every_text_of_a_body_is_withheld_but_words_of_lists() -> None:
    body = {"dst": "1", "type": "sms", "contact": {"name": "2", "phones": ["3", {"x": "4"}]}, "flag": True}

    assert sorted(strings(body, besides=frozenset({"type"}))) == ["1", "2", "3", "4"]
