"""Finding callbacks: the accepted ones in the journal's table, and the latest refused ones, newest first."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.callbacks import Callback, CallbackRequest, headers_of
from landed.domain.words import Word
from landed.store import reading
from landed.store.accounts import Pool
from landed.store.connect import transaction
from landed.store.schema import callbacks, lanes, refused_callbacks, set_aside

#: The journal is looked through backwards in growing stretches of time, so that the newest page
#: touches the newest partition only, however much lies behind it.
_FIRST_STRETCH: Final = timedelta(hours=1)
_STRETCH_GROWS: Final = 8
_STRETCHES_MAX: Final = 5


class Verdict(Word):
    """What to list."""

    ACCEPTED = "accepted"  #: in the journal, set aside or not
    REFUSED = "refused"  #: turned away at the door
    SET_ASIDE = "set_aside"  #: accepted, and it changed no state


class CallbackCursor(NamedTuple):
    """The last callback of a page. At one moment accepted ones come first, by `number` (their id); then refused
    ones by `number` (their account) and `slot`."""

    received_at: datetime
    accepted: bool
    number: int
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFilter:
    account_ids: Sequence[int] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Found(NamedTuple):
    """A row of either table and its place in the order."""

    cursor: CallbackCursor
    row: Row[Any]


async def page(
    engine: AsyncEngine, wanted: CallbackFilter, verdict: Verdict | None, after: CallbackCursor | None, limit: int
) -> list[Found]:
    """Up to `limit` callbacks behind the cursor, the latest first."""
    found: list[Found] = []
    if verdict is Verdict.SET_ASIDE:
        found += await _accepted(engine, _set_aside(wanted, after).limit(limit))
    elif verdict is not Verdict.REFUSED:
        found += await _in_stretches(engine, wanted, after, limit)
    if verdict is None or verdict is Verdict.REFUSED:
        found += await _refused(engine, wanted, after, limit)
    return sorted(found, key=lambda each: each.cursor, reverse=True)[:limit]


async def accepted(engine: AsyncEngine, number: int, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """One callback of the journal, with headers and body."""
    where = [callbacks.c.id == number, *_of(callbacks.c.account_id, account_ids)]
    statement = _select_accepted(callbacks.c.headers, callbacks.c.body).where(*where)
    return next(iter(await reading.rows(engine, statement)), None)


async def refused(
    engine: AsyncEngine, account_id: int, slot: int, received_at: datetime, account_ids: Sequence[int] | None
) -> Row[Any] | None:
    """One refused callback with headers and the first bytes of its body; None once its slot was written over."""
    column = refused_callbacks.c
    statement = select(refused_callbacks).where(
        column.account_id == account_id,
        column.slot == slot,
        column.received_at == received_at,
        *_of(column.account_id, account_ids),
    )
    return next(iter(await reading.rows(engine, statement)), None)


async def positions(engine: AsyncEngine) -> dict[int, str]:
    """How far each lane is tracked, in the journal's own writing."""
    return {row.lane: row.position for row in await reading.rows(engine, select(lanes.c.lane, lanes.c.position))}


def is_waiting(row: Row[Any], tracked_to: Mapping[int, str]) -> bool:
    """Whether a callback of the journal is still to be tracked: it lies behind the position of its lane."""
    position = tracked_to.get(row.lane)
    if not position:  # nothing of this lane is tracked yet
        return True
    epoch, xid, number = map(int, position.split(":"))  # as journal/postgres.py writes it
    return bool((row.epoch, int(row.xid), row.id) > (epoch, xid, number))


async def _in_stretches(
    engine: AsyncEngine, wanted: CallbackFilter, after: CallbackCursor | None, limit: int
) -> list[Found]:
    column = callbacks.c
    found: list[Found] = []
    end = min((at for at in (wanted.until, after and after.received_at) if at), default=datetime.now(UTC))
    upper: datetime | None = None
    stretch = _FIRST_STRETCH
    for number in range(_STRETCHES_MAX + 1):
        lower = _back(end, stretch) if number < _STRETCHES_MAX else None
        where = [*_window(column.received_at, wanted), *_of(column.account_id, wanted.account_ids), *_behind(after)]
        where += [column.received_at >= lower] if lower else []
        where += [column.received_at < upper] if upper else []
        statement = _select_accepted().where(*where)
        found += await _accepted(engine, _latest(statement).limit(limit - len(found)))
        if len(found) >= limit or lower is None or (wanted.since and lower <= wanted.since):
            break
        upper, stretch = lower, stretch * _STRETCH_GROWS
    return found


def _back(end: datetime, stretch: timedelta) -> datetime | None:
    try:
        return end - stretch
    except OverflowError:
        return None


def _select_accepted(*more: Any) -> Select[Any]:
    column = callbacks.c
    return select(
        column.id, column.received_at, column.account_id, column.method, column.url, column.kind, column.our_id,
        column.verified_by, func.octet_length(column.body).label("body_bytes"), column.lane, column.epoch,
        cast(column.xid, Text).label("xid"), set_aside.c.reason, set_aside.c.detail, *more,
    ).select_from(callbacks.outerjoin(set_aside, set_aside.c.callback_id == column.id))  # fmt: skip


def _latest(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(callbacks.c.received_at.desc(), callbacks.c.id.desc())


def _set_aside(wanted: CallbackFilter, after: CallbackCursor | None) -> Select[Any]:
    """Begins at the few that were set aside; their time leads to the one partition each is in."""
    same = and_(callbacks.c.id == set_aside.c.callback_id, callbacks.c.received_at == set_aside.c.received_at)
    where = [*_window(set_aside.c.received_at, wanted), *_of(set_aside.c.account_id, wanted.account_ids)]
    return _latest(_select_accepted().where(same, *where, *_behind(after)))


async def _accepted(engine: AsyncEngine, statement: Select[Any]) -> list[Found]:
    return [
        Found(CallbackCursor(row.received_at, True, row.id, 0), row) for row in await reading.rows(engine, statement)
    ]


async def _refused(
    engine: AsyncEngine, wanted: CallbackFilter, after: CallbackCursor | None, limit: int
) -> list[Found]:
    column = refused_callbacks.c
    where = [*_window(column.received_at, wanted), *_of(column.account_id, wanted.account_ids)]
    if after is not None and after.accepted:
        where.append(column.received_at <= after.received_at)
    elif after is not None:
        place = (literal(after.received_at), literal(after.number), literal(after.slot))
        where.append(tuple_(column.received_at, column.account_id, column.slot) < tuple_(*place))
    statement = (
        select(*(each for each in column if each.name not in ("headers", "body")))
        .where(*where)
        .order_by(column.received_at.desc(), column.account_id.desc(), column.slot.desc())
        .limit(limit)
    )
    return [
        Found(CallbackCursor(row.received_at, False, row.account_id, row.slot), row)
        for row in await reading.rows(engine, statement)
    ]


def _behind(after: CallbackCursor | None) -> Iterator[ColumnElement[bool]]:
    if after is not None and after.accepted:
        place = (literal(after.received_at), literal(after.number))
        yield tuple_(callbacks.c.received_at, callbacks.c.id) < tuple_(*place)
    elif after is not None:
        yield callbacks.c.received_at < after.received_at


def _window(column: ColumnElement[Any], wanted: CallbackFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield column >= wanted.since
    if wanted.until is not None:
        yield column < wanted.until


def _of(column: ColumnElement[Any], account_ids: Sequence[int] | None) -> Iterator[ColumnElement[bool]]:
    if account_ids is not None:
        yield column.in_(account_ids)


# --- for replay: whole callbacks, as the journal gives them ------------------------------------------------------

_BETWEEN: Final = """
SELECT id, account_id, received_at, method, url, headers, body, kind, our_id, verified_by
  FROM callbacks
 WHERE received_at >= %s AND received_at < %s AND id > %s
 ORDER BY id LIMIT %s
"""
_BY_IDS: Final = """
SELECT id, account_id, received_at, method, url, headers, body, kind, our_id, verified_by
  FROM callbacks
 WHERE id = ANY(%s)
 ORDER BY id
"""
_SET_ASIDE: Final = """
SELECT c.id, c.account_id, c.received_at, c.method, c.url, c.headers, c.body, c.kind, c.our_id, c.verified_by
  FROM set_aside s JOIN callbacks c ON c.id = s.callback_id AND c.received_at = s.received_at
 WHERE c.id > %s
 ORDER BY c.id LIMIT %s
"""


async def between(pool: Pool, since: datetime, until: datetime, after_id: int, limit: int) -> list[Callback]:
    """The next callbacks received in that time, by id. Call again with the last id until none come."""
    return [callback async for callback in _whole(pool, _BETWEEN, [since, until, after_id, limit])]


async def by_ids(pool: Pool, ids: Sequence[int]) -> list[Callback]:
    """Those of them that are still kept."""
    return [callback async for callback in _whole(pool, _BY_IDS, [list(ids)])]


async def set_aside_after(pool: Pool, after_id: int, limit: int) -> list[Callback]:
    """The next callbacks that are set aside, by id."""
    return [callback async for callback in _whole(pool, _SET_ASIDE, [after_id, limit])]


async def _whole(pool: Pool, statement: str, parameters: Sequence[Any]) -> AsyncIterator[Callback]:
    async with transaction(pool) as connection:
        cursor = await connection.execute(statement, parameters)
        found = await cursor.fetchall()
    for number, account_id, received_at, method, url, headers, body, kind, our_id, verified_by in found:
        yield Callback(
            id=number,
            account_id=account_id,
            received_at=received_at,
            request=CallbackRequest(
                method=method, url=url, headers=headers_of(headers), body=body, kind=kind, our_id=our_id
            ),
            verified_by=tuple(verified_by.split(",")) if verified_by else (),
        )
