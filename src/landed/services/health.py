"""Whether we can do our work: the database answers, its schema fits, and how far tracking is behind."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from landed.journal.base import Journal
from landed.store import lanes, migrate
from landed.store.accounts import Pool
from landed.store.lanes import Lane

#: Probes come from several sides at once; the journal is measured for all of them this often.
_MEASURED_EVERY_S: Final = 2.0


class Health:
    def __init__(self, *, database_url: str, pool: Pool, journal: Journal) -> None:
        self._database_url = database_url
        self._pool = pool
        self._journal = journal
        self._schema_fits = False
        self._lag: dict[str, Any] = {}
        self._measured_at = float("-inf")

    async def ready(self) -> Mapping[str, Any]:
        """What was found, by name. Being behind is no reason not to be ready: callbacks are kept all the same.

        Raises:
            StoreUnavailable: the database is away.
            SchemaBehind: it needs `landed db upgrade`.
        """
        if not self._schema_fits:
            await asyncio.to_thread(migrate.check, self._database_url)
            self._schema_fits = True
        every = await lanes.all_lanes(self._pool)
        if time.monotonic() - self._measured_at >= _MEASURED_EVERY_S:
            self._measured_at = time.monotonic()
            self._lag = await self._measured(every)
        return {"database": "ok", "schema": "ok", "journal": self._lag}

    async def _measured(self, every: Sequence[Lane]) -> dict[str, Any]:
        behind = [await self._journal.backlog(lane.lane, lane.position) for lane in every]
        oldest = min((each.oldest_received_at for each in behind if each.oldest_received_at), default=None)
        seconds = 0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
        return {"callbacks_behind": sum(each.rows for each in behind), "seconds_behind": round(seconds, 3)}
