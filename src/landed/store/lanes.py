"""Who tracks which lane, and how far. A lane's row is the fence: its position moves only with its state."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.store.connect import transaction


class Lane(NamedTuple):
    lane: int
    position: str
    leased_by: str | None


_MAKE: Final = (
    "INSERT INTO lanes (lane, position) SELECT lane, '' FROM generate_series(0, %s - 1) AS lane ON CONFLICT DO NOTHING"
)
# Rows to take are put into an array first, here and wherever some of many are claimed: a subquery behind IN may be run
# for each row anew, and locks others each time, more than its limit in all.
# Waits for a transaction of this tracker's own that has the lane locked: what it is writing is no reason to lose it.
_RENEW: Final = """
UPDATE lanes SET leased_until = now() + %(lease_s)s * interval '1 second'
 WHERE lane = ANY (ARRAY(SELECT lane FROM lanes WHERE leased_by = %(tracker)s ORDER BY lane LIMIT %(share)s FOR UPDATE))
RETURNING lane
"""
# Lanes of trackers that stopped renewing are free. The clock is the database's, the only one all trackers share.
_CLAIM: Final = """
UPDATE lanes SET leased_by = %(tracker)s, leased_until = now() + %(lease_s)s * interval '1 second'
 WHERE lane = ANY (ARRAY(SELECT lane FROM lanes
                          WHERE leased_by IS NULL OR (leased_until < now() AND leased_by <> %(tracker)s)
                          ORDER BY lane LIMIT %(share)s FOR UPDATE SKIP LOCKED))
RETURNING lane
"""
_RELEASE: Final = """
UPDATE lanes SET leased_by = NULL, leased_until = NULL WHERE leased_by = %(tracker)s AND NOT lane = ANY(%(keep)s)
"""
_ALIVE: Final = """
INSERT INTO trackers (name, alive_until) VALUES (%(tracker)s, now() + %(lease_s)s * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until
"""
_FORGET: Final = "DELETE FROM trackers WHERE alive_until < now() - interval '1 hour' OR name = %s"
# Of all lanes there ever were: where LANDED_LANES was lowered, what is in the others is still tracked.
_SHARE: Final = """
SELECT ceil((SELECT count(*) FROM lanes)::float8 / (SELECT count(*) FROM trackers WHERE alive_until >= now()))::int
"""
_POSITIONS: Final = "SELECT lane, position FROM lanes WHERE lane = ANY(%s) AND leased_by = %s ORDER BY lane"
_LOCK: Final = _POSITIONS + " FOR UPDATE"
#: Of a tracker, shorter than connect.FROZEN_S_MAX and than a lease: so its successor need not wait for its locks.
FROZEN_S_MAX: Final = 5
_LIMIT: Final = f"SET LOCAL idle_in_transaction_session_timeout = '{FROZEN_S_MAX}s'"
_MOVE: Final = """
UPDATE lanes SET position = moved.position
  FROM unnest(%s::smallint[], %s::text[]) AS moved (lane, position)
 WHERE lanes.lane = moved.lane
"""


async def make(pool: AsyncConnectionPool[AsyncConnection[Any]], lanes: int) -> None:
    async with transaction(pool) as connection:
        await connection.execute(_MAKE, [lanes])


async def lease(pool: AsyncConnectionPool[AsyncConnection[Any]], tracker: str, lease_s: float) -> list[int]:
    """Renew the lanes this tracker holds and take free ones, up to its fair share; give back what is more.

    Returns:
        The lanes that are held now.
    """
    async with transaction(pool) as connection:
        await connection.execute(_LIMIT)
        await connection.execute(_ALIVE, {"tracker": tracker, "lease_s": lease_s})
        cursor = await connection.execute(_SHARE)
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always gives a row
        share = row[0]
        cursor = await connection.execute(_RENEW, {"tracker": tracker, "lease_s": lease_s, "share": share})
        held = [lane for (lane,) in await cursor.fetchall()]
        free = {"tracker": tracker, "lease_s": lease_s, "share": share - len(held)}
        held += [lane for (lane,) in await (await connection.execute(_CLAIM, free)).fetchall()]
        await connection.execute(_RELEASE, {"tracker": tracker, "keep": held})
        return sorted(held)


async def release(pool: AsyncConnectionPool[AsyncConnection[Any]], tracker: str) -> None:
    """Give all lanes back at once, so that nobody has to wait for the lease to end."""
    async with transaction(pool) as connection:
        await connection.execute(_LIMIT)
        await connection.execute(_RELEASE, {"tracker": tracker, "keep": []})
        await connection.execute(_FORGET, [tracker])


async def positions(
    pool: AsyncConnectionPool[AsyncConnection[Any]], tracker: str, held: Sequence[int]
) -> dict[int, str]:
    """How far these lanes are tracked; those that are not leased by this tracker any more are left out."""
    async with transaction(pool) as connection:
        cursor = await connection.execute(_POSITIONS, [list(held), tracker])
        return dict(await cursor.fetchall())


async def lock(connection: AsyncConnection[Any], held: Sequence[int], tracker: str) -> dict[int, str]:
    """The same, locked until the transaction ends: the fence between a tracker and its successor."""
    await connection.execute(_LIMIT)
    cursor = await connection.execute(_LOCK, [list(held), tracker])
    return dict(await cursor.fetchall())


async def move(connection: AsyncConnection[Any], to: Mapping[int, str]) -> None:
    if to:
        await connection.execute(_MOVE, [list(to), list(to.values())])


async def all_lanes(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> list[Lane]:
    """Every lane, for those who want to know how far tracking is."""
    async with transaction(pool) as connection:
        cursor = await connection.execute("SELECT lane, position, leased_by FROM lanes ORDER BY lane")
        return [Lane(*row) for row in await cursor.fetchall()]
