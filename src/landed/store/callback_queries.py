"""Finding callbacks: the accepted ones in the journal's table, and the latest refused ones, newest first."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, func, literal, or_, select, true, tuple_
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
#: Of a stretch so many callbacks are looked into, where what is sought lies in their bodies.
SEARCHED_MAX: Final = 20_000


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
    """All of these have to hold; of several values one."""

    account_ids: Sequence[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[int] | None = None  #: of accepted ones
    reasons: Sequence[str] = ()
    kinds: Sequence[str] = ()
    methods: Sequence[str] = ()
    verified_by: str | None = None  #: a header's name, lower case
    values: Sequence[str] = ()  #: a field of the form, JSON or query has one of these for its value
    texts: Sequence[str] = ()  #: URL or body contain one of these
    header_text: str | None = None  #: the headers contain this
    secrets_searched: bool = False  #: `texts` may lie in the account's key: else finding would be guessing it

    @property
    def is_search(self) -> bool:
        """Whether what is sought lies in the callbacks themselves, so that each has to be looked into."""
        return bool(self.values or self.texts or self.header_text)

    @property
    def is_of_accepted(self) -> bool:
        """Whether refused ones cannot be among them: they have neither id nor kind, and nothing verified them."""
        return bool(self.ids is not None or self.kinds or self.verified_by)


class Found(NamedTuple):
    """A row of either table and its place in the order."""

    cursor: CallbackCursor
    row: Row[Any]


class Page(NamedTuple):
    """`reached`: a search ended there, at its bound, and goes on behind it. None: it ended with what there is."""

    found: list[Found]
    reached: CallbackCursor | None = None


async def page(
    engine: AsyncEngine, wanted: CallbackFilter, verdict: Verdict | None, after: CallbackCursor | None, limit: int
) -> Page:
    """Up to `limit` callbacks behind the cursor, the latest first."""
    found: list[Found] = []
    reached = None
    if verdict is Verdict.SET_ASIDE or (wanted.reasons and verdict is not Verdict.REFUSED):
        found, reached = await _accepted(engine, _set_aside(wanted, after), wanted, limit)
    elif verdict is not Verdict.REFUSED and wanted.ids is not None:
        statement = _select_accepted().where(*_plain(wanted), *_behind(after))
        found, reached = await _accepted(engine, statement, wanted, limit)
    elif verdict is not Verdict.REFUSED:
        found, reached = await _in_stretches(engine, wanted, after, limit)
    if verdict in (None, Verdict.REFUSED) and not wanted.is_of_accepted:
        found += await _refused(engine, wanted, after, limit)
    if reached is not None:  # what is older comes with the next page
        found = [each for each in found if each.cursor >= reached]
    return Page(sorted(found, key=lambda each: each.cursor, reverse=True)[:limit], reached)


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
) -> tuple[list[Found], CallbackCursor | None]:
    column = callbacks.c
    found: list[Found] = []
    end = min((at for at in (wanted.until, after and after.received_at) if at), default=datetime.now(UTC))
    upper: datetime | None = None
    stretch = _FIRST_STRETCH
    for number in range(_STRETCHES_MAX + 1):
        lower = _back(end, stretch) if number < _STRETCHES_MAX else None
        where = [*_plain(wanted), *_behind(after)]
        where += [column.received_at >= lower] if lower else []
        where += [column.received_at < upper] if upper else []
        more, reached = await _accepted(engine, _select_accepted().where(*where), wanted, limit - len(found))
        found += more
        if len(found) >= limit or lower is None or reached or (wanted.since and lower <= wanted.since):
            return found, reached
        upper, stretch = lower, stretch * _STRETCH_GROWS
    return found, None


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
    where += [set_aside.c.reason.in_(wanted.reasons)] if wanted.reasons else []
    return _select_accepted().where(same, *where, *_plain(wanted), *_behind(after))


async def _accepted(
    engine: AsyncEngine, statement: Select[Any], wanted: CallbackFilter, limit: int
) -> tuple[list[Found], CallbackCursor | None]:
    """The latest of these callbacks. A search looks into SEARCHED_MAX of them, and tells where it ended at that."""
    if not wanted.is_search:
        rows = await reading.rows(engine, _latest(statement).limit(limit))
        return [Found(_place(row), row) for row in rows], None
    column = callbacks.c
    place = func.row_number().over(order_by=(column.received_at.desc(), column.id.desc())).label("place")
    inner = _latest(statement.add_columns(column.headers, column.body, place)).limit(SEARCHED_MAX).subquery()
    matches = and_(*_sought(inner.c.url, inner.c.body, inner.c.headers, wanted))
    shown = [each for each in inner.c if each.name not in ("headers", "body")]
    searched = (
        select(*shown, matches.label("matches"))
        .where(or_(matches, inner.c.place == SEARCHED_MAX))
        .order_by(inner.c.received_at.desc(), inner.c.id.desc())
        .limit(limit + 1)
    )
    rows = await reading.rows(engine, searched)
    found = [Found(_place(row), row) for row in rows if row.matches]
    is_bound = bool(rows) and rows[-1].place == SEARCHED_MAX
    return found[:limit], _place(rows[-1]) if is_bound else None


def _place(row: Row[Any]) -> CallbackCursor:
    return CallbackCursor(row.received_at, True, row.id, 0)


def _plain(wanted: CallbackFilter) -> Iterator[ColumnElement[bool]]:
    """What can be told without looking into a callback."""
    column = callbacks.c
    yield from _window(column.received_at, wanted)
    yield from _of(column.account_id, wanted.account_ids)
    if wanted.ids is not None:
        yield column.id.in_(wanted.ids)
    if wanted.kinds:
        yield column.kind.in_(wanted.kinds)
    if wanted.methods:
        yield column.method.in_(wanted.methods)
    if wanted.verified_by:
        yield func.strpos(literal(",") + column.verified_by + ",", f",{wanted.verified_by},") > 0


def _sought(
    url: ColumnElement[Any], body: ColumnElement[Any], headers: ColumnElement[Any], wanted: CallbackFilter
) -> Iterator[ColumnElement[bool]]:
    if wanted.header_text:
        yield _within(wanted.header_text.encode(), headers)
    if wanted.texts:
        in_url, in_body = (url, true()) if wanted.secrets_searched else (_behind_key(url), _tells_no_key(url, body))
        yield or_(
            *(or_(and_(_within(text.encode(), body), in_body), func.strpos(in_url, text) > 0) for text in wanted.texts)
        )
    if wanted.values:
        query, ended = func.split_part(url, "?", 2) + literal("&"), body.op("||")(literal(b"&"))
        yield or_(
            *(
                or_(
                    _within(f"={value}&".encode(), ended),
                    _within(f'"{value}"'.encode(), body),
                    func.strpos(query, f"={value}&") > 0,
                )
                for value in wanted.values
            )
        )


def _behind_key(url: ColumnElement[Any]) -> ColumnElement[Any]:
    """What follows the key, kind and our id for one; of other addresses the query."""
    return func.coalesce(func.substring(url, "/callbacks/[^/?#]+(.*)"), func.split_part(url, "?", 2))


def _tells_no_key(url: ColumnElement[Any], body: ColumnElement[Any]) -> ColumnElement[bool]:
    """Some providers repeat in the body which address they call; JSON may write it with `\\/`."""
    path = func.substring(url, "^[^:]+://[^/?#]*([^?#]*)")
    written = (path, func.replace(path, "/", "\\/"))
    return and_(
        ~_within(b"/callbacks", body),
        *(func.pg_catalog.position(body, func.convert_to(each, "UTF8")) == 0 for each in written),
    )


def _within(sought: bytes, content: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.pg_catalog.position(content, literal(sought)) > 0


async def _refused(
    engine: AsyncEngine, wanted: CallbackFilter, after: CallbackCursor | None, limit: int
) -> list[Found]:
    column = refused_callbacks.c
    where = [*_window(column.received_at, wanted), *_of(column.account_id, wanted.account_ids)]
    where += _sought(column.url, column.body, column.headers, wanted)
    where += [column.reason.in_(wanted.reasons)] if wanted.reasons else []
    where += [column.method.in_(wanted.methods)] if wanted.methods else []
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


async def why_set_aside(pool: Pool, callback_id: int) -> tuple[str | None, str | None]:
    """Reason and detail; nothing where it is not set aside."""
    async with transaction(pool) as connection:
        cursor = await connection.execute("SELECT reason, detail FROM set_aside WHERE callback_id = %s", [callback_id])
        row = await cursor.fetchone()
    return (row[0], row[1]) if row else (None, None)


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
