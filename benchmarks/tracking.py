"""Callbacks that one tracker tracks per second: a journal filled with a day's traffic, drained by one tracker.

The traffic is the simulated one in its order of arrival, messages told of three times or so, whose final word comes
seconds to minutes after the first: what was said of a message meets the row that an earlier batch wrote.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import psycopg
import uvloop

from benchmarks import harness, requests
from benchmarks.harness import MeasurementFailed, Session
from benchmarks.report import Figure
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.processes import calm_collector
from landed.providers.base import Provider
from landed.providers.plivo.provider import Plivo
from landed.services.tracking import Tracker
from landed.simulator.items import REFUSED, Item
from landed.simulator.traffic import stream
from landed.store import connect, migrate

CALLBACKS: Final = 300_000
CALLBACKS_QUICK: Final = 50_000
TRACKED_PER_S: Final = 25_000
#: Three callbacks or so each: a thousand callbacks a second.
MESSAGES_PER_S: Final = 340
LANES: Final = 4
_PLIVO: Final = Plivo()
_APPENDED_AT_ONCE: Final = 1_000
_DRAIN_S_MAX: Final = 120.0


def run(session: Session) -> list[Figure]:
    with harness.database() as database_url:
        migrate.upgrade(database_url)
        return uvloop.run(_measure(session, database_url, CALLBACKS_QUICK if session.quick else CALLBACKS))


async def _measure(session: Session, database_url: str, callbacks: int) -> list[Figure]:
    account_id = await _make_account(database_url)
    journal = PostgresJournal(database_url, lanes=LANES)
    pool = connect.pool(database_url, connections_max=4)
    await journal.open()
    await pool.open()
    try:
        accepted = arrivals(account_id, callbacks)
        while batch := list(islice(accepted, _APPENDED_AT_ONCE)):
            await journal.append(batch)
        session.say(f"{callbacks:,} callbacks wait in the journal")
        calm_collector()  # as the worker does
        tracker = Tracker(name="benchmark", journal=journal, pool=pool, provider_of=_plivo)
        seconds = await _drain(tracker, callbacks)
    finally:
        await journal.close()
        await pool.close()
    messages, counted = await _totals(database_url)
    session.say(f"tracked in {seconds:.1f} s: {messages:,} messages")
    if messages != counted:
        raise MeasurementFailed(f"There are {messages:,} messages, and the counters say {counted:,}.")
    return [
        Figure(
            name="tracked_per_s",
            meaning="callbacks tracked by one tracker",
            value=callbacks / seconds,
            unit="/s",
            at_least=TRACKED_PER_S,
            details={"callbacks": callbacks, "messages": messages, "lanes": LANES},
        )
    ]


def _plivo(account_id: int) -> Provider | None:
    return _PLIVO


async def _drain(tracker: Tracker, callbacks: int) -> float:
    """Seconds from the tracker's start to the end of the last callback's transaction."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(_DRAIN_S_MAX):
            tracked = await tracker.drain(range(LANES))
    except TimeoutError:
        tracked = 0
    seconds = time.monotonic() - began
    if tracked != callbacks:
        raise MeasurementFailed(
            f"The tracker got through {tracker.tally.callbacks:,} of {callbacks:,} callbacks in {seconds:.0f} s."
        )
    return seconds


def arrivals(account_id: int, callbacks: int) -> Iterator[Accepted]:
    """So many callbacks as the door lets them in, the last of them about now."""
    began = datetime.now(UTC) - timedelta(seconds=callbacks / (MESSAGES_PER_S * 3))
    items = stream(requests.ACCOUNT, seed=1, messages_per_s=MESSAGES_PER_S, clock=lambda: began)
    for item in islice((item for item in items if item.truth.kind not in REFUSED), callbacks):
        yield _accepted(item, account_id)


def _accepted(item: Item, account_id: int) -> Accepted:
    verified_by = "x-plivo-signature-v2,x-plivo-signature-ma-v2"
    if "X-Plivo-Signature-V3" in item.headers:
        verified_by += ",x-plivo-signature-ma-v3"
    return Accepted(
        received_at=item.due_at,
        account_id=account_id,
        method=item.method,
        url=item.url,
        kind=None,
        our_id=None,
        headers="".join(f"{name.lower()}: {value}\n" for name, value in item.headers.items()).encode(),
        body=item.body,
        verified_by=verified_by,
    )


async def _make_account(database_url: str) -> int:
    return int(
        await _one(
            database_url,
            "INSERT INTO accounts (name, provider, provider_account_id, policy)"
            " VALUES ('bench', 'plivo', 'MABENCH', 'v3-preferred') RETURNING id",
        )
    )


async def _totals(database_url: str) -> tuple[int, int]:
    messages = await _one(database_url, "SELECT count(*) FROM messages")
    counted = await _one(
        database_url,
        "SELECT sum(messages)::bigint FROM counters_day JOIN dimensions ON id = dimension_id"
        " WHERE tag = '' AND grain = 'full'",
    )
    return messages, counted


async def _one(database_url: str, statement: str) -> Any:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute(statement)
        row = await cursor.fetchone()
        assert row is not None
        return row[0]
