"""Running composed queries that only read."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Executable, Row, select
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.errors import StoreUnavailable
from landed.store.connect import translated
from landed.store.schema import accounts


class AccountName(NamedTuple):
    """What other things show of their account."""

    id: int
    name: str
    provider: str


async def rows(engine: AsyncEngine, statement: Executable) -> Sequence[Row[Any]]:
    """All rows of one statement.

    Raises:
        StoreUnavailable: the database is away, or all connections stay busy.
    """
    try:
        with translated():
            async with engine.connect() as connection:
                return (await connection.execute(statement)).all()
    except PoolExhausted as error:
        raise StoreUnavailable("All connections to the database are busy.") from error


async def account_names(engine: AsyncEngine) -> dict[int, AccountName]:
    """Every account by id. There are few."""
    found = await rows(engine, select(accounts.c.id, accounts.c.name, accounts.c.provider))
    return {row.id: AccountName(row.id, row.name, row.provider) for row in found}
