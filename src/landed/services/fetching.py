"""Fetching what strangers point at, without being led astray: an address in a callback is anybody's to choose.

The host is resolved here, every address it has must be a public one, and the connection goes to the very address that
was looked at, so that a second answer of the name server changes nothing. Redirects are followed a few times, each
looked at in the same way. What comes is counted while it comes.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple, TypeAlias

import httpx

REDIRECTS_MAX: Final = 3
CONNECT_S_MAX: Final = 10.0
#: Between two pieces of the content.
SILENCE_S_MAX: Final = 20.0
#: From the first question to the last byte.
WHOLE_S_MAX: Final = 300.0
_PIECE_BYTES: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MIME_TYPE: Final = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60})\s*(?:;|$)")

Address: TypeAlias = IPv4Address | IPv6Address
#: The addresses of a host, best first. Raises OSError where it has none.
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]

#: IPv6 addresses with an IPv4 address inside: where it begins, in bits from the right.
_WITH_IPV4_INSIDE: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("::/96"), 0),  # compatible, of old
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("64:ff9b:1::/48"), 0),  # NAT64 of a network's own
    (IPv6Network("2002::/16"), 80),  # 6to4
)
_TEREDO: Final = IPv6Network("2001::/32")
_SITE_LOCAL: Final = IPv6Network("fec0::/10")
_PROTOCOLS: Final = IPv4Network("192.0.0.0/24")  # Python before 3.12.4 takes most of it for public


class FetchFailed(Exception):
    """It did not come. `final`: nor will it, if asked again. The text is fit to be shown: it names no address."""

    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.final = final


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What to answer a 401 of these hosts with, and of no other."""

    hosts: frozenset[str]
    user: str
    password: str = field(repr=False)


class Fetched(NamedTuple):
    mime_type: str | None  #: as it was served
    size_bytes: int


def is_public(address: Address) -> bool:
    """Whether it is somebody out there: not us, not our network, nobody's in particular, or everybody's."""
    if isinstance(address, IPv6Address):
        if address in _TEREDO or address in _SITE_LOCAL:
            return False
        for network, shift in _WITH_IPV4_INSIDE:
            if address in network:
                return is_public(IPv4Address(int(address) >> shift & 0xFFFF_FFFF))
    elif address in _PROTOCOLS:
        return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


async def resolve(host: str, port: int) -> list[Address]:
    """What the system's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(sockaddr[0]) for *_, sockaddr in found]


class Fetcher:
    def __init__(
        self,
        *,
        bytes_max: int,
        schemes: frozenset[str] = frozenset({"https"}),
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        whole_s_max: float = WHOLE_S_MAX,
    ) -> None:
        self._bytes_max = bytes_max
        self._schemes = schemes
        self._is_allowed = is_allowed
        self._resolve = resolve
        self._tls = tls or httpx.create_ssl_context()
        self._whole_s_max = whole_s_max

    async def fetch(self, url: str, write: Callable[[bytes], Awaitable[None]], login: Login | None = None) -> Fetched:
        """Hand the content to `write`, piece by piece.

        Raises:
            FetchFailed: it did not come whole. Some of it may have been written.
        """
        try:
            async with asyncio.timeout(self._whole_s_max):
                return await self._fetch(httpx.URL(url), write, login)
        except TimeoutError as error:
            raise FetchFailed("It took too long.") from error
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise FetchFailed("The address cannot be read.", final=True) from error
        except httpx.HTTPError as error:
            raise FetchFailed(f"The server cannot be asked: {type(error).__name__}.") from error

    async def _fetch(self, url: httpx.URL, write: Callable[[bytes], Awaitable[None]], login: Login | None) -> Fetched:
        is_answered = False  # the login was sent: a second 401 is meant
        for _ in range(REDIRECTS_MAX + 2):
            auth = (login.user, login.password) if login and is_answered and url.host in login.hosts else None
            # A client for each question: no connection is used again for a host it was not proven to be.
            async with httpx.AsyncClient(
                verify=self._tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(SILENCE_S_MAX, connect=CONNECT_S_MAX),
            ) as client:
                response = await self._ask(client, url, auth)
                try:
                    if response.status_code in _REDIRECTS and "location" in response.headers:
                        url = url.join(response.headers["location"])
                        continue
                    if response.status_code == 401 and login and not is_answered and url.host in login.hosts:
                        is_answered = True
                        continue
                    return await self._take(response, write)
                finally:
                    await response.aclose()
        raise FetchFailed("It leads from one address to the next.", final=True)

    async def _ask(self, client: httpx.AsyncClient, url: httpx.URL, auth: tuple[str, str] | None) -> httpx.Response:
        if url.scheme not in self._schemes or not url.host or url.userinfo:
            raise FetchFailed("Its address is not https://host/… without a password in it.", final=True)
        host, port = url.raw_host.decode("ascii"), url.port or {"http": 80}.get(url.scheme, 443)
        if port >= 2**16:
            raise FetchFailed("The address cannot be read.", final=True)
        failure: httpx.TransportError | None = None
        for address in await self._addresses(host, port):
            request = client.build_request(
                "GET",
                url.copy_with(host=str(address)),
                headers={"Host": url.netloc.decode("ascii"), "Accept": "*/*", "Accept-Encoding": "identity"},
                extensions={"sni_hostname": host},  # the certificate has to be that of the name
            )
            try:
                return await client.send(request, stream=True, auth=auth)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or FetchFailed("Its host has no address.")

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            addresses = list(dict.fromkeys(await self._resolve(host, port)))
        except OSError as error:
            raise FetchFailed("Its host has no address.") from error
        if not all(map(self._is_allowed, addresses)):
            raise FetchFailed("Its host has an address that is not a public one.", final=True)
        return addresses

    async def _take(self, response: httpx.Response, write: Callable[[bytes], Awaitable[None]]) -> Fetched:
        if response.status_code != 200:
            raise FetchFailed(f"The server answers {response.status_code}.", final=response.status_code == 410)
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise FetchFailed("The server compressed it, which it was asked not to.", final=True)
        length = response.headers.get("content-length", "")
        size_bytes = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0
        if size_bytes > self._bytes_max:
            raise self._too_large()
        size_bytes = 0
        async for piece in response.aiter_raw(_PIECE_BYTES):
            size_bytes += len(piece)
            if size_bytes > self._bytes_max:
                raise self._too_large()
            await write(piece)
        told = _MIME_TYPE.match(response.headers.get("content-type", ""))
        return Fetched(told[1].lower() if told else None, size_bytes)

    def _too_large(self) -> FetchFailed:
        return FetchFailed(f"It is larger than {self._bytes_max} bytes.", final=True)
