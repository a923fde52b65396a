"""The latest callbacks refused at the door, a ring of rows per account: for diagnosis, never tracked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.store.connect import transaction

#: Rows kept per account. With bodies cut at 16 KiB an account's ring takes 5 MB at most.
RING: Final = 300
_REFUSALS_LOCK: Final = 0x1A9DED04


class Refused(NamedTuple):
    """`body` holds the first bytes only; `body_bytes` tells how many there were, read or announced."""

    account_id: int
    reason: str
    detail: str
    received_at: datetime
    method: str
    url: str
    headers: bytes
    body: bytes
    body_bytes: int


# Goes on after the newest row of each account, and over the oldest.
_KEEP: Final = """
INSERT INTO refused_callbacks
       (account_id, slot, reason, detail, received_at, method, url, headers, body, body_bytes)
SELECT account_id,
       (coalesce((SELECT kept.slot FROM refused_callbacks AS kept WHERE kept.account_id = new.account_id
                   ORDER BY kept.received_at DESC, kept.slot DESC LIMIT 1), -1)
        + row_number() OVER (PARTITION BY account_id ORDER BY n)) %% 300,
       reason, detail, received_at, method, url, headers, body, body_bytes
  FROM unnest(%(account_id)s::int[], %(reason)s::text[], %(detail)s::text[], %(received_at)s::timestamptz[],
              %(method)s::text[], %(url)s::text[], %(headers)s::bytea[], %(body)s::bytea[], %(body_bytes)s::int[])
       WITH ORDINALITY
       AS new (account_id, reason, detail, received_at, method, url, headers, body, body_bytes, n)
    ON CONFLICT (account_id, slot) DO UPDATE
   SET reason = excluded.reason, detail = excluded.detail, received_at = excluded.received_at,
       method = excluded.method, url = excluded.url, headers = excluded.headers, body = excluded.body,
       body_bytes = excluded.body_bytes
"""
_LATEST: Final = """
SELECT account_id, reason, detail, received_at, method, url, headers, body, body_bytes
  FROM refused_callbacks
 WHERE %(account_id)s::int IS NULL OR account_id = %(account_id)s
 ORDER BY received_at DESC
 LIMIT %(limit)s
"""


async def keep(pool: AsyncConnectionPool[AsyncConnection[Any]], rows: Sequence[Refused]) -> None:
    """Write them into the rings of their accounts, fewer than RING at a time.

    Raises:
        StoreUnavailable: nothing was written.
    """
    columns = dict(zip(Refused._fields, ([*column] for column in zip(*rows, strict=True)), strict=True))
    async with transaction(pool) as connection:
        # One writer at a time, or two processes would go on after the same row.
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_REFUSALS_LOCK])
        await connection.execute(_KEEP, columns)


async def latest(
    pool: AsyncConnectionPool[AsyncConnection[Any]], *, account_id: int | None = None, limit: int = RING
) -> list[Refused]:
    """The newest first, of one account or of all."""
    async with transaction(pool) as connection:
        cursor = await connection.execute(_LATEST, {"account_id": account_id, "limit": limit})
        return [Refused(*row) for row in await cursor.fetchall()]
