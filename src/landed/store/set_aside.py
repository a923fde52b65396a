"""Accepted callbacks that changed no state, and why. Nothing is dropped for being strange."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

#: The reason of those whose signature was used before, with other content.
NONCE_REUSED: Final = "nonce_reused"


class SetAside(NamedTuple):
    callback_id: int
    account_id: int
    reason: str
    detail: str
    received_at: datetime


_KEEP: Final = """
INSERT INTO set_aside (callback_id, account_id, reason, detail, received_at)
SELECT * FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::timestamptz[])
    ON CONFLICT (callback_id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail
"""

_AMONG: Final = "SELECT callback_id FROM set_aside WHERE callback_id = ANY(%s) AND reason = %s"


async def keep(connection: AsyncConnection[Any], rows: Sequence[SetAside]) -> None:
    if rows:
        await connection.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


async def among(connection: AsyncConnection[Any], callback_ids: Sequence[int], reason: str) -> set[int]:
    """Which of these callbacks are set aside for that reason."""
    cursor = await connection.execute(_AMONG, [list(callback_ids), reason])
    return {callback_id for (callback_id,) in await cursor.fetchall()}


async def take_out(connection: AsyncConnection[Any], callback_ids: Sequence[int]) -> None:
    """These were understood after all."""
    if callback_ids:
        await connection.execute("DELETE FROM set_aside WHERE callback_id = ANY(%s)", [list(callback_ids)])
