"""Composed queries that only read: their connections, and running them. What only tracks does not load SQLAlchemy."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Executable, Row, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from landed.domain.errors import StoreUnavailable
from landed.store.connect import OPTIONS, UNAVAILABLE, translated
from landed.store.schema import accounts

#: What is asked takes milliseconds, and a few seconds at worst.
ANSWER_S_MAX: Final = 15.0


def sqlalchemy_url(database_url: str) -> str:
    """The same URL for SQLAlchemy, which wants the driver named."""
    _, _, rest = database_url.partition("://")
    return f"postgresql+psycopg://{rest}"


def engine(database_url: str) -> AsyncEngine:
    """Connections are checked when they are taken: the database may have restarted."""
    return create_async_engine(
        sqlalchemy_url(database_url),
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        pool_timeout=5,
        hide_parameters=True,  # errors, and so logs, would hold numbers
        connect_args={**OPTIONS, "application_name": "landed"},
    )


class AccountName(NamedTuple):
    """What other things show of their account."""

    id: int
    name: str
    provider: str


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
