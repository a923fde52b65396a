"""Outgoing events, written with the state they tell of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from landed.domain.events import Event


async def record(connection: AsyncConnection[Any], events: Sequence[Event], now: datetime) -> None:
    if not events:
        return
    recorded_at = now.isoformat()
    rows = [
        f"{recorded_at}\t{account_id}\t{kind}\t{subject_id}\t{occurred_at.isoformat()}\n"
        for kind, account_id, subject_id, occurred_at in events
    ]
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        await copy.write("".join(rows))  # no field of these can hold what COPY would want escaped


_COPY: Final = "COPY events (recorded_at, account_id, type, subject_id, occurred_at) FROM STDIN"
