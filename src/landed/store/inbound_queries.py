"""Finding inbound messages: lists by filter, newest first, one by its id, and what became of their media."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, literal, literal_column, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.store import reading
from landed.store.schema import accounts, media, messages

#: Written out, not sent as a parameter: any plan can use the indexes of inbound messages alone then.
_IS_INBOUND: Final = messages.c.direction == literal_column("'inbound'")
_LISTED: Final = tuple(column for column in messages.c if column.name not in ("facts", "dimension_ids"))


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFilter:
    """All of these have to hold; of several values one."""

    account_ids: Sequence[int] | None = None
    channels: Sequence[str] = ()
    sender: str | None = None  #: the person's number
    recipient: str | None = None  #: ours
    intents: Sequence[str | None] = ()  #: None among them: nothing that is recognised
    has_media: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None  #: our id, the provider's, or either number, whole
    number: str | None = None  #: `text` as a phone number


async def page(
    engine: AsyncEngine, wanted: InboundFilter, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` messages behind that place, newest first."""
    conditions = [*_conditions(wanted), *_behind(after)]
    if wanted.text is not None:
        # Each way to find it has an index of its own: asked for one by one, no plan falls back to reading everything.
        number = wanted.number or wanted.text
        ways = [*_by_id(wanted.text), messages.c.sender == number, messages.c.recipient == number]
        each = (_newest([*conditions, way], limit, messages.c.id).subquery() for way in ways)
        conditions = [_IS_INBOUND, messages.c.id.in_(union(*(select(way.c.id) for way in each)))]
    return await reading.rows(engine, _newest(conditions, limit, *_LISTED))


async def one(engine: AsyncEngine, message_id: str, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """A message whole, with its facts: by our id, else by the provider's (the newest, if accounts share one)."""
    for way in _by_id(message_id):
        conditions = [way, *_conditions(InboundFilter(account_ids=account_ids))]
        found = await reading.rows(engine, _newest(conditions, 1, *messages.c))
        if found:
            return found[0]
    return None


async def media_of(engine: AsyncEngine, message_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """What became of downloading what came with these messages."""
    if not message_ids:
        return []
    return await reading.rows(engine, select(media).where(media.c.message_id.in_(message_ids)))


def _newest(conditions: Sequence[ColumnElement[bool]], limit: int, *columns: Any) -> Select[Any]:
    newest_first = (messages.c.submitted_at.desc(), messages.c.id.desc())
    return select(*columns).where(*conditions).order_by(*newest_first).limit(limit)


def _conditions(wanted: InboundFilter) -> Iterator[ColumnElement[bool]]:
    column = messages.c
    yield _IS_INBOUND
    if wanted.account_ids is not None:
        yield column.account_id.in_(wanted.account_ids)
    if wanted.channels:
        yield column.channel.in_(wanted.channels)
    if wanted.sender is not None:
        yield column.sender == wanted.sender
    if wanted.recipient is not None:
        yield column.recipient == wanted.recipient
    if wanted.intents:
        intent = func.coalesce(column.content["intent"].astext, "")
        yield intent.in_([value or "" for value in wanted.intents])
    if wanted.has_media is not None:
        count = func.coalesce(func.jsonb_array_length(column.content["media"]), 0)
        yield count > 0 if wanted.has_media else count == 0
    if wanted.since is not None:
        yield column.submitted_at >= wanted.since
    if wanted.until is not None:
        yield column.submitted_at < wanted.until


def _behind(after: tuple[datetime, UUID] | None) -> Iterator[ColumnElement[bool]]:
    if after is not None:
        at, number = after
        yield tuple_(messages.c.submitted_at, messages.c.id) < tuple_(literal(at), literal(number))


def _by_id(text: str) -> Iterator[ColumnElement[bool]]:
    with contextlib.suppress(ValueError):
        yield messages.c.id == UUID(text)
    # The index begins with the account: naming all accounts makes it usable before PostgreSQL 18, too.
    yield messages.c.account_id.in_(select(accounts.c.id)) & (messages.c.provider_message_id == text)
