"""A stand-in for a provider's API: a real HTTP server that acts on requests, remembers them, and fails as it is told.

Acting and answering are apart: a fault is what comes between. It runs on the loop of the test (`async with`), or on one
of its own in a thread (`in_thread`), for tests and SDKs that are not asynchronous.

    async with PlivoDouble() as plivo:
        plivo.fail(HANG_AFTER, None, THROTTLED, on="POST /Message/")
"""

import asyncio
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, unquote

import httpx

from tests.calling import Call

#: After this a hanging answer is given up, so that a test that forgot its time-outs ends.
HANG_S_MAX: Final = 30.0
_REASONS: Final = {200: "OK", 202: "Accepted", 204: "No Content", 400: "Bad Request", 404: "Not Found"}


class Kind(StrEnum):
    HANG = "hang"  #: says nothing, until the caller has gone
    RESET = "reset"  #: the connection is reset
    HANG_UP = "hang_up"  #: the connection is closed without a word
    ERROR = "error"  #: an answer with `status`
    HALF = "half"  #: half an answer, then the connection is closed
    STALL = "stall"  #: half an answer, then nothing
    WRONG_JSON = "wrong_json"  #: a good status, and no JSON
    WRONG_SHAPE = "wrong_shape"  #: a good status and JSON, and nothing that was asked for
    EMPTY = "empty"  #: a good status and no body
    CLOSE = "close"  #: the right answer; then the connection is closed, without saying so before


class Fault(NamedTuple):
    """`acts`: whether the request is read and acted upon before. Where it is not, its body is not read."""

    kind: Kind
    acts: bool
    status: int = 500
    retry_after: str | None = None
    body: bytes = b'{"error": "internal server error"}'


HANG_BEFORE: Final = Fault(Kind.HANG, acts=False)
HANG_AFTER: Final = Fault(Kind.HANG, acts=True)
RESET_BEFORE: Final = Fault(Kind.RESET, acts=False)
RESET_AFTER: Final = Fault(Kind.RESET, acts=True)
HANG_UP_BEFORE: Final = Fault(Kind.HANG_UP, acts=False)
HANG_UP_AFTER: Final = Fault(Kind.HANG_UP, acts=True)
ERROR_BEFORE: Final = Fault(Kind.ERROR, acts=False)
ERROR_AFTER: Final = Fault(Kind.ERROR, acts=True)
THROTTLED: Final = Fault(Kind.ERROR, acts=False, status=429, retry_after="2", body=b"")
HALF_ANSWER: Final = Fault(Kind.HALF, acts=True)
STALLED_ANSWER: Final = Fault(Kind.STALL, acts=True)
WRONG_JSON: Final = Fault(Kind.WRONG_JSON, acts=True)
WRONG_SHAPE: Final = Fault(Kind.WRONG_SHAPE, acts=True)
EMPTY_ANSWER: Final = Fault(Kind.EMPTY, acts=True)
CLOSED_LATER: Final = Fault(Kind.CLOSE, acts=True)

#: What a property test draws from.
EVERY: Final = (
    HANG_BEFORE, HANG_AFTER, RESET_BEFORE, RESET_AFTER, HANG_UP_BEFORE, HANG_UP_AFTER, ERROR_BEFORE, ERROR_AFTER,
    THROTTLED, HALF_ANSWER, STALLED_ANSWER, WRONG_JSON, WRONG_SHAPE, EMPTY_ANSWER, CLOSED_LATER,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request, byte for byte; `path` is decoded. `body` is empty where it was not read."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    content: Any = None  #: JSON; None: no body
    headers: Mapping[str, str] = field(default_factory=dict)


class _Rule(NamedTuple):
    on: str
    faults: deque[Fault | None]


T = TypeVar("T")


#: Long enough for anything on this machine that is not meant to hang.
IMPATIENCE_S: Final = 0.25


def impatient(http: httpx.AsyncClient, fault: Fault) -> None:
    """Do not wait long for what will not come."""
    if fault.kind in (Kind.HANG, Kind.STALL):
        http.timeout = httpx.Timeout(IMPATIENCE_S)


class Double:
    """Subclasses act: `act` gives the reply to a request that has arrived whole."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []  #: all that was asked, in order, whatever became of it
        self.acted: list[Arrived] = []  #: what was acted upon, if only to refuse it
        self.connections = 0
        #: Called for each request before its body is read: what should go wrong, besides what `fail` lists.
        self.choose: Callable[[Arrived], Fault | None] = lambda arrived: None
        #: Waited for between acting and answering: for a callback that beats the answer.
        self.before_answer: Callable[[Arrived, Reply], Awaitable[None]] | None = None
        #: Where callbacks really go; None: to their own address.
        self.callbacks_to: str | None = None
        self._rules: list[_Rule] = []
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.port = 0

    def act(self, arrived: Arrived) -> Reply:
        raise NotImplementedError

    # --- what goes wrong -------------------------------------------------------------------------------------------

    def fail(self, *faults: Fault | None, on: str = "") -> None:
        """Let the next requests fail, one fault each, None for one that does not.

        Args:
            on: `METHOD /end/of/path`, or a part of that; empty: any request.
        """
        self._rules.append(_Rule(on, deque(faults)))

    def _fault(self, arrived: Arrived) -> Fault | None:
        for rule in self._rules:
            if rule.faults and _is_on(rule.on, arrived):
                return rule.faults.popleft()
        return self.choose(arrived)

    # --- the server ------------------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Everything that still hangs is cut off."""
        if self._server is not None:
            self._server.close()
            for handler in self._handlers:
                handler.cancel()
            await asyncio.gather(*self._handlers, return_exceptions=True)
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop of the server, from another thread."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(HANG_S_MAX)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the caller has gone, or the test is over
        finally:
            self._handlers.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        arrived = _head(await reader.readuntil(b"\r\n\r\n"))
        fault = self._fault(arrived)
        if fault is not None and not fault.acts:
            self.arrived.append(arrived)
            return await self._fail(writer, fault, None)
        length = int(arrived.headers.get("content-length", "0"))
        arrived = Arrived(
            method=arrived.method,
            target=arrived.target,
            headers=arrived.headers,
            body=await reader.readexactly(length),
        )
        self.arrived.append(arrived)
        self.acted.append(arrived)
        reply = self.act(arrived)
        if self.before_answer is not None:
            await self.before_answer(arrived, reply)
        if fault is not None:
            return await self._fail(writer, fault, reply)
        writer.write(_written(reply))
        await writer.drain()
        return True

    async def _fail(self, writer: asyncio.StreamWriter, fault: Fault, reply: Reply | None) -> bool:
        whole = _written(reply) if reply is not None else b""
        if fault.kind is Kind.ERROR:
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            writer.write(_bytes(fault.status, fault.body, {**headers, "Connection": "close"}))
        elif fault.kind in (Kind.HALF, Kind.STALL):
            writer.write(whole[: -len(whole) // 3])
        elif fault.kind is Kind.WRONG_JSON:
            writer.write(_bytes(_good(reply), b"<html>All is well", {}))
            return True
        elif fault.kind is Kind.WRONG_SHAPE:
            writer.write(_bytes(_good(reply), b'{"all": "is well"}', {}))
            return True
        elif fault.kind is Kind.EMPTY:
            writer.write(_bytes(_good(reply), b"", {}))
            return True
        elif fault.kind is Kind.CLOSE:
            writer.write(whole)
        await writer.drain()
        if fault.kind in (Kind.HANG, Kind.STALL):
            await asyncio.sleep(HANG_S_MAX)
        elif fault.kind is Kind.RESET:
            # With nothing to linger for, closing sends a reset.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()
            await writer.wait_closed()
        return False

    # --- callbacks -------------------------------------------------------------------------------------------------

    async def deliver(self, call: Call) -> int:
        """Make a callback; the status of the answer."""
        origin = "/".join(call.url.split("/", 3)[:3])
        url = self.callbacks_to + call.url.removeprefix(origin) if self.callbacks_to else call.url
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.request(call.method, url, headers=dict(call.headers), content=call.body or None)
            return answer.status_code


@contextmanager
def in_thread(double: "D") -> Iterator["D"]:
    """The double on a loop of its own, for tests that are not asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(double.start(), loop).result(HANG_S_MAX)
        yield double
        asyncio.run_coroutine_threadsafe(double.stop(), loop).result(HANG_S_MAX)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


D = TypeVar("D", bound=Double)


def _is_on(on: str, arrived: Arrived) -> bool:
    method, _, path = on.rpartition(" ")
    return method in ("", arrived.method) and arrived.path.endswith(path)


def _head(data: bytes) -> Arrived:
    first, *lines = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Arrived(method=method, target=target, headers=headers)


def _good(reply: Reply | None) -> int:
    return reply.status if reply is not None and reply.status < 300 else 200


def _written(reply: Reply) -> bytes:
    body = b"" if reply.content is None else json.dumps(reply.content).encode()
    return _bytes(reply.status, body, reply.headers)


def _bytes(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if status != 204:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body if status != 204 else b"")
