"""Finding verify sessions: lists by filter, newest first, and one by its id."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, literal, or_, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.store import networks, reading
from landed.store.schema import accounts, sessions, verify_starts

#: What lists show: all but the facts, which are most of a row.
_LISTED: Final = tuple(column for column in sessions.c if column.name != "facts")


class SessionCursor(NamedTuple):
    """The last session of a page; the next page begins after it. What comes in meanwhile shifts nothing."""

    started_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """All of these have to hold; of several values one. `None` among the values stands for "not known"."""

    account_ids: Sequence[int] | None = None
    statuses: Sequence[str] = ()
    channels: Sequence[str | None] = ()  #: of the first attempt
    recipient: str | None = None
    countries: Sequence[str | None] = ()
    networks: Sequence[tuple[str | None, str | None]] = ()  #: see `networks.among`
    error_codes: Sequence[str | None] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None  #: our id, the provider's, that of the callback's path, or the recipient's number, whole
    number: str | None = None  #: `text` as a phone number


async def page(
    engine: AsyncEngine, wanted: SessionFilter, after: SessionCursor | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` sessions behind the cursor, newest start first."""
    conditions = [*_conditions(wanted), *_behind(after)]
    if wanted.text is not None:
        # Each way to find it has an index of its own: asked for one by one, no plan falls back to reading everything.
        ways = [*_by_id(wanted.text), sessions.c.recipient == (wanted.number or wanted.text)]
        each = (_newest([*conditions, way], limit, sessions.c.id).subquery() for way in ways)
        conditions = [sessions.c.id.in_(union(*(select(way.c.id) for way in each)))]
    return await reading.rows(engine, _newest(conditions, limit, *_LISTED))


class Resent(NamedTuple):
    """Our ids of what a session sends again, and of what was started to send it again, earliest first."""

    before: UUID | None
    after: Sequence[UUID]


async def resent(engine: AsyncEngine, account_id: int, provider_session_id: str) -> Resent:
    """Of a provider that goes on with the same session, nothing: there the two are one."""
    column = verify_starts.c
    own = await reading.rows(
        engine,
        select(column.id, column.resent_from).where(
            column.account_id == account_id, column.provider_session_id == provider_session_id
        ),
    )
    ids = {row.id for row in own}
    later = (
        await reading.rows(
            engine,
            select(column.id)
            .where(column.resent_from.in_(ids), column.state != "refused")
            .order_by(column.asked_at, column.id),
        )
        if ids
        else ()
    )
    before = next((row.resent_from for row in own if row.resent_from and row.resent_from not in ids), None)
    return Resent(before, [row.id for row in later if row.id not in ids])


async def one(engine: AsyncEngine, session_id: str, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """A session whole, with its facts: by our id, else by the provider's, else by the one in its callbacks' path
    (the newest, if several share it)."""
    for way in _by_id(session_id):
        found = await reading.rows(
            engine, _newest([way, *_conditions(SessionFilter(account_ids=account_ids))], 1, *sessions.c)
        )
        if found:
            return found[0]
    return None


def _newest(conditions: Sequence[ColumnElement[bool]], limit: int, *columns: Any) -> Select[Any]:
    newest_first = (sessions.c.started_at.desc(), sessions.c.id.desc())
    return select(*columns).where(*conditions).order_by(*newest_first).limit(limit)


def _conditions(wanted: SessionFilter) -> Iterator[ColumnElement[bool]]:
    column = sessions.c
    if wanted.account_ids is not None:
        yield column.account_id.in_(wanted.account_ids)
    if wanted.statuses:
        yield column.status.in_(wanted.statuses)
    if wanted.networks:
        yield networks.among(sessions, wanted.networks)
    if wanted.channels:
        yield _among(column.channel, wanted.channels)
    if wanted.recipient is not None:
        yield column.recipient == wanted.recipient
    if wanted.countries:
        yield _among(column.country, wanted.countries)
    if wanted.error_codes:
        yield _among(column.error_code, wanted.error_codes)
    if wanted.since is not None:
        yield column.started_at >= wanted.since
    if wanted.until is not None:
        yield column.started_at < wanted.until


def _among(column: ColumnElement[Any], values: Sequence[str | None]) -> ColumnElement[bool]:
    known = column.in_([value for value in values if value is not None])
    return or_(known, column.is_(None)) if None in values else known


def _behind(after: SessionCursor | None) -> Iterator[ColumnElement[bool]]:
    if after is not None:
        yield tuple_(sessions.c.started_at, sessions.c.id) < tuple_(literal(after.started_at), literal(after.id))


def _by_id(text: str) -> Iterator[ColumnElement[bool]]:
    with contextlib.suppress(ValueError):  # then it is not ours
        yield sessions.c.id == UUID(text)
    # The index begins with the account: naming all accounts makes it usable before PostgreSQL 18, too.
    yield sessions.c.account_id.in_(select(accounts.c.id)) & (sessions.c.provider_session_id == text)
    yield sessions.c.our_id == text
    with contextlib.suppress(ValueError):  # of several starts that the provider took for one session
        started = select(verify_starts.c.account_id, verify_starts.c.provider_session_id)
        yield tuple_(sessions.c.account_id, sessions.c.provider_session_id).in_(
            started.where(verify_starts.c.id == UUID(text))
        )
