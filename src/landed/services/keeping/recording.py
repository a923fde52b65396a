"""Keeping facts that no callback told: the answer when we sent or asked, and what we concluded ourselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from landed.services.keeping.base import Keeper, Kept, Told
from landed.store import events as event_rows
from landed.store import unknown_statuses


async def keep_and_record(
    connection: AsyncConnection[Any], keeper: Keeper, told: Sequence[Told], now: datetime
) -> Kept:
    """Fold these facts into state with their counters and events, inside the transaction, as the tracker does.

    Raises:
        StoreUnavailable, DeadlockDetected, SerializationFailure: the whole transaction is to be done again.
    """
    kept = await keeper.keep(connection, told, now)
    await event_rows.record(connection, kept.events, now)
    await unknown_statuses.add(connection, kept.unknown, kept.unknown_in, now)
    return kept
