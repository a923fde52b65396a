"""The requests of callbacks on a real socket: as they should be, and as badly as chaos wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from landed.simulator.callbacks.signing import Request
from landed.simulator.carrier.caller import Caller, is_near
from landed.simulator.carrier.chaos import Flaw

pytestmark = pytest.mark.anyio

BODY = b"Status=delivered&MessageUUID=0123456789"


class Listener:
    """A server that writes down what comes, and when, and answers each request after `pause_s`."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", pause_s: float = 0) -> None:
        self.chunks: list[bytes] = []
        self.ended = asyncio.Event()
        self.was_half_closed = False
        self._answer, self._pause_s = answer, pause_s

    @property
    def received(self) -> bytes:
        return b"".join(self.chunks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.received.endswith(BODY):
                chunk = await reader.read(65_536)
                self.chunks.append(chunk)
                if not chunk:
                    break
            await asyncio.sleep(self._pause_s)
            rest = asyncio.create_task(reader.read())
            await asyncio.wait({rest}, timeout=0.2)
            self.was_half_closed = rest.done()
            rest.cancel()
            writer.write(self._answer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.ended.set()


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[str]:
    server = await asyncio.start_server(listener._serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=b"


@asynccontextmanager
async def calling() -> AsyncIterator[Caller]:
    caller = Caller()
    try:
        yield caller
    finally:
        await caller.close()


def _request(url: str, method: str = "POST", body: bytes = BODY) -> Request:
    return Request(method=method, url=url, headers={"Content-Type": "text/plain", "X-Signature": "s"}, body=body)


@pytest.mark.parametrize("flaw", [Flaw.NONE, Flaw.SLOW, Flaw.HALF_CLOSED])
async def test_a_request_arrives_whole_and_its_answer_is_read(flaw: Flaw) -> None:
    listener = Listener()
    async with listening(listener) as url, calling() as caller:
        answer = await caller.call(_request(url), flaw, 5)

    assert answer == (200, None)
    head, _, body = listener.received.partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"x-signature: s" in head.lower()
    assert f"content-length: {len(BODY)}".encode() in head.lower()


async def test_a_slow_body_comes_by_drops() -> None:
    listener = Listener()
    async with listening(listener) as url, calling() as caller:
        await caller.call(_request(url), Flaw.SLOW, 5)

    assert len(listener.chunks) > 3


async def test_a_half_closed_connection_is_still_read_from() -> None:
    listener = Listener(pause_s=0.05)
    async with listening(listener) as url, calling() as caller:
        answer = await caller.call(_request(url), Flaw.HALF_CLOSED, 5)

    assert listener.was_half_closed
    assert answer.status == 200


async def test_who_hangs_up_has_sent_it_all_and_reads_no_answer() -> None:
    listener = Listener(pause_s=0.05)
    async with listening(listener) as url, calling() as caller:
        answer = await caller.call(_request(url), Flaw.HUNG_UP, 5)
        async with asyncio.timeout(5):
            await listener.ended.wait()

    assert answer == (None, "hung up before the answer")
    assert listener.received.endswith(BODY)


async def test_a_get_has_no_body() -> None:
    listener = Listener()
    async with listening(listener) as url, calling() as caller:
        call = asyncio.create_task(caller.call(_request(url, "GET", b""), Flaw.HUNG_UP, 5))
        await call

    assert b"content-length" not in listener.received.lower()


@pytest.mark.parametrize("flaw", [Flaw.NONE, Flaw.SLOW])
async def test_nobody_is_waited_for_too_long(flaw: Flaw) -> None:
    listener = Listener(pause_s=30)
    async with listening(listener) as url, calling() as caller:
        answer = await caller.call(_request(url), flaw, 1)

    assert answer == (None, "no answer within 1 s")


@pytest.mark.parametrize("flaw", [Flaw.NONE, Flaw.HALF_CLOSED])
async def test_what_is_no_http_is_no_answer(flaw: Flaw) -> None:
    async with listening(Listener(answer=b"hello\r\n\r\n")) as url, calling() as caller:
        answer = await caller.call(_request(url), flaw, 5)

    assert answer.status is None
    assert answer.problem


@pytest.mark.parametrize("flaw", [*Flaw])
async def test_who_does_not_listen_is_a_problem_and_no_error(flaw: Flaw) -> None:
    async with listening(Listener()) as url:
        pass
    async with calling() as caller:
        answer = await caller.call(_request(url), flaw, 5)

    assert answer.status is None
    assert answer.problem


async def test_redirects_are_not_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n"
    async with listening(Listener(answer=elsewhere)) as url, calling() as caller:
        assert (await caller.call(_request(url), Flaw.NONE, 5)).status == 302


async def test_what_is_reached_elsewhere_is_called_there() -> None:
    listener = Listener()
    async with listening(listener) as url:
        here = url.partition("/hook")[0]
        caller = Caller(reached_at={"https://public.example.com/landed": f"{here}"})
        answer = await caller.call(_request("https://public.example.com/landed/hook?a=b"), Flaw.NONE, 5)
        other = await caller.call(_request("https://public.example.com/landed-other/hook"), Flaw.NONE, 5)
        await caller.close()

    assert (answer.status, other.status) == (200, None)
    assert listener.received.startswith(b"POST /hook?a=b ")


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:3000/", "http://localhost/", "http://app.localhost:1/", "http://[::1]:80/", "http://10.1.2.3/x",
    "http://192.168.0.9/", "http://172.16.5.4/", "https://127.9.9.9/", "http://[fd00::1]/",
])  # fmt: skip
def test_this_machine_and_private_networks_are_near(url: str) -> None:
    assert is_near(url)


@pytest.mark.parametrize("url", [
    "http://example.com/", "http://93.184.216.34/", "http://localhost.evil.test/", "http://[2001:4860::8888]/", "http://",
    "http://[", "", "http://127.0.0.1.evil.test/", "http://evil.test@93.184.216.34/", "http://internal/",
])  # fmt: skip
async def test_all_else_is_far_and_not_called(url: str) -> None:
    async with calling() as caller:
        answer = await caller.call(_request(url), Flaw.NONE, 5)

    assert answer.status is None
    assert "not called" in (answer.problem or "")


async def test_whoever_wants_to_may_call_anywhere() -> None:
    caller = Caller(anywhere=True)

    assert caller.may_call("https://example.com/")
    await caller.close()
