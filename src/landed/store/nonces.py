"""The ledger of nonces, for signatures that do not cover the body: whoever captured one valid request could
send it again with other content. The same nonce with the same content is a retry; with other content, a forgery."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from landed.store import partitions
from landed.store.arrays import Array


class Seen(NamedTuple):
    """One use of a nonce: 64-bit digests of the nonce, and of what the signature does not cover."""

    account_id: int
    nonce: int
    content: int
    week: date


_KEEP: Final = """
INSERT INTO nonces (account_id, nonce, content, week)
SELECT unnest(%b::int[]), unnest(%b::bigint[]), unnest(%b::bigint[]), unnest(%b::date[])
    ON CONFLICT DO NOTHING
"""
_REUSED: Final = """
SELECT seen.account_id, seen.nonce, seen.content
  FROM unnest(%b::int[], %b::bigint[], %b::bigint[]) AS seen (account_id, nonce, content)
 WHERE EXISTS (SELECT 1 FROM nonces
                WHERE nonces.account_id = seen.account_id AND nonces.nonce = seen.nonce
                  AND nonces.content <> seen.content AND nonces.week < %b)
"""


async def reused(connection: AsyncConnection[Any], uses: Sequence[Seen], now: datetime) -> set[Seen]:
    """Enter these uses, and tell which repeat a nonce with other content than it was first used with.

    What is older than the ledger, and comes late or is replayed, is not entered and not told of.
    """
    kept_from = partitions.nonces_from(now)
    uses = [use for use in uses if use.week >= kept_from]
    if not uses:
        return set()
    first: dict[tuple[int, int, date], Seen] = {}
    changed: set[Seen] = set()
    for use in uses:
        account_id, nonce, content, week = use
        if first.setdefault((account_id, nonce, week), use).content != content:
            changed.add(use)
    entered = sorted(first.values())  # in one order, or two trackers could each wait for the other
    columns = [*map(Array, ("int4", "int8", "int8", "date"), zip(*entered, strict=True))]
    cursor = await connection.execute(_KEEP, columns)
    # Where all went in, none was there this week; then only the weeks before have to be asked.
    weeks_until = max(use.week for use in entered) + timedelta(days=0 if cursor.rowcount == len(entered) else 7)
    cursor = await connection.execute(_REUSED, [*columns[:3], weeks_until])
    found = set(await cursor.fetchall())
    return changed | {use for use in uses if use[:3] in found} if found else changed
