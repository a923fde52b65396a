"""Who may call an account's callback address, besides whoever can sign: by address, by HTTP Basic, or both.

Of use where a provider signs nothing, and open to all. An account without either has no guard, and costs nothing.
"""

import asyncio
import base64
import binascii
import contextlib
import hmac
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from landed.domain import addresses
from landed.domain.addresses import Address, Network
from landed.domain.errors import AddressesUnresolved, CallerNotAllowed

_log = structlog.get_logger()

AUTHORIZATION: Final = "authorization"

#: What host names stand for, as far as they were looked up.
Hosts = Mapping[str, frozenset[Address]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Guard:
    """Who may call one account. Its repr shows no secret, since it has none."""

    networks: tuple[Network, ...] | None  #: None: from anywhere
    hosts: frozenset[Address] = frozenset()  #: addresses of the host names among the allowed ones
    unresolved: tuple[str, ...] = ()  #: host names that were never looked up with success
    basic: tuple[str, ...] = ()  #: `user:password`, each live one; none: HTTP Basic is not asked for

    def check(self, caller: Address | None, authorization: str | None) -> tuple[str, ...]:
        """Let a callback in, or raise.

        Returns:
            The lower-case names of the headers that verify.

        Raises:
            CallerNotAllowed: with the reason address_not_allowed, basic_missing or basic_mismatch.
            AddressesUnresolved: the address may be that of a host name which could not be looked up yet.
        """
        if self.networks is not None:
            self._check_address(caller, self.networks)
        if not self.basic:
            return ()
        if not authorization:
            raise CallerNotAllowed("The account asks for HTTP Basic credentials, and there are none.", "basic_missing")
        if not _is_basic(authorization, self.basic):
            raise CallerNotAllowed("The HTTP Basic credentials are not those of the account.", "basic_mismatch")
        return (AUTHORIZATION,)

    def _check_address(self, caller: Address | None, networks: Sequence[Network]) -> None:
        if caller is None:
            raise CallerNotAllowed(
                "Whom the request comes from cannot be told: the forwarded headers name no address, or disagree.",
                "address_not_allowed",
            )
        if caller in self.hosts or addresses.is_among(caller, networks):
            return
        if self.unresolved:
            raise AddressesUnresolved(f"The address of {', '.join(self.unresolved)} could not be looked up yet.")
        raise CallerNotAllowed(
            f"{caller} is not among the addresses that the account allows; behind a proxy, LANDED_TRUSTED_PROXIES has"
            " to name it.",
            "address_not_allowed",
        )


def guard(allowed: Sequence[str], basic: Sequence[str], hosts: Hosts) -> Guard | None:
    """The guard of an account with these addresses and credentials; None: anybody may call."""
    if not allowed and not basic:
        return None
    names = [each for each in allowed if addresses.network(each) is None]
    return Guard(
        networks=tuple(filter(None, map(addresses.network, allowed))) if allowed else None,
        hosts=frozenset().union(*(hosts[name] for name in names if name in hosts)),
        unresolved=tuple(name for name in names if name not in hosts),
        basic=tuple(basic),
    )


def _is_basic(authorization: str, expected: Sequence[str]) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(hmac.compare_digest(given, each.encode()) for each in expected)


async def look_up(host_name: str) -> frozenset[Address]:
    """All addresses of a host.

    Raises:
        OSError: it has none, or nobody answers.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host_name, None, type=socket.SOCK_STREAM)
    known = (addresses.address(str(sockaddr[0])) for _, _, _, _, sockaddr in found)
    return frozenset(each for each in known if each is not None)


class HostKeeper:
    """Keeps the addresses of host names fresh. Where a look-up fails, the last addresses stay in place."""

    EVERY_S: Final = 300.0
    #: After a look-up that failed.
    AGAIN_S: Final = 15.0
    LOOK_UP_S_MAX: Final = 10.0

    def __init__(
        self,
        names: Callable[[], frozenset[str]],
        changed: asyncio.Event,
        tell: Callable[[Hosts], None],
        look_up: Callable[[str], Awaitable[frozenset[Address]]] = look_up,
    ) -> None:
        """`names` gives the names to look up, `changed` is set when there are others, `tell` takes what is known."""
        self._names = names
        self._changed = changed
        self._tell = tell
        self._look_up = look_up
        self._known: dict[str, frozenset[Address]] = {}

    async def run(self) -> None:
        """Keep them fresh until cancelled."""
        while True:
            self._changed.clear()
            is_complete = await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.EVERY_S if is_complete else self.AGAIN_S):
                    await self._changed.wait()

    async def refresh(self) -> bool:
        """Look all of them up now. False: some could not be."""
        names = sorted(self._names())
        found = await asyncio.gather(*(self._ask(name) for name in names))
        news = {name: known for name, known in zip(names, found, strict=True) if known}
        known = {name: news.get(name) or self._known[name] for name in names if name in news or name in self._known}
        if known != self._known:
            self._known = known
            self._tell(known)
        return len(news) == len(names)

    async def _ask(self, name: str) -> frozenset[Address] | None:
        try:
            async with asyncio.timeout(self.LOOK_UP_S_MAX):
                return await self._look_up(name) or None
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            kept = len(self._known.get(name, ()))
            _log.warning("host_not_looked_up", host=name, error=type(error).__name__, addresses_kept=kept)
            return None
