"""Counters of verify sessions: written by the batch, in the order of their key."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from landed.domain.counters import Resolution
from landed.domain.funnel import Cell, Deltas
from landed.domain.latency import pack, unpack

#: How they are kept; short times are asked of verify sessions too seldom for counters by the minute.
RESOLUTIONS: Final = (Resolution.HOUR, Resolution.DAY)

# Rows come in the order of their key, so that two trackers never wait for each other in a circle.
_ADD: Final = """
INSERT INTO session_counters_{resolution} AS c
       (account_id, bucket_at, country, mcc, mnc, channel, started, sent, delivered, verified, expired, ended,
        attempts, attempts_sent, attempts_delivered, histogram)
SELECT *, '' FROM unnest(%s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                         %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                         %s::bigint[], %s::bigint[])
    ON CONFLICT (account_id, bucket_at, country, mcc, mnc, channel) DO UPDATE
   SET started = c.started + excluded.started, sent = c.sent + excluded.sent,
       delivered = c.delivered + excluded.delivered, verified = c.verified + excluded.verified,
       expired = c.expired + excluded.expired, ended = c.ended + excluded.ended,
       attempts = c.attempts + excluded.attempts, attempts_sent = c.attempts_sent + excluded.attempts_sent,
       attempts_delivered = c.attempts_delivered + excluded.attempts_delivered
RETURNING account_id, bucket_at, country, mcc, mnc, channel, histogram
"""
# The rows are locked by now. Histograms are added up here, not there.
_WRITE: Final = """
UPDATE session_counters_{resolution} AS c SET histogram = d.histogram
  FROM unnest(%s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[])
    AS d (account_id, bucket_at, country, mcc, mnc, channel, histogram)
 WHERE (c.account_id, c.bucket_at, c.country, c.mcc, c.mnc, c.channel)
     = (d.account_id, d.bucket_at, d.country, d.mcc, d.mnc, d.channel)
"""


async def add(connection: AsyncConnection[Any], deltas: Deltas) -> None:
    """Apply what a batch changes, in every resolution."""
    for resolution in RESOLUTIONS:
        rows = deltas.rows(resolution)
        if not rows:
            continue
        cursor = await connection.execute(
            _ADD.format(resolution=resolution), _columns((*cell, *counts[:-1]) for cell, counts in rows.items())
        )
        kept = {Cell(*key): unpack(packed) for *key, packed in await cursor.fetchall()}
        changed = [(*cell, pack(kept[cell] + counts.histogram)) for cell, counts in rows.items() if counts.histogram]
        if changed:
            await connection.execute(_WRITE.format(resolution=resolution), _columns(changed))


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
