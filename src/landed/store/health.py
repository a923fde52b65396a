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


_BY_STATUS: Final = """
SELECT status, sum(messages)::bigint FROM counters_day JOIN dimensions ON dimensions.id = dimension_id
 WHERE tag = '' AND grain = 'country' GROUP BY status
"""
