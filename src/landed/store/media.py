"""Rows of media: what came with inbound messages, and how far downloading it is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.words import Word
from landed.store.connect import transaction

_NAMESPACE: Final = UUID("1a9ded00-0000-4000-8000-000000000004")

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class MediaState(Word):
    """How far downloading is."""

    WAITING = "waiting"  #: not yet, and where downloading is off, never
    DOWNLOADED = "downloaded"
    FAILED = "failed"  #: given up


class Found(NamedTuple):
    """A picture, sound or file that came with a message."""

    account_id: int
    message_id: UUID
    url: str


class Claimed(NamedTuple):
    """One to download now. Whoever claimed it has until its next attempt; `attempts` counts this one."""

    id: UUID
    account_id: int
    url: str
    attempts: int


# In the order of the id: two trackers that add the same rows must not each wait for the other.
_ADD: Final = """
INSERT INTO media (id, account_id, message_id, url, state, next_attempt_at, created_at, updated_at)
SELECT n.id, n.account_id, n.message_id, n.url, 'waiting', n.created_at, n.created_at, n.created_at
  FROM jsonb_populate_recordset(NULL::media, %s) n ORDER BY n.id
    ON CONFLICT (id) DO NOTHING
"""
# The next attempt is set before this one begins: killed in between, it is simply made then.
_CLAIM: Final = """
UPDATE media SET attempts = attempts + 1, updated_at = %(now)s,
       next_attempt_at = %(now)s + make_interval(secs => least(%(first_s)s * 2 ^ attempts, %(most_s)s))
 WHERE id = ANY (ARRAY(SELECT id FROM media WHERE state = 'waiting' AND next_attempt_at <= %(now)s
                        ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING id, account_id, url, attempts
"""
# Its last attempt never came to an end.
_GIVE_UP: Final = """
UPDATE media SET state = 'failed', problem = coalesce(problem, 'Every attempt was interrupted.'), updated_at = %(now)s
 WHERE state = 'waiting' AND next_attempt_at <= %(now)s AND attempts >= %(attempts_max)s
"""
_DOWNLOADED: Final = """
UPDATE media SET state = 'downloaded', problem = NULL, mime_type = %s, size_bytes = %s, sha256 = %s,
       downloaded_at = %s, updated_at = %s
 WHERE id = %s
"""
_FAILED: Final = """
UPDATE media SET state = CASE WHEN %s THEN 'failed' ELSE state END, problem = %s, updated_at = %s
 WHERE id = %s AND state = 'waiting'
"""


async def add(connection: AsyncConnection[Any], found: Sequence[Found], now: datetime) -> None:
    """Keep what is not kept yet."""
    if found:
        rows = [{"id": row_id(each), **each._asdict(), "created_at": now} for each in found]
        await connection.execute(_ADD, [orjson.dumps(rows).decode()])


def row_id(found: Found) -> UUID:
    return uuid5(_NAMESPACE, f"{found.message_id}:{found.url}")


async def claim(
    pool: Pool, now: datetime, *, limit: int, attempts_max: int, first_s: float, most_s: float
) -> list[Claimed]:
    """Take some that are due. Those that are not settled are due again after `first_s` seconds, then twice that, …

    Raises:
        StoreUnavailable: nothing was taken.
    """
    due = {"now": now, "limit": limit, "attempts_max": attempts_max, "first_s": first_s, "most_s": most_s}
    async with transaction(pool) as connection:
        await connection.execute(_GIVE_UP, due)
        cursor = await connection.execute(_CLAIM, due)
        return [Claimed(*row) for row in await cursor.fetchall()]


async def settle_downloaded(
    pool: Pool, media_id: UUID, now: datetime, *, mime_type: str | None, size_bytes: int, sha256: str
) -> None:
    async with transaction(pool) as connection:
        await connection.execute(_DOWNLOADED, [mime_type, size_bytes, sha256, now, now, media_id])


async def settle_failed(pool: Pool, media_id: UUID, now: datetime, *, problem: str, final: bool) -> None:
    """Note why it failed; where that is final it is not tried again."""
    async with transaction(pool) as connection:
        await connection.execute(_FAILED, [final, problem, now, media_id])
