"""Sending a callback, kept or made, to a URL, byte for byte: what replaying to a program of one's own does.

Method, body, headers and query go out as they came. Only what belongs to a connection is another's: Host, lengths,
hop-by-hop headers, and headers that were masked before they were kept. Redirects are not followed.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import InputInvalid

#: Longer than any provider waits for an answer.
TIMEOUT_S: Final = 30.0
#: What is kept of an answer.
ANSWER_BYTES_MAX: Final = 4 * 1024

Headers = Sequence[tuple[str, str]]

_HOP_BY_HOP: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
#: Written anew for each connection, or kept with stars only.
_NOT_KEPT: Final = frozenset({"host", "content-length", "expect", "authorization", "cookie"})
_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_ASCII: Final = "".join(map(chr, range(128)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it goes out. `headers` have those of the callback; Host and Content-Length come besides."""

    method: str
    url: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: a status and the first bytes of the body, or `problem`, which says why nothing did."""

    status: int | None
    elapsed_ms: float
    body: bytes = b""
    body_truncated: bool = False
    problem: str | None = None
    is_unreached: bool = False  #: no connection came about, so that nothing was sent: it may be tried again

    @property
    def is_ok(self) -> bool:
        """Whether a provider would take it for received."""
        return self.status is not None and 200 <= self.status < 300


def target(url: str, *, anywhere: bool = False) -> str:
    """The URL, if callbacks may be sent there.

    Args:
        anywhere: whether somebody has said that another machine is meant; else this machine only.

    Raises:
        InputInvalid: it is no http or https URL, carries a password, or leads to another machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https") or port == 0 or not url.isprintable() or " " in url:
        raise InputInvalid("Give a whole http:// or https:// URL, such as http://localhost:3000/hook.", field="url")
    if parts.username is not None or parts.password is not None:
        raise InputInvalid("Give a URL without user and password in it.", field="url")
    if not anywhere and not is_loopback(host):
        raise InputInvalid(
            f"{host} is not this machine, and callbacks hold phone numbers and texts: confirm that they may go there.",
            field="url",
        )
    return _without_letters_of_others(url.partition("#")[0], parts.netloc)


def _without_letters_of_others(url: str, netloc: str) -> str:
    """A URL goes out in ASCII: what else is in its path and query is written in percent signs, as browsers do."""
    host, rest = url[: (end := url.index(netloc) + len(netloc))], url[end:]
    return host + quote(rest, safe=_ASCII)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for sure: a name other than `localhost` may stand for anything."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def outgoing(request: CallbackRequest, url: str, headers: Headers | None = None) -> Outgoing:
    """A callback as it is sent to `url`: with its own query, behind that of the URL if it has one.

    Args:
        headers: its headers one by one, where those of the request are joined.
    """
    _, _, query = request.url.partition("#")[0].partition("?")
    if query:
        url = f"{url}{'&' if '?' in url else '?'}{query}"
    lines = list(request.headers.items()) if headers is None else headers
    return Outgoing(method=request.method, url=url, headers=_end_to_end(lines), body=request.body)


@asynccontextmanager
async def opened_client() -> AsyncIterator[httpx.AsyncClient]:
    """Connections for `send`. The environment's proxies are not asked: they could not reach this machine."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as http:  # noqa: S113  send has
        yield http


async def send(http: httpx.AsyncClient, request: Outgoing, *, timeout_s: float = TIMEOUT_S) -> Answer:
    """Send it once and wait for the answer. Never raises for what the other side does."""
    began = time.perf_counter()

    def failed(problem: str, *, is_unreached: bool = False) -> Answer:
        return Answer(status=None, elapsed_ms=_since_ms(began), problem=problem, is_unreached=is_unreached)

    if not _METHOD.fullmatch(request.method) or request.method == "CONNECT":
        return failed(f"{request.method[:20]!r} is no method to send.")
    try:
        async with asyncio.timeout(timeout_s):
            response = await http.send(_exact(request), stream=True, follow_redirects=False)
            try:
                body, is_more = await _first_bytes(response)
            finally:
                await response.aclose()
    except TimeoutError:
        return failed(f"No answer within {timeout_s:g} s.")
    except httpx.ConnectError as error:
        return failed(_unconnected(error, urlsplit(request.url).netloc), is_unreached=True)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError, UnicodeError) as error:
        return failed(f"It could not be sent, or not be answered: {type(error).__name__}.")
    return Answer(status=response.status_code, elapsed_ms=_since_ms(began), body=body, body_truncated=is_more)


def _exact(request: Outgoing) -> httpx.Request:
    """Path and query go out as they are written: the library would escape some characters, others not."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
    built = httpx.Request(request.method, request.url, headers=headers, content=request.body or None)
    address = request.url.partition("#")[0].partition("://")[2]
    path = address[len(address.partition("?")[0].partition("/")[0]) :]
    written = (path if path.startswith("/") else f"/{path}").encode()
    built.extensions["target"] = written
    if request.method == "POST" and not request.body:
        built.headers["content-length"] = "0"
    return built


def _unconnected(error: httpx.ConnectError, place: str) -> str:
    """Why no connection came about, as far as the system says."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"The certificate of {place} cannot be trusted: {cause.verify_message}."
            case ssl.SSLError():
                return f"{place} does not speak TLS: is it http:// that is meant?"
            case socket.gaierror():
                return f"There is no address for the name in {place}."
            case ConnectionRefusedError():
                return f"Nothing listens at {place}."
    return f"No connection to {place} can be made."


def _end_to_end(headers: Headers) -> Headers:
    named = {
        each.strip().lower() for name, value in headers if name.lower() == "connection" for each in value.split(",")
    }
    dropped = _HOP_BY_HOP | _NOT_KEPT | named
    return [(name, value) for name, value in headers if name.lower() not in dropped]


async def _first_bytes(response: httpx.Response) -> tuple[bytes, bool]:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            break
    body = b"".join(chunks)
    return body[:ANSWER_BYTES_MAX], len(body) > ANSWER_BYTES_MAX


def _since_ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)


def header_lines(lines: bytes) -> Headers:
    """Headers one by one, from the lines they are stored as."""
    return _pairs(line.split(": ", 1) for line in lines.decode("latin-1").split("\n"))


def _pairs(split: Iterable[list[str]]) -> Headers:
    return [(pair[0], pair[1]) for pair in split if len(pair) == 2]
