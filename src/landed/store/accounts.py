"""Accounts with their tokens and paths. Whoever holds accounts in memory listens on CHANGED and reads them anew."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from landed.domain.accounts import Account, CallbackPath, PathRole, Token, TokenRole
from landed.domain.errors import InputInvalid, NotFound
from landed.store.connect import transaction
from landed.store.sealing import Sealer

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]

#: The NOTIFY channel that every change of an account is told on.
CHANGED: Final = "landed_accounts"

_ACCOUNTS: Final = """
SELECT id, name, provider, provider_account_id, policy, created_at, disabled_at, allowed_addresses FROM accounts
 WHERE (%(name)s::text IS NULL OR name = %(name)s) AND (%(disabled)s OR disabled_at IS NULL)
 ORDER BY name
"""
_TOKENS: Final = """
SELECT account_id, id, role, sealed, expires_at FROM account_tokens
 WHERE account_id = ANY(%(accounts)s) AND (expires_at IS NULL OR expires_at > %(now)s)
 ORDER BY id
"""
_PATHS: Final = """
SELECT account_id, id, role, sealed, expires_at FROM account_paths
 WHERE account_id = ANY(%(accounts)s) AND (expires_at IS NULL OR expires_at > %(now)s)
 ORDER BY id
"""
# A change of an account waits for another change of it to end.
_LOCK: Final = "SELECT id FROM accounts WHERE name = %s FOR UPDATE"
_ADD: Final = """
INSERT INTO accounts (name, provider, provider_account_id, policy, allowed_addresses)
VALUES (%(name)s, %(provider)s, %(provider_account_id)s, %(policy)s, %(allowed_addresses)s)
    ON CONFLICT (name) DO NOTHING RETURNING id
"""
_ADD_TOKEN: Final = "INSERT INTO account_tokens (account_id, role, sealed) VALUES (%s, %s, %s) RETURNING id"  # noqa: S105  SQL
_EXPIRE_TOKEN: Final = "UPDATE account_tokens SET expires_at = %s WHERE account_id = %s AND id = %s"  # noqa: S105  SQL
_ADD_PATH: Final = """
INSERT INTO account_paths (account_id, role, sealed, digest) VALUES (%s, %s, %s, %s)
    ON CONFLICT (digest) DO NOTHING
"""
_OWNER_OF_PATH: Final = """
SELECT accounts.name FROM account_paths JOIN accounts ON accounts.id = account_paths.account_id WHERE digest = %s
"""
_REMOVE_PATH: Final = "DELETE FROM account_paths WHERE account_id = %s AND role = 'own' AND digest = %s"
# A key that is about to expire sooner keeps its time.
_EXPIRE_KEYS: Final = """
UPDATE account_paths SET expires_at = least(expires_at, %(expires_at)s)
 WHERE account_id = %(account)s AND role = 'key'
"""
_ALLOW: Final = """
UPDATE accounts SET allowed_addresses = array_append(array_remove(allowed_addresses, %(address)s), %(address)s)
 WHERE id = %(account)s
"""
_DISALLOW: Final = """
UPDATE accounts SET allowed_addresses = array_remove(allowed_addresses, %(address)s)
 WHERE id = %(account)s AND %(address)s = ANY(allowed_addresses)
"""
_SET_POLICY: Final = "UPDATE accounts SET policy = %s WHERE id = %s"
_DISABLE: Final = "UPDATE accounts SET disabled_at = coalesce(disabled_at, %s) WHERE id = %s"
_ENABLE: Final = "UPDATE accounts SET disabled_at = NULL WHERE id = %s"
_ANY_SEALED: Final = "SELECT sealed FROM account_paths ORDER BY id LIMIT 1"


async def all_live(pool: Pool, sealer: Sealer, now: datetime) -> list[Account]:
    """Every account that is not disabled, with the tokens and paths that are live, by name.

    Raises:
        SettingInvalid: the secret key does not fit this database.
    """
    return await _read(pool, sealer, now, disabled=False)


async def every(pool: Pool, sealer: Sealer, now: datetime) -> list[Account]:
    """As `all_live`, disabled accounts too."""
    return await _read(pool, sealer, now, disabled=True)


async def find(pool: Pool, sealer: Sealer, name: str, now: datetime) -> Account:
    """The account of that name, disabled or not.

    Raises:
        NotFound: there is none.
    """
    found = await _read(pool, sealer, now, disabled=True, name=name)
    if not found:
        raise _unknown(name)
    return found[0]


async def add(
    pool: Pool,
    sealer: Sealer,
    *,
    name: str,
    provider: str,
    provider_account_id: str,
    policy: str,
    tokens: Sequence[tuple[TokenRole, str]],
    paths: Sequence[tuple[PathRole, str]],
    allowed_addresses: Sequence[str] = (),
) -> None:
    """Keep a new account; all of it or nothing.

    Raises:
        InputInvalid: the name, or one of the paths, is taken.
    """
    row = {
        "name": name,
        "provider": provider,
        "provider_account_id": provider_account_id,
        "policy": policy,
        "allowed_addresses": list(allowed_addresses),
    }
    async with transaction(pool) as connection:
        made = await (await connection.execute(_ADD, row)).fetchone()
        if made is None:
            raise InputInvalid(f"There is an account {name!r} already; choose another name.", field="name")
        for token_role, token in tokens:
            await connection.execute(_ADD_TOKEN, [made[0], token_role, sealer.seal(token)])
        for path_role, path in paths:
            await _add_path(connection, sealer, made[0], path_role, path)
        await _tell(connection)


async def add_token(pool: Pool, sealer: Sealer, name: str, role: TokenRole, token: str) -> int:
    """Returns: the token's id."""
    async with _changing(pool, name) as (connection, account_id):
        row = await (await connection.execute(_ADD_TOKEN, [account_id, role, sealer.seal(token)])).fetchone()
        assert row is not None  # noqa: S101  an INSERT without a condition gives its row
        return int(row[0])


async def expire_token(pool: Pool, name: str, token_id: int, expires_at: datetime) -> None:
    """Let a token be refused from then on.

    Raises:
        NotFound: the account has no such token.
    """
    async with _changing(pool, name) as (connection, account_id):
        if not (await connection.execute(_EXPIRE_TOKEN, [expires_at, account_id, token_id])).rowcount:
            raise NotFound(f"The account {name!r} has no token {token_id}; `landed accounts show {name}` lists them.")


async def add_path(pool: Pool, sealer: Sealer, name: str, path: str) -> None:
    """Take callbacks at one more path of the operator's choosing.

    Raises:
        InputInvalid: it is taken.
    """
    async with _changing(pool, name) as (connection, account_id):
        await _add_path(connection, sealer, account_id, PathRole.OWN, path)


async def remove_path(pool: Pool, sealer: Sealer, name: str, path: str) -> None:
    async with _changing(pool, name) as (connection, account_id):
        if not (await connection.execute(_REMOVE_PATH, [account_id, sealer.digest(path)])).rowcount:
            raise NotFound(f"The account {name!r} has no path {path}; `landed accounts show {name}` lists them.")


async def rotate_key(pool: Pool, sealer: Sealer, name: str, key: str, old_expires_at: datetime) -> None:
    """Give the account a new path key; those before it stay live until then at the latest."""
    async with _changing(pool, name) as (connection, account_id):
        await connection.execute(_EXPIRE_KEYS, {"account": account_id, "expires_at": old_expires_at})
        await _add_path(connection, sealer, account_id, PathRole.KEY, key)


async def set_policy(pool: Pool, name: str, policy: str) -> None:
    async with _changing(pool, name) as (connection, account_id):
        await connection.execute(_SET_POLICY, [policy, account_id])


async def allow(pool: Pool, name: str, address: str) -> None:
    """Take callbacks from one more network or host name: the first one shuts all others out."""
    async with _changing(pool, name) as (connection, account_id):
        await connection.execute(_ALLOW, {"account": account_id, "address": address})


async def disallow(pool: Pool, name: str, address: str) -> None:
    """Raises: NotFound, where it is not among the allowed ones."""
    async with _changing(pool, name) as (connection, account_id):
        if not (await connection.execute(_DISALLOW, {"account": account_id, "address": address})).rowcount:
            raise NotFound(
                f"{address} is not among the addresses that the account {name!r} allows; `landed accounts show {name}`"
                " lists them."
            )


async def disable(pool: Pool, name: str, now: datetime) -> None:
    """Refuse all callbacks of the account. What it sent so far stays."""
    async with _changing(pool, name) as (connection, account_id):
        await connection.execute(_DISABLE, [now, account_id])


async def enable(pool: Pool, name: str) -> None:
    async with _changing(pool, name) as (connection, account_id):
        await connection.execute(_ENABLE, [account_id])


async def prove_key(pool: Pool, sealer: Sealer) -> None:
    """Refuse a secret key that cannot open what the database holds, before anything is sealed with it.

    Raises:
        SettingInvalid: it does not fit.
    """
    async with transaction(pool) as connection:
        row = await (await connection.execute(_ANY_SEALED)).fetchone()
    if row is not None:
        sealer.open(row[0])


async def _read(pool: Pool, sealer: Sealer, now: datetime, *, disabled: bool, name: str | None = None) -> list[Account]:
    # Accounts first: what was added in between comes with tokens and paths, and is not among those asked for.
    async with transaction(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ACCOUNTS, {"name": name, "disabled": disabled})
        accounts = await cursor.fetchall()
        among = {"accounts": [account["id"] for account in accounts], "now": now}
        await cursor.execute(_TOKENS, among)
        tokens = [(row["account_id"], _token(row, sealer)) async for row in cursor]
        await cursor.execute(_PATHS, among)
        paths = [(row["account_id"], _path(row, sealer)) async for row in cursor]
    return [
        Account(
            **(account | {"allowed_addresses": tuple(account["allowed_addresses"])}),
            tokens=tuple(token for account_id, token in tokens if account_id == account["id"]),
            paths=tuple(path for account_id, path in paths if account_id == account["id"]),
        )
        for account in accounts
    ]


def _token(row: dict[str, Any], sealer: Sealer) -> Token:
    return Token(
        id=row["id"], role=TokenRole(row["role"]), value=sealer.open(row["sealed"]), expires_at=row["expires_at"]
    )


def _path(row: dict[str, Any], sealer: Sealer) -> CallbackPath:
    return CallbackPath(
        id=row["id"], role=PathRole(row["role"]), value=sealer.open(row["sealed"]), expires_at=row["expires_at"]
    )


async def _add_path(
    connection: AsyncConnection[Any], sealer: Sealer, account_id: int, role: PathRole, path: str
) -> None:
    digest = sealer.digest(path)
    cursor = await connection.execute(_ADD_PATH, [account_id, role, sealer.seal(path), digest])
    if cursor.rowcount:
        return
    owner = await (await connection.execute(_OWNER_OF_PATH, [digest])).fetchone()
    taken_by = f" by the account {owner[0]!r}" if owner else ""
    raise InputInvalid(f"The path {path} is taken{taken_by}; choose another.", field="path")


@asynccontextmanager
async def _changing(pool: Pool, name: str) -> AsyncIterator[tuple[AsyncConnection[Any], int]]:
    """A transaction that changes one account, one at a time, and tells so when it commits."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_LOCK, [name])).fetchone()
        if row is None:
            raise _unknown(name)
        yield connection, row[0]
        await _tell(connection)


async def _tell(connection: AsyncConnection[Any]) -> None:
    await connection.execute("SELECT pg_notify(%s, '')", [CHANGED])


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no account {name!r}; `landed accounts list` shows the ones there are.")


async def providers(pool: Pool) -> dict[int, str]:
    """The provider's name of every account there ever was: what came for a disabled one is still tracked."""
    async with transaction(pool) as connection:
        cursor = await connection.execute("SELECT id, provider FROM accounts")
        return dict(await cursor.fetchall())
