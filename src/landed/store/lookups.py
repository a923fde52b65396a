"""What is to be asked for at the providers: messages and verify sessions that are not final and should be.

They are found by walking along (submitted_at, id), which never changes with a status: an index that did would make
every status change of a message more expensive. What was found is a row in `lookups` until it is final.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.words import Word
from landed.store import walks
from landed.store.connect import transaction

Pool = AsyncConnectionPool[AsyncConnection[Any]]

#: Rows of messages that one step of a walk reads.
PAGE: Final = 5_000
DUE_COUNTED_MAX: Final = 10_000
#: What is committed late, or on a clock that is a little behind, is submitted up to this long before the walk's end.
OVERLAP: Final = timedelta(seconds=60)
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_NO_ID: Final = UUID(int=0)


class Kind(Word):
    MESSAGE = "message"
    SESSION = "session"


class Claimed(NamedTuple):
    """A thing to ask for now; who claimed it has it until the lease is over."""

    id: UUID
    kind: Kind
    account_id: int
    attempts: int  #: how often the provider has answered so far
    answer: str | None


class Standing(NamedTuple):
    """Where a thing stands."""

    provider_id: str | None
    status: str
    provider_status: str
    final: bool
    since: datetime  #: submission of a message, start of a session
    ends_at: datetime | None  #: of a session: when it ends by itself, where that was told


class Settled(NamedTuple):
    """When a thing is to be asked for again, and what came of it now."""

    id: UUID
    next_at: datetime
    attempts: int
    answer: str | None


# What waits to be sent is the outbox's; inbound messages are final.
_PAGE: Final = """
WITH page AS (
    SELECT id, account_id, submitted_at, final, direction, status FROM messages
     WHERE (submitted_at, id) > (%(at)s, %(id)s) AND submitted_at < %(until)s
     ORDER BY submitted_at, id LIMIT %(limit)s
), entered AS (
    INSERT INTO lookups (thing_id, kind, account_id, next_at, entered_at)
    SELECT id, 'message', account_id, %(now)s, %(now)s FROM page
     WHERE NOT final AND direction = 'outbound' AND status NOT IN ('scheduled', 'sending')
     ORDER BY id
        ON CONFLICT DO NOTHING
    RETURNING 1
), last AS (
    SELECT submitted_at, id FROM page ORDER BY submitted_at DESC, id DESC LIMIT 1
)
SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM entered), submitted_at, id
  FROM (SELECT 1) AS one LEFT JOIN last ON true
"""
_SESSIONS_PAGE: Final = """
WITH page AS (
    SELECT id, account_id, started_at, final, provider_session_id FROM sessions
     WHERE (started_at, id) > (%(at)s, %(id)s) AND started_at < %(until)s
     ORDER BY started_at, id LIMIT %(limit)s
), entered AS (
    INSERT INTO lookups (thing_id, kind, account_id, next_at, entered_at)
    SELECT id, 'session', account_id, %(now)s, %(now)s FROM page
     WHERE NOT final AND provider_session_id IS NOT NULL
     ORDER BY id
        ON CONFLICT DO NOTHING
    RETURNING 1
), last AS (
    SELECT started_at, id FROM page ORDER BY started_at DESC, id DESC LIMIT 1
)
SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM entered), started_at, id
  FROM (SELECT 1) AS one LEFT JOIN last ON true
"""
_ENTER: Final = """
INSERT INTO lookups (thing_id, kind, account_id, next_at, entered_at)
SELECT m.id, 'message', m.account_id, %(now)s, %(now)s
  FROM unnest(%(accounts)s::int[], %(ids)s::text[]) AS told (account_id, provider_message_id)
  JOIN messages m ON m.account_id = told.account_id AND m.provider_message_id = told.provider_message_id
                 AND m.direction = 'outbound'
 WHERE NOT m.final AND m.submitted_at < %(until)s
 ORDER BY m.id
    ON CONFLICT DO NOTHING
"""
_CLAIM: Final = """
WITH due AS (
    SELECT l.thing_id FROM unnest(%(accounts)s::int[]) AS a (id)
     CROSS JOIN LATERAL (SELECT thing_id FROM lookups WHERE account_id = a.id AND next_at <= %(now)s
                          ORDER BY next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS l
)
UPDATE lookups SET next_at = %(leased_until)s FROM due WHERE lookups.thing_id = due.thing_id
RETURNING lookups.thing_id, kind, account_id, attempts, answer
"""
_MESSAGES: Final = """
SELECT id, provider_message_id, status, provider_status, final, submitted_at, NULL::timestamptz FROM messages
 WHERE id = ANY(%s) ORDER BY id
"""
_SESSIONS: Final = """
SELECT id, provider_session_id, status, provider_status, final, started_at, expires_at FROM sessions
 WHERE id = ANY(%s) ORDER BY id
"""
_LOCKED: Final = " FOR UPDATE"
_SETTLE: Final = """
UPDATE lookups SET next_at = s.next_at, attempts = s.attempts, answer = s.answer
  FROM unnest(%s::uuid[], %s::timestamptz[], %s::int[], %s::text[]) AS s (thing_id, next_at, attempts, answer)
 WHERE lookups.thing_id = s.thing_id
"""
_REMOVE: Final = "DELETE FROM lookups WHERE thing_id = ANY(%s)"
_DUE: Final = """
SELECT count(*) FROM accounts AS a
 CROSS JOIN LATERAL (SELECT 1 FROM lookups WHERE account_id = a.id AND next_at <= %s LIMIT %s) AS l
"""


async def walk(pool: Pool, kind: Kind, until: datetime, now: datetime, *, rest_s: float) -> int:
    """One step of the walk that follows the present: enter what was submitted before `until` and is not final.

    Returns:
        How many rows it read; less than PAGE where it has come to the end.

    Raises:
        StoreUnavailable: nothing was entered.
    """
    async with transaction(pool) as connection:
        taken = await walks.take(connection, f"{kind}s", now)
        if taken is None:
            return 0
        at, number = _read(taken.position)
        rows, last = await _enter_page(connection, kind, at, number, until, now)
        is_end = rows < PAGE
        if is_end:
            last = (max(at, until - OVERLAP), _NO_ID)
        await walks.move(connection, taken, _write(*last), now, rest_s=rest_s if is_end else 0)
    return rows


async def sweep(pool: Pool, kind: Kind, until: datetime, now: datetime, *, rest_s: float) -> int:
    """One step of the walk that goes round through everything: for what came in long after its submission, behind
    the other walk's back.

    Raises:
        StoreUnavailable: nothing was entered.
    """
    async with transaction(pool) as connection:
        taken = await walks.take(connection, f"{kind}s again", now)
        if taken is None:
            return 0
        at, number = _read(taken.position)
        rows, last = await _enter_page(connection, kind, at, number, until, now)
        await walks.move(connection, taken, None if rows < PAGE else _write(*last), now, rest_s=rest_s)
    return rows


async def _enter_page(
    connection: AsyncConnection[Any], kind: Kind, at: datetime, number: UUID, until: datetime, now: datetime
) -> tuple[int, tuple[datetime, UUID]]:
    asked = {"at": at, "id": number, "until": until, "limit": PAGE, "now": now}
    cursor = await connection.execute(_PAGE if kind is Kind.MESSAGE else _SESSIONS_PAGE, asked)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  it always gives one
    rows, _, last_at, last_id = row
    return rows, (at, number) if last_at is None else (last_at, last_id)


def _read(position: str | None) -> tuple[datetime, UUID]:
    if position is None:
        return _FIRST, _NO_ID
    at, _, number = position.partition(" ")
    return datetime.fromisoformat(at), UUID(number)


def _write(at: datetime, number: UUID) -> str:
    return f"{at.astimezone(UTC).isoformat()} {number}"


async def enter(
    connection: AsyncConnection[Any], told: Sequence[tuple[int, str]], until: datetime, now: datetime
) -> None:
    """Enter those of these outbound messages (account and the provider's id) that are not final: no walk may come by
    them any more."""
    if told:
        accounts, ids = ([*column] for column in zip(*told, strict=True))
        await connection.execute(_ENTER, {"accounts": accounts, "ids": ids, "until": until, "now": now})


async def claim(pool: Pool, account_ids: Sequence[int], now: datetime, *, limit: int, lease_s: float) -> list[Claimed]:
    """Take some that are due, up to `limit` for each account. Those that are not settled are due again after the
    lease.

    Raises:
        StoreUnavailable: nothing was taken.
    """
    async with transaction(pool) as connection:
        cursor = await connection.execute(
            _CLAIM,
            {
                "accounts": list(account_ids),
                "now": now,
                "limit": limit,
                "leased_until": now + timedelta(seconds=lease_s),
            },
        )
        return [
            Claimed(number, Kind(kind), account_id, attempts, answer)
            for number, kind, account_id, attempts, answer in await cursor.fetchall()
        ]


async def standing(
    connection: AsyncConnection[Any], claimed: Sequence[Claimed], *, lock: bool = False
) -> Mapping[UUID, Standing]:
    """Where these things stand now; without those that are gone. Locked, they stay so until the transaction ends."""
    found: dict[UUID, Standing] = {}
    for kind, statement in ((Kind.MESSAGE, _MESSAGES), (Kind.SESSION, _SESSIONS)):
        ids = sorted(each.id for each in claimed if each.kind is kind)
        if ids:
            cursor = await connection.execute(statement + _LOCKED if lock else statement, [ids])
            found |= {number: Standing(*values) async for number, *values in cursor}
    return found


async def settle(connection: AsyncConnection[Any], settled: Sequence[Settled]) -> None:
    if settled:
        await connection.execute(_SETTLE, [list(column) for column in zip(*settled, strict=True)])


async def remove(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> None:
    """Take out what is final, or gone."""
    if ids:
        await connection.execute(_REMOVE, [list(ids)])


async def due(pool: Pool, now: datetime) -> int:
    """How many things should have been asked for by now, at most DUE_COUNTED_MAX for each account."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_DUE, [now, DUE_COUNTED_MAX])).fetchone()
    assert row is not None  # noqa: S101  an aggregate gives one
    return int(row[0])
