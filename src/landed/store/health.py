"""What the database tells of the state of the system itself."""

from datetime import date
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.store.connect import transaction

_SET_ASIDE: Final = "SELECT reason, count(*) FROM set_aside GROUP BY reason"
_UNKNOWN: Final = "SELECT provider_status, sum(facts)::bigint FROM unknown_statuses GROUP BY provider_status"


async def oddities(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """How many callbacks are set aside, by reason; and how many facts use an unknown word, by the word."""
    async with transaction(pool) as connection:
        set_aside = dict(await (await connection.execute(_SET_ASIDE)).fetchall())
        unknown = dict(await (await connection.execute(_UNKNOWN)).fetchall())
    return set_aside, unknown


async def messages_by_status(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> dict[str, int]:
    """How many messages stand where, from the counters."""
    async with transaction(pool) as connection:
        return dict(await (await connection.execute(_BY_STATUS)).fetchall())


async def never_sent(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> dict[str, int]:
    """How many messages failed before any provider had them, by error code. Walks through all messages."""
    async with transaction(pool) as connection:
        return dict(await (await connection.execute(_NEVER_SENT)).fetchall())


async def sessions_by_status(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> dict[str, int]:
    """How many verify sessions stand where, from the counters; those that failed or were cancelled as `ended`."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_SESSIONS)).fetchone()
    started, verified, expired, ended = row or (0, 0, 0, 0)
    in_progress = started - verified - expired - ended
    return {"in_progress": in_progress, "expired": expired, "verified": verified, "ended": ended}


async def registrations_by_status(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> dict[str, int]:
    """How many brands, campaigns and numbers stand where: `number linked`. Nobody has so many that counting is long."""
    async with transaction(pool) as connection:
        return dict(await (await connection.execute(_REGISTRATIONS)).fetchall())


_SESSIONS: Final = """
SELECT coalesce(sum(started), 0)::bigint, coalesce(sum(verified), 0)::bigint, coalesce(sum(expired), 0)::bigint,
       coalesce(sum(ended), 0)::bigint
  FROM session_counters_day
"""
_REGISTRATIONS: Final = """
SELECT thing || ' ' || status, count(*)
  FROM (SELECT 'brand' AS thing, status FROM brands UNION ALL SELECT 'campaign', status FROM campaigns
        UNION ALL SELECT 'number', status FROM number_links) AS things
 GROUP BY thing, status
"""
_NEVER_SENT: Final = """
SELECT coalesce(error_code, ''), count(*) FROM messages
 WHERE status = 'failed' AND provider_message_id IS NULL GROUP BY 1
"""
_BY_STATUS: Final = """
SELECT status, sum(messages)::bigint FROM counters_day JOIN dimensions ON dimensions.id = dimension_id
 WHERE tag = '' AND grain = 'country' GROUP BY status
"""


class Volume(NamedTuple):
    """How much is kept."""

    database_bytes: int
    tables: list["TableSize"]  #: the largest first
    callbacks_written: int  #: rows that were ever put into the journal's partitions of now, on all machines


class TableSize(NamedTuple):
    """A table with its indexes and, where it has some, all its partitions."""

    name: str
    size_bytes: int
    partitions: int
    oldest: date | None  #: first day of the oldest partition


async def volume(pool: AsyncConnectionPool[AsyncConnection[Any]], tables_max: int = 12) -> Volume:
    """From PostgreSQL's own books, whatever is in the tables."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_WRITTEN)).fetchone()
        tables = await (await connection.execute(_TABLES, [tables_max])).fetchall()
    database_bytes, written = row or (0, 0)
    return Volume(database_bytes, [TableSize(*table) for table in tables], written)


_WRITTEN: Final = """
SELECT pg_database_size(current_database()),
       (SELECT coalesce(sum(n_tup_ins), 0)::bigint FROM pg_stat_user_tables
         WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'callbacks'::regclass))
"""
_TABLES: Final = """
SELECT top.relname, sum(pg_total_relation_size(leaf.oid))::bigint AS size_bytes,
       count(*) FILTER (WHERE leaf.oid <> top.oid),
       to_date(right(min(leaf.relname) FILTER (WHERE leaf.oid <> top.oid), 8), 'YYYYMMDD')
  FROM pg_class AS leaf LEFT JOIN pg_inherits ON inhrelid = leaf.oid
       JOIN pg_class AS top ON top.oid = coalesce(inhparent, leaf.oid)
 WHERE leaf.relkind = 'r' AND leaf.relnamespace = 'public'::regnamespace
 GROUP BY top.relname ORDER BY size_bytes DESC, top.relname LIMIT %s
"""


async def workers(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> int:
    """How many workers are alive, by the database's clock, which is the one that they go by."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_WORKERS)).fetchone()
    return row[0] if row else 0


_WORKERS: Final = "SELECT count(*) FROM trackers WHERE alive_until >= now()"
