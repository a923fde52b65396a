"""Importing history: what a provider knows of the messages of a time, hour by hour, as facts like any other.

An hour that is in is noted, so that an import which was broken off goes on where it was. Importing it again changes
nothing: the same answers are the same facts. What is not final afterwards is handed to reconciling.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
import structlog

from landed.domain.errors import InputInvalid, ProviderThrottled, SendFailed, StoreUnavailable
from landed.domain.receipts import Direction, Receipt, Telling
from landed.providers.clients import ListsMessages
from landed.services.calling import Called
from landed.services.keeping.base import Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.opt_outs import ExplainerOf, OptOutKeeper
from landed.services.keeping.recording import keep_and_record
from landed.store import imports, lookups
from landed.store.connect import transaction
from landed.store.lookups import Pool

WINDOW: Final = timedelta(hours=1)
#: Hours that are asked for side by side.
WINDOWS_AT_ONCE: Final = 4
#: An hour is whole when it was over for this long: providers list a message a little after they took it.
LATE: Final = timedelta(minutes=15)
#: How often a page is asked for before the import gives up; it goes on from there when it is begun anew.
TRIES_MAX: Final = 6
_WAIT_S_MAX: Final = 60.0

_log = structlog.get_logger()


@dataclass(slots=True)
class Progress:
    """How far an import is."""

    windows: int  #: hours of the time that was asked for
    windows_done: int = 0
    windows_skipped: int = 0  #: of those: were in already
    messages: int = 0  #: facts that were told
    changed: int = 0  #: messages that are new, or of which there was news
    not_kept: int = 0


class Importer:
    """Imports the history of one account.

    Args:
        requests_per_s: at most so many requests to the provider in a second.
        reconcile_after_s: what is older than this and not final is asked for by itself afterwards.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        called: Called,
        explainer_of: ExplainerOf,
        requests_per_s: float,
        reconcile_after_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not isinstance(called.client, ListsMessages):
            missing = "has no secret to ask with" if called.client is None else "is at a provider that lists nothing"
            raise InputInvalid(
                f"The account {called.account.name!r} {missing}; its history cannot be imported.", field="account"
            )
        self._pool = pool
        self._account_id = called.account.id
        self._client = called.client
        self._messages = MessageKeeper(pool)
        self._opt_outs = OptOutKeeper(explainer_of)
        self._pace_s = 1 / requests_per_s
        self._reconcile_after = timedelta(seconds=reconcile_after_s)
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        # One at a time: a transaction that counts takes a second connection of the pool for new combinations.
        self._writing = asyncio.Lock()

    async def run(
        self, since: datetime, until: datetime, told: Callable[[Progress], None], *, again: bool = False
    ) -> Progress:
        """Import what was submitted in this time, widened to whole hours.

        Args:
            told: is called whenever there is progress.
            again: hours that are in, too.

        Raises:
            InputInvalid: the time is none.
            SendFailed: the provider refuses, or does not answer; what is in stays in.
            StoreUnavailable: the same.
        """
        if since >= until:
            raise InputInvalid("`since` has to be before `until`.", field="since")
        windows = _windows(since, until)
        progress = Progress(windows=len(windows))
        async with transaction(self._pool) as connection:
            done = await imports.done(connection, self._account_id, windows[0], windows[-1] + WINDOW)
        waiting = [at for at in windows if again or at not in done]
        progress.windows_skipped = progress.windows_done = len(windows) - len(waiting)
        told(progress)
        left = iter(waiting)

        async def work() -> None:
            for at in left:  # each takes the next one that is left
                await self._window(at, progress, told)
                progress.windows_done += 1
                told(progress)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(WINDOWS_AT_ONCE):
                    workers.create_task(work())
        except ExceptionGroup as errors:  # not except*: Python before 3.11.4 groups what is raised in it, too
            expected, others = errors.split((SendFailed, StoreUnavailable))
            if expected is None or others is not None:
                raise
            raise expected.exceptions[0] from None
        return progress

    async def _window(self, at: datetime, progress: Progress, told: Callable[[Progress], None]) -> None:
        began, end = self._clock(), at + WINDOW
        messages = 0
        async for page in self._pages(at, end):
            kept, not_kept = await self._keep(page)
            messages += len(page)
            progress.messages += len(page)
            progress.changed += kept
            progress.not_kept += not_kept
            told(progress)
        if began >= end + LATE:
            async with transaction(self._pool) as connection:
                await imports.add(connection, self._account_id, at, messages, self._clock())

    async def _pages(self, since: datetime, until: datetime) -> AsyncIterator[Sequence[Receipt]]:
        offset: int | None = 0
        while offset is not None:
            page, offset = await self._page(since, until, offset)
            if page:
                yield page

    async def _page(self, since: datetime, until: datetime, offset: int) -> tuple[Sequence[Receipt], int | None]:
        """Ask for a page, again where that may help."""
        tries = 0
        while True:
            async with self._turn:
                await self._sleep(self._pace_s)
            try:
                return await self._client.sent_between(since, until, offset=offset)
            except SendFailed as error:
                tries += 1
                if not error.retryable or tries == TRIES_MAX:
                    raise
                asked = error.retry_after_s if isinstance(error, ProviderThrottled) else None
                await self._sleep(min(asked or 2.0**tries, _WAIT_S_MAX))

    async def _keep(self, page: Sequence[Receipt]) -> tuple[int, int]:
        """How many messages changed, and how many facts cannot be kept."""
        while True:
            try:
                return await self._keep_once(page), 0
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again
            except StoreUnavailable:
                raise
            except Exception as error:
                if len(page) == 1:
                    _log.error("record_not_kept", account_id=self._account_id, error=type(error).__name__)
                    return 0, 1
                half = len(page) // 2
                first, second = await self._keep(page[:half]), await self._keep(page[half:])
                return first[0] + second[0], first[1] + second[1]

    async def _keep_once(self, page: Sequence[Receipt]) -> int:
        async with self._writing:
            return await self._keep_page(page)

    async def _keep_page(self, page: Sequence[Receipt]) -> int:
        now = self._clock()
        told = [Told(self._account_id, Telling(receipt, now, None)) for receipt in page]
        sent = {receipt.provider_message_id for receipt in page if receipt.direction is Direction.OUTBOUND}
        async with transaction(self._pool) as connection:
            kept = await keep_and_record(connection, self._messages, told, now)
            await keep_and_record(connection, self._opt_outs, told, now)
            until = now - self._reconcile_after
            await lookups.enter(connection, [(self._account_id, each) for each in sorted(sent)], until, now)
        return kept.changed


def _windows(since: datetime, until: datetime) -> list[datetime]:
    """The starts of the hours that this time touches, the oldest first."""
    first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    count = -((until - first) // -WINDOW)
    return [first + number * WINDOW for number in range(count)]
