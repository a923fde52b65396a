"""Who is told of alerts. Addresses of hooks and their secrets are encrypted: an address is a secret itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool

from landed.domain.errors import InputInvalid, NotFound
from landed.store.connect import transaction

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    id: UUID
    name: str
    kind: str
    addresses: Sequence[str]
    host: str | None
    sealed: bytes | None
    weekly_summary: bool
    enabled: bool
    created_at: datetime
    updated_at: datetime


_COLUMNS: Final = "id, name, kind, addresses, host, sealed, weekly_summary, enabled, created_at, updated_at"
_EVERY: Final = f"SELECT {_COLUMNS} FROM alert_targets ORDER BY name"  # noqa: S608  columns are ours
_ADD: Final = """
INSERT INTO alert_targets (id, name, kind, addresses, host, sealed, weekly_summary, enabled, created_at, updated_at)
VALUES (%(id)s, %(name)s, %(kind)s, %(addresses)s, %(host)s, %(sealed)s, %(weekly_summary)s, %(enabled)s,
        %(created_at)s, %(updated_at)s)
    ON CONFLICT (name) DO NOTHING
"""
_CHANGE: Final = """
UPDATE alert_targets SET addresses = %(addresses)s, host = %(host)s, sealed = %(sealed)s,
       weekly_summary = %(weekly_summary)s, enabled = %(enabled)s, updated_at = %(updated_at)s
 WHERE id = %(id)s
"""
# A rule that told this one alone tells nobody from then on, rather than everybody.
_FORGET: Final = "UPDATE alert_rules SET target_ids = array_remove(target_ids, %(id)s) WHERE %(id)s = ANY(target_ids)"


async def every(connection: AsyncConnection[Any]) -> list[TargetRow]:
    """All of them, by name."""
    async with connection.cursor(row_factory=class_row(TargetRow)) as cursor:
        return await (await cursor.execute(_EVERY)).fetchall()


async def all_targets(pool: Pool) -> list[TargetRow]:
    async with transaction(pool) as connection:
        return await every(connection)


async def find(pool: Pool, name_or_id: str) -> TargetRow:
    """The target of this name or id.

    Raises:
        NotFound: there is none.
    """
    for target in await all_targets(pool):
        if name_or_id in (target.name, str(target.id)):
            return target
    raise NotFound(f"There is no alert target {name_or_id[:60]!r}; `landed alerts targets list` shows them.")


async def add(pool: Pool, row: TargetRow) -> None:
    """Keep a new one.

    Raises:
        InputInvalid: the name is taken.
    """
    async with transaction(pool) as connection:
        made = await connection.execute(_ADD, _written(row))
        if not made.rowcount:
            raise InputInvalid(f"There is a target {row.name!r} already; choose another name.", field="name")


async def change(pool: Pool, row: TargetRow) -> None:
    async with transaction(pool) as connection:
        await connection.execute(_CHANGE, _written(row))


async def remove(pool: Pool, target_id: UUID) -> None:
    """Forget it, with all that was still to be told there."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_FORGET, {"id": target_id})
        await cursor.execute("DELETE FROM alert_targets WHERE id = %s", [target_id])


def _written(row: TargetRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TargetRow.__slots__} | {"addresses": list(row.addresses)}
