"""Composed queries that only read: their connections, and running them. What only tracks does not load SQLAlchemy."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from select import POLLIN, poll
from typing import Any, Final

from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryLoader
from sqlalchemy import Executable, Row, event, select
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from landed.domain.accounts import AccountName
from landed.domain.errors import StoreUnavailable
from landed.store.connect import OPTIONS, UNAVAILABLE, translated
from landed.store.schema import accounts

#: What is asked takes milliseconds, and a few seconds at worst.
ANSWER_S_MAX: Final = 15.0
_IS_NEW: Final = "is_new"


def sqlalchemy_url(database_url: str) -> str:
    """The same URL for SQLAlchemy, which wants the driver named."""
    _, _, rest = database_url.partition("://")
    return f"postgresql+psycopg://{rest}"


def engine(database_url: str) -> AsyncEngine:
    """Each statement stands for itself: there are no transactions to begin and to end."""
    made = create_async_engine(
        sqlalchemy_url(database_url),
        isolation_level="AUTOCOMMIT",
        pool_size=6,  # as many statements as one overview has under way
        max_overflow=2,
        pool_timeout=ANSWER_S_MAX,
        hide_parameters=True,  # errors, and so logs, would hold numbers
        # Prepared statements get plans that fit any values: they took twice as long as those made for the values.
        connect_args={
            **OPTIONS,
            "application_name": "landed",
            "cursor_factory": _BinaryCursor,
            "prepare_threshold": None,
        },
    )
    event.listen(made.sync_engine, "connect", _configure)
    event.listen(made.sync_engine, "checkout", _see_alive)
    return made


def _configure(connection: Any, record: Any) -> None:
    record.info[_IS_NEW] = True
    connection.driver_connection.adapters.register_loader("xid8", Int8BinaryLoader)  # psycopg knows its text alone
    with closing(connection.cursor()) as cursor:
        # Starting parallel workers takes longer than what they would do: 21 ms for a statement of 14.
        cursor.execute("SET max_parallel_workers_per_gather = 0")


def _see_alive(connection: Any, record: Any, _: object) -> None:
    """What the database closed while it was idle has that to be read: it need not be asked, which takes its time."""
    if record.info.pop(_IS_NEW, False):
        return
    driver = connection.driver_connection
    if not driver.closed:
        arrived = poll()
        arrived.register(driver.fileno(), POLLIN)
        if not arrived.poll(0):
            return
    raise InvalidatePoolError  # those of its age are closed as well; the pool makes a new one


class _BinaryCursor(AsyncCursor[Any]):
    """Values come as PostgreSQL has them. As text, bytes are twice as many: histograms took twice as long to read."""

    def __init__(self, connection: AsyncConnection[Any], **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = Format.BINARY


async def rows(engine: AsyncEngine, statement: Executable) -> Sequence[Row[Any]]:
    """All rows of one statement.

    Raises:
        StoreUnavailable: the database is away or does not answer, or all connections stay busy.
    """
    asking = asyncio.create_task(_rows(engine, statement))
    try:
        # A database that is frozen takes its time for being told to stop, too: nobody waits for that.
        await asyncio.wait({asking}, timeout=ANSWER_S_MAX)
    finally:
        if not asking.done():
            asking.cancel()
            asking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody asks it any more
    if not asking.done():
        raise StoreUnavailable(f"The database does not answer within {ANSWER_S_MAX:g} s.")
    return asking.result()


async def _rows(engine: AsyncEngine, statement: Executable) -> Sequence[Row[Any]]:
    try:
        with translated():
            async with engine.connect() as connection:
                return (await connection.execute(statement)).all()
    except PoolExhausted as error:
        raise StoreUnavailable("All connections to the database are busy.") from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, UNAVAILABLE):
            raise StoreUnavailable(f"The database is away: {type(error.orig).__name__}.") from error
        raise


async def account_names(engine: AsyncEngine) -> dict[int, AccountName]:
    """Every account by id. There are few."""
    found = await rows(engine, select(accounts.c.id, accounts.c.name, accounts.c.provider))
    return {row.id: AccountName(row.id, row.name, row.provider) for row in found}
