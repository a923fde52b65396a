"""API keys. Only a hash is kept: the key itself is shown once, to whoever creates it."""

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from landed.domain.accounts import ApiKey, Scope
from landed.domain.errors import InputInvalid, NotFound
from landed.store.accounts import Pool
from landed.store.connect import transaction

_PREFIX: Final = "landed_"
_FORM: Final = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}")
_HINT_CHARACTERS: Final = len(_PREFIX) + 4

_CREATE: Final = """
INSERT INTO api_keys (name, digest, hint, scope, account_id)
VALUES (%(name)s, %(digest)s, %(hint)s, %(scope)s, %(account_id)s)
    ON CONFLICT (name) DO NOTHING
RETURNING id, name, hint, scope, account_id, created_at, revoked_at
"""
# Found by its hash: how long the index takes says nothing about the key.
_FIND: Final = """
SELECT id, name, hint, scope, account_id, created_at, revoked_at FROM api_keys WHERE digest = %s AND revoked_at IS NULL
"""
_EVERY: Final = "SELECT id, name, hint, scope, account_id, created_at, revoked_at FROM api_keys ORDER BY name"
_REVOKE: Final = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, %s) WHERE name = %s"


async def create(pool: Pool, *, name: str, scope: Scope, account_id: int | None) -> tuple[ApiKey, str]:
    """A new key, and its text, which is `landed_` and 43 random characters.

    Raises:
        InputInvalid: the name is taken, perhaps by a revoked key.
    """
    key = _PREFIX + secrets.token_urlsafe(32)
    row = {
        "name": name,
        "digest": _digest(key),
        "hint": key[:_HINT_CHARACTERS],
        "scope": scope,
        "account_id": account_id,
    }
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        made = await (await cursor.execute(_CREATE, row)).fetchone()
    if made is None:
        raise InputInvalid(f"There is a key {name!r} already, or was one; choose another name.", field="name")
    return _api_key(made), key


async def find(pool: Pool, key: str) -> ApiKey | None:
    """The key of that text. None: there is none, or it is revoked. What cannot be a key costs no query."""
    if not _FORM.fullmatch(key):
        return None
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_FIND, [_digest(key)])).fetchone()
    return None if row is None else _api_key(row)


async def every(pool: Pool) -> list[ApiKey]:
    """All keys by name, revoked ones too."""
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_EVERY)
        return [_api_key(row) async for row in cursor]


async def revoke(pool: Pool, name: str, now: datetime) -> None:
    """Refuse the key from now on; revoking twice is once.

    Raises:
        NotFound: there is no such key.
    """
    async with transaction(pool) as connection:
        if not (await connection.execute(_REVOKE, [now, name])).rowcount:
            raise NotFound(f"There is no key {name!r}; `landed keys list` shows the ones there are.")


def _digest(key: str) -> bytes:
    # Plain SHA-256 is enough for 256 random bits: nobody can try them all.
    return hashlib.sha256(key.encode()).digest()


def _api_key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(**row | {"scope": Scope(row["scope"])})
