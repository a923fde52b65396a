"""Who is signed in. Only a hash of the cookie is kept; what is over is deleted."""

from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from landed.domain.users import User, WebSession
from landed.store.accounts import Pool
from landed.store.connect import transaction
from landed.store.users import digest, new_token, user_of

_BROWSER_CHARACTERS_MAX: Final = 200

_OPEN: Final = """
INSERT INTO web_sessions (digest, user_id, address, browser, created_at, seen_at)
VALUES (%(digest)s, %(user_id)s, %(address)s, %(browser)s, %(now)s, %(now)s)
"""
_FORGET: Final = "DELETE FROM web_sessions WHERE created_at <= %(born_after)s OR seen_at <= %(seen_after)s"
_COLUMNS: Final = """
SELECT users.id, name, role, password_hash IS NOT NULL AS has_password, users.created_at, signed_in_at, disabled_at,
       web_sessions.id AS session_id, address, browser, web_sessions.created_at AS opened_at, seen_at
  FROM web_sessions JOIN users ON users.id = user_id
 WHERE disabled_at IS NULL AND web_sessions.created_at > %(born_after)s AND seen_at > %(seen_after)s
"""
_FIND: Final = f"{_COLUMNS} AND digest = %(digest)s"
_OF_USER: Final = f"{_COLUMNS} AND user_id = %(user_id)s ORDER BY seen_at DESC, session_id DESC"
_SEEN: Final = "UPDATE web_sessions SET seen_at = %s WHERE id = %s AND seen_at < %s"
_CLOSE: Final = "DELETE FROM web_sessions WHERE digest = %s"
_CLOSE_ONE: Final = "DELETE FROM web_sessions WHERE id = %s AND user_id = %s"
_CLOSE_ALL: Final = """
DELETE FROM web_sessions WHERE user_id = %(user_id)s AND (%(but)s::int IS NULL OR id <> %(but)s)
"""
_END_LINKS: Final = "DELETE FROM sign_in_links WHERE user_id = %s"


async def open_session(
    pool: Pool,
    *,
    user: User,
    address: str | None,
    browser: str,
    now: datetime,
    born_after: datetime,
    seen_after: datetime,
) -> str:
    """Sign that user in; the token for the cookie. Sessions of anybody that are over by now are deleted."""
    token, hashed = new_token()
    row = {
        "digest": hashed,
        "user_id": user.id,
        "address": address,
        "browser": browser.replace("\x00", "")[:_BROWSER_CHARACTERS_MAX],
        "now": now,
    }
    async with transaction(pool) as connection:
        await connection.execute(_FORGET, {"born_after": born_after, "seen_after": seen_after})
        await connection.execute(_OPEN, row)
    return token


async def find(pool: Pool, token: str, *, born_after: datetime, seen_after: datetime) -> WebSession | None:
    """The session of that cookie, unless it is over or its user is shut out."""
    values = {"digest": digest(token), "born_after": born_after, "seen_after": seen_after}
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_FIND, values)).fetchone()
    return None if row is None else _session(row)


async def of_user(pool: Pool, user_id: int, *, born_after: datetime, seen_after: datetime) -> list[WebSession]:
    """All that are not over, the last seen first."""
    values = {"user_id": user_id, "born_after": born_after, "seen_after": seen_after}
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_OF_USER, values)
        return [_session(row) async for row in cursor]


async def seen(pool: Pool, session_id: int, now: datetime) -> None:
    async with transaction(pool) as connection:
        await connection.execute(_SEEN, [now, session_id, now])


async def close(pool: Pool, token: str) -> None:
    """Sign out the browser with that cookie."""
    async with transaction(pool) as connection:
        await connection.execute(_CLOSE, [digest(token)])


async def close_one(pool: Pool, session_id: int, user_id: int) -> bool:
    """Sign out one browser of that user; False: it is not there."""
    async with transaction(pool) as connection:
        return (await connection.execute(_CLOSE_ONE, [session_id, user_id])).rowcount > 0


async def close_all(pool: Pool, user_id: int, but: int | None = None) -> None:
    """Sign that user out everywhere, but perhaps for one browser; links that would sign in again are over."""
    async with transaction(pool) as connection:
        await connection.execute(_END_LINKS, [user_id])
        await connection.execute(_CLOSE_ALL, {"user_id": user_id, "but": but})


def _session(row: dict[str, Any]) -> WebSession:
    return WebSession(
        id=row["session_id"],
        user=user_of(row),
        address=row["address"],
        browser=row["browser"],
        created_at=row["opened_at"],
        seen_at=row["seen_at"],
    )
