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
