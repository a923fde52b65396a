"""Words of providers that have no mapping yet, counted so that somebody notices."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from landed.store import oddities
from landed.store.oddities import Oddity

_ADD: Final = """
INSERT INTO unknown_statuses AS u (account_id, provider_status, facts, last_callback_id, last_seen_at)
SELECT * FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[])
    ON CONFLICT (account_id, provider_status) DO UPDATE
   SET facts = u.facts + excluded.facts, last_callback_id = excluded.last_callback_id,
       last_seen_at = excluded.last_seen_at
"""


async def add(
    connection: AsyncConnection[Any],
    seen: Mapping[tuple[int, str], int],
    seen_in: Mapping[tuple[int, str], int | None],
    now: datetime,
) -> None:
    """`seen` maps account and word to how many new facts use it, `seen_in` to the last callback that did."""
    if seen:
        rows = [(*key, facts, seen_in.get(key), now) for key, facts in sorted(seen.items())]
        await connection.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])
        await oddities.add(connection, Oddity.UNKNOWN_STATUS, seen, now)
