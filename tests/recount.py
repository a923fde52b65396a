"""What the counters should be, counted anew from the messages themselves.

Only what anyone can see of a message is used, not what the tracker noted down about where it counted it.
"""

from collections import Counter
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection

from landed.domain import latency

_KEY: Final = (
    "bucket_at, account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag, grain"
)
# One row for each message in each grain, and one more for each of its tags.
# The bucket of a latency is that of domain/latency.py.
_SHOULD: Final = """
SELECT date_trunc('{resolution}', submitted_at, 'UTC') AS bucket_at, account_id, direction, channel,
       coalesce(country, '') AS country, coalesce(CASE grain WHEN 'full' THEN mcc END, '') AS mcc,
       coalesce(CASE grain WHEN 'full' THEN mnc END, '') AS mnc,
       coalesce(CASE WHEN grain <> 'full' THEN '' WHEN direction = 'outbound' THEN sender ELSE recipient END, '')
           AS sender,
       status, coalesce(CASE grain WHEN 'full' THEN error_code END, '') AS error_code,
       coalesce(currency, '') AS currency, tag, grain,
       parts_of, coalesce(units, 0) AS units, coalesce(cost_nanos, 0) AS cost_nanos,
       receipt_missing::int AS missing, coalesce(converted, false)::int AS converted,
       coalesce(NOT converted, false)::int AS unconverted,
       CASE WHEN latency_ms IS NULL THEN NULL WHEN latency_ms <= 1 THEN 0
            ELSE least(256, ceil(ln(latency_ms::float8) / ln(1.05::float8 / 0.95::float8))) END::int AS latency_bucket
  FROM messages, LATERAL (SELECT unnest(array_prepend(''::text, tags)) AS tag, 'full' AS grain
                          UNION ALL SELECT '', 'country') AS grains
"""
# By the minute they are kept for three days back only.
_KEPT: Final = """
bucket_at >= date_trunc('day', now(), 'UTC')
             - CASE '{resolution}' WHEN 'minute' THEN interval '2 days' ELSE '99 years' END
"""
_SUMS: Final = """
WITH should AS (
    SELECT {key}, count(*) AS messages, sum(parts_of) AS parts, sum(units) AS units, sum(cost_nanos) AS cost_nanos,
           sum(missing) AS receipts_missing, sum(converted) AS converted, sum(unconverted) AS unconverted
      FROM ({should}) AS counted WHERE {kept} GROUP BY {key}
), counted AS (
    SELECT {key}, sum(messages) AS messages, sum(parts) AS parts, sum(units) AS units, sum(cost_nanos) AS cost_nanos,
           sum(receipts_missing) AS receipts_missing, sum(converted) AS converted, sum(unconverted) AS unconverted
      FROM counters_{resolution} JOIN dimensions ON dimensions.id = dimension_id WHERE {kept} GROUP BY {key}
    HAVING (sum(messages), sum(parts), sum(units), sum(cost_nanos), sum(receipts_missing), sum(converted),
            sum(unconverted)) <> (0, 0, 0, 0, 0, 0, 0)
)
SELECT 'should be', * FROM (SELECT * FROM should EXCEPT SELECT * FROM counted) AS missing
UNION ALL
SELECT 'is', * FROM (SELECT * FROM counted EXCEPT SELECT * FROM should) AS wrong
"""
_LATENCIES_SHOULD: Final = """
SELECT {key}, latency_bucket, count(*) FROM ({should}) AS counted
 WHERE latency_bucket IS NOT NULL AND {kept} GROUP BY {key}, latency_bucket
"""
_LATENCIES: Final = """
SELECT {key}, histogram FROM latencies_{resolution} JOIN dimensions ON dimensions.id = dimension_id WHERE {kept}
"""


async def recount(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
    """Where counters and messages disagree, in every resolution: empty when all is right.

    A row is the table, "is" or "should be", the bucket, the dimensions and the sums.
    """
    differences: list[tuple[Any, ...]] = []
    for resolution in ("minute", "hour", "day"):
        sums = await connection.execute(_filled_in(_SUMS, resolution))
        differences += [(f"counters_{resolution}", *row) for row in await sums.fetchall()]
        cursor = await connection.execute(_filled_in(_LATENCIES_SHOULD, resolution))
        should = Counter({tuple(key): messages for *key, messages in await cursor.fetchall()})
        cursor = await connection.execute(_filled_in(_LATENCIES, resolution))
        counted: Counter[tuple[Any, ...]] = Counter()
        for *key, histogram in await cursor.fetchall():
            for index, messages in latency.counts(latency.unpack(histogram)).items():
                counted[*key, index] += messages
        differences += [(f"latencies_{resolution}", "should be", *row) for row in (should - counted).items()]
        differences += [(f"latencies_{resolution}", "is", *row) for row in (counted - should).items()]
    return differences


def _filled_in(statement: LiteralString, resolution: LiteralString) -> LiteralString:
    should, kept = _SHOULD.format(resolution=resolution), _KEPT.format(resolution=resolution)
    return statement.format(key=_KEY, should=should, kept=kept, resolution=resolution)
