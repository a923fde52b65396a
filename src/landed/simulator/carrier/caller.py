"""Makes the requests of callbacks: as they should be, or by drops, half closed, or without waiting for the answer."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from landed.simulator.callbacks.signing import Request
from landed.simulator.carrier.chaos import Flaw

#: A body that comes by drops takes this long.
_DROPS_S: Final = 0.6
_DROPS: Final = 6


class Answer(NamedTuple):
    status: int | None
    problem: str | None = None


class Caller:
    """Calls this machine and private networks only, unless told that anything may be called.

    `reached_at`: beginnings of URLs, and where those are reached, as behind a proxy. What is signed stays as it is.
    """

    def __init__(
        self,
        *,
        connections_max: int = 64,
        anywhere: bool = False,
        reached_at: Mapping[str, str] = MappingProxyType({}),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._anywhere = anywhere
        self._reached_at = reached_at
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,  # no proxy stands between us and ourselves
            follow_redirects=False,
            limits=httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max),
        )

    async def close(self) -> None:
        await self._client.aclose()

    def may_call(self, url: str) -> bool:
        return self._anywhere or is_near(url)

    async def call(self, request: Request, flaw: Flaw, timeout_s: float) -> Answer:
        """Never raises for what goes wrong on the way: it is the answer's problem."""
        request = replace(request, url=self._where(request.url))
        if not self.may_call(request.url):
            return Answer(None, "not called: neither this machine nor a private network (see --anywhere)")
        try:
            async with asyncio.timeout(timeout_s):
                if flaw in (Flaw.SLOW, Flaw.HALF_CLOSED, Flaw.HUNG_UP):
                    return await _call_badly(request, flaw)
                answer = await self._client.request(
                    request.method,
                    request.url,
                    headers=dict(request.headers),
                    content=request.body or None,
                    timeout=timeout_s,
                )
                return Answer(answer.status_code)
        except TimeoutError:
            return Answer(None, f"no answer within {timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Answer(None, str(error)[:200] or type(error).__name__)

    def _where(self, url: str) -> str:
        for public, here in self._reached_at.items():
            if url.startswith(f"{public}/"):
                return here + url.removeprefix(public)
        return url


def is_near(url: str) -> bool:
    """Whether a URL names this machine or an address of a private network; host names other than localhost do not."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_private
    except ValueError:
        return False


async def _call_badly(request: Request, flaw: Flaw) -> Answer:
    parts = urlsplit(request.url)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    try:
        await _write(writer, request, by_drops=flaw is Flaw.SLOW)
        if flaw is Flaw.HUNG_UP:
            return Answer(None, "hung up before the answer")
        if flaw is Flaw.HALF_CLOSED and writer.can_write_eof():
            writer.write_eof()
        line = await reader.readline()
        return Answer(int(line.split(b" ", 2)[1])) if line.startswith(b"HTTP/") else Answer(None, "no HTTP answer")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _write(writer: asyncio.StreamWriter, request: Request, *, by_drops: bool) -> None:
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body or request.method == "POST":
        lines.append(f"Content-Length: {len(request.body)}")
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    size = max(1, -(-len(request.body) // _DROPS)) if by_drops else max(1, len(request.body))
    for start in range(0, len(request.body), size):
        writer.write(request.body[start : start + size])
        await writer.drain()
        if by_drops:
            await asyncio.sleep(_DROPS_S / _DROPS)
    await writer.drain()
