"""Walks: how far a worker is on its way through a table, kept so that the next one goes on there."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

_MAKE: Final = "INSERT INTO walks (name, next_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_TAKE: Final = "SELECT position FROM walks WHERE name = %s AND next_at <= %s FOR UPDATE SKIP LOCKED"
_MOVE: Final = "UPDATE walks SET position = %s, next_at = %s WHERE name = %s"


class Taken(NamedTuple):
    """A walk that is ours until the transaction ends."""

    name: str
    position: str | None  #: None: at the beginning


async def take(connection: AsyncConnection[Any], name: str, now: datetime) -> Taken | None:
    """Go on with this walk; None where another worker does, or it is not due yet."""
    row = await (await connection.execute(_TAKE, [name, now])).fetchone()
    if row is None:
        await connection.execute(_MAKE, [name, now])
        row = await (await connection.execute(_TAKE, [name, now])).fetchone()
    return None if row is None else Taken(name, row[0])


async def move(
    connection: AsyncConnection[Any], taken: Taken, position: str | None, now: datetime, *, rest_s: float
) -> None:
    """Note how far it is, and when it goes on: at once, or after a rest."""
    await connection.execute(_MOVE, [position, now + timedelta(seconds=rest_s), taken.name])
