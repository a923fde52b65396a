"""How Landed itself is doing: what the health checks and /metrics tell."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.errors import StoreUnavailable
from landed.journal.base import BEGINNING, Journal
from landed.store import alerts, health, lanes, lookups, outbox
from landed.store.alerts import AlertCounts
from landed.store.health import Volume
from landed.store.outbox import Backlog

#: The same answer is given again for this long, however often it is asked for.
FRESH_S: Final = 1.0
#: Whoever asks how we are does not wait for long himself.
ANSWER_S_MAX: Final = 3.0
#: Sizes on disk change slowly, and asking for them looks at every file.
VOLUME_FRESH_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How tracking and sending stand. Rows stop being counted at a limit of the journal, or of the outbox."""

    lag_rows: int
    lag_s: float
    set_aside: dict[str, int]
    unknown_statuses: dict[str, int]
    outbox: Backlog
    alerts: AlertCounts
    workers: int
    volume: Volume
    lookups_due: int = 0


class Watcher:
    """Asks the database how things stand, at most once a second."""

    def __init__(
        self,
        journal: Journal,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._pool = pool
        self._clock = clock
        self._asked_at = -FRESH_S
        self._condition: Condition | None = None
        self._volume: Volume | None = None
        self._measured_at = -VOLUME_FRESH_S
        self._asking = asyncio.Lock()
        self._asked: asyncio.Task[Condition] | None = None

    async def condition(self) -> Condition | None:
        """None while the database is away."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= FRESH_S:
                self._condition = await self._answer()
                self._asked_at = time.monotonic()
            return self._condition

    async def _answer(self) -> Condition | None:
        """A frozen database does not even hear that it is to stop, and the driver waits for that: we do not."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._ask())
        await asyncio.wait({self._asked}, timeout=ANSWER_S_MAX)
        if not self._asked.done():
            if not self._asked.cancelling():
                self._asked.cancel()
            return None
        try:
            return self._asked.result()
        except (StoreUnavailable, asyncio.CancelledError):
            return None

    async def _ask(self) -> Condition:
        lag_rows, lag_s = await lag(self._journal, self._pool, self._clock())
        set_aside, unknown = await health.oddities(self._pool)
        backlog = await outbox.backlog(self._pool)
        return Condition(
            lag_rows=lag_rows,
            lag_s=lag_s,
            set_aside=set_aside,
            unknown_statuses=unknown,
            outbox=backlog,
            alerts=await alerts.counts(self._pool),
            workers=await health.workers(self._pool),
            volume=await self._measured(),
            lookups_due=await lookups.due(self._pool, self._clock()),
        )

    async def _measured(self) -> Volume:
        if self._volume is None or time.monotonic() - self._measured_at >= VOLUME_FRESH_S:
            self._volume = await health.volume(self._pool)
            self._measured_at = time.monotonic()
        return self._volume


async def lag(journal: Journal, pool: AsyncConnectionPool[AsyncConnection[Any]], now: datetime) -> tuple[int, float]:
    """How many callbacks are kept but not tracked yet, and how old the oldest of them is, in seconds.

    Raises:
        StoreUnavailable: not now.
    """
    positions = {lane.lane: lane.position for lane in await lanes.all_lanes(pool)}
    positions = dict.fromkeys(range(journal.lanes), BEGINNING) | positions
    backlogs = [await journal.backlog(lane, position) for lane, position in positions.items()]
    oldest = min((backlog.oldest_received_at for backlog in backlogs if backlog.oldest_received_at), default=None)
    return sum(backlog.rows for backlog in backlogs), max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


Asks = Callable[[], Awaitable[Condition | None]]
