"""Arrivals: how many callbacks are accepted and refused each minute, by all processes together."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from landed.domain.errors import StoreUnavailable
from landed.store import oddities
from landed.store.accounts import Pool
from landed.store.oddities import Oddity

MINUTES: Final = 30
_EVERY_S: Final = 5.0
_LAST_S_MAX: Final = 2.0


class Minutes(NamedTuple):
    """The last MINUTES whole minutes, oldest first, and what the minute that is running has so far."""

    accepted: list[int]
    refused: list[int]
    accepted_now: int
    refused_now: int


class AcceptedCounter:
    """Writes down, every few seconds, how many callbacks this process accepted. Refused ones are counted elsewhere."""

    def __init__(
        self, accepted: Callable[[], int], pool: Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`accepted` tells how many there were since the process started."""
        self._accepted = accepted
        self._pool = pool
        self._clock = clock
        self._written = accepted()

    async def run(self) -> None:
        """Write until cancelled, and then once more."""
        try:
            while True:
                await self.flush()
                await asyncio.sleep(_EVERY_S)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_S_MAX):
                    await self.flush()

    async def flush(self) -> None:
        """What cannot be written now is written later."""
        count = self._accepted()
        if count == self._written:
            return
        with contextlib.suppress(StoreUnavailable):
            await oddities.add_accepted(self._pool, count - self._written, self._clock())
            self._written = count


async def minutes(pool: Pool, now: datetime) -> Minutes:
    """How it went until now.

    Raises:
        StoreUnavailable
    """
    running = now.astimezone(UTC).replace(second=0, microsecond=0)
    starts = [running - timedelta(minutes=back) for back in range(MINUTES, 0, -1)]
    found = await oddities.by_minute(pool, [Oddity.ACCEPTED, Oddity.REFUSED], starts[0])
    return Minutes(
        accepted=[found.get((Oddity.ACCEPTED, at), 0) for at in starts],
        refused=[found.get((Oddity.REFUSED, at), 0) for at in starts],
        accepted_now=found.get((Oddity.ACCEPTED, running), 0),
        refused_now=found.get((Oddity.REFUSED, running), 0),
    )
