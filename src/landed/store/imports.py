"""Which hours of an account's history are in."""

from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

_DONE: Final = "SELECT window_at FROM imports WHERE account_id = %s AND window_at >= %s AND window_at < %s"
_ADD: Final = """
INSERT INTO imports (account_id, window_at, messages, imported_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (account_id, window_at) DO UPDATE SET messages = excluded.messages, imported_at = excluded.imported_at
"""


async def done(connection: AsyncConnection[Any], account_id: int, since: datetime, until: datetime) -> set[datetime]:
    """Which of the hours that begin in this time are in."""
    cursor = await connection.execute(_DONE, [account_id, since, until])
    return {at async for (at,) in cursor}


async def add(
    connection: AsyncConnection[Any], account_id: int, window_at: datetime, messages: int, now: datetime
) -> None:
    await connection.execute(_ADD, [account_id, window_at, messages, now])
