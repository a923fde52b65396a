"""How long brands, campaigns and numbers have stood where they stand, and how long it took them to be registered."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Float, Row, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.receipts import RegistrationStatus
from landed.domain.registrations import Thing
from landed.store import reading
from landed.store.registrations import TABLES

_DONE: Final = (RegistrationStatus.REGISTERED.value, RegistrationStatus.LINKED.value)


async def ages(
    engine: AsyncEngine, thing: Thing, account_ids: Sequence[int] | None, bounds_d: Sequence[int], now: datetime
) -> Sequence[Row[Any]]:
    """A row per status: `status`, `things`, `oldest_since`, `took` (how many tell how long they took), `p50_s`,
    `p90_s`, and `younger_0` …: how many have stood there for less than each of the bounds, in days."""
    column = TABLES[thing].c
    took_s = func.extract("epoch", column.status_since - column.first_heard_at)
    # Of what we first heard when it was over already, we do not know how long it took.
    is_told = column.status.in_(_DONE) & (column.status_since > column.first_heard_at)
    statement = select(
        column.status,
        func.count().label("things"),
        func.min(column.status_since).label("oldest_since"),
        func.count().filter(is_told).label("took"),
        *(
            cast(func.percentile_disc(q).within_group(took_s).filter(is_told), Float).label(name)
            for name, q in (("p50_s", 0.5), ("p90_s", 0.9))
        ),
        *(
            func.count().filter(column.status_since > now - timedelta(days=days)).label(f"younger_{number}")
            for number, days in enumerate(bounds_d)
        ),
    ).group_by(column.status)
    if account_ids is not None:
        statement = statement.where(column.account_id.in_(account_ids))
    return await reading.rows(engine, statement)
