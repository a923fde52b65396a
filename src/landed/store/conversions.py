"""Conversions to tell providers of, and how far that is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.words import Word
from landed.store import walks
from landed.store.connect import transaction

Pool = AsyncConnectionPool[AsyncConnection[Any]]

#: Events that one step of the walk along them reads.
_PAGE: Final = 5_000


class ConversionState(Word):
    """How far telling the provider is."""

    WAITING = "waiting"
    TOLD = "told"
    REFUSED = "refused"  #: the provider does not take it, or nobody can tell it


class Converting(NamedTuple):
    """A message, as far as it matters for its conversion."""

    id: UUID
    account_id: int
    direction: str
    converted: bool | None  #: what was reported so far
    facts: str


class Conversion(NamedTuple):
    message_id: UUID
    converted: bool
    occurred_at: datetime
    state: ConversionState
    problem: str | None


class Claimed(NamedTuple):
    """One to tell the provider now; `attempts` counts this one."""

    message_id: UUID
    account_id: int
    provider_message_id: str
    converted: bool
    occurred_at: datetime
    attempts: int


class Verified(NamedTuple):
    """A verify session that was passed."""

    account_id: int
    id: UUID
    provider_session_id: str | None
    recipient: str | None
    started_at: datetime
    verified_at: datetime
    attempt_ids: Sequence[str]  #: the provider's


_LOCK: Final = """
SELECT id, account_id, direction, converted, facts FROM messages
 WHERE id = ANY(%s) ORDER BY id FOR UPDATE
"""
_BY_PROVIDER_ID: Final = """
SELECT id FROM messages WHERE account_id = ANY(%s) AND provider_message_id = %s ORDER BY submitted_at DESC LIMIT 1
"""
_ACCOUNTS: Final = "SELECT array_agg(id) FROM accounts WHERE %(account)s::int IS NULL OR id = %(account)s"
_EXISTS: Final = "SELECT 1 FROM messages WHERE id = %s AND account_id = ANY(%s)"
# What is known already stays as it is; news begins anew.
_ADD: Final = """
INSERT INTO conversions AS c (message_id, account_id, converted, occurred_at, state, next_attempt_at, problem,
                              created_at, updated_at)
VALUES (%(id)s, %(account)s, %(converted)s, %(at)s, %(state)s, %(now)s, %(problem)s, %(now)s, %(now)s)
    ON CONFLICT (message_id) DO UPDATE
   SET converted = excluded.converted, occurred_at = excluded.occurred_at, state = excluded.state,
       attempts = 0, next_attempt_at = excluded.next_attempt_at, problem = excluded.problem,
       updated_at = excluded.updated_at
"""
_ONE: Final = "SELECT message_id, converted, occurred_at, state, problem FROM conversions WHERE message_id = %s"
# The next attempt is set before this one begins: killed in between, it is simply made then. What has no id at the
# provider yet waits for it.
_CLAIM: Final = """
UPDATE conversions AS c SET attempts = c.attempts + 1, updated_at = %(now)s,
       next_attempt_at = %(now)s + make_interval(secs => least(%(first_s)s * 2 ^ c.attempts, %(most_s)s))
  FROM messages m
 WHERE m.id = c.message_id AND m.provider_message_id IS NOT NULL
   AND c.message_id = ANY (ARRAY(SELECT message_id FROM conversions
                                  WHERE state = 'waiting' AND next_attempt_at <= %(now)s
                                  ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING c.message_id, c.account_id, m.provider_message_id, c.converted, c.occurred_at, c.attempts
"""
# Not where it was reported anew meanwhile.
_SETTLE: Final = """
UPDATE conversions SET state = %s, problem = %s, updated_at = %s
 WHERE message_id = %s AND converted = %s AND state = 'waiting'
"""
_NOW_AT: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, pg_snapshot_xmax(pg_current_snapshot())::text"
_VERIFIED: Final = """
WITH page AS (
    SELECT xid, id, type, account_id, subject_id FROM events
     WHERE (xid, id) > (%(xid)s::xid8, %(id)s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY xid, id LIMIT %(limit)s
)
SELECT p.xid::text, p.id, s.account_id, s.id, s.provider_session_id, s.recipient, s.started_at, s.verified_at,
       ARRAY(SELECT each ->> 'provider_attempt_id' FROM jsonb_array_elements(s.attempts) AS each)
  FROM page p LEFT JOIN sessions s
    ON p.type = 'session.verified' AND s.id::text = p.subject_id AND s.account_id = p.account_id
   AND s.status = 'verified'
 ORDER BY p.xid, p.id
"""
_OF_SESSION: Final = """
SELECT id FROM messages
 WHERE account_id = %(account)s AND direction = 'outbound' AND provider_message_id = ANY(%(attempts)s)
UNION
SELECT id FROM messages
 WHERE recipient = %(recipient)s AND submitted_at >= %(since)s AND submitted_at <= %(until)s
   AND account_id = %(account)s AND direction = 'outbound' AND tags && %(tags)s
"""


async def lock(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> list[Converting]:
    """These messages, as far as they are there, locked until the transaction ends."""
    cursor = await connection.execute(_LOCK, [list(ids)])
    return [Converting(*row) for row in await cursor.fetchall()]


async def find(connection: AsyncConnection[Any], message_id: str, account_id: int | None) -> UUID | None:
    """Our id of a message, by that or by the provider's."""
    row = await (await connection.execute(_ACCOUNTS, {"account": account_id})).fetchone()
    accounts = row[0] if row else None
    if (number := _uuid(message_id)) is not None and await (
        await connection.execute(_EXISTS, [number, accounts])
    ).fetchone():
        return number
    found = await (await connection.execute(_BY_PROVIDER_ID, [accounts, message_id])).fetchone()
    return found[0] if found else None


async def add(
    connection: AsyncConnection[Any],
    message: Converting,
    *,
    converted: bool,
    at: datetime,
    now: datetime,
    problem: str | None,
) -> None:
    """Enter what is to be told; with a problem it is refused from the start."""
    state = ConversionState.REFUSED if problem else ConversionState.WAITING
    await connection.execute(
        _ADD,
        {
            "id": message.id,
            "account": message.account_id,
            "converted": converted,
            "at": at,
            "state": state,
            "problem": problem,
            "now": now,
        },
    )


async def one(connection: AsyncConnection[Any], message_id: UUID) -> Conversion | None:
    row = await (await connection.execute(_ONE, [message_id])).fetchone()
    return None if row is None else Conversion(row[0], row[1], row[2], ConversionState(row[3]), row[4])


async def claim(pool: Pool, now: datetime, *, limit: int, first_s: float, most_s: float) -> list[Claimed]:
    """Take some that are due. Those that are not settled are due again after `first_s` seconds, then twice that, …

    Raises:
        StoreUnavailable: nothing was taken.
    """
    async with transaction(pool) as connection:
        asked = {"now": now, "limit": limit, "first_s": first_s, "most_s": most_s}
        cursor = await connection.execute(_CLAIM, asked)
        return [Claimed(*row) for row in await cursor.fetchall()]


async def settle(pool: Pool, claimed: Claimed, state: ConversionState, problem: str | None, now: datetime) -> None:
    async with transaction(pool) as connection:
        await connection.execute(_SETTLE, [state, problem, now, claimed.message_id, claimed.converted])


async def verified(connection: AsyncConnection[Any], taken: walks.Taken) -> tuple[str, list[Verified]]:
    """The sessions of the next events, and the position after them; the first time none, and where events are now."""
    row = await (await connection.execute(_NOW_AT)).fetchone()
    assert row is not None  # noqa: S101  it always gives one
    end = f"{row[0]} 0"
    if taken.position is None:
        return end, []
    xid, _, number = taken.position.partition(" ")
    if int(xid) > int(row[1]):  # a dump was restored, where transaction ids begin anew
        return end, []
    cursor = await connection.execute(_VERIFIED, {"xid": xid, "id": int(number), "limit": _PAGE})
    rows = await cursor.fetchall()
    position = f"{rows[-1][0]} {rows[-1][1]}" if rows else taken.position
    return position, [Verified(*each[2:]) for each in rows if each[2] is not None]


async def of_session(
    connection: AsyncConnection[Any], session: Verified, since: datetime, tags: Sequence[str]
) -> list[UUID]:
    """The messages that belong to a session: those of its attempts, and those to the person with one of these tags."""
    asked = {
        "account": session.account_id,
        "attempts": list(session.attempt_ids),
        "recipient": session.recipient,
        "since": since,
        "until": session.verified_at,
        "tags": list(tags),
    }
    cursor = await connection.execute(_OF_SESSION, asked)
    return sorted([row[0] for row in await cursor.fetchall()])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
