"""Fills an empty database with messages of thirty days and the counters that belong to them, by SQL alone.

What a message is made of (country, network, sender, price, outcome, latency) is drawn from the simulated traffic
some thousand times; the rows repeat those draws in a mixed order. Counters are added up from the rows, so the two
agree. The messages get no indexes and no facts: what is measured afterwards may not look at them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any, Final

from psycopg import AsyncConnection

from landed.domain import latency, money
from landed.domain.counters import Resolution
from landed.domain.numbers import normalise
from landed.simulator import messages
from landed.store import partitions

DAYS: Final = 30

DRAWS: Final = 20_000
#: Rows made by one statement, so that it can be seen how far it is and nothing grows too large.
_AT_ONCE: Final = 1_000_000

_MIX: Final = """
CREATE UNLOGGED TABLE mix (
    slot integer PRIMARY KEY, channel text, sender text, recipient text, country text, mcc text, mnc text, status text,
    final boolean, error_code text, units integer, cost_nanos bigint, latency_ms bigint, dimension_ids integer[])
"""
_ACCOUNT: Final = """
INSERT INTO accounts (name, provider, provider_account_id, policy)
VALUES ('bench', 'plivo', 'MABENCH', 'v3-preferred') RETURNING id
"""
_DIMENSIONS: Final = """
INSERT INTO dimensions
    (account_id, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag, grain)
SELECT DISTINCT
       %(account)s::integer, 'outbound', channel, country, mcc, mnc, sender, status, error_code, 'USD', '', 'full'
  FROM mix
UNION ALL
SELECT DISTINCT %(account)s::integer, 'outbound', channel, country, '', '', '', status, '', 'USD', '', 'country'
  FROM mix
"""
_NUMBER: Final = """
UPDATE mix SET dimension_ids = ARRAY[d.id, coarse.id] FROM dimensions d, dimensions coarse
 WHERE (d.channel, d.country, d.mcc, d.mnc, d.sender, d.status, d.error_code)
     = (mix.channel, mix.country, mix.mcc, mix.mnc, mix.sender, mix.status, mix.error_code) AND d.grain = 'full'
   AND (coarse.channel, coarse.country, coarse.status) = (mix.channel, mix.country, mix.status)
   AND coarse.grain = 'country'
"""
_CONSTRAINTS: Final = """
SELECT format('ALTER TABLE messages DROP CONSTRAINT %I', conname)
  FROM pg_constraint WHERE conrelid = 'messages'::regclass AND contype IN ('p', 'u')
"""
_INDEXES: Final = """
SELECT format('DROP INDEX %I', indexname) FROM pg_indexes
 WHERE tablename = 'messages' AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
# The rows are made once and never change again, so they need neither the log nor a check of their account.
_MESSAGES: Final = """
INSERT INTO messages
    (id, account_id, provider_message_id, direction, channel, sender, recipient, country, mcc, mnc, status,
     provider_status, final, contradictory, error_code, parts, parts_of, units, cost_nanos, currency, submitted_at,
     delivered_at, final_at, latency_ms, latency_clock, facts, facts_count, dimension_ids)
SELECT made.id, %(account)s, made.id::text, 'outbound', channel, sender, recipient, country, mcc, mnc, status,
       status, final, false, nullif(error_code, ''), '[]', 1, units, cost_nanos, 'USD', submitted_at,
       submitted_at + latency_ms * interval '1 ms', submitted_at + latency_ms * interval '1 ms', latency_ms,
       'provider', '[]', 3, dimension_ids
  FROM (SELECT gen_random_uuid() AS id,
               (hashint8extended(n, 1) & 9223372036854775807) %% %(draws)s AS slot,
               %(until)s::timestamptz - n * %(step_s)s::float8 * interval '1 second' AS submitted_at
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS made
  JOIN mix USING (slot)
"""
_SUMS: Final = """
INSERT INTO counters_{resolution} (bucket_at, dimension_id, messages, parts, units, cost_nanos)
SELECT date_trunc('{resolution}', submitted_at, 'UTC'), unnest(dimension_ids), count(*), sum(parts_of), sum(units),
       sum(cost_nanos)
  FROM messages WHERE submitted_at >= %s GROUP BY 1, 2
"""
_LATENCIES: Final = """
SELECT date_trunc('{resolution}', submitted_at, 'UTC'), unnest(dimension_ids),
       CASE WHEN latency_ms <= 1 THEN 0 ELSE least({bucket_max}, ceil(ln(latency_ms) / ln({gamma}::float8))) END::int,
       count(*)
  FROM messages WHERE submitted_at >= %s AND latency_ms IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2
"""


async def fill(database_url: str, rows: int, now: datetime) -> None:
    """An upgraded, empty database gets `rows` messages of the thirty days before `now`, evenly spread."""
    connecting = AsyncConnection.connect(database_url, autocommit=True)
    async with await connecting as connection:
        await connection.execute("SET work_mem = '256MB'")
        await connection.execute("SET synchronous_commit = off")
        await partitions.make(connection, now.astimezone(UTC).date())
        account = await _account(connection)
        await _mix(connection)
        await connection.execute(_DIMENSIONS, {"account": account})
        await connection.execute(_NUMBER)
        await _messages(connection, account, rows, now)
        await _counters(connection, now)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")


async def _account(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute(_ACCOUNT)
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _mix(connection: AsyncConnection[Any]) -> None:
    await connection.execute(_MIX)
    async with connection.cursor() as cursor, cursor.copy("COPY mix FROM STDIN") as copy:
        for slot, drawn in zip(range(DRAWS), _drawn(), strict=False):
            await copy.write_row((slot, *drawn, None))


def _drawn() -> Iterator[tuple[Any, ...]]:
    """What messages of the simulated traffic end as, in the order of the columns of `mix`."""
    random = Random(1)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    while True:
        message = messages.begin(random, at)
        network = message.network
        latency_ms = None
        if message.final == "delivered":
            slow = 25 if random.random() < network.slow else 1
            latency_ms = round(1000 * slow * network.latency_s * random.lognormvariate(0, network.spread))
        cost_nanos = 0 if message.final == "failed" else (money.nanos(message.rate) or 0) * message.units
        yield (
            message.channel,
            normalise(message.sender),
            normalise(message.recipient),
            message.country.iso2,
            network.mcc,
            network.mnc,
            message.final or "sent",
            message.final is not None,
            message.error_code or "",
            message.units,
            cost_nanos,
            latency_ms,
        )


async def _messages(connection: AsyncConnection[Any], account: int, rows: int, now: datetime) -> None:
    for statement in (_INDEXES, _CONSTRAINTS):
        cursor = await connection.execute(statement)
        for (drop,) in await cursor.fetchall():
            await connection.execute(drop)
    await connection.execute("ALTER TABLE messages SET UNLOGGED")
    await connection.execute("SET session_replication_role = replica")  # no check of the foreign key, row by row
    for first in range(1, rows + 1, _AT_ONCE):
        values = {"account": account, "draws": DRAWS, "until": now, "step_s": DAYS * 86400 / rows}
        await connection.execute(_MESSAGES, {**values, "first": first, "last": min(rows, first + _AT_ONCE - 1)})


async def _counters(connection: AsyncConnection[Any], now: datetime) -> None:
    for resolution in Resolution:
        since = partitions.minutes_from(now) if resolution is Resolution.MINUTE else now - timedelta(days=DAYS + 1)
        await connection.execute(_SUMS.format(resolution=resolution), [since])
        question = _LATENCIES.format(resolution=resolution, bucket_max=latency.BUCKET_MAX, gamma=latency.GAMMA)
        rows = await (await connection.execute(question, [since])).fetchall()
        async with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY latencies_{resolution} (bucket_at, dimension_id, histogram) FROM STDIN") as copy,
        ):
            for (bucket_at, dimension_id), cells in groupby(rows, key=itemgetter(0, 1)):
                histogram = sum(latency.one(index) * messages for _, _, index, messages in cells)
                await copy.write_row((bucket_at, dimension_id, latency.pack(histogram)))
