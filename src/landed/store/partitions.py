"""Time partitions: made ahead by whoever runs, dropped by retention. A partition is named for its first day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection, sql

#: Locks are taken by number: this one while partitions are made or dropped.
_PARTITIONS_LOCK: Final = 0x1A9DED01


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioned:
    """One table, how many days a partition spans, and how many days of it are kept (None: as retention is set)."""

    table: str
    days: int
    keep_days: int | None
    past_days: int = 1  #: partitions are also made for this many days back, for what comes in late


PARTITIONED: Final = (
    Partitioned(table="callbacks", days=1, keep_days=None),
    Partitioned(table="events", days=1, keep_days=None),
    Partitioned(table="counters_minute", days=1, keep_days=3, past_days=3),
    Partitioned(table="latencies_minute", days=1, keep_days=3, past_days=3),
    # A provider retries within a day; a week's partition and the one before it see any nonce for 7 days at least.
    Partitioned(table="nonces", days=7, keep_days=14, past_days=14),
    # Who did what is asked for long afterwards; nobody's clock but ours writes it.
    Partitioned(table="audit_log", days=28, keep_days=400),
)

_EPOCH: Final = date(2024, 1, 1)  # a Monday, so that spans of seven days are weeks


def spans(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    """The partitions, from and until, that cover the days from `first` to `last`."""
    start = first - timedelta(days=(first - _EPOCH).days % days)
    while start <= last:
        yield start, start + timedelta(days=days)
        start += timedelta(days=days)


def minutes_from(now: datetime) -> datetime:
    """Counters per minute exist for buckets from here on."""
    return datetime.combine(now.astimezone(UTC).date() - timedelta(days=3), datetime.min.time(), UTC)


def minutes_until(now: datetime) -> datetime:
    """… and up to here: partitions are made this far ahead, and a provider's clock may be a day ahead of ours."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=2), datetime.min.time(), UTC)


def nonces_from(now: datetime) -> date:
    """The ledger of nonces reaches back to this day, a Monday."""
    day = now.astimezone(UTC).date() - timedelta(days=14)
    return day - timedelta(days=day.weekday())


async def make(connection: AsyncConnection[Any], today: date, ahead_days: int = 3) -> None:
    """Make what is missing from a few days back to `ahead_days` ahead, on a connection that commits by itself.

    Safe to call at any time, but outside of transactions: no table is held while another is waited for, which writers
    may have taken in another order.
    """
    existing = await _existing(connection)
    for part in PARTITIONED:
        first, last = today - timedelta(days=part.past_days), today + timedelta(days=ahead_days)
        for start, end in spans(first, last, part.days):
            if (name := f"{part.table}_{start:%Y%m%d}") not in existing:
                await _make(connection, part.table, name, start, end)


async def _make(connection: AsyncConnection[Any], table: str, name: str, start: date, end: date) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITIONS_LOCK])
        await connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(name),
                sql.Identifier(table),
                sql.Literal(f"{start} 00:00Z"),
                sql.Literal(f"{end} 00:00Z"),
            )
        )


async def drop_old(connection: AsyncConnection[Any], today: date, retention_days: int) -> list[str]:
    """Drop partitions that lie wholly before what is kept; their names."""
    existing = await _existing(connection)
    old = list(_older(existing, today, retention_days))
    for name in old:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITIONS_LOCK])
            await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
    return old


def _older(existing: Iterable[str], today: date, retention_days: int) -> Iterator[str]:
    for part in PARTITIONED:
        first_kept = today - timedelta(days=part.keep_days or retention_days)
        for name in existing:
            table, _, day = name.rpartition("_")
            if table == part.table:
                end = datetime.strptime(day, "%Y%m%d").date() + timedelta(days=part.days)
                if end <= first_kept:
                    yield name


async def _existing(connection: AsyncConnection[Any]) -> set[str]:
    """Names of all partitions there are."""
    cursor = await connection.execute(
        "SELECT child.relname FROM pg_inherits"
        " JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent"
        " WHERE parent.relname = ANY(%s)",
        [[part.table for part in PARTITIONED]],
    )
    return {name async for (name,) in cursor}


def day_after(today: date) -> date:
    """When to look again whether partitions are missing."""
    return today + timedelta(days=1)
