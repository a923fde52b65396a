"""Finding opt-outs: lists by filter, latest change first, and one by its id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.store import reading
from landed.store.schema import opt_outs

_LISTED: Final = tuple(column for column in opt_outs.c if column.name != "facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutFilter:
    """All of these have to hold."""

    account_ids: Sequence[int] | None = None
    sender: str | None = None
    recipient: str | None = None
    opted_out: bool | None = None
    sources: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


async def page(
    engine: AsyncEngine, wanted: OptOutFilter, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` of them behind that place, latest change first."""
    conditions = [*_conditions(wanted), *_behind(after)]
    latest_first = (opt_outs.c.changed_at.desc(), opt_outs.c.id.desc())
    return await reading.rows(engine, select(*_LISTED).where(*conditions).order_by(*latest_first).limit(limit))


async def one(engine: AsyncEngine, opt_out_id: UUID, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """One with its facts."""
    conditions = [opt_outs.c.id == opt_out_id, *_conditions(OptOutFilter(account_ids=account_ids))]
    return next(iter(await reading.rows(engine, select(opt_outs).where(*conditions))), None)


def _conditions(wanted: OptOutFilter) -> Iterator[ColumnElement[bool]]:
    column = opt_outs.c
    if wanted.account_ids is not None:
        yield column.account_id.in_(wanted.account_ids)
    if wanted.sender is not None:
        yield column.sender == wanted.sender
    if wanted.recipient is not None:
        yield column.recipient == wanted.recipient
    if wanted.opted_out is not None:
        yield column.opted_out.is_(wanted.opted_out)
    if wanted.sources:
        yield column.source.in_(wanted.sources)
    if wanted.since is not None:
        yield column.changed_at >= wanted.since
    if wanted.until is not None:
        yield column.changed_at < wanted.until


def _behind(after: tuple[datetime, UUID] | None) -> Iterator[ColumnElement[bool]]:
    if after is not None:
        at, number = after
        yield tuple_(opt_outs.c.changed_at, opt_outs.c.id) < tuple_(literal(at), literal(number))
