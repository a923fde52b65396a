"""Users of the pages, and the links that sign them in once."""

import hashlib
import secrets
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from landed.domain.errors import InputInvalid, NotFound
from landed.domain.users import Role, User
from landed.store.accounts import Pool
from landed.store.connect import transaction

_TOKEN_BYTES: Final = 32
#: Locks are taken by number: this one while the first user is made.
_FIRST_LOCK: Final = 0x1A9DED07

_COLUMNS: Final = "id, name, role, password_hash IS NOT NULL AS has_password, created_at, signed_in_at, disabled_at"
_ADD: Final = f"""
INSERT INTO users (name, role, password_hash) VALUES (%(name)s, %(role)s, %(password_hash)s)
    ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608  nothing of it comes from outside
_EVERY: Final = f"SELECT {_COLUMNS} FROM users ORDER BY name"  # noqa: S608
_FIND: Final = f"SELECT {_COLUMNS}, password_hash FROM users WHERE name = %s"  # noqa: S608
_ANY: Final = "SELECT EXISTS (SELECT FROM users)"
_SET_ROLE: Final = "UPDATE users SET role = %(role)s WHERE name = %(name)s"
_SET_PASSWORD: Final = "UPDATE users SET password_hash = %(password_hash)s WHERE name = %(name)s"  # noqa: S105  SQL
_SET_DISABLED: Final = "UPDATE users SET disabled_at = %(disabled_at)s WHERE name = %(name)s"
_SIGNED_IN: Final = "UPDATE users SET signed_in_at = %s WHERE id = %s"
# Of those who can still come in. The row locks make two that take each other's role wait for each other.
_ADMINS: Final = "SELECT name FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE"
_ADD_LINK: Final = """
INSERT INTO sign_in_links (digest, user_id, created_at, expires_at) VALUES (%(digest)s, %(user_id)s, %(now)s, %(until)s)
"""
_FORGET_LINKS: Final = "DELETE FROM sign_in_links WHERE expires_at <= %s"
_USE_LINK: Final = f"""
WITH used AS (DELETE FROM sign_in_links WHERE digest = %(digest)s AND user_id IS NOT NULL RETURNING user_id, expires_at)
SELECT {_COLUMNS} FROM users JOIN used ON user_id = id WHERE expires_at > %(now)s AND disabled_at IS NULL
"""  # noqa: S608
_START: Final = "SELECT FROM sign_in_links WHERE digest = %(digest)s AND user_id IS NULL AND expires_at > %(now)s"
_END_STARTS: Final = "DELETE FROM sign_in_links WHERE user_id IS NULL"


def new_token() -> tuple[str, bytes]:
    """43 random characters, and the hash that is kept of them."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return token, digest(token)


def digest(token: str) -> bytes:
    # Plain SHA-256 is enough for 256 random bits: nobody can try them all.
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


async def add(pool: Pool, *, name: str, role: Role, password_hash: str | None) -> User:
    """A new user.

    Raises:
        InputInvalid: the name is taken.
    """
    async with transaction(pool) as connection:
        return await _add(connection, name, role, password_hash)


async def add_first(pool: Pool, *, token: str, name: str, password_hash: str, now: datetime) -> User | None:
    """The first administrator, by a link that was printed at the start. None: the link is over, or was used."""
    async with transaction(pool) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_FIRST_LOCK])
        if await _any(connection) or not await _is_start(connection, token, now):
            return None
        await connection.execute(_END_STARTS)
        return await _add(connection, name, Role.ADMIN, password_hash)


async def is_start(pool: Pool, token: str, now: datetime) -> bool:
    """Whether this link makes the first administrator."""
    async with transaction(pool) as connection:
        return not await _any(connection) and await _is_start(connection, token, now)


async def exist(pool: Pool) -> bool:
    async with transaction(pool) as connection:
        return await _any(connection)


async def every(pool: Pool) -> list[User]:
    """All users by name, disabled ones too."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_EVERY)
        return [user_of(row) async for row in cursor]


async def find(pool: Pool, name: str) -> tuple[User, str | None] | None:
    """The user of that name, and the hash of the password."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_FIND, [name])).fetchone()
    return None if row is None else (user_of(row), row["password_hash"])


async def set_role(pool: Pool, name: str, role: Role) -> None:
    """Takes effect with the next request.

    Raises:
        NotFound: there is no such user.
        InputInvalid: it is the last administrator.
    """
    async with transaction(pool) as connection:
        if role is not Role.ADMIN:
            await _keep_one_admin(connection, name)
        await _change(connection, _SET_ROLE, name, role=role)


async def set_password(pool: Pool, name: str, password_hash: str) -> None:
    """Raises NotFound where there is no such user."""
    async with transaction(pool) as connection:
        await _change(connection, _SET_PASSWORD, name, password_hash=password_hash)


async def set_disabled(pool: Pool, name: str, disabled_at: datetime | None) -> None:
    """Shut the user out from the next request on, or let in again (None).

    Raises:
        NotFound: there is no such user.
        InputInvalid: it is the last administrator.
    """
    async with transaction(pool) as connection:
        if disabled_at is not None:
            await _keep_one_admin(connection, name)
        await _change(connection, _SET_DISABLED, name, disabled_at=disabled_at)


async def note_signed_in(pool: Pool, user_id: int, now: datetime) -> None:
    async with transaction(pool) as connection:
        await connection.execute(_SIGNED_IN, [now, user_id])


async def add_link(pool: Pool, *, user_id: int | None, now: datetime, until: datetime) -> str:
    """A token that works once: it signs that user in, or makes the first administrator (None)."""
    token, hashed = new_token()
    async with transaction(pool) as connection:
        await connection.execute(_FORGET_LINKS, [now])
        await connection.execute(_ADD_LINK, {"digest": hashed, "user_id": user_id, "now": now, "until": until})
    return token


async def use_link(pool: Pool, token: str, now: datetime) -> User | None:
    """Whom this link signs in; it is used then. None: it is over, was used, or is none."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_USE_LINK, {"digest": digest(token), "now": now})).fetchone()
    return None if row is None else user_of(row)


def user_of(row: dict[str, Any]) -> User:
    names = ("id", "name", "has_password", "created_at", "signed_in_at", "disabled_at")
    return User(role=Role(row["role"]), **{name: row[name] for name in names})


async def _add(connection: AsyncConnection[Any], name: str, role: Role, password_hash: str | None) -> User:
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (
            await cursor.execute(_ADD, {"name": name, "role": role, "password_hash": password_hash})
        ).fetchone()
    if row is None:
        raise InputInvalid(f"There is a user {name!r} already; choose another name.", field="name")
    return user_of(row)


async def _any(connection: AsyncConnection[Any]) -> bool:
    row = await (await connection.execute(_ANY)).fetchone()
    return row is not None and bool(row[0])


async def _is_start(connection: AsyncConnection[Any], token: str, now: datetime) -> bool:
    cursor = await connection.execute(_START, {"digest": digest(token), "now": now})
    return await cursor.fetchone() is not None


async def _keep_one_admin(connection: AsyncConnection[Any], name: str) -> None:
    admins = [row[0] for row in await (await connection.execute(_ADMINS)).fetchall()]
    if admins == [name]:
        raise InputInvalid(f"{name!r} is the only administrator; make another one first.", field="name")


async def _change(connection: AsyncConnection[Any], statement: str, name: str, **values: Any) -> None:
    if not (await connection.execute(statement, {"name": name, **values})).rowcount:
        raise NotFound(f"There is no user {name[:64]!r}; `landed users list` shows the ones there are.")
