"""Callbacks in the order in which they were kept, from a place on: for streams that miss nothing and repeat nothing.

The journal's order over all its lanes, read as it is read for tracking: only below the oldest running transaction, so
that nothing can come in behind a place once passed. Refused callbacks are a sample in another table, in the order in
which they came, a moment later.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.store import reading

#: A refused callback is written so long after it came at most, unless there is a flood of them.
REFUSED_AFTER: Final = timedelta(seconds=3)
#: Longer than any callback waits to be kept.
_KEPT_AFTER: Final = timedelta(seconds=60)
#: The same, and longer than the clocks of two machines are apart.
_DAYS_APART: Final = timedelta(days=2)
_ID_MAX: Final = 2**63 - 1


class Place(NamedTuple):
    """The last callback that was read: of the journal by epoch, transaction and id; of the refused by its moment.

    `received_at` is that of the last of the journal: it spares looking at days that are over.
    """

    epoch: int
    xid: int
    id: int
    received_at: datetime
    refused_at: datetime


class Head(NamedTuple):
    """An accepted callback without what is in it."""

    place: tuple[int, int, int]
    account_id: int
    received_at: datetime
    body_bytes: int


_HEADS: Final = text("""
SELECT c.*
  FROM (SELECT lane FROM lanes UNION SELECT generate_series(0, :lanes - 1)) AS every,
       LATERAL (SELECT id, received_at, account_id, octet_length(body) AS body_bytes, epoch, xid
                  FROM callbacks
                 WHERE lane = every.lane AND received_at >= :since
                   AND (epoch, xid, id) > (CAST(:epoch AS smallint), CAST(:xid AS xid8), CAST(:id AS bigint))
                   AND (epoch, xid) < ((SELECT max(epoch) FROM journal_epochs),
                                       pg_snapshot_xmin(pg_current_snapshot()))
                 ORDER BY epoch, xid, id LIMIT :limit) AS c
 ORDER BY c.epoch, c.xid, c.id LIMIT :limit
""")
_WHOLE: Final = text("""
SELECT id, received_at, account_id, method, url, kind, our_id, headers, body, verified_by,
       octet_length(body) AS body_bytes
  FROM callbacks
 WHERE id = ANY(:ids) AND received_at BETWEEN :first AND :last
""")
_REFUSED: Final = text("""
SELECT account_id, slot, reason, detail, received_at, method, url, headers, body, body_bytes
  FROM refused_callbacks
 WHERE received_at > :after AND received_at <= :until
 ORDER BY received_at, account_id, slot LIMIT :limit
""")
_END: Final = text("""
SELECT coalesce(max(epoch), 0) AS epoch, CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS xmin
  FROM journal_epochs
""")
_BEFORE: Final = text("""
SELECT epoch, CAST(xid AS text) AS xid, id FROM callbacks
 WHERE received_at < :before ORDER BY received_at DESC, id DESC LIMIT 1
""")


async def end(engine: AsyncEngine, now: datetime) -> Place:
    """The place behind all that is kept by now."""
    (row,) = await reading.rows(engine, _END)
    return Place(row.epoch, int(row.xmin) - 1, _ID_MAX, now, now - REFUSED_AFTER)


async def before(engine: AsyncEngine, since: datetime) -> Place:
    """A place before all that was received since then; some of what was received earlier may lie behind it."""
    found = await reading.rows(engine, _BEFORE.bindparams(before=since - _KEPT_AFTER))
    row = next(iter(found), None)
    return Place(row.epoch, int(row.xid), row.id, since, since) if row else Place(0, 0, 0, since, since)


async def heads(engine: AsyncEngine, after: Place, *, lanes: int, limit: int) -> list[Head]:
    """The next accepted callbacks behind a place, in order."""
    since = after.received_at - _DAYS_APART
    statement = _HEADS.bindparams(
        lanes=lanes, since=since, epoch=after.epoch, xid=str(after.xid), id=after.id, limit=limit
    )
    return [
        Head((row.epoch, int(row.xid), row.id), row.account_id, row.received_at, row.body_bytes)
        for row in await reading.rows(engine, statement)
    ]


async def whole(engine: AsyncEngine, wanted: Sequence[Head]) -> Mapping[int, Row[Any]]:
    """These callbacks with all that is in them, by id; one that was dropped with its day is not there."""
    if not wanted:
        return {}
    ats = [head.received_at for head in wanted]
    statement = _WHOLE.bindparams(ids=[head.place[2] for head in wanted], first=min(ats), last=max(ats))
    return {row.id: row for row in await reading.rows(engine, statement)}


async def refused(engine: AsyncEngine, after: datetime, *, limit: int) -> Sequence[Row[Any]]:
    """The next refused callbacks after a moment, in order, but those that came just now."""
    until = datetime.now(UTC) - REFUSED_AFTER
    return await reading.rows(engine, _REFUSED.bindparams(after=after, until=until, limit=limit))
