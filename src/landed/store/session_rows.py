"""Verify sessions as those need them who act on one: by each of their ids, in the transaction at hand."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row


class SessionRow(NamedTuple):
    id: UUID
    account_id: int
    provider_session_id: str
    status: str
    final: bool
    started_at: datetime


_SELECT: Final = "SELECT id, account_id, provider_session_id, status, final, started_at FROM sessions"
# What was started by us is known by our id in its callbacks, or by what the provider answered.
_BY_OUR_ID: Final = f"""
{_SELECT} WHERE account_id = %(account)s AND our_id = %(id)s
UNION
{_SELECT} WHERE account_id = %(account)s AND provider_session_id IN
               (SELECT provider_session_id FROM verify_starts WHERE id = %(id)s::text::uuid)
LIMIT 1
"""  # noqa: S608  names of columns
_BY_PROVIDER_ID: Final = f"{_SELECT} WHERE account_id = %s AND provider_session_id = %s"
_FIND: Final = f"""
SELECT * FROM ({_SELECT} WHERE id = %(uuid)s
               UNION {_SELECT} WHERE account_id IN (SELECT id FROM accounts) AND provider_session_id = %(text)s
               UNION {_SELECT} WHERE our_id = %(text)s) AS found
 WHERE %(account)s::int IS NULL OR account_id = %(account)s
 ORDER BY started_at DESC LIMIT 1
"""  # noqa: S608


async def by_our_id(connection: AsyncConnection[Any], account_id: int, our_id: str) -> SessionRow | None:
    """The session that came of a start of ours."""
    return await _one(connection, _BY_OUR_ID, {"account": account_id, "id": our_id})


async def by_provider_id(connection: AsyncConnection[Any], account_id: int, session_id: str) -> SessionRow | None:
    return await _one(connection, _BY_PROVIDER_ID, [account_id, session_id])


async def find(connection: AsyncConnection[Any], session_id: str, account_id: int | None) -> SessionRow | None:
    """By any of its ids: ours, the provider's, the one in the path of its callbacks. The newest of several."""
    return await _one(connection, _FIND, {"uuid": _uuid(session_id), "text": session_id, "account": account_id})


async def _one(connection: AsyncConnection[Any], statement: str, values: Any) -> SessionRow | None:
    async with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchone()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
