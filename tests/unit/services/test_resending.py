"""Sending a callback to another URL: byte for byte, and to this machine unless somebody says otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import InputInvalid
from landed.services import resending

pytestmark = pytest.mark.anyio

REQUEST = CallbackRequest(
    method="POST",
    url="https://hooks.example.com/callbacks/key?shop=a%2fb&x='\"|",
    headers={"content-type": "text/plain"},
    body=b"To=%2B1415&Text=\xff\r\n",
)
LINES = resending.header_lines(
    b"Host: hooks.example.com\nX-Twice: 1\nX-Twice: 2\nConnection: keep-alive, X-Hop\nX-Hop: 1\n"
    b"Transfer-Encoding: chunked\nContent-Length: 99\nAuthorization: ***\nX-Plivo-Signature-V2: ab+/=\n"
)


@asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A bare server that answers each connection with these bytes, and what it got."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(65536))
        writer.write(answer)
        await writer.drain()
        if not answer:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
    finally:
        server.close()


async def test_what_goes_out_is_what_came_but_for_the_connection() -> None:
    async with listening(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, got), resending.opened_client() as http:
        answer = await resending.send(http, resending.outgoing(REQUEST, f"{url}/hook?own=1", LINES))

    head, _, body = got[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"POST /hook?own=1&shop=a%2fb&x='\"| HTTP/1.1"
    assert body == REQUEST.body
    named = [header.split(b": ")[0].lower() for header in headers]
    assert named.count(b"x-twice") == 2
    assert b"X-Plivo-Signature-V2: ab+/=" in headers
    assert set(named) == {b"host", b"content-length", b"x-twice", b"x-plivo-signature-v2"}
    assert f"host: {url.removeprefix('http://')}".encode() in [header.lower() for header in headers]
    assert (answer.status, answer.is_ok) == (204, True)


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with listening(moved) as (url, got), resending.opened_client() as http:
        answer = await resending.send(http, resending.outgoing(REQUEST, url))

    assert (answer.status, answer.is_ok, len(got)) == (302, False, 1)


async def test_of_a_long_answer_the_first_bytes_are_kept() -> None:
    long = b"HTTP/1.1 500 No\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000
    async with listening(long) as (url, _), resending.opened_client() as http:
        answer = await resending.send(http, resending.outgoing(REQUEST, url))

    assert (answer.status, len(answer.body), answer.body_truncated) == (500, resending.ANSWER_BYTES_MAX, True)


@pytest.mark.parametrize("answer", [b"", b"not http\r\n\r\n"])
async def test_what_does_not_answer_is_a_problem_and_no_error(answer: bytes) -> None:
    async with listening(answer) as (url, _), resending.opened_client() as http:
        result = await resending.send(http, resending.outgoing(REQUEST, url), timeout_s=0.3)

    assert result.status is None
    assert result.problem


@pytest.mark.parametrize("header", [("a\r\nb", "c"), ("a", "b\r\nX-Evil: 1"), ("", "x")])
async def test_a_header_that_is_none_goes_nowhere(header: tuple[str, str]) -> None:
    async with listening(b"HTTP/1.1 200 OK\r\n\r\n") as (url, got), resending.opened_client() as http:
        answer = await resending.send(http, resending.outgoing(REQUEST, url, [header]), timeout_s=0.5)

    assert answer.status is None
    assert b"X-Evil" not in b"".join(got)


@pytest.mark.parametrize("url", ["http://localhost:3000/hook", "http://127.9.0.1/", "https://[::1]:8443/x"])
def test_this_machine_is_a_target(url: str) -> None:
    assert resending.target(f"{url}#part") == url


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("http://localhost:3000/büro/帳?von=é", "http://localhost:3000/b%C3%BCro/%E5%B8%B3?von=%C3%A9"),
        ("http://localhost/a%2fb/ü?x='\"|&y=%7e+", "http://localhost/a%2fb/%C3%BC?x='\"|&y=%7e+"),
        ("http://bücher.example/ü", "http://bücher.example/%C3%BC"),
    ],
)
def test_path_and_query_are_written_in_ascii_and_what_was_ascii_stays(url: str, written: str) -> None:
    assert resending.target(url, anywhere=True) == written


async def test_letters_of_any_language_may_be_in_a_target() -> None:
    async with listening(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, got), resending.opened_client() as http:
        answer = await resending.send(http, resending.outgoing(REQUEST, resending.target(f"{url}/büro?an=é")))

    assert got[0].startswith(b"POST /b%C3%BCro?an=%C3%A9&shop=a%2fb&x='\"| HTTP/1.1\r\n")
    assert answer.is_ok


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "http://0.0.0.0/",
        "http://127.0.0.1.nip.io/",
    ],
)
def test_another_machine_is_one_only_when_confirmed(url: str) -> None:
    with pytest.raises(InputInvalid, match="confirm"):
        resending.target(url)
    assert resending.target(url, anywhere=True) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:3000",
        "file:///etc/passwd",
        "ftp://localhost/",
        "http://a:b@localhost/",
        "http://localhost:99999/",
        "http://local host/",
    ],
)
def test_anything_else_is_no_target(url: str) -> None:
    with pytest.raises(InputInvalid):
        resending.target(url, anywhere=True)
