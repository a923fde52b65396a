"""Callbacks refused and words without a mapping, counted by the minute: all processes add to it, and alerts read it.

What is counted in a minute goes into one row per account and word, so a flood costs a row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.words import Word
from landed.store.connect import transaction

#: How long they are kept. No rule looks back further.
KEPT: Final = timedelta(days=8)


class Oddity(Word):
    ACCEPTED = "accepted"  #: no oddity: what the others are compared with; of all accounts together
    REFUSED = "refused"
    UNKNOWN_STATUS = "unknown_status"


class OddityCount(NamedTuple):
    account_id: int  #: 0: of nobody we know
    word: str
    times: int


# Rows come in the order of their key, so that two processes never wait for each other in a circle.
_ADD: Final = """
INSERT INTO oddity_counts AS o (kind, bucket_at, account_id, word, count)
SELECT %s, date_trunc('minute', %s::timestamptz), * FROM unnest(%s::int[], %s::text[], %s::bigint[])
    ON CONFLICT (kind, bucket_at, account_id, word) DO UPDATE SET count = o.count + excluded.count
"""
_COUNTED: Final = """
SELECT account_id, word, sum(count)::bigint FROM oddity_counts
 WHERE kind = %(kind)s AND bucket_at >= %(since)s AND bucket_at < %(until)s
   AND (%(accounts)s::int[] IS NULL OR account_id = ANY(%(accounts)s))
 GROUP BY account_id, word
 ORDER BY sum(count) DESC, account_id, word
"""
_BY_MINUTE: Final = """
SELECT kind, bucket_at, sum(count)::bigint FROM oddity_counts
 WHERE kind = ANY(%s) AND bucket_at >= %s
 GROUP BY kind, bucket_at
"""
_FORGET: Final = "DELETE FROM oddity_counts WHERE kind = ANY(%s) AND bucket_at < %s"


async def add(
    connection: AsyncConnection[Any], kind: Oddity, counts: Mapping[tuple[int, str], int], now: datetime
) -> None:
    """Add what was counted since the last time, by account and word, to this minute."""
    if counts:
        accounts, words, numbers = zip(*((*key, count) for key, count in sorted(counts.items())), strict=True)
        await connection.execute(_ADD, [kind, now, list(accounts), list(words), list(numbers)])


async def add_refused(
    pool: AsyncConnectionPool[AsyncConnection[Any]], counts: Mapping[tuple[int, str], int], now: datetime
) -> None:
    """What a web process refused since the last time.

    Raises:
        StoreUnavailable: nothing was added.
    """
    async with transaction(pool) as connection:
        await add(connection, Oddity.REFUSED, counts, now)


async def add_accepted(pool: AsyncConnectionPool[AsyncConnection[Any]], count: int, now: datetime) -> None:
    """What a web process accepted since the last time.

    Raises:
        StoreUnavailable: nothing was added.
    """
    async with transaction(pool) as connection:
        await add(connection, Oddity.ACCEPTED, {(0, ""): count}, now)


async def by_minute(
    pool: AsyncConnectionPool[AsyncConnection[Any]], kinds: Sequence[Oddity], since: datetime
) -> dict[tuple[Oddity, datetime], int]:
    """All accounts together; a minute without any is not there."""
    async with transaction(pool) as connection:
        found = await (await connection.execute(_BY_MINUTE, [list(kinds), since])).fetchall()
    return {(Oddity(kind), bucket_at): count for kind, bucket_at, count in found}


async def counted(
    connection: AsyncConnection[Any],
    kind: Oddity,
    *,
    since: datetime,
    until: datetime,
    account_ids: Sequence[int] | None = None,
) -> list[OddityCount]:
    """By account and word, most first. None: all accounts."""
    asked = {
        "kind": kind,
        "since": since,
        "until": until,
        "accounts": None if account_ids is None else list(account_ids),
    }
    return [OddityCount(*row) for row in await (await connection.execute(_COUNTED, asked)).fetchall()]


async def forget(connection: AsyncConnection[Any], before: datetime) -> None:
    """Let go of what is older. Says the kinds, so that an index finds it."""
    await connection.execute(_FORGET, [list(Oddity), before])
