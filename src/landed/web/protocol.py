"""The HTTP server: uvicorn with httptools and uvloop, bounded against hostile senders.

uvicorn's own protocol puts no limit on the number and size of headers and none on the time a request takes. Here
both have one: each request's head is counted while it comes in, and once a second the server ends the connections
whose request takes too long. Connections that are refused get an answer they can read: what they still send is thrown
away for a moment, since TCP takes an answer back when a connection is closed over unread data.
"""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEADERS_MAX: Final = 100
#: The request line and all headers together.
HEAD_BYTES_MAX: Final = 32 * 1024
KEEP_ALIVE_S: Final = 75
#: How long and how much a refused connection is listened to, so that its answer arrives.
LINGER_S: Final = 2.0
LINGER_BYTES: Final = 32 * 1024 * 1024
CONNECTIONS_MAX: Final = 10_000

_PROBLEM: Final = b'{"type":"about:blank","title":"%b","status":%d,"code":"%b"}'


RawHeaders = Sequence[tuple[bytes, bytes]]
#: See Receiver.direct in callbacks.py.
Take = Callable[[bytes, Callable[[int, RawHeaders, bytes], None]], None]
Direct = Callable[[str, bytes, RawHeaders], Take | None]


class _HeadTooLarge(Exception):
    pass


class _NoEvent:
    """uvicorn tells a request's task of news by an event; here there is no task."""

    def set(self) -> None: ...


class _DirectCycle:
    """A request and its response without a task, in the place of uvicorn's RequestResponseCycle."""

    __slots__ = ("_body", "_protocol", "_take", "disconnected", "keep_alive", "response_complete")

    message_event = _NoEvent()
    response_started = False

    def __init__(self, protocol: "BoundedProtocol", take: Take, keep_alive: bool) -> None:
        self._protocol = protocol
        self._take = take
        self._body: bytes | bytearray = b""
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False

    def add(self, chunk: bytes) -> None:
        if not self._body:
            self._body = chunk  # nearly always all of it, and not copied
        elif isinstance(self._body, bytearray):
            self._body += chunk
        else:
            self._body = bytearray(self._body) + chunk

    def complete(self) -> None:
        body, self._body = self._body, b""
        self._take(bytes(body), self.answer)

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        protocol = self._protocol
        self.response_complete = True
        if not self.disconnected and not protocol.transport.is_closing():
            if status == 200 and self.keep_alive and not body and not headers:
                protocol.transport.write(protocol.stored_answer())
            else:
                if not self.keep_alive:
                    headers = [*headers, (b"connection", b"close")]
                protocol.transport.write(_response(status, [*protocol.server_state.default_headers, *headers], body))
            if not self.keep_alive:
                protocol.transport.close()
        protocol.on_direct_complete()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `deadline` is when the server ends it, by the loop's clock."""

    #: From the first byte of a request to its last; also from connecting to the first byte.
    REQUEST_S_MAX = 30.0

    deadline: float | None = None
    is_refused = False
    discarded_bytes = 0
    #: Bytes of the head that is coming in now, but for those of the chunk it began in: where in it is not known.
    head_bytes = 0
    is_in_head = True
    chunk_bytes = 0
    #: Of a request that offers another protocol: its head without that.
    head_to_upgrade = b""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stored_answer = b""
        self._stored_headers: RawHeaders | None = None
        #: What an application may offer besides ASGI: see Receiver.direct.
        self.direct: Direct | None = getattr(self.app, "direct", None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.deadline = self.loop.time() + self.REQUEST_S_MAX
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(503, b"overloaded", b"Too many connections")

    def data_received(self, data: bytes) -> None:
        if self.is_refused:
            self.discarded_bytes += len(data)
            if self.discarded_bytes > LINGER_BYTES:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        self.chunk_bytes = len(data)
        left = memoryview(data)
        try:
            while True:
                try:
                    self.parser.feed_data(left)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    if not self.head_to_upgrade:  # CONNECT: answered, and nothing is read behind it
                        self.is_refused = True
                        if self.cycle is not None:
                            self.cycle.keep_alive = False
                        break
                    self._decline_upgrade()
                    left = left[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _HeadTooLarge):
                self._refuse(431, b"headers_too_large", b"Headers too large")
            else:
                self._refuse(400, b"request_invalid", b"Not HTTP")
        else:
            if self.is_in_head:
                # A head that is not complete: the parser holds what it has of the header it is in.
                self.head_bytes += self.chunk_bytes
                if self.head_bytes > HEAD_BYTES_MAX:
                    self._refuse(431, b"headers_too_large", b"Headers too large")

    def on_message_begin(self) -> None:
        # As uvicorn does, but for the scope, which comes when it is known that it is needed.
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.is_in_head = True
        self.head_bytes = -self.chunk_bytes
        self.deadline = self.loop.time() + self.REQUEST_S_MAX

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self.headers
        headers.append((name.lower(), value))
        if len(headers) > HEADERS_MAX:
            raise _HeadTooLarge

    def _decline_upgrade(self) -> None:
        """Read the head once more, by a parser of its own, as if nothing but HTTP/1.1 had been offered.

        Ours takes what is behind an offer for the other protocol; a server that declines reads on (RFC 9110, 7.8).
        The two headers of the offer, which are of this connection alone, are not kept with the callback.
        """
        head, self.head_to_upgrade = self.head_to_upgrade, b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(head)

    def on_headers_complete(self) -> None:
        self.is_in_head = False
        # Counted closely only where it can be too large at all.
        if self.head_bytes + 2 * self.chunk_bytes > HEAD_BYTES_MAX and _size(self.url, self.headers) > HEAD_BYTES_MAX:
            raise _HeadTooLarge
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self.head_to_upgrade = self._head_without_offer()
            return
        if self.direct is not None and (self.cycle is None or self.cycle.response_complete):
            parser = self.parser
            take = self.direct(parser.get_method().decode("ascii"), self.url, self.headers)
            if take is not None:
                keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
                self.cycle = _DirectCycle(self, take, keep_alive)  # type: ignore[assignment]  # it does for uvicorn
                return
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers += headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        super().on_headers_complete()

    def _head_without_offer(self) -> bytes:
        kept = [header for header in self.headers if header[0] not in (b"upgrade", b"connection")]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            kept.append((b"connection", b"close"))
        lines = b"".join([b"%b: %b\r\n" % header for header in kept])
        parser = self.parser
        return b"%b %b HTTP/%b\r\n%b\r\n" % (parser.get_method(), self.url, parser.get_http_version().encode(), lines)

    def on_body(self, body: bytes) -> None:
        cycle: RequestResponseCycle | _DirectCycle = self.cycle
        if isinstance(cycle, _DirectCycle):
            cycle.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.head_to_upgrade:
            return  # it is read once more
        cycle: RequestResponseCycle | _DirectCycle = self.cycle
        # Answered before it was complete: uvicorn's own timer for idle connections was stopped by the rest.
        self.deadline = self.loop.time() + KEEP_ALIVE_S if cycle.response_complete else None
        if isinstance(cycle, _DirectCycle) and not cycle.response_complete:
            cycle.complete()
        else:
            super().on_message_complete()

    def stored_answer(self) -> bytes:
        """The answer that nearly all get. The server makes new headers once a second, with the time in them."""
        headers = self.server_state.default_headers
        if self._stored_headers is not headers:
            self._stored_headers = headers
            self._stored_answer = _response(200, headers, b"")
        return self._stored_answer

    def on_direct_complete(self) -> None:
        """What uvicorn does after a response; the time that a connection may be idle is left to `expire`."""
        self.server_state.total_requests += 1
        if self.pipeline:
            self.on_response_complete()
        else:
            self.deadline = self.loop.time() + KEEP_ALIVE_S

    def expire(self, now: float) -> None:
        """Called once a second."""
        if self.deadline is None or now < self.deadline:
            return
        if self.is_refused or self.transport.is_closing():
            self.transport.abort()
        elif not self.is_in_head and self.cycle is not None and self.cycle.response_complete:
            self.transport.close()  # it was idle
        else:
            self._refuse(408, b"request_timeout", b"The request took too long")

    def _refuse(self, status: int, code: bytes, title: bytes) -> None:
        self.is_refused = True
        self.deadline = self.loop.time() + LINGER_S
        if self.cycle is not None and not self.cycle.response_complete:
            # Something before this waits for its answer, which this one must not be taken for.
            self.transport.close()
            return
        headers = ((b"content-type", b"application/problem+json"), (b"connection", b"close"))
        self.transport.write(_response(status, headers, _PROBLEM % (title, status, code)))
        with contextlib.suppress(OSError, RuntimeError):
            self.transport.write_eof()


def _response(status: int, headers: RawHeaders, body: bytes) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (STATUS_LINE[status], lines, len(body), body)


def _size(url: bytes, headers: RawHeaders) -> int:
    return len(url) + sum([len(name) + len(value) + 4 for name, value in headers])


class Server(uvicorn.Server):
    """uvicorn's server, which also ends what takes too long.

    Signals belong to whoever runs it: set `should_exit` to end it. uvicorn's own handling raises the signal again
    when the server is done, which would end the process before its committer has.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        freeze_what_is_there()

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # a tick is 0.1 s
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.expire(now)
        return await super().on_tick(counter)


def freeze_what_is_there() -> None:
    """Tell the collector that it stays. Python would walk through all of it again and again, for an eighth of our time
    under load; requests leave hardly any cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def server_options() -> dict[str, Any]:
    """uvicorn's settings, the same for the service and for what it is measured against."""
    return {
        "http": BoundedProtocol,
        "loop": "uvloop",
        "ws": "none",
        "interface": "asgi3",
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": 10,
        "backlog": 2048,
    }


def make_server(
    app: Callable[..., Awaitable[None]], *, host: str, port: int, lifespan: bool = False, **options: Any
) -> Server:
    """A server for the application; `await server.serve()` runs it. `options` go over ours."""
    config = uvicorn.Config(
        cast(Any, app), host=host, port=port, lifespan="on" if lifespan else "off", **{**server_options(), **options}
    )
    return Server(config)
