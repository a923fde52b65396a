"""A lane that changes hands is tracked at once, however much comes in on the others, and no frozen tracker keeps it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import StoreUnavailable
from landed.journal.base import Accepted, Backlog, Batch
from landed.providers import registry
from landed.services.tracking import LEASE_S, Tracker
from landed.store import connect, frozen, lanes, partitions
from tests.faults.house import until
from tests.outgoing import until as until_asked

QUIET, BUSY = 0, 1
#: It is looked for a free lane four times in a lease.
TAKEN_OVER_S_MAX = LEASE_S / 4 + 10.0

_ACCOUNT = "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES ('a', 'plivo', 'MA1', 'any')"

pytestmark = pytest.mark.anyio


class NeverDry:
    """A journal whose busy lane always has one more, while the quiet one holds a single callback."""

    lanes = 2

    def __init__(self) -> None:
        self.read_from: set[int] = set()

    async def read(self, lane: int, after: str, limit: int) -> Batch:
        self.read_from.add(lane)
        if lane == QUIET and after:
            return Batch(callbacks=(), position=after)
        number = int(after or 0) + 1
        request = CallbackRequest(
            method="POST", url="https://faults.example.com/plivo", body=b"MessageUUID=m1&Status=sent"
        )
        callback = Callback(id=number * 2 + lane, account_id=1, received_at=datetime.now(UTC), request=request)
        return Batch(callbacks=[callback], position=str(number))

    async def wait(self, timeout_s: float) -> bool:
        await asyncio.sleep(timeout_s)
        return False

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def append(self, callbacks: Sequence[Accepted]) -> None: ...

    async def backlog(self, lane: int, after: str) -> Backlog:
        return Backlog(rows=0, oldest_received_at=None)


@asynccontextmanager
async def _tracking(pool: AsyncConnectionPool[AsyncConnection[Any]], journal: NeverDry) -> AsyncIterator[None]:
    """A tracker called `tracker` runs."""
    plivo = registry.load()["plivo"]
    tracking = asyncio.create_task(
        Tracker(name="tracker", journal=journal, pool=pool, provider_of=lambda _: plivo).run()
    )
    try:
        yield
    finally:
        tracking.cancel()
        await asyncio.wait([tracking])


async def _prepare(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
    async with pool.connection() as connection:
        await connection.execute(_ACCOUNT)
        await partitions.make(connection, datetime.now(UTC).date())
    await lanes.make(pool, NeverDry.lanes)


async def test_a_lane_that_becomes_free_is_tracked_though_the_others_never_run_dry(database_url: str) -> None:
    async with connect.pool(database_url, connections_max=4) as pool:
        await _prepare(pool)
        journal = NeverDry()
        # Two share two lanes: the one that had both keeps the first.
        for name in ("other", "tracker", "other"):
            held = await lanes.lease(pool, name, lease_s=60)
        assert held == [QUIET]
        async with _tracking(pool, journal):
            await until("the busy lane is tracked", lambda: journal.read_from == {BUSY}, TAKEN_OVER_S_MAX)
            await lanes.release(pool, "other")
            await until("both are tracked", lambda: journal.read_from == {QUIET, BUSY}, TAKEN_OVER_S_MAX)


async def test_a_frozen_tracker_is_ended_also_by_one_whose_writing_waits_for_its_rows(database_url: str) -> None:
    async with connect.pool(database_url, connections_max=4) as pool:
        await _prepare(pool)

        async def is_tracked() -> bool:
            return any(lane.position for lane in await lanes.all_lanes(pool))

        async def track() -> None:
            async with _tracking(pool, NeverDry()):
                await until_asked(is_tracked, TAKEN_OVER_S_MAX)

        async def sleep_with_rows_that_another_needs() -> None:
            async with connect.transaction(pool) as asleep:
                await lanes.lock(asleep, [], "frozen")
                await asleep.execute("LOCK messages")
                await _write_by_half(asleep, track())

        with pytest.raises(StoreUnavailable):
            await sleep_with_rows_that_another_needs()


async def test_a_tracker_that_is_frozen_amid_its_transaction_holds_nobody_up(database_url: str) -> None:
    async with connect.pool(database_url, connections_max=4) as pool:
        await lanes.make(pool, 1)
        await lanes.lease(pool, "frozen", LEASE_S)

        async def sleep_amid_a_transaction() -> None:
            async with connect.transaction(pool) as asleep:
                await lanes.lock(asleep, [0], "frozen")
                async with asyncio.timeout(TAKEN_OVER_S_MAX), connect.transaction(pool) as successor:
                    await successor.execute("UPDATE lanes SET leased_by = 'successor'")
                await asleep.execute("SELECT 1")

        with pytest.raises(StoreUnavailable):
            await sleep_amid_a_transaction()

        assert [lane.leased_by for lane in await lanes.all_lanes(pool)] == ["successor"]


async def _end_the_frozen(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
    await until_asked(lambda: frozen.end(pool), TAKEN_OVER_S_MAX)


async def _write_by_half(connection: AsyncConnection[Any], meanwhile: Awaitable[None]) -> None:
    await connection.execute("CREATE TEMPORARY TABLE written (word text)")  # takes a transaction id, as writing does
    async with connection.cursor() as cursor, cursor.copy("COPY written FROM STDIN") as copy:
        await copy.write("half a r")
        await meanwhile


async def _read_by_half(connection: AsyncConnection[Any], meanwhile: Awaitable[None]) -> None:
    connection.pgconn.send_query(b"SELECT repeat('x', 50000000)")  # far more than fits between the two
    await meanwhile


@pytest.mark.parametrize("go_half_way", [_write_by_half, _read_by_half])
async def test_a_tracker_that_is_frozen_amid_a_statement_or_its_answer_holds_nobody_up(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    go_half_way: Callable[[AsyncConnection[Any], Awaitable[None]], Awaitable[None]],
) -> None:
    monkeypatch.setattr(connect, "FROZEN_S_MAX", 1)
    async with connect.pool(database_url, connections_max=4) as pool:
        await lanes.make(pool, 1)
        await lanes.lease(pool, "frozen", lease_s=0.5)

        async def sleep_half_way() -> None:
            async with connect.transaction(pool) as asleep:
                await lanes.lock(asleep, [0], "frozen")
                await go_half_way(asleep, _end_the_frozen(pool))

        with pytest.raises(StoreUnavailable):
            await sleep_half_way()

        # A session that is ended lets go a moment after it says so.
        await until_asked(lambda: lanes.lease(pool, "successor", LEASE_S), TAKEN_OVER_S_MAX)
        assert [lane.leased_by for lane in await lanes.all_lanes(pool)] == ["successor"]


async def test_a_tracker_that_is_frozen_as_it_renews_its_lanes_holds_nobody_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, asleep = AsyncConnection.execute, asyncio.Event()

    async def sleep_after_renewing(self: AsyncConnection[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
        cursor = await execute(self, query, *args, **kwargs)
        if "UPDATE lanes" in query:
            asleep.set()
            await asyncio.sleep(TAKEN_OVER_S_MAX)
        return cursor

    async with connect.pool(database_url, connections_max=4) as pool:
        await lanes.make(pool, 1)
        await lanes.lease(pool, "frozen", lease_s=0.5)
        with monkeypatch.context() as patched:
            patched.setattr(AsyncConnection, "execute", sleep_after_renewing)
            renewing = asyncio.create_task(lanes.lease(pool, "frozen", lease_s=0.5))
            await asleep.wait()
        await until_asked(lambda: lanes.lease(pool, "successor", LEASE_S), TAKEN_OVER_S_MAX)
        with pytest.raises(StoreUnavailable):
            await renewing


async def test_a_receiver_that_is_frozen_amid_a_statement_hides_nothing_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "FROZEN_S_MAX", 1)
    async with connect.pool(database_url, connections_max=4) as pool:
        await lanes.make(pool, 1)

        async def sleep_amid_a_statement() -> None:
            async with connect.transaction(pool) as asleep:
                await _write_by_half(asleep, _end_the_frozen(pool))

        with pytest.raises(StoreUnavailable):
            await sleep_amid_a_statement()


async def test_who_reads_from_the_database_slowly_is_not_taken_for_frozen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "FROZEN_S_MAX", 0)
    async with connect.pool(database_url, connections_max=4) as pool, connect.transaction(pool) as slow:
        await slow.execute("CREATE TABLE written (word text)")
        async with slow.cursor() as cursor, cursor.copy("COPY (SELECT generate_series(1, 500000)) TO STDOUT") as copy:
            assert await copy.read()
            assert await frozen.end(pool) == 0
            while await copy.read():
                pass


async def test_no_transaction_of_ours_may_sleep_for_ever(database_url: str) -> None:
    async with connect.pool(database_url, connections_max=1) as pool, connect.transaction(pool) as connection:
        cursor = await connection.execute("SHOW idle_in_transaction_session_timeout")
        assert await cursor.fetchone() == (f"{connect.FROZEN_S_MAX}s",)


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_the_moment_a_connection_becomes_free_ends(database_url: str, turns: int) -> None:
    async with connect.pool(database_url, connections_max=1) as pool:

        async def go_on_for_ever() -> None:
            while True:
                async with connect.transaction(pool):
                    await asyncio.sleep(0)

        async with pool.connection():
            going_on = asyncio.create_task(go_on_for_ever())
            await until("it waits for the connection", lambda: pool.get_stats().get("requests_waiting"), 5)
        for _ in range(turns):  # in some of these the connection comes to who waits
            await asyncio.sleep(0)
        going_on.cancel()
        await asyncio.wait([going_on], timeout=5)
        assert going_on.cancelled()
        async with connect.transaction(pool) as connection:  # it was given back
            await connection.execute("SELECT 1")
