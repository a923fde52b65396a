"""Links to pages that whoever has them may read. Only a hash of the link is kept."""

from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from landed.domain.users import SharedLink
from landed.store.accounts import Pool
from landed.store.connect import transaction
from landed.store.users import digest, new_token

_COLUMNS: Final = "id, path, query, created_by, created_at, expires_at, revoked_at"
_ADD: Final = f"""
INSERT INTO shared_links (digest, path, query, created_by, created_at, expires_at)
VALUES (%(digest)s, %(path)s, %(query)s, %(created_by)s, %(now)s, %(until)s) RETURNING {_COLUMNS}
"""  # noqa: S608  nothing of it comes from outside
_FIND: Final = f"""
SELECT {_COLUMNS} FROM shared_links WHERE digest = %s AND expires_at > %s AND revoked_at IS NULL
"""  # noqa: S608
_EVERY: Final = f"SELECT {_COLUMNS} FROM shared_links ORDER BY created_at DESC, id DESC LIMIT 500"  # noqa: S608
_REVOKE: Final = "UPDATE shared_links SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s"


async def add(
    pool: Pool, *, path: str, query: str, created_by: str, now: datetime, until: datetime
) -> tuple[SharedLink, str]:
    """A new link, and its token, which nobody can show again."""
    token, hashed = new_token()
    values = {"digest": hashed, "path": path, "query": query, "created_by": created_by, "now": now, "until": until}
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_ADD, values)).fetchone()
    assert row is not None  # noqa: S101  it was just inserted
    return _link(row), token


async def find(pool: Pool, token: str, now: datetime) -> SharedLink | None:
    """None: it is over, revoked, or was never made."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_FIND, [digest(token), now])).fetchone()
    return None if row is None else _link(row)


async def every(pool: Pool) -> list[SharedLink]:
    """The latest 500, revoked and expired ones too."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_EVERY)
        return [_link(row) async for row in cursor]


async def revoke(pool: Pool, link_id: int, now: datetime) -> bool:
    """End it now; False: there is none."""
    async with transaction(pool) as connection:
        return (await connection.execute(_REVOKE, [now, link_id])).rowcount > 0


def _link(row: dict[str, Any]) -> SharedLink:
    return SharedLink(**row)
