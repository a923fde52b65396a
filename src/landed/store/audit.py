"""Who did what: rows are only added, which a trigger holds, and go with their partition after a year."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import psycopg

from landed.store import partitions
from landed.store.accounts import Pool
from landed.store.connect import transaction, translated


class Entry(NamedTuple):
    """One deed. `target` holds neither a phone number nor a text."""

    at: datetime
    actor: str
    action: str
    target: str | None = None
    address: str | None = None
    times: int = 1


class KeptEntry(NamedTuple):
    id: int
    at: datetime
    actor: str
    action: str
    target: str | None
    address: str | None
    times: int


_ADD: Final = """
INSERT INTO audit_log (at, actor, action, target, address, times)
SELECT * FROM unnest(%(at)s::timestamptz[], %(actor)s::text[], %(action)s::text[], %(target)s::text[],
                     %(address)s::text[], %(times)s::int[])
"""
_LIST: Final = """
SELECT id, at, actor, action, target, address, times FROM audit_log
 WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
   AND (%(actor)s::text IS NULL OR actor = %(actor)s OR (%(actor)s LIKE '%%:' AND starts_with(actor, %(actor)s)))
   AND (%(action)s::text IS NULL OR action = %(action)s)
   AND (%(after_at)s::timestamptz IS NULL OR (at, id) < (%(after_at)s, %(after_id)s))
 ORDER BY at DESC, id DESC LIMIT %(limit)s
"""


async def add(pool: Pool, entries: Sequence[Entry]) -> None:
    """Keep them.

    Raises:
        StoreUnavailable: nothing was written.
    """
    columns = dict(zip(Entry._fields, ([*column] for column in zip(*entries, strict=True)), strict=True))
    try:
        async with transaction(pool) as connection:
            await connection.execute(_ADD, columns)
    except psycopg.errors.CheckViolation:  # there is no partition: no worker has run for days, or ever
        await _make_partitions(pool)
        async with transaction(pool) as connection:
            await connection.execute(_ADD, columns)


async def page(
    pool: Pool,
    *,
    since: datetime | None,
    until: datetime | None,
    actor: str | None,
    action: str | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[KeptEntry]:
    """The newest first, from after a row on. `actor` may be a kind of them: `user:`."""
    after_at, after_id = after or (None, None)
    values = {
        "since": since,
        "until": until,
        "actor": actor,
        "action": action,
        "after_at": after_at,
        "after_id": after_id,
        "limit": limit,
    }
    async with transaction(pool) as connection:
        return [KeptEntry(*row) for row in await (await connection.execute(_LIST, values)).fetchall()]


async def _make_partitions(pool: Pool) -> None:
    with translated():
        async with pool.connection() as connection:
            await partitions.make(connection, datetime.now(UTC).date())
