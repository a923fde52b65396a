"""Verify sessions that we asked providers to start: kept before they are asked, counted by the limits against abuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from landed.domain.limits import Share
from landed.domain.receipts import SessionStatus
from landed.domain.words import Word

#: Of those that ended, so many of the latest tell the share of good ones: looking at more takes longer, and tells less.
SHARE_OF_MAX: Final = 1000


class StartState(Word):
    """What became of asking the provider to start a session."""

    ASKING = "asking"  #: it is being asked; or was, by a process that died
    STARTED = "started"
    REFUSED = "refused"  #: nothing was sent
    UNKNOWN = "unknown"  #: something may have been sent
    LOST = "lost"  #: the same, and nothing was found out about it


class Side(Word):
    """What limits are for."""

    RECIPIENT = "recipient"
    COUNTRY = "country"
    CALLER = "caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    id: UUID
    account_id: int
    caller: str
    recipient: str = field(repr=False)
    country: str | None
    channel: str
    asked: Mapping[str, Any] = field(repr=False)
    asked_at: datetime
    state: StartState = StartState.ASKING
    provider_session_id: str | None = None
    resent_from: UUID | None = None
    codes_tried: int = 0

    def of(self, side: Side) -> Mapping[str, Any]:
        """The columns that all starts on this side have in common; empty where it has no such side."""
        match side:
            case Side.RECIPIENT:
                return {"recipient": self.recipient}
            case Side.CALLER:
                return {"caller": self.caller}
            case Side.COUNTRY:
                return {"account_id": self.account_id, "country": self.country} if self.country else {}


_COLUMNS: Final = (
    "id, account_id, caller, recipient, country, channel, asked, asked_at, state, provider_session_id, resent_from,"
    " codes_tried"
)
_INSERT: Final = """
INSERT INTO verify_starts (id, account_id, caller, recipient, country, channel, asked, asked_at, state, resent_from)
VALUES (%(id)s, %(account_id)s, %(caller)s, %(recipient)s, %(country)s, %(channel)s, %(asked)s, %(asked_at)s, 'asking',
        %(resent_from)s)
"""
# What was heard of a start meanwhile stands.
_SETTLE: Final = """
UPDATE verify_starts
   SET state = %(state)s, provider_session_id = coalesce(%(session)s, provider_session_id), problem = %(problem)s
 WHERE id = %(id)s AND (state IN ('asking', 'unknown', 'lost') OR %(session)s::text IS NOT NULL)
"""
# One index for each way. Of two starts with one session of the provider's the later one goes on.
_FIND: Final = f"""
WITH named AS (
    SELECT id FROM verify_starts WHERE id = %(uuid)s
    UNION ALL SELECT id FROM verify_starts WHERE provider_session_id = %(text)s
    UNION ALL SELECT v.id FROM sessions s JOIN verify_starts v USING (account_id, provider_session_id)
               WHERE s.id = %(uuid)s
    UNION ALL SELECT our_id::uuid FROM sessions
               WHERE id = %(uuid)s AND our_id ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$')
SELECT {_COLUMNS} FROM verify_starts JOIN named USING (id)
 WHERE %(account_id)s::int IS NULL OR account_id = %(account_id)s ORDER BY asked_at DESC, id LIMIT 1
"""  # noqa: S608  names of columns
_LATER: Final = f"""
WITH RECURSIVE later AS (
    SELECT * FROM verify_starts WHERE resent_from = %(id)s AND state <> 'refused'
    UNION SELECT v.* FROM verify_starts v JOIN later ON v.resent_from = later.id AND v.state <> 'refused')
SELECT {_COLUMNS} FROM later ORDER BY asked_at DESC, id
"""  # noqa: S608
_TRY: Final = """
UPDATE verify_starts SET codes_tried = codes_tried + 1 WHERE id = %s AND codes_tried < %s RETURNING codes_tried
"""
_TRY_NOT: Final = "UPDATE verify_starts SET codes_tried = codes_tried - 1 WHERE id = %s AND codes_tried > 0"
_CLAIM: Final = f"""
UPDATE verify_starts SET looked_up_at = %(now)s
 WHERE id = ANY (ARRAY(SELECT id FROM verify_starts
                        WHERE state IN ('asking', 'unknown') AND asked_at < %(asked_before)s
                          AND (looked_up_at IS NULL OR looked_up_at < %(looked_before)s)
                        ORDER BY asked_at LIMIT %(most)s FOR UPDATE SKIP LOCKED))
RETURNING {_COLUMNS}
"""  # noqa: S608
_HEARD: Final = "SELECT provider_session_id FROM sessions WHERE account_id = %s AND our_id = %s"
# Sessions to the same number at the same time, of which nobody knows whose they are.
_STRAYS: Final = """
SELECT s.provider_session_id FROM sessions s
 WHERE s.recipient = %(recipient)s AND s.account_id = %(account_id)s AND s.our_id IS NULL
   AND s.started_at BETWEEN %(since)s AND %(until)s
"""
_TAKEN: Final = """
SELECT provider_session_id FROM verify_starts
 WHERE account_id = %(account_id)s AND provider_session_id = ANY(%(sessions)s) AND id <> %(id)s
 UNION
SELECT provider_session_id FROM sessions
 WHERE account_id = %(account_id)s AND provider_session_id = ANY(%(sessions)s) AND our_id <> %(id)s::text
"""


async def lock(connection: AsyncConnection[Any], names: Sequence[str]) -> None:
    """One start at a time for each of these, until the transaction ends."""
    for name in sorted(set(names)):  # in one order for all: two must not each wait for the other
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"verify_starts:{name}"])


async def nth_newest(
    connection: AsyncConnection[Any], columns: Mapping[str, Any], n: int, since: datetime
) -> datetime | None:
    """When the n-th newest of the starts with these values was asked for; None where there are fewer since then."""
    cursor = await connection.execute(
        f"SELECT asked_at FROM verify_starts WHERE state <> 'refused' AND asked_at > %(since)s AND {_equal(columns)}"  # noqa: S608
        " ORDER BY asked_at DESC OFFSET %(skipped)s LIMIT 1",
        {**columns, "since": since, "skipped": n - 1},
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def share(
    connection: AsyncConnection[Any], columns: Mapping[str, Any], since: datetime, ended_before: datetime
) -> tuple[Share, Sequence[datetime]]:
    """How many of the sessions with these values that were started since then were verified, of those that ended; and
    when each of those was asked for, oldest first.

    Args:
        ended_before: what was started before that has ended, whether or not anybody told so.
    """
    cursor = await connection.execute(
        f"""
        SELECT v.asked_at, s.status FROM verify_starts v
          LEFT JOIN sessions s ON s.account_id = v.account_id AND s.provider_session_id = v.provider_session_id
         WHERE v.state <> 'refused' AND v.asked_at > %(since)s AND {_equal(columns, "v.")}
           AND (s.final OR v.asked_at < %(ended_before)s)
           AND NOT EXISTS (SELECT FROM verify_starts r WHERE r.resent_from = v.id AND r.state <> 'refused')
         ORDER BY v.asked_at DESC LIMIT %(most)s""",  # noqa: S608
        {**columns, "since": since, "ended_before": ended_before, "most": SHARE_OF_MAX},
    )
    rows = await cursor.fetchall()
    good = sum(status == SessionStatus.VERIFIED for _, status in rows)
    return Share(good, len(rows)), [asked_at for asked_at, _ in reversed(rows)]


async def insert(connection: AsyncConnection[Any], start: Start) -> None:
    values = {name: getattr(start, name) for name in ("id", "account_id", "caller", "recipient", "country", "channel")}
    more = {"asked": Jsonb(dict(start.asked)), "asked_at": start.asked_at, "resent_from": start.resent_from}
    await connection.execute(_INSERT, values | more)


async def settle(
    connection: AsyncConnection[Any],
    start_id: UUID,
    state: StartState,
    *,
    provider_session_id: str | None = None,
    problem: str | None = None,
) -> None:
    """Note what became of it."""
    await connection.execute(
        _SETTLE, {"id": start_id, "state": state, "session": provider_session_id, "problem": problem}
    )


async def find(connection: AsyncConnection[Any], session_id: str, account_id: int | None) -> Start | None:
    """The start of a session: by our id of the start or of the session, or by the provider's."""
    named = {"uuid": _uuid(session_id), "text": session_id, "account_id": account_id}
    return next(iter(await _starts(connection, _FIND, named)), None)


async def later(connection: AsyncConnection[Any], start_id: UUID) -> list[Start]:
    """What was started to send it again, and again, latest first; without what was refused."""
    return await _starts(connection, _LATER, {"id": start_id})


async def take_try(connection: AsyncConnection[Any], start_id: UUID, most: int) -> int | None:
    """Count a code that is about to be tried. How many that makes; None: there were `most` already."""
    row = await (await connection.execute(_TRY, [start_id, most])).fetchone()
    return row[0] if row else None


async def give_back_try(connection: AsyncConnection[Any], start_id: UUID) -> None:
    await connection.execute(_TRY_NOT, [start_id])


async def claim_unsettled(
    connection: AsyncConnection[Any], now: datetime, *, asked_before: datetime, again_after: timedelta, most: int
) -> list[Start]:
    """Starts of which nobody knows what became of them, for the caller to find out; nobody else gets them for a
    while."""
    times = {"now": now, "asked_before": asked_before, "looked_before": now - again_after, "most": most}
    return await _starts(connection, _CLAIM, times)


async def heard_of(connection: AsyncConnection[Any], start: Start) -> str | None:
    """The provider's id of the session, where a callback has told it."""
    row = await (await connection.execute(_HEARD, [start.account_id, str(start.id)])).fetchone()
    return row[0] if row else None


async def strays(connection: AsyncConnection[Any], start: Start, since: datetime, until: datetime) -> set[str]:
    """The provider's ids of sessions to the same number that began in this time, and that are nobody's so far."""
    times = {"recipient": start.recipient, "account_id": start.account_id, "since": since, "until": until}
    return {session_id for (session_id,) in await (await connection.execute(_STRAYS, times)).fetchall()}


async def taken(connection: AsyncConnection[Any], start: Start, session_ids: Sequence[str]) -> set[str]:
    """Those of these sessions that belong to another start, or to somebody else."""
    named = {"account_id": start.account_id, "sessions": list(session_ids), "id": start.id}
    return {session_id for (session_id,) in await (await connection.execute(_TAKEN, named)).fetchall()}


async def _starts(connection: AsyncConnection[Any], statement: str, values: Mapping[str, Any]) -> list[Start]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        return [Start(**row | {"state": StartState(row["state"])}) async for row in cursor]


def _equal(columns: Mapping[str, Any], prefix: str = "") -> str:
    return " AND ".join(f"{prefix}{name} = %({name})s" for name in columns)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
