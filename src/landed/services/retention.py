"""Partitions made ahead, and dropped when their time is over. Nothing is deleted row by row."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.errors import StoreUnavailable
from landed.store import partitions
from landed.store.connect import translated

EVERY_S: Final = 3600.0
_AGAIN_S: Final = 5.0
_log = structlog.get_logger()


class Retention:
    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        *,
        retention_days: int,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._pool = pool
        self._retention_days = retention_days
        self._today = today

    async def run(self) -> None:
        """Once an hour, until cancelled. Several workers may do it at once."""
        while True:
            try:
                await self.tidy()
                await asyncio.sleep(EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN_S)

    async def tidy(self) -> None:
        """Make the partitions of the days to come, drop those that are too old.

        Raises:
            StoreUnavailable: not now.
        """
        with translated():
            async with self._pool.connection() as connection:
                await partitions.make(connection, self._today())
                dropped = await partitions.drop_old(connection, self._today(), self._retention_days)
        if dropped:
            _log.info("partitions_dropped", partitions=dropped)
