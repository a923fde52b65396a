"""Counters: written by the batch, in one order, so that two trackers never wait for each other in a circle."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.counters import Deltas, Dimensions, Resolution, minute_of
from landed.domain.latency import pack, unpack
from landed.store import partitions
from landed.store.connect import aside

_DIMENSION_IDS_MAX: Final = 100_000
#: The second finds what another tracker made meanwhile; a value that is never found again is a provider's mistake.
_LOOKS_MAX: Final = 3

_FIND: Final = """
WITH wanted AS (
    SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                         %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
        AS w (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag, grain)
), made AS (
    INSERT INTO dimensions
           (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag, grain)
    SELECT w.* FROM wanted w
     WHERE NOT EXISTS (SELECT 1 FROM dimensions d
                        WHERE (d.account_id, d.direction, d.channel, d.country, d.mcc, d.mnc, d.sender, d.status,
                               d.error_code, d.currency, d.tag, d.grain)
                            = (w.account_id, w.direction, w.channel, w.country, w.mcc, w.mnc, w.sender, w.status,
                               w.error_code, w.currency, w.tag, w.grain))
     ORDER BY w.account_id, w.direction, w.channel, w.country, w.mcc, w.mnc, w.sender, w.status, w.error_code,
              w.currency, w.tag, w.grain
        ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT * FROM made
UNION ALL
SELECT d.* FROM dimensions d
  JOIN wanted w
 USING (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag, grain)
"""

# Rows come in the order of their key, so that two trackers never wait for each other in a circle.
_ADD: Final = """
INSERT INTO counters_{resolution} AS c (bucket_at, dimension_id, messages, parts, units, cost_nanos)
SELECT to_timestamp(60 * minute), dimension_id, messages, parts, units, cost_nanos
  FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS d (minute, dimension_id, messages, parts, units, cost_nanos)
    ON CONFLICT (bucket_at, dimension_id) DO UPDATE
   SET messages = c.messages + excluded.messages, parts = c.parts + excluded.parts,
       units = c.units + excluded.units, cost_nanos = c.cost_nanos + excluded.cost_nanos
"""
# What few messages have. Their rows are there: each was counted before, or in the same transaction.
_ADD_OUTCOMES: Final = """
UPDATE counters_{resolution} AS c
   SET receipts_missing = c.receipts_missing + d.receipts_missing, converted = c.converted + d.converted,
       unconverted = c.unconverted + d.unconverted
  FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS d (minute, dimension_id, receipts_missing, converted, unconverted)
 WHERE c.bucket_at = to_timestamp(60 * minute) AND c.dimension_id = d.dimension_id
"""
# Histograms are added up here, not there: locked from the look to the write, and made first where they are missing.
_MAKE: Final = """
INSERT INTO latencies_{resolution} (bucket_at, dimension_id, histogram)
SELECT to_timestamp(60 * minute), dimension_id, '' FROM unnest(%s::bigint[], %s::int[]) AS d (minute, dimension_id)
    ON CONFLICT DO NOTHING
"""
_LOCK: Final = """
SELECT minute, dimension_id, histogram FROM latencies_{resolution}
  JOIN unnest(%s::bigint[], %s::int[]) AS d (minute, dimension_id) USING (dimension_id)
 WHERE bucket_at = to_timestamp(60 * minute)
 ORDER BY minute, dimension_id
   FOR UPDATE OF latencies_{resolution}
"""
_WRITE: Final = """
UPDATE latencies_{resolution} AS c SET histogram = decode(d.histogram, 'hex')
  FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS d (minute, dimension_id, histogram)
 WHERE c.bucket_at = to_timestamp(60 * minute) AND c.dimension_id = d.dimension_id
"""


class DimensionIds:
    """Ids of combinations seen lately. Combinations are never changed or removed, so what is remembered stays true."""

    def __init__(self) -> None:
        self._ids: OrderedDict[Dimensions, int] = OrderedDict()

    async def find(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]], wanted: Iterable[Dimensions]
    ) -> dict[Dimensions, int]:
        """The id of each combination, made where it is missing.

        Made outside the transaction that counts: what is remembered has to be committed.
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
        if missing:
            async with aside(pool) as connection:
                made = await _make(connection, missing)
            found |= made
            self._ids |= made
            while len(self._ids) > _DIMENSION_IDS_MAX:
                self._ids.popitem(last=False)
        return found


async def _make(connection: AsyncConnection[Any], missing: Sequence[Dimensions]) -> dict[Dimensions, int]:
    """The ids of these combinations, of which most are not there yet."""
    found: dict[Dimensions, int] = {}
    for _ in range(_LOOKS_MAX):
        cursor = await connection.execute(_FIND, [list(column) for column in zip(*missing, strict=True)])
        async for number, *values in cursor:
            found[Dimensions(*values)] = number
        # Made by another tracker at the same moment: visible to a second look.
        missing = [dimensions for dimensions in missing if dimensions not in found]
        if not missing:
            return found
    raise LookupError(f"{len(missing)} combinations read back other than they were written")


async def add(connection: AsyncConnection[Any], deltas: Deltas, now: datetime) -> None:
    """Apply what a batch changes, in every resolution. Minutes that have no partition are not kept by the minute."""
    kept = range(minute_of(partitions.minutes_from(now)), minute_of(partitions.minutes_until(now)))
    for resolution in Resolution:
        minutes = kept if resolution is Resolution.MINUTE else _ALL_MINUTES
        if sums := deltas.sums(resolution, minutes):
            await connection.execute(_ADD.format(resolution=resolution), _columns(sums))
        if outcomes := deltas.outcomes(resolution, minutes):
            await connection.execute(_ADD_OUTCOMES.format(resolution=resolution), _columns(outcomes))
        if latencies := deltas.latencies(resolution, minutes):
            await _add_latencies(connection, resolution, latencies)


async def _add_latencies(
    connection: AsyncConnection[Any], resolution: Resolution, changes: list[tuple[int, int, int]]
) -> None:
    keys = _columns((minute, dimension_id) for minute, dimension_id, _ in changes)
    await connection.execute(_MAKE.format(resolution=resolution), keys)
    cursor = connection.cursor(binary=True)
    await cursor.execute(_LOCK.format(resolution=resolution), keys)
    locked = {(minute, dimension_id): unpack(packed) for minute, dimension_id, packed in await cursor.fetchall()}
    histograms = (pack(locked[minute, dimension_id] + change).hex() for minute, dimension_id, change in changes)
    await connection.execute(
        _WRITE.format(resolution=resolution), [*keys, "{" + ",".join(f'"{text}"' for text in histograms) + "}"]
    )


_ALL_MINUTES: Final = range(2**40)


def _columns(rows: Iterable[tuple[int, ...]]) -> list[str]:
    """Rows of integers as one array literal per column, which PostgreSQL reads faster than we could send binary."""
    return ["{" + ",".join(map(str, column)) + "}" for column in zip(*rows, strict=True)]
