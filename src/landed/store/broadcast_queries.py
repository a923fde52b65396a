"""Finding broadcasts: lists by filter, newest first, and one by its id."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.store import reading
from landed.store.schema import broadcasts

_LISTED: Final = tuple(column for column in broadcasts.c if column.name != "facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastFilter:
    """All of these have to hold."""

    account_ids: Sequence[int] | None = None
    final: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None  #: our id, the provider's, that of the callback's path, or the name, whole


async def page(
    engine: AsyncEngine, wanted: BroadcastFilter, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` broadcasts behind that place, those first heard of latest first."""
    conditions = [*_conditions(wanted), *_behind(after)]
    if wanted.text is not None:  # there are hundreds, not millions
        conditions.append(or_(*_by_id(wanted.text), broadcasts.c.name == wanted.text))
    return await reading.rows(engine, _newest(conditions, limit, *_LISTED))


async def one(engine: AsyncEngine, broadcast_id: str, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """A broadcast whole, with its facts: by our id, else by the provider's, else by the one in its callbacks' path
    (the newest, if several share it)."""
    for way in _by_id(broadcast_id):
        conditions = [way, *_conditions(BroadcastFilter(account_ids=account_ids))]
        found = await reading.rows(engine, _newest(conditions, 1, *broadcasts.c))
        if found:
            return found[0]
    return None


def _newest(conditions: Sequence[ColumnElement[bool]], limit: int, *columns: Any) -> Select[Any]:
    newest_first = (broadcasts.c.first_heard_at.desc(), broadcasts.c.id.desc())
    return select(*columns).where(*conditions).order_by(*newest_first).limit(limit)


def _conditions(wanted: BroadcastFilter) -> Iterator[ColumnElement[bool]]:
    column = broadcasts.c
    if wanted.account_ids is not None:
        yield column.account_id.in_(wanted.account_ids)
    if wanted.final is not None:
        yield column.final.is_(wanted.final)
    if wanted.since is not None:
        yield column.first_heard_at >= wanted.since
    if wanted.until is not None:
        yield column.first_heard_at < wanted.until


def _behind(after: tuple[datetime, UUID] | None) -> Iterator[ColumnElement[bool]]:
    if after is not None:
        at, number = after
        yield tuple_(broadcasts.c.first_heard_at, broadcasts.c.id) < tuple_(literal(at), literal(number))


def _by_id(text: str) -> Iterator[ColumnElement[bool]]:
    with contextlib.suppress(ValueError):
        yield broadcasts.c.id == UUID(text)
    yield broadcasts.c.provider_broadcast_id == text
    yield broadcasts.c.our_id == text
