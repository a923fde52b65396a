"""Counters: written by the batch, in one order, so that two trackers never wait for each other in a circle."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from landed.domain.counters import Deltas, Dimensions, Resolution, minute_of
from landed.store import partitions

_DIMENSION_IDS_MAX: Final = 100_000

_FIND: Final = """
WITH wanted AS (
    SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                         %s::text[], %s::text[], %s::text[], %s::text[])
        AS w (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag)
), made AS (
    INSERT INTO dimensions (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag)
    SELECT w.* FROM wanted w
     WHERE NOT EXISTS (SELECT 1 FROM dimensions d
                        WHERE (d.account_id, d.direction, d.channel, d.country, d.mcc, d.mnc, d.sender, d.status,
                               d.error_code, d.currency, d.tag)
                            = (w.account_id, w.direction, w.channel, w.country, w.mcc, w.mnc, w.sender, w.status,
                               w.error_code, w.currency, w.tag))
     ORDER BY w.account_id, w.direction, w.channel, w.country, w.mcc, w.mnc, w.sender, w.status, w.error_code,
              w.currency, w.tag
        ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT * FROM made
UNION ALL
SELECT d.* FROM dimensions d
  JOIN wanted w USING (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag)
"""

# Rows come in the order of their key, so that two trackers never wait for each other in a circle.
_ADD: Final = """
INSERT INTO counters_{resolution} AS c (bucket_at, dimension_id, lane, messages, parts, units, cost_nanos)
SELECT to_timestamp(60 * minute), dimension_id, %s, messages, parts, units, cost_nanos
  FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS d (minute, dimension_id, messages, parts, units, cost_nanos)
    ON CONFLICT (bucket_at, dimension_id, lane) DO UPDATE
   SET messages = c.messages + excluded.messages, parts = c.parts + excluded.parts,
       units = c.units + excluded.units, cost_nanos = c.cost_nanos + excluded.cost_nanos
"""
_ADD_LATENCIES: Final = """
INSERT INTO latencies_{resolution} AS c (bucket_at, dimension_id, latency_bucket, lane, messages)
SELECT to_timestamp(60 * minute), dimension_id, latency_bucket, %s, messages
  FROM unnest(%s::bigint[], %s::int[], %s::smallint[], %s::bigint[])
    AS d (minute, dimension_id, latency_bucket, messages)
    ON CONFLICT (bucket_at, dimension_id, latency_bucket, lane) DO UPDATE
   SET messages = c.messages + excluded.messages
"""
_SUM_STATEMENTS: Final = {resolution: _ADD.format(resolution=resolution) for resolution in Resolution}
_LATENCY_STATEMENTS: Final = {resolution: _ADD_LATENCIES.format(resolution=resolution) for resolution in Resolution}


class DimensionIds:
    """Ids of combinations seen lately. Combinations are never changed or removed, so what is remembered stays true."""

    def __init__(self) -> None:
        self._ids: OrderedDict[Dimensions, int] = OrderedDict()

    async def find(self, connection: AsyncConnection[Any], wanted: Iterable[Dimensions]) -> dict[Dimensions, int]:
        """The id of each combination, made where it is missing.

        `connection` must not be inside the transaction that counts: what is remembered has to be committed.
        """
        found: dict[Dimensions, int] = {}
        missing: list[Dimensions] = []
        for dimensions in wanted:
            number = self._ids.get(dimensions)
            if number is None:
                missing.append(dimensions)
            else:
                found[dimensions] = number
                self._ids.move_to_end(dimensions)
        while missing:
            cursor = await connection.execute(_FIND, [list(column) for column in zip(*missing, strict=True)])
            async for number, *values in cursor:
                found[Dimensions(*values)] = self._ids[Dimensions(*values)] = number
            # Made by another tracker at the same moment: visible to a second look.
            missing = [dimensions for dimensions in missing if dimensions not in found]
        while len(self._ids) > _DIMENSION_IDS_MAX:
            self._ids.popitem(last=False)
        return found


async def add(connection: AsyncConnection[Any], deltas: Deltas, lane: int, now: datetime) -> None:
    """Apply what a batch changes, in every resolution. Minutes that have no partition are not kept by the minute."""
    kept = range(minute_of(partitions.minutes_from(now)), minute_of(partitions.minutes_until(now)))
    for resolution in Resolution:
        minutes = kept if resolution is Resolution.MINUTE else _ALL_MINUTES
        if sums := deltas.sums(resolution, minutes):
            await connection.execute(_SUM_STATEMENTS[resolution], [lane, *_columns(sums)])
        if latencies := deltas.latencies(resolution, minutes):
            await connection.execute(_LATENCY_STATEMENTS[resolution], [lane, *_columns(latencies)])


_ALL_MINUTES: Final = range(2**40)


def _columns(rows: Iterable[tuple[int, ...]]) -> list[str]:
    """Rows of integers as one array literal per column, which PostgreSQL reads faster than we could send binary."""
    return ["{" + ",".join(map(str, column)) + "}" for column in zip(*rows, strict=True)]
