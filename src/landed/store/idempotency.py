"""What was asked for with an Idempotency-Key, and what was answered: so that asking twice does nothing twice."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection


class Claim(NamedTuple):
    """One request, by whoever makes it. The same key of two API keys is two keys."""

    api_key_id: int
    key: str
    digest: bytes  #: of all that was asked for


class Known(NamedTuple):
    """What is known of a key. `status` and `body` are None while its first request is being worked on."""

    digest: bytes
    status: int | None
    body: str | None  #: JSON


# A key whose request was begun and never ended is anybody's again after a while.
_TAKE: Final = """
INSERT INTO idempotency_keys AS k (api_key_id, key, digest, created_at, in_progress_until)
VALUES (%(api_key_id)s, %(key)s, %(digest)s, %(now)s, %(until)s)
    ON CONFLICT (api_key_id, key) DO UPDATE
   SET digest = excluded.digest, created_at = excluded.created_at, in_progress_until = excluded.in_progress_until
 WHERE k.status IS NULL AND k.in_progress_until <= excluded.created_at
RETURNING key
"""
_KNOWN: Final = "SELECT digest, status, body FROM idempotency_keys WHERE api_key_id = %s AND key = %s"
_KEEP: Final = "UPDATE idempotency_keys SET status = %s, body = %s WHERE api_key_id = %s AND key = %s AND digest = %s"
_RELEASE: Final = """
DELETE FROM idempotency_keys WHERE api_key_id = %s AND key = %s AND digest = %s AND status IS NULL
"""
_FORGET: Final = """
DELETE FROM idempotency_keys WHERE (api_key_id, key) IN
       (SELECT api_key_id, key FROM idempotency_keys WHERE created_at < %s ORDER BY created_at LIMIT %s)
"""


async def take(connection: AsyncConnection[Any], claim: Claim, now: datetime, until: datetime) -> Known | None:
    """None: the key is new, and ours until then. Else what is known of it.

    While another transaction holds the same key, this waits for its end.
    """
    row = {**claim._asdict(), "now": now, "until": until}
    while True:
        cursor = await connection.execute(_TAKE, row)
        if await cursor.fetchone():
            return None
        known = await (await connection.execute(_KNOWN, [claim.api_key_id, claim.key])).fetchone()
        if known is not None:
            return Known(bytes(known[0]), known[1], known[2])


async def keep(connection: AsyncConnection[Any], claim: Claim, status: int, body: str) -> None:
    """Keep the answer, which is given from now on."""
    await connection.execute(_KEEP, [status, body, claim.api_key_id, claim.key, claim.digest])


async def release(connection: AsyncConnection[Any], claim: Claim) -> None:
    """Nothing was done: the key is as if it had never been used."""
    await connection.execute(_RELEASE, [claim.api_key_id, claim.key, claim.digest])


async def forget(connection: AsyncConnection[Any], before: datetime, limit: int) -> int:
    """Remove keys that were first used before then; how many it was."""
    return (await connection.execute(_FORGET, [before, limit])).rowcount
