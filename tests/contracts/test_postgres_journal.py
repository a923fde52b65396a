"""The journal in PostgreSQL keeps the contract, and does what only a table needs to."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from landed.domain.errors import StoreUnavailable
from landed.journal import postgres
from landed.journal.base import BEGINNING, Accepted
from landed.journal.postgres import PostgresJournal
from landed.store import audit, connect, partitions
from landed.store.accounts import Pool
from tests.contracts.journal_contract import JournalContract, accepted, numbers, read_all, read_lanes
from tests.databases import until_nothing_hides

pytestmark = pytest.mark.anyio

#: The advisory lock under which an epoch begins.
EPOCH_LOCK = 0x1A9DED03


@asynccontextmanager
async def opened(
    database: str, lanes: int, kind: type[PostgresJournal] = PostgresJournal
) -> AsyncIterator[PostgresJournal]:
    journal = kind(database, lanes=lanes)
    await journal.open()
    yield journal
    await journal.close()


class Shown(PostgresJournal):
    """What it appended can be read afterwards: no transaction of anybody else's on this server hides it any more."""

    def __init__(self, database: str, *, lanes: int) -> None:
        super().__init__(database, lanes=lanes)
        self._database = database

    async def append(self, callbacks: Sequence[Accepted]) -> None:
        await super().append(callbacks)
        async with await AsyncConnection.connect(self._database, autocommit=True) as connection:
            await until_nothing_hides(connection)


class TestPostgresJournal(JournalContract):
    @pytest.fixture
    async def journal(self, database: str) -> AsyncIterator[PostgresJournal]:
        async with opened(database, lanes=2, kind=Shown) as journal:
            yield journal

    @pytest.fixture
    async def another(self, database: str) -> AsyncIterator[PostgresJournal]:
        async with opened(database, lanes=2, kind=Shown) as journal:
            yield journal


@pytest.fixture
async def journal(database: str) -> AsyncIterator[PostgresJournal]:
    """Of one lane, so that one order covers everything."""
    async with opened(database, lanes=1) as journal:
        yield journal


@pytest.fixture
async def connection(database: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


async def insert(connection: AsyncConnection[Any], number: int, xid: str | None = None, epoch: int = 1) -> None:
    """A row of the journal as another writer makes it, or as one with that transaction id would have."""
    row = accepted(number)
    await connection.execute(
        "INSERT INTO callbacks (received_at, lane, epoch, xid, account_id, method, url, headers, body, verified_by)"
        " VALUES (%s, 0, %s, coalesce(%s::xid8, pg_current_xact_id()), 1, 'POST', '', %s, %s, '')",
        [row.received_at, epoch, xid, row.headers, row.body],
    )


async def epochs(connection: AsyncConnection[Any]) -> list[int]:
    cursor = await connection.execute("SELECT epoch FROM journal_epochs ORDER BY epoch")
    return [epoch for (epoch,) in await cursor.fetchall()]


# --- no gaps -------------------------------------------------------------------------------------------------------


async def test_a_transaction_that_commits_late_is_never_skipped(
    journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    await journal.append([accepted(1)])
    first = await journal.read(0, BEGINNING, 10)
    async with connection.transaction():
        await insert(connection, 2)
        await journal.append([accepted(3)])
        await journal.append([accepted(4)])
        meanwhile = await journal.read(0, first.position, 10)

    rest = await read_all(journal, 0, meanwhile.position)

    assert numbers(first.callbacks) == [1]
    assert numbers([*meanwhile.callbacks, *rest]) == [2, 3, 4]


async def test_nothing_is_read_past_a_transaction_that_may_still_write(
    journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        await journal.append([accepted(1)])

        assert not (await journal.read(0, BEGINNING, 10)).callbacks
        assert (await journal.backlog(0, BEGINNING)).rows == 1

    assert numbers(await read_all(journal, 0)) == [1]


async def test_a_transaction_that_rolls_back_leaves_no_trace(
    journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    async with connection.transaction(force_rollback=True):
        await insert(connection, 1)
        await journal.append([accepted(2)])

    assert numbers(await read_all(journal, 0)) == [2]


async def test_writers_that_commit_in_any_order_lose_nothing_to_a_reader_that_never_stops(
    database: str, journal: PostgresJournal
) -> None:
    """Eight writers hold their transactions open for a random number of turns while a reader goes on reading."""
    read: list[int] = []

    async def write(writer: int) -> None:
        async with await AsyncConnection.connect(database, autocommit=True) as own:
            for number in range(writer * 100, writer * 100 + 10):
                async with own.transaction():
                    await insert(own, number)
                    for _ in range(number * 7 % 5):
                        await own.execute("SELECT 1")

    writing = asyncio.gather(*(write(writer) for writer in range(8)))
    position = BEGINNING
    while True:
        over = writing.done()
        batch = await journal.read(0, position, 5)
        position = batch.position
        read += numbers(batch.callbacks)
        if over and not batch.callbacks:
            break
    await writing

    assert sorted(read) == [writer * 100 + number for writer in range(8) for number in range(10)]


@pytest.mark.parametrize(("lower", "higher"), [("9", "10"), ("99", "100"), ("2", "11")])
async def test_transaction_ids_are_ordered_as_numbers_not_as_text(
    journal: PostgresJournal, connection: AsyncConnection[Any], lower: str, higher: str
) -> None:
    await insert(connection, 2, xid=higher)
    await insert(connection, 1, xid=lower)

    assert numbers(await read_all(journal, 0, limit=1)) == [1, 2]
    assert numbers(await read_all(journal, 0)) == [1, 2]


# --- epochs: a dump restored into another cluster ------------------------------------------------------------------


async def test_after_a_restore_into_a_new_cluster_new_callbacks_come_behind_the_old(
    database: str, journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    await insert(connection, 1, xid="900000000000")
    await insert(connection, 2, xid="900000000001")
    async with opened(database, lanes=1) as restored:
        await restored.append([accepted(3)])
        first = await restored.read(0, BEGINNING, 2)

        assert await epochs(connection) == [1, 2]
        assert numbers(first.callbacks) == [1, 2]
        assert numbers(await read_all(restored, 0, first.position)) == [3]
        assert numbers(await read_all(restored, 0, limit=1)) == [1, 2, 3]


async def test_opening_on_the_same_cluster_begins_no_epoch(
    database: str, journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    await journal.append([accepted(1)])
    async with opened(database, lanes=3), opened(database, lanes=1):
        assert await epochs(connection) == [1]


async def test_an_opening_that_was_broken_off_is_finished_by_the_next(
    database: str, connection: AsyncConnection[Any]
) -> None:
    journal = PostgresJournal(database, lanes=1)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [EPOCH_LOCK])
        opening = asyncio.create_task(journal.open())
        while not await cancel_who_waits_for_a_lock(connection):
            pass
        with pytest.raises(StoreUnavailable):
            await opening
    await journal.open()
    await journal.append([accepted(1)])

    assert numbers(await read_all(journal, 0)) == [1]
    cursor = await connection.execute("SELECT epoch FROM callbacks")
    assert await cursor.fetchall() == [(1,)]
    await journal.close()


async def cancel_who_waits_for_a_lock(connection: AsyncConnection[Any]) -> bool:
    cursor = await connection.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_locks"
        " WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return bool(await cursor.fetchall())


# --- all or nothing, and a database that goes away -----------------------------------------------------------------


async def test_of_a_batch_with_one_callback_that_cannot_be_kept_nothing_is(journal: PostgresJournal) -> None:
    with pytest.raises(psycopg.DataError):
        await journal.append([accepted(1), accepted(2, url="\0")])
    await journal.append([accepted(3)])

    assert numbers(await read_all(journal, 0)) == [3]


async def test_a_writer_that_lost_its_connection_refuses_until_it_is_opened_again(
    journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    await journal.append([accepted(1)])
    await end_connections(connection)
    for number in (2, 3):
        with pytest.raises(StoreUnavailable):
            await journal.append([accepted(number)])
    await journal.open()
    await journal.append([accepted(4)])

    assert numbers(await read_all(journal, 0)) == [1, 4]


async def test_a_reader_that_lost_its_connection_makes_another(
    journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    await journal.append([accepted(1)])
    await read_lanes(journal)
    await end_connections(connection)
    with pytest.raises(StoreUnavailable):
        await read_lanes(journal)

    assert numbers(await read_lanes(journal)) == [1]


async def test_a_listener_that_lost_its_connection_listens_again(
    database: str, journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    await journal.wait(5)
    await end_connections(connection)
    while await journal.wait(0.2):
        pass
    waiting = asyncio.create_task(journal.wait(5))
    async with opened(database, lanes=1) as another:
        await another.append([accepted(1)])

        assert await waiting


async def test_a_writer_that_lost_what_it_wakes_readers_with_wakes_them_again(
    database: str, journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    async with opened(database, lanes=1) as another:
        await another.append([accepted(1)])
        while await journal.wait(0.2):
            pass
        await end_connections(connection, having_said="%pg_notify%")
        await another.append([accepted(2)])

        assert await journal.wait(5)


async def test_a_writer_that_cannot_wake_readers_tries_seldom(
    journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    async def refused() -> AsyncConnection[Any]:
        tried.append(1)
        raise psycopg.OperationalError("too many clients")

    monkeypatch.setattr(journal, "_connect", refused)
    for number in range(20):
        await journal.append([accepted(number)])

    assert tried == [1]


async def test_nobody_waits_for_a_database_that_does_not_take_the_word_for_readers(
    journal: PostgresJournal, connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_NOTIFY", "SELECT pg_sleep(60), %s::text")
    asleep = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
    await journal.append([accepted(1)])
    async with asyncio.timeout(5):
        while (found := await (await connection.execute(asleep)).fetchone()) is None:  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(0.01)
    os.kill(found[0], signal.SIGSTOP)
    try:
        async with asyncio.timeout(4):
            await journal.append([accepted(2)])
            assert numbers(await read_lanes(journal)) == [1, 2]
            await journal.close()
    finally:
        os.kill(found[0], signal.SIGCONT)


async def end_connections(connection: AsyncConnection[Any], having_said: str = "%") -> None:
    """Of everybody else to this database, at once and without a word."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s",
        [having_said],
    )


# --- partitions ----------------------------------------------------------------------------------------------------


async def days_with_a_partition(connection: AsyncConnection[Any]) -> list[date]:
    cursor = await connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'callbacks\\_%' ORDER BY relname"
    )
    return [datetime.strptime(name, "callbacks_%Y%m%d").replace(tzinfo=UTC).date() async for (name,) in cursor]


@pytest.fixture
async def no_partitions(connection: AsyncConnection[Any]) -> None:
    """Those that each database of the tests has are gone."""
    cursor = await connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'"
    )
    for (name,) in await cursor.fetchall():
        await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


@pytest.mark.usefixtures("no_partitions")
async def test_partitions_are_made_ahead(journal: PostgresJournal, connection: AsyncConnection[Any]) -> None:
    today = datetime.now(UTC).date()

    days = await days_with_a_partition(connection)

    assert {today + timedelta(days=ahead) for ahead in range(-1, 4)} <= set(days)


@pytest.mark.parametrize("before", [timedelta(0), timedelta(microseconds=1)], ids=["midnight", "just before"])
@pytest.mark.parametrize("days", [1, 2])
async def test_midnight_is_nothing_special(journal: PostgresJournal, days: int, before: timedelta) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = today + timedelta(days=days)
    await journal.append([accepted(1, received_at=midnight - before), accepted(2, received_at=midnight)])

    assert [callback.received_at for callback in await read_all(journal, 0)] == [midnight - before, midnight]


async def test_a_writer_that_nobody_restarts_makes_the_days_that_are_missing(
    journal: PostgresJournal, connection: AsyncConnection[Any]
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"callbacks_{tomorrow:%Y%m%d}")))

    await journal.append([accepted(1, received_at=tomorrow)])

    assert tomorrow.date() in await days_with_a_partition(connection)


async def test_many_processes_may_make_partitions_at_once(database: str, connection: AsyncConnection[Any]) -> None:
    today = datetime.now(UTC).date()
    connections = [await AsyncConnection.connect(database, autocommit=True) for _ in range(4)]

    await asyncio.gather(*(partitions.make(each, today) for each in connections))

    assert len(await days_with_a_partition(connection)) == 5
    for each in connections:
        await each.close()


async def make(pool: Pool) -> None:
    async with pool.connection() as connection:
        await partitions.make(connection, datetime.now(UTC).date())


async def write_down_a_deed(pool: Pool) -> None:
    await audit.add(pool, [audit.Entry(datetime.now(UTC), "cli:anna", "cli.keys.create")])


@pytest.mark.usefixtures("no_partitions")
@pytest.mark.parametrize("making", [make, write_down_a_deed])
async def test_who_makes_partitions_holds_no_table_while_another_is_waited_for(
    making: Callable[[Pool], Coroutine[Any, Any, None]], database: str, connection: AsyncConnection[Any]
) -> None:
    async with (
        connect.pool(database, connections_max=1) as pool,
        await AsyncConnection.connect(database) as writer,
        asyncio.timeout(20),
        asyncio.TaskGroup() as group,
    ):
        await writer.execute("LOCK TABLE events IN ROW EXCLUSIVE MODE")  # as whoever writes to it does
        group.create_task(making(pool))
        while not await waiting_for(connection, "events"):  # noqa: ASYNC110  the database sets no Event
            await asyncio.sleep(0.01)
        await writer.execute("LOCK TABLE callbacks IN ROW EXCLUSIVE MODE")  # a deadlock, were it held
        await writer.commit()

    assert datetime.now(UTC).date() in await days_with_a_partition(connection)


async def waiting_for(connection: AsyncConnection[Any], table: str) -> bool:
    cursor = await connection.execute(
        "SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        [table],
    )
    return await cursor.fetchone() is not None


async def test_retention_drops_whole_days_that_are_past_and_nothing_else(connection: AsyncConnection[Any]) -> None:
    today = date(2026, 3, 20)
    await partitions.make(connection, today - timedelta(days=10))
    await partitions.make(connection, today)

    await partitions.drop_old(connection, today, retention_days=7)

    days = await days_with_a_partition(connection)
    assert min(days) >= today - timedelta(days=7)
    assert {today + timedelta(days=ahead) for ahead in range(-1, 4)} <= set(days)
