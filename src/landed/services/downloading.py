"""Downloading media of inbound messages, where the operator wants it: before the provider throws them away.

What is to be downloaded is a row that the tracker made. A worker claims it by setting its next attempt; killed in
between, that one is made by whoever comes by then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.accounts import Account, TokenRole
from landed.domain.errors import StoreUnavailable
from landed.providers.base import GuardsMedia, Provider
from landed.services.fetching import Fetched, Fetcher, FetchFailed, Login
from landed.store import media
from landed.store.media import Claimed
from landed.store.media_files import MediaFiles

AT_ONCE: Final = 4
EVERY_S: Final = 2.0
_AWAY_S: Final = 5.0
#: 8 attempts, the second after 30 s and then each after twice as long, up to an hour: for two hours in all.
ATTEMPTS_MAX: Final = 8
FIRST_S: Final = 30.0
MOST_S: Final = 3600.0

_log = structlog.get_logger()

#: What the provider's own media hosts are to be answered for this account, where they ask.
LoginOf = Callable[[int], Awaitable[Login | None]]


def login(account: Account, provider: Provider | None) -> Login | None:
    """The account's credentials for where its provider keeps media; None: the provider does not guard them."""
    lasting = [token for token in account.tokens if token.role is TokenRole.ACCOUNT and token.expires_at is None]
    if not isinstance(provider, GuardsMedia) or not lasting:
        return None
    return Login(hosts=provider.media_hosts, user=account.provider_account_id, password=lasting[-1].value)


class Downloader:
    def __init__(
        self,
        *,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        fetcher: Fetcher,
        files: MediaFiles,
        login_of: LoginOf,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._fetcher = fetcher
        self._files = files
        self._login_of = login_of
        self._clock = clock

    async def run(self) -> None:
        """Download what is due, until cancelled. Several workers may do it at once."""
        await asyncio.to_thread(self._files.tidy)
        while True:
            try:
                if not await self.download_due():
                    await asyncio.sleep(EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(_AWAY_S)

    async def download_due(self) -> int:
        """Try some of those that are due, at once; how many.

        Raises:
            StoreUnavailable: what came of them may not be noted; they are due again later.
        """
        claimed = await media.claim(
            self._pool, self._clock(), limit=AT_ONCE, attempts_max=ATTEMPTS_MAX, first_s=FIRST_S, most_s=MOST_S
        )
        await _all([self._attempt(each) for each in claimed])
        return len(claimed)

    async def _attempt(self, claimed: Claimed) -> None:
        try:
            fetched, sha256 = await self._download(claimed)
        except FetchFailed as failure:
            await self._note(claimed, str(failure), final=failure.final)
        except OSError as error:
            await self._note(claimed, f"It cannot be written: {error.strerror}.", final=False)
        except StoreUnavailable:
            raise
        except Exception as error:  # a stranger's address and a stranger's answer: neither must end the worker
            await self._note(claimed, f"It cannot be fetched: {type(error).__name__}.", final=False)
        else:
            await media.settle_downloaded(self._pool, claimed.id, self._clock(), sha256=sha256, **fetched._asdict())

    async def _download(self, claimed: Claimed) -> tuple[Fetched, str]:
        login = await self._login_of(claimed.account_id)
        with self._files.incoming() as (incoming, path):

            async def write(piece: bytes) -> None:
                await asyncio.to_thread(incoming.write, piece)

            fetched = await self._fetcher.fetch(claimed.url, write, login)
            sha256 = await asyncio.to_thread(incoming.finish)
            await asyncio.to_thread(self._files.keep, path, sha256)
        return fetched, sha256

    async def _note(self, claimed: Claimed, problem: str, *, final: bool) -> None:
        is_over = final or claimed.attempts >= ATTEMPTS_MAX
        _log.warning("media_not_downloaded", media=str(claimed.id), attempts=claimed.attempts, given_up=is_over)
        await media.settle_failed(self._pool, claimed.id, self._clock(), problem=problem, final=is_over)


async def _all(attempts: Sequence[Awaitable[None]]) -> None:
    """Each to its end, whatever became of the others; then the first error."""
    for result in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
