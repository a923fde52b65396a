"""Finding brands, campaigns and numbers: lists by filter, newest first, one by any of its names, and how many stand
where. They are few: what filters ask for needs no index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, any_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.registrations import Thing
from landed.store import reading
from landed.store.registrations import PROVIDER_ID, TABLES

#: What lists show: all but the facts, which are most of a row.
_LISTED: Final = {
    thing: tuple(column for column in table.c if column.name != "facts") for thing, table in TABLES.items()
}


class RegistrationCursor(NamedTuple):
    """The last thing of a page; the next page begins after it."""

    first_heard_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFilter:
    """All of these have to hold; of several values one."""

    account_ids: Sequence[int] | None = None
    statuses: Sequence[str] = ()
    provider_brand_id: str | None = None  #: of campaigns
    provider_campaign_id: str | None = None  #: of numbers
    text: str | None = None  #: any of its names, whole
    number: str | None = None  #: `text` as a phone number


async def page(
    engine: AsyncEngine, thing: Thing, wanted: RegistrationFilter, after: RegistrationCursor | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` things behind the cursor, those first heard of last first."""
    column = TABLES[thing].c
    statement = select(*_LISTED[thing]).where(*_conditions(thing, wanted))
    if after is not None:
        statement = statement.where(
            tuple_(column.first_heard_at, column.id) < tuple_(literal(after.first_heard_at), literal(after.id))
        )
    return await reading.rows(engine, statement.order_by(column.first_heard_at.desc(), column.id.desc()).limit(limit))


async def one(
    engine: AsyncEngine, thing: Thing, name: str, number: str | None, account_ids: Sequence[int] | None
) -> Row[Any] | None:
    """A thing whole, with its facts: by our id, else by the provider's or the number, else by our id in callback
    paths, else by an id that it had before. The newest, where several have it."""
    table = TABLES[thing]
    for way in _ways(thing, name, number):
        statement = select(table).where(way, *_conditions(thing, RegistrationFilter(account_ids=account_ids)))
        found = await reading.rows(engine, statement.order_by(table.c.first_heard_at.desc(), table.c.id).limit(1))
        if found:
            return found[0]
    return None


async def standing(
    engine: AsyncEngine, thing: Thing, account_ids: Sequence[int] | None, shown: int
) -> Sequence[Row[Any]]:
    """For each status up to `shown` things that have had it for longest; `things` is how many have it."""
    table = TABLES[thing]
    ranked = (
        select(
            *_LISTED[thing],
            func.row_number()
            .over(partition_by=table.c.status, order_by=(table.c.status_since, table.c.id))
            .label("place"),
            func.count().over(partition_by=table.c.status).label("things"),
        )
        .where(*_conditions(thing, RegistrationFilter(account_ids=account_ids)))
        .subquery()
    )
    return await reading.rows(
        engine, select(ranked).where(ranked.c.place <= shown).order_by(ranked.c.status, ranked.c.place)
    )


def _conditions(thing: Thing, wanted: RegistrationFilter) -> Iterator[ColumnElement[bool]]:
    column = TABLES[thing].c
    if wanted.account_ids is not None:
        yield column.account_id.in_(wanted.account_ids)
    if wanted.statuses:
        yield column.status.in_(wanted.statuses)
    if wanted.provider_brand_id is not None:
        yield column.provider_brand_id == wanted.provider_brand_id
    if wanted.provider_campaign_id is not None:
        yield column.provider_campaign_id == wanted.provider_campaign_id
    if wanted.text is not None:
        yield or_(*_ways(thing, wanted.text, wanted.number))


def _ways(thing: Thing, name: str, number: str | None) -> Iterator[ColumnElement[bool]]:
    column = TABLES[thing].c
    uuid = _uuid(name)
    if uuid is not None:
        yield column.id == uuid
    yield column[PROVIDER_ID[thing]] == ((number if thing is Thing.NUMBER else None) or name)
    yield literal(name) == any_(column.our_ids)
    if uuid is not None:
        yield literal(uuid) == any_(column.earlier_ids)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
