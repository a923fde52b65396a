"""What the database tells of the state of the system itself."""

from typing import Any, Final

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
_BY_STATUS: Final = """
SELECT status, sum(messages)::bigint FROM counters_day JOIN dimensions ON dimensions.id = dimension_id
 WHERE tag = '' AND grain = 'country' GROUP BY status
"""
