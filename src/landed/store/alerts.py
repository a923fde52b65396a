"""Alerts, a row for each incident, and the outbox of what is told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from landed.domain.words import Word
from landed.store.connect import transaction

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class EndedBy(Word):
    """How an alert ended."""

    RECOVERED = "recovered"
    QUIET = "quiet"  #: for long there was too little to tell from
    DISABLED = "disabled"  #: the rule was switched off
    DELETED = "deleted"  #: the rule was deleted


class Told(Word):
    """What a notification tells."""

    FIRED = "fired"
    REPEATED = "repeated"
    RECOVERED = "recovered"
    SUMMARY = "summary"


class Delivery(Word):
    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    id: UUID
    rule_id: UUID | None
    rule_name: str
    kind: str
    severity: str
    account_id: int | None
    ended_by: str | None
    since: datetime
    fired_at: datetime
    ended_at: datetime | None
    value: float
    worst: float
    last: float | None
    threshold: float
    content: Mapping[str, Any]
    told_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    muted_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """What is told to whom, and how far that is."""

    id: UUID
    target: str | None  #: its name; None: mail to addresses that a setting names
    kind: str
    state: str
    attempts: int
    next_attempt_at: datetime
    problem: str | None
    created_at: datetime
    settled_at: datetime | None


class Claimed(NamedTuple):
    """One to deliver now; `attempts` counts this one."""

    id: UUID
    target_id: UUID | None
    addresses: Sequence[str]
    kind: str
    content: Mapping[str, Any]
    attempts: int
    created_at: datetime


class AlertCounts(NamedTuple):
    """For metrics."""

    firing: Mapping[str, int]  #: by severity
    waiting: int
    given_up: int


_SELECT: Final = """
SELECT id, rule_id, rule_name, kind, severity, account_id, ended_by, since, fired_at, ended_at, value, worst, last,
       threshold, content, told_at, acknowledged_at, acknowledged_by, muted_until
  FROM alerts
"""
_STANDING: Final = f"{_SELECT} WHERE ended_by IS NULL FOR NO KEY UPDATE"
_STANDING_OF: Final = f"{_SELECT} WHERE ended_by IS NULL AND rule_id = %s FOR NO KEY UPDATE"
_PAGE: Final = f"""{_SELECT}
 WHERE (%(account)s::int IS NULL OR account_id = %(account)s)
   AND (%(firing)s::bool IS NULL OR (ended_by IS NULL) = %(firing)s)
   AND (%(rule)s::text IS NULL OR rule_name = %(rule)s OR rule_id::text = %(rule)s)
   AND (%(severities)s::text[] IS NULL OR severity = ANY(%(severities)s))
   AND (%(since)s::timestamptz IS NULL OR coalesce(ended_at, 'infinity') >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR fired_at < %(until)s)
   AND (%(at)s::timestamptz IS NULL OR (fired_at, id) < (%(at)s, %(id)s::uuid))
 ORDER BY fired_at DESC, id DESC
 LIMIT %(limit)s
"""
_ONE: Final = f"{_SELECT} WHERE id = %(id)s AND (%(account)s::int IS NULL OR account_id = %(account)s)"
_ADD: Final = """
INSERT INTO alerts (id, rule_id, rule_name, kind, severity, account_id, since, fired_at, value, worst, last, threshold,
                    content, muted_until)
VALUES (%(id)s, %(rule_id)s, %(rule_name)s, %(kind)s, %(severity)s, %(account_id)s, %(since)s, %(fired_at)s, %(value)s,
        %(worst)s, %(last)s, %(threshold)s, %(content)s, NULL)
"""
_SEEN: Final = "UPDATE alerts SET last = %s, worst = %s WHERE id = %s"
_END: Final = "UPDATE alerts SET ended_by = %s, ended_at = %s, last = %s WHERE id = %s AND ended_by IS NULL"
_TOLD: Final = "UPDATE alerts SET told_at = %s WHERE id = %s"
_ACKNOWLEDGE: Final = """
UPDATE alerts SET acknowledged_at = coalesce(acknowledged_at, %(at)s),
       acknowledged_by = coalesce(acknowledged_by, %(by)s)
 WHERE id = %(id)s
"""
_MUTE: Final = "UPDATE alerts SET muted_until = %s WHERE id = %s"
_TELL: Final = """
INSERT INTO alert_notifications (id, alert_id, target_id, addresses, kind, content, next_attempt_at, created_at)
VALUES (%(id)s, %(alert)s, %(target)s, %(addresses)s, %(kind)s, %(content)s, %(now)s, %(now)s)
"""
_WERE_TOLD: Final = "SELECT DISTINCT target_id FROM alert_notifications WHERE alert_id = %s AND kind = 'fired'"
_NOTIFICATIONS: Final = """
SELECT n.id, t.name AS target, n.kind, n.state, n.attempts, n.next_attempt_at, n.problem, n.created_at, n.settled_at
  FROM alert_notifications n LEFT JOIN alert_targets t ON t.id = n.target_id
 WHERE n.alert_id = %s ORDER BY n.number
"""
# While an attempt is made nobody else makes one; killed amid it, it is made again when that time is over. One target is
# given no more than a few at a time, with those on their way to it, and of one alert the recovery waits for what comes
# before it.
_CLAIM: Final = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY target_id ORDER BY number) AS place FROM alert_notifications AS n
     WHERE state = 'waiting' AND next_attempt_at <= %(now)s
       AND NOT EXISTS (SELECT 1 FROM alert_notifications AS before
                        WHERE before.alert_id = n.alert_id AND before.target_id = n.target_id
                          AND before.state = 'waiting' AND before.number < n.number)
), picked AS (
    SELECT n.id FROM alert_notifications n JOIN due ON due.id = n.id
     WHERE due.place + cardinality(array_positions(%(under_way)s::uuid[], n.target_id)) <= %(each)s
       AND n.state = 'waiting' AND n.next_attempt_at <= %(now)s
     ORDER BY n.number LIMIT %(limit)s FOR UPDATE OF n SKIP LOCKED
)
UPDATE alert_notifications AS n SET attempts = n.attempts + 1,
       next_attempt_at = %(now)s + make_interval(secs => %(held_s)s)
  FROM picked WHERE n.id = picked.id
RETURNING n.id, n.target_id, n.addresses, n.kind, n.content, n.attempts, n.created_at
"""
_SETTLE: Final = """
UPDATE alert_notifications SET state = %(state)s, problem = %(problem)s,
       addresses = coalesce(%(addresses)s::text[], addresses),
       settled_at = CASE WHEN %(state)s <> 'waiting' THEN %(now)s::timestamptz END,
       next_attempt_at = %(now)s + make_interval(secs => least(%(first_s)s * 2 ^ (attempts - 1), %(most_s)s))
 WHERE id = %(id)s AND state = 'waiting'
"""
_FIRING: Final = "SELECT severity, count(*) FROM alerts WHERE ended_by IS NULL GROUP BY severity"
_UNDELIVERED: Final = """
SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'given_up') FROM alert_notifications
"""


async def standing(connection: AsyncConnection[Any]) -> dict[UUID, AlertRow]:
    """The alerts that stand, by their rules. Nobody else changes them until the transaction ends."""
    return {row.rule_id: row for row in await _rows(connection, _STANDING, []) if row.rule_id is not None}


async def standing_of(connection: AsyncConnection[Any], rule_id: UUID) -> AlertRow | None:
    """The one that stands of this rule, locked in the same way."""
    return next(iter(await _rows(connection, _STANDING_OF, [rule_id])), None)


async def add(connection: AsyncConnection[Any], row: AlertRow) -> None:
    written = {name: getattr(row, name) for name in AlertRow.__slots__}
    await connection.execute(_ADD, written | {"content": Jsonb(dict(row.content))})


async def seen(connection: AsyncConnection[Any], alert_id: UUID, *, last: float, worst: float) -> None:
    """Note what the figure is now."""
    await connection.execute(_SEEN, [last, worst, alert_id])


async def end(
    connection: AsyncConnection[Any], alert_id: UUID, ended_by: EndedBy, now: datetime, last: float | None
) -> None:
    await connection.execute(_END, [ended_by, now, last, alert_id])


async def was_told(connection: AsyncConnection[Any], alert_id: UUID, now: datetime) -> None:
    """Note when it was last told of."""
    await connection.execute(_TOLD, [now, alert_id])


async def acknowledge(connection: AsyncConnection[Any], alert_id: UUID, by: str, now: datetime) -> None:
    """Somebody looks after it; the first one stays."""
    await connection.execute(_ACKNOWLEDGE, {"at": now, "by": by, "id": alert_id})


async def mute(connection: AsyncConnection[Any], alert_id: UUID, until: datetime | None) -> None:
    await connection.execute(_MUTE, [until, alert_id])


async def tell(
    connection: AsyncConnection[Any],
    notification_id: UUID,
    kind: Told,
    content: Mapping[str, Any],
    now: datetime,
    *,
    alert_id: UUID | None = None,
    target_id: UUID | None = None,
    addresses: Sequence[str] = (),
) -> None:
    """Put it into the outbox, inside the transaction that it tells of."""
    written = {
        "id": notification_id,
        "alert": alert_id,
        "target": target_id,
        "addresses": list(addresses),
        "kind": kind,
        "content": Jsonb(dict(content)),
        "now": now,
    }
    await connection.execute(_TELL, written)


async def told_targets(connection: AsyncConnection[Any], alert_id: UUID) -> list[UUID]:
    """Whom this alert was told to, or is being told to."""
    return [row[0] for row in await (await connection.execute(_WERE_TOLD, [alert_id])).fetchall()]


async def page(pool: Pool, asked: Mapping[str, Any]) -> list[AlertRow]:
    """Up to `limit` of them, the latest first: by account, firing, rule, severities, since, until; behind at and id."""
    async with transaction(pool) as connection:
        return await _rows(connection, _PAGE, asked)


async def one(connection: AsyncConnection[Any], alert_id: UUID, account_id: int | None) -> AlertRow | None:
    return next(iter(await _rows(connection, _ONE, {"id": alert_id, "account": account_id})), None)


async def notifications(connection: AsyncConnection[Any], alert_id: UUID) -> list[NotificationRow]:
    """All that was told of it, in order."""
    async with connection.cursor(row_factory=class_row(NotificationRow)) as cursor:
        await cursor.execute(_NOTIFICATIONS, [alert_id])
        return await cursor.fetchall()


async def claim(
    pool: Pool,
    now: datetime,
    *,
    limit: int,
    each: int,
    under_way: Sequence[UUID | None],
    held_s: float,
) -> list[Claimed]:
    """Take some that are due. Those that are not settled are due again after `held_s` seconds.

    Args:
        each: at most so many of one target, together with those of `under_way`, which names its target once for each.

    Raises:
        StoreUnavailable: nothing was taken.
    """
    async with transaction(pool) as connection:
        asked = {"now": now, "limit": limit, "each": each, "under_way": list(under_way), "held_s": held_s}
        return [Claimed(*row) for row in await (await connection.execute(_CLAIM, asked)).fetchall()]


async def settle(
    pool: Pool,
    notification_id: UUID,
    state: Delivery,
    problem: str | None,
    now: datetime,
    *,
    first_s: float,
    most_s: float,
    addresses: Sequence[str] | None = None,
) -> None:
    """Note what came of an attempt, and which addresses of mail are left where it did not reach all.

    What waits on is due again after `first_s` seconds, then twice that, … up to `most_s`.
    """
    left = None if addresses is None else list(addresses)
    asked = {
        "id": notification_id, "state": state, "problem": problem, "addresses": left, "now": now,
        "first_s": first_s, "most_s": most_s,
    }  # fmt: skip
    async with transaction(pool) as connection:
        await connection.execute(_SETTLE, asked)


async def counts(pool: Pool) -> AlertCounts:
    """Those that stand, and what could not be told."""
    async with transaction(pool) as connection:
        firing = dict(await (await connection.execute(_FIRING)).fetchall())
        row = await (await connection.execute(_UNDELIVERED)).fetchone()
    waiting, given_up = row or (0, 0)
    return AlertCounts(firing, waiting, given_up)


async def _rows(connection: AsyncConnection[Any], statement: str, asked: Any) -> list[AlertRow]:
    async with connection.cursor(row_factory=class_row(AlertRow)) as cursor:
        await cursor.execute(statement, asked)
        return await cursor.fetchall()
