"""What errors of the database tell, and how long it is waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
import pytest
from psycopg.pq import Format
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.errors import StoreUnavailable
from landed.store import reading
from tests.outgoing import until

SLEEP = text("SELECT pg_sleep(30)")
ASLEEP = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND query = 'SELECT pg_sleep(30)' AND state = 'active'
"""
_CLOSE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid()
"""
_TYPES = text("""
SELECT DISTINCT types.oid, types.typname
  FROM pg_attribute AS columns
  JOIN pg_class AS tables ON tables.oid = columns.attrelid
  JOIN pg_namespace AS schemas ON schemas.oid = tables.relnamespace
  JOIN pg_type AS types ON types.oid = columns.atttypid
 WHERE schemas.nspname = 'public' AND columns.attnum > 0 AND NOT columns.attisdropped
""")


def test_an_error_of_a_query_tells_nothing_of_whom_was_asked_for() -> None:
    """The queries of readers carry numbers and texts; SQLAlchemy puts them into its errors unless told otherwise."""
    assert reading.engine("postgresql://nobody@localhost/nothing").sync_engine.hide_parameters


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = reading.engine(database)
    yield engine
    await engine.dispose()


async def asleep(database: str) -> list[Any]:
    """What the database still works on."""
    async with await psycopg.AsyncConnection.connect(database) as connection:
        return await (await connection.execute(ASLEEP)).fetchall()


async def is_awake(database: str) -> bool:
    return not await asleep(database)


@pytest.mark.anyio
async def test_a_query_that_takes_too_long_is_given_up_and_ended(
    database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ANSWER_S_MAX", 0.5, raising=False)

    with pytest.raises(StoreUnavailable, match=r"does not answer within 0\.5 s"):
        await reading.rows(engine, SLEEP)

    await until(lambda: is_awake(database))
    assert (await reading.rows(engine, text("SELECT 1")))[0][0] == 1


@pytest.mark.anyio
async def test_a_query_whose_caller_is_gone_is_ended(database: str, engine: AsyncEngine) -> None:
    asking = asyncio.create_task(reading.rows(engine, SLEEP))
    await until(lambda: asleep(database))

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: is_awake(database))


@pytest.mark.anyio
async def test_connections_that_the_database_closed_while_they_were_idle_are_not_used(
    database: str, engine: AsyncEngine
) -> None:
    async with engine.connect(), engine.connect():
        pass  # two are kept open
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        closed = await (await connection.execute(_CLOSE)).fetchall()

    both = await asyncio.gather(*(reading.rows(engine, text("SELECT 1")) for _ in range(2)))

    assert closed == [(True,), (True,)]
    assert [rows[0][0] for rows in both] == [1, 1]


@pytest.mark.anyio
async def test_a_question_whose_connection_is_closed_meanwhile_is_not_asked_again(
    database: str, engine: AsyncEngine
) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("CREATE SEQUENCE asked")

    with pytest.raises(StoreUnavailable):
        await reading.rows(engine, text("SELECT nextval('asked'), pg_terminate_backend(pg_backend_pid())"))

    assert (await reading.rows(engine, text("SELECT nextval('asked')")))[0][0] == 2


@pytest.mark.anyio
async def test_a_value_of_every_type_of_the_schema_is_read_as_it_is(engine: AsyncEngine) -> None:
    """Values are read in binary, where psycopg takes what it does not know for bytes."""
    async with engine.connect() as connection:
        adapters = cast(Any, (await connection.get_raw_connection()).driver_connection).adapters
        types = (await connection.execute(_TYPES)).all()

    assert len(types) > 5
    loaders = {name: adapters.get_loader(oid, Format.BINARY) for oid, name in types}
    assert [name for name, loader in loaders.items() if loader is None] == []


class FrozenEngine:
    """One whose database takes as long for being told to stop as for everything else."""

    def __init__(self) -> None:
        self.thaws = asyncio.Event()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["FrozenEngine"]:
        yield self

    async def execute(self, statement: Any) -> Any:
        try:
            await self.thaws.wait()
        finally:
            await self.thaws.wait()


@pytest.mark.anyio
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["waits", "cancelled"])
async def test_nobody_waits_for_a_frozen_database_to_be_told_to_stop(
    monkeypatch: pytest.MonkeyPatch, *, is_cancelled: bool
) -> None:
    monkeypatch.setattr(reading, "ANSWER_S_MAX", 60 if is_cancelled else 0.1, raising=False)
    frozen = FrozenEngine()
    asking = asyncio.create_task(reading.rows(cast(AsyncEngine, frozen), SLEEP))
    await asyncio.sleep(0)
    if is_cancelled:
        asking.cancel()

    done, _ = await asyncio.wait({asking}, timeout=5)
    frozen.thaws.set()

    assert done == {asking}
    assert asking.cancelled() if is_cancelled else isinstance(asking.exception(), StoreUnavailable)
