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
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEADERS_MAX: Final = 100
#: The request line and all headers together.
HEAD_BYTES_MAX: Final = 32 * 1024
#: From the first byte of a request to its last; also from connecting to the first byte.
REQUEST_S_MAX: Final = 30.0
KEEP_ALIVE_S: Final = 75
#: How long a refused connection is listened to, so that its answer arrives.
LINGER_S: Final = 2.0
CONNECTIONS_MAX: Final = 10_000

_PROBLEM: Final = b'{"type":"about:blank","title":"%b","status":%d,"code":"%b"}'


class _HeadTooLarge(Exception):
    pass


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `deadline` is when the server ends it, by the loop's clock."""

    deadline: float | None = None
    is_refused = False
    #: Bytes of the head that is coming in now, but for those of the chunk it began in: where in it is not known.
    head_bytes = 0
    is_in_head = True
    chunk_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.deadline = self.loop.time() + REQUEST_S_MAX
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(503, b"overloaded", b"Too many connections")

    def data_received(self, data: bytes) -> None:
        if self.is_refused:
            return
        self._unset_keepalive_if_required()
        self.chunk_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We speak nothing else: answer this request, and read no further.
            self.is_refused = True
            if self.cycle is not None:
                self.cycle.keep_alive = False
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
        super().on_message_begin()
        self.is_in_head = True
        self.head_bytes = -self.chunk_bytes
        self.deadline = self.loop.time() + REQUEST_S_MAX

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > HEADERS_MAX:
            raise _HeadTooLarge

    def on_headers_complete(self) -> None:
        self.is_in_head = False
        if len(self.url) + sum([len(name) + len(value) for name, value in self.headers]) > HEAD_BYTES_MAX:
            raise _HeadTooLarge
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        # Answered before it was complete: uvicorn's own timer for idle connections was stopped by the rest.
        is_answered = self.cycle.response_complete
        self.deadline = self.loop.time() + KEEP_ALIVE_S if is_answered else None
        super().on_message_complete()

    def expire(self, now: float) -> None:
        """Called once a second."""
        if self.deadline is None or now < self.deadline:
            return
        if self.is_refused or self.transport.is_closing():
            self.transport.abort()
        else:
            self._refuse(408, b"request_timeout", b"The request took too long")

    def _refuse(self, status: int, code: bytes, title: bytes) -> None:
        self.is_refused = True
        self.deadline = self.loop.time() + LINGER_S
        if self.cycle is not None and not self.cycle.response_complete:
            # Something before this waits for its answer, which this one must not be taken for.
            self.transport.close()
            return
        body = _PROBLEM % (title, status, code)
        self.transport.write(
            b"%bcontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        with contextlib.suppress(OSError, RuntimeError):
            self.transport.write_eof()


class Server(uvicorn.Server):
    """uvicorn's server, which also ends what takes too long."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        # What is there now stays. Python would walk through all of it again and again, for an eighth of our time
        # under load; requests leave hardly any cycles behind.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # a tick is 0.1 s
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.expire(now)
        return await super().on_tick(counter)


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
