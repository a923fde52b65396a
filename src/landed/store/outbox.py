"""The outbox: what is to be sent, who is about to send it, and what may have gone out.

Times are the database's own: several workers on several machines have to agree on what is due and who is alive.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from landed.store.connect import transaction

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

#: The NOTIFY channel on which new messages are told of.
ADDED: Final = "landed_outbox"
#: In `send_rates`: the account as a whole.
WHOLE: Final = ""
#: What is counted for metrics is counted up to here.
COUNTED_MAX: Final = 100_000


class New(NamedTuple):
    """`due_at` None: now. `expires_after_s` counts from when it is due."""

    id: UUID
    account_id: int
    sender: str
    recipient: str
    request: Mapping[str, Any]
    due_at: datetime | None
    expires_after_s: int | None


class Marked(NamedTuple):
    """A message that is to go out now, or may have. `attempts` counts this try, and tells it from others."""

    id: UUID
    account_id: int
    sender: str
    recipient: str
    request: Mapping[str, Any]
    attempts: int
    tried_s: float  #: since the first try
    marked_at: datetime
    expires_in_s: float | None
    looks: int


class Rate(NamedTuple):
    """A row of `send_rates`; None where it is not known yet, or not set."""

    sender: str
    rate: float | None
    spent_until: float | None
    paused_until: float | None
    turn: int


class Waiting(NamedTuple):
    id: UUID
    sender: str
    recipient: str
    due_in_s: float  #: 0 and below: it is due


class Progress(NamedTuple):
    """Where a message in the outbox stands, for whoever looks at it."""

    state: str
    due_at: datetime
    attempts: int
    problem: str | None
    expires_at: datetime | None


class Standing(NamedTuple):
    account_id: int
    status: str


class Backlog(NamedTuple):
    """What is in the outbox; counted up to COUNTED_MAX each."""

    waiting: int
    unknown: int
    oldest_due_s: float  #: how long the one that waits the longest has been due
    outcomes: Mapping[tuple[int, str], int]  #: by account and outcome, of all time


_ADD: Final = """
INSERT INTO outbox (id, account_id, sender, recipient, request, state, due_at, expires_at, created_at)
SELECT id, account_id, sender, recipient, request, 'waiting', due.at,
       due.at + make_interval(secs => expires_after_s), clock_timestamp()
  FROM jsonb_to_recordset(%s) AS n (id uuid, account_id int, sender text, recipient text, request jsonb,
                                    due_at timestamptz, expires_after_s int),
       LATERAL (SELECT coalesce(n.due_at, clock_timestamp()) AS at) AS due
"""
_ALIVE: Final = """
INSERT INTO outbox_workers (name, alive_until) VALUES (%(name)s, clock_timestamp() + make_interval(secs => %(lease_s)s))
    ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until
"""
_LEAVE: Final = "DELETE FROM outbox_workers WHERE name = %s"
_FORGET_DEAD: Final = "DELETE FROM outbox_workers WHERE alive_until < clock_timestamp() - interval '1 hour'"

# --- claiming: whoever plans for an account holds the lock on its row of rates, so no two plan at a time

_MAKE_RATE: Final = "INSERT INTO send_rates (account_id, sender) VALUES (%s, '') ON CONFLICT DO NOTHING"
_LOCK_RATE: Final = """
SELECT extract(epoch FROM clock_timestamp())::float8 FROM send_rates WHERE account_id = %s AND sender = ''
   FOR UPDATE SKIP LOCKED
"""
_RATES: Final = "SELECT sender, rate, spent_until, paused_until, turn FROM send_rates WHERE account_id = %s"
# From sender to sender in the index, however many messages each has.
_WAITING: Final = """
WITH RECURSIVE senders AS (
    (SELECT sender FROM outbox WHERE account_id = %(account)s AND state = 'waiting' AND claimed_by IS NULL
      ORDER BY sender LIMIT 1)
    UNION ALL
    SELECT (SELECT o.sender FROM outbox o
             WHERE o.account_id = %(account)s AND o.state = 'waiting' AND o.claimed_by IS NULL AND o.sender > s.sender
             ORDER BY o.sender LIMIT 1)
      FROM senders s WHERE s.sender IS NOT NULL
)
SELECT w.id, s.sender, w.recipient, extract(epoch FROM w.due_at - clock_timestamp())::float8
  FROM senders s,
       LATERAL (SELECT id, recipient, due_at FROM outbox
                 WHERE account_id = %(account)s AND sender = s.sender AND state = 'waiting' AND claimed_by IS NULL
                 ORDER BY due_at LIMIT %(each)s) AS w
 WHERE s.sender IS NOT NULL
 ORDER BY w.due_at, w.id
"""
_OPEN: Final = """
SELECT recipient FROM outbox
 WHERE account_id = %s AND recipient = ANY(%s) AND (state <> 'waiting' OR claimed_by IS NOT NULL)
"""
_CLAIM: Final = """
UPDATE outbox SET claimed_by = %s WHERE id = ANY(%s) AND state = 'waiting' AND claimed_by IS NULL RETURNING id
"""
_KEEP_RATES: Final = """
INSERT INTO send_rates AS r (account_id, sender, spent_until, turn)
SELECT %s, * FROM unnest(%s::text[], %s::float8[], %s::bigint[])
    ON CONFLICT (account_id, sender) DO UPDATE SET spent_until = excluded.spent_until, turn = excluded.turn
"""
_PAUSE: Final = """
INSERT INTO send_rates AS r (account_id, sender, paused_until)
VALUES (%(account)s, '', extract(epoch FROM clock_timestamp()) + %(rest_s)s)
    ON CONFLICT (account_id, sender)
    DO UPDATE SET paused_until = greatest(r.paused_until, excluded.paused_until)
"""

# --- sending

_MARKED: Final = """
id, account_id, sender, recipient, request, attempts,
extract(epoch FROM clock_timestamp() - first_marked_at)::float8 AS tried_s, marked_at,
extract(epoch FROM expires_at - clock_timestamp())::float8 AS expires_in_s, looks
"""
_MARK: Final = f"""
UPDATE outbox SET state = 'sending', attempts = attempts + 1, marked_at = clock_timestamp(),
       first_marked_at = coalesce(first_marked_at, clock_timestamp()), problem = NULL, looks = 0
 WHERE id = ANY(%s) AND state = 'waiting' AND claimed_by = %s
RETURNING {_MARKED}
"""  # noqa: S608  only names of columns are put in
#: Those that the provider is known to have, by a callback or look-up, and those that ended.
_SETTLED: Final = """
SELECT id, provider_message_id IS NOT NULL FROM messages
 WHERE id = ANY(%s) AND (provider_message_id IS NOT NULL OR final)
"""
_REMOVE: Final = "DELETE FROM outbox WHERE id = ANY(%s) RETURNING id"
# The number of tries fences: a try that was taken over has nothing more to say of the message but that it is sent.
_REMOVE_TRY: Final = """
DELETE FROM outbox o USING unnest(%s::uuid[], %s::int[]) AS t (id, attempts)
 WHERE o.id = t.id AND o.attempts = t.attempts AND o.state <> 'waiting' RETURNING o.id
"""
_AGAIN: Final = """
UPDATE outbox o SET state = 'waiting', claimed_by = NULL, problem = t.problem,
       due_at = clock_timestamp() + make_interval(secs => t.after_s)
  FROM unnest(%s::uuid[], %s::int[], %s::float8[], %s::text[]) AS t (id, attempts, after_s, problem)
 WHERE o.id = t.id AND o.attempts = t.attempts AND o.state <> 'waiting' RETURNING o.id
"""
_UNKNOWN: Final = """
UPDATE outbox o SET state = 'unknown', claimed_by = NULL, problem = t.problem, looks = 0,
       due_at = clock_timestamp() + make_interval(secs => %(look_s)s)
  FROM unnest(%(ids)s::uuid[], %(attempts)s::int[], %(problems)s::text[]) AS t (id, attempts, problem)
 WHERE o.id = t.id AND o.attempts = t.attempts AND o.state = 'sending' RETURNING o.id
"""

# --- what was left behind

_DEAD: Final = (
    "NOT EXISTS (SELECT 1 FROM outbox_workers w WHERE w.name = claimed_by AND w.alive_until > clock_timestamp())"
)
_FREE_CLAIMS: Final = f"""
UPDATE outbox SET claimed_by = NULL WHERE claimed_by IS NOT NULL AND state = 'waiting' AND {_DEAD}
"""  # noqa: S608  a fixed text
_LEFT_SENDING: Final = f"""
UPDATE outbox SET state = 'unknown', claimed_by = NULL, looks = 0, problem = %(problem)s,
       due_at = clock_timestamp() + make_interval(secs => %(look_s)s)
 WHERE id = ANY (ARRAY(SELECT id FROM outbox WHERE claimed_by IS NOT NULL AND state = 'sending' AND {_DEAD}
                        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING id, account_id
"""  # noqa: S608
_EXPIRE: Final = """
DELETE FROM outbox
 WHERE id = ANY (ARRAY(SELECT id FROM outbox
                        WHERE state = 'waiting' AND claimed_by IS NULL AND expires_at <= clock_timestamp()
                        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, account_id
"""
_TAKE_UNKNOWN: Final = f"""
UPDATE outbox SET due_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
 WHERE id = ANY (ARRAY(SELECT id FROM outbox WHERE state = 'unknown' AND due_at <= clock_timestamp()
                        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING {_MARKED}
"""  # noqa: S608
_NEXT_UNKNOWN: Final = """
SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM outbox WHERE state = 'unknown'
"""
_LOCK_UNKNOWN: Final = "SELECT looks FROM outbox WHERE id = %s AND attempts = %s AND state = 'unknown' FOR UPDATE"
_LOOK_AGAIN: Final = """
UPDATE outbox SET looks = %(looks)s, due_at = clock_timestamp() + make_interval(secs => %(after_s)s) WHERE id = %(id)s
"""
_SEND_AGAIN: Final = "UPDATE outbox SET state = 'waiting', due_at = clock_timestamp(), looks = 0 WHERE id = %s"
_KNOWN_IDS: Final = """
SELECT provider_message_id, id FROM messages
 WHERE account_id = %s AND provider_message_id = ANY(%s) AND direction = 'outbound'
"""

# --- for others

_CANCEL: Final = "DELETE FROM outbox WHERE id = %s AND state = 'waiting' RETURNING account_id"
_PROGRESS: Final = "SELECT state, due_at, attempts, problem, expires_at FROM outbox WHERE id = %s"
_COUNT: Final = """
INSERT INTO outbox_counts AS c (account_id, outcome, messages) SELECT * FROM unnest(%s::int[], %s::text[], %s::bigint[])
    ON CONFLICT (account_id, outcome) DO UPDATE SET messages = c.messages + excluded.messages
"""
_BACKLOG: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'waiting' LIMIT %(most)s) AS waiting),
       (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'unknown' LIMIT %(most)s) AS unknown)
"""
_OLDEST: Final = """
SELECT extract(epoch FROM clock_timestamp() - min(w.due_at))::float8 FROM accounts a,
       LATERAL (SELECT min(due_at) AS due_at FROM outbox
                 WHERE account_id = a.id AND state = 'waiting' AND claimed_by IS NULL) AS w
"""
_SET_RATE: Final = """
INSERT INTO send_rates AS r (account_id, sender, rate) VALUES (%s, %s, %s)
    ON CONFLICT (account_id, sender) DO UPDATE SET rate = excluded.rate
"""


async def add(connection: Connection, messages: Sequence[New]) -> None:
    """Put messages in; workers are told when the transaction commits."""
    rows = orjson.dumps([each._asdict() for each in messages], option=orjson.OPT_UTC_Z).decode()
    await connection.execute(_ADD, [rows])
    await connection.execute("SELECT pg_notify(%s, '')", [ADDED])


async def stay_alive(pool: Pool, name: str, lease_s: float) -> None:
    """Keep the claims of this worker for so much longer.

    Raises:
        StoreUnavailable: not now; after the lease others take over what it claimed.
    """
    async with transaction(pool) as connection:
        await connection.execute(_ALIVE, {"name": name, "lease_s": lease_s})


async def leave(pool: Pool, name: str) -> None:
    """Give all claims of this worker up, at once."""
    async with transaction(pool) as connection:
        await connection.execute(_LEAVE, [name])


async def lock_rates(connection: Connection, account_id: int) -> float | None:
    """Plan for this account alone, until the transaction ends.

    Returns:
        The database's clock, in seconds since 1970; None: another worker plans right now.
    """
    await connection.execute(_MAKE_RATE, [account_id])
    row = await (await connection.execute(_LOCK_RATE, [account_id])).fetchone()
    return None if row is None else float(row[0])


async def rates(connection: Connection, account_id: int) -> dict[str, Rate]:
    """By sender."""
    cursor = await connection.execute(_RATES, [account_id])
    return {row[0]: Rate(*row) for row in await cursor.fetchall()}


async def waiting(connection: Connection, account_id: int, each: int) -> list[Waiting]:
    """What waits and nobody has claimed, the first `each` of every sender, by when they are due."""
    cursor = await connection.execute(_WAITING, {"account": account_id, "each": each})
    return [Waiting(*row) for row in await cursor.fetchall()]


async def is_any_free(pool: Pool, account_id: int) -> bool:
    """Whether anything waits that nobody has claimed: cheap enough to be asked all the time."""
    async with transaction(pool) as connection:
        cursor = await connection.execute(_ANY_FREE, [account_id])
        return await cursor.fetchone() is not None


_ANY_FREE: Final = """
SELECT 1 FROM outbox WHERE account_id = %s AND state = 'waiting' AND claimed_by IS NULL LIMIT 1
"""


async def under_way(connection: Connection, account_id: int, recipients: Iterable[str]) -> set[str]:
    """Those of the recipients to whom something is claimed, being sent, or looked up."""
    cursor = await connection.execute(_OPEN, [account_id, list(recipients)])
    return {recipient for (recipient,) in await cursor.fetchall()}


async def claim(connection: Connection, name: str, ids: Sequence[UUID]) -> set[UUID]:
    """Those that are this worker's from now on; the others were cancelled."""
    cursor = await connection.execute(_CLAIM, [name, list(ids)])
    return {number for (number,) in await cursor.fetchall()}


async def keep_rates(connection: Connection, account_id: int, spent: Mapping[str, tuple[float, int]]) -> None:
    """By sender: until when its rate is spent, and its turn."""
    senders = sorted(spent)
    columns = [senders, [spent[sender][0] for sender in senders], [spent[sender][1] for sender in senders]]
    await connection.execute(_KEEP_RATES, [account_id, *columns])


async def pause(connection: Connection, account_id: int, rest_s: float) -> None:
    """Send nothing for this account for so long. A longer pause stays."""
    await connection.execute(_PAUSE, {"account": account_id, "rest_s": rest_s})


async def set_rate(pool: Pool, account_id: int, sender: str, rate: float | None) -> None:
    """Messages per second of a sender, or of the WHOLE account; None: what the setting says."""
    async with transaction(pool) as connection:
        await connection.execute(_SET_RATE, [account_id, sender, rate])


async def mark(connection: Connection, name: str, ids: Sequence[UUID]) -> list[Marked]:
    """Mark claimed messages as being sent: from the commit on they count as gone out."""
    async with connection.cursor(row_factory=class_row(Marked)) as cursor:
        await cursor.execute(_MARK, [list(ids), name])
        return await cursor.fetchall()


async def settled(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, bool]:
    """Those of which more is known than that they are to be sent: True where the provider has them, False where they
    have ended."""
    cursor = await connection.execute(_SETTLED, [list(ids)])
    return dict(await cursor.fetchall())


async def remove(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Take out, whatever their state; those that were there."""
    cursor = await connection.execute(_REMOVE, [list(ids)])
    return {number for (number,) in await cursor.fetchall()}


async def remove_tries(connection: Connection, tries: Sequence[tuple[UUID, int]]) -> set[UUID]:
    """Take out those whose latest try this still is."""
    cursor = await connection.execute(_REMOVE_TRY, [[number for number, _ in tries], [count for _, count in tries]])
    return {number for (number,) in await cursor.fetchall()}


async def wait_again(connection: Connection, tries: Sequence[tuple[UUID, int, float, str]]) -> set[UUID]:
    """Id, attempts, seconds from now, and why: nothing went out. Those whose latest try this still is."""
    columns = [list(column) for column in zip(*tries, strict=True)]
    cursor = await connection.execute(_AGAIN, columns)
    return {number for (number,) in await cursor.fetchall()}


async def become_unknown(connection: Connection, tries: Sequence[tuple[UUID, int, str]], look_s: float) -> set[UUID]:
    """Id, attempts and why: to be looked up so many seconds from now. Those whose latest try this still is."""
    ids, attempts, problems = (list(column) for column in zip(*tries, strict=True))
    row = {"ids": ids, "attempts": attempts, "problems": problems, "look_s": look_s}
    cursor = await connection.execute(_UNKNOWN, row)
    return {number for (number,) in await cursor.fetchall()}


async def held_by(connection: Connection, name: str) -> dict[UUID, int]:
    """What this worker has claimed or marked, as the database has it: id -> tries."""
    return dict(await (await connection.execute(_HELD, [name])).fetchall())


_HELD: Final = "SELECT id, attempts FROM outbox WHERE claimed_by = %s"


async def give_back(connection: Connection, name: str, tries: Sequence[tuple[UUID, int]]) -> None:
    """What was claimed and not marked is anybody's again."""
    await connection.execute(_GIVE_BACK, [[n for n, _ in tries], [count for _, count in tries], name])


_GIVE_BACK: Final = """
UPDATE outbox o SET claimed_by = NULL FROM unnest(%s::uuid[], %s::int[]) AS t (id, attempts)
 WHERE o.id = t.id AND o.attempts = t.attempts AND o.state = 'waiting' AND o.claimed_by = %s
"""


async def free_claims(connection: Connection) -> None:
    """What dead workers claimed and never marked is anybody's again."""
    await connection.execute(_FREE_CLAIMS)
    await connection.execute(_FORGET_DEAD)


async def take_left_sending(
    connection: Connection, *, look_s: float, problem: str, limit: int
) -> list[tuple[UUID, int]]:
    """What dead workers were sending is to be looked up from now on: id and account of each."""
    row = {"look_s": look_s, "problem": problem, "limit": limit}
    return await (await connection.execute(_LEFT_SENDING, row)).fetchall()


async def expire(connection: Connection, limit: int) -> list[tuple[UUID, int]]:
    """Take out what can no more be sent in time: id and account of each."""
    return await (await connection.execute(_EXPIRE, [limit])).fetchall()


async def take_unknown(pool: Pool, *, lease_s: float, limit: int) -> list[Marked]:
    """Some that are due to be looked up; due again after the lease, if nothing becomes of it."""
    async with transaction(pool) as connection, connection.cursor(row_factory=class_row(Marked)) as cursor:
        await cursor.execute(_TAKE_UNKNOWN, {"lease_s": lease_s, "limit": limit})
        return await cursor.fetchall()


async def next_unknown_s(pool: Pool) -> float | None:
    """Seconds until the next one is to be looked up; None: there is none."""
    async with transaction(pool) as connection:
        row = await (await connection.execute(_NEXT_UNKNOWN)).fetchone()
        return None if row is None else row[0]


async def lock_unknown(connection: Connection, message_id: UUID, attempts: int) -> int | None:
    """How often it was looked for in vain; None: it is not unknown any more."""
    row = await (await connection.execute(_LOCK_UNKNOWN, [message_id, attempts])).fetchone()
    return None if row is None else row[0]


async def look_again(connection: Connection, message_id: UUID, *, looks: int, after_s: float) -> None:
    await connection.execute(_LOOK_AGAIN, {"id": message_id, "looks": looks, "after_s": after_s})


async def send_again(connection: Connection, message_id: UUID) -> None:
    """The provider does not have it."""
    await connection.execute(_SEND_AGAIN, [message_id])


async def known_ids(connection: Connection, account_id: int, provider_ids: Sequence[str]) -> dict[str, UUID]:
    """Our ids of the messages that have these ids at the provider."""
    cursor = await connection.execute(_KNOWN_IDS, [account_id, list(provider_ids)])
    return dict(await cursor.fetchall())


async def cancel(connection: Connection, message_id: UUID) -> bool:
    """Take it out if nothing of it has gone out."""
    return (await connection.execute(_CANCEL, [message_id])).rowcount > 0


async def standing(connection: Connection, message_id: UUID) -> Standing | None:
    """A message of ours, whether it is in the outbox or not; None: there is none."""
    row = await (await connection.execute(_STANDING, [message_id])).fetchone()
    return None if row is None else Standing(*row)


_STANDING: Final = "SELECT account_id, status FROM messages WHERE id = %s AND direction = 'outbound'"


async def progress(connection: Connection, message_id: UUID) -> Progress | None:
    """None: it is not in the outbox, or not any more."""
    row = await (await connection.execute(_PROGRESS, [message_id])).fetchone()
    return None if row is None else Progress(*row)


async def count(connection: Connection, outcomes: Mapping[tuple[int, str], int]) -> None:
    """Add to what is counted, by account and outcome."""
    if outcomes:
        ordered = sorted(outcomes)  # one order for all workers
        columns = [[account for account, _ in ordered], [outcome for _, outcome in ordered]]
        await connection.execute(_COUNT, [*columns, [outcomes[key] for key in ordered]])


async def backlog(pool: Pool) -> Backlog:
    """What is in the outbox, and what became of what was.

    Raises:
        StoreUnavailable: not now.
    """
    async with transaction(pool) as connection:
        counted = await (await connection.execute(_BACKLOG, {"most": COUNTED_MAX})).fetchone()
        oldest = await (await connection.execute(_OLDEST)).fetchone()
        cursor = await connection.execute("SELECT account_id, outcome, messages FROM outbox_counts")
        outcomes = {(account, outcome): messages for account, outcome, messages in await cursor.fetchall()}
    waiting, unknown = counted or (0, 0)
    return Backlog(waiting, unknown, max(0.0, (oldest and oldest[0]) or 0.0), outcomes)
