"""Finding messages: lists by filter, newest first, and one by its id."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, any_, case, literal, or_, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.receipts import Direction
from landed.store import networks, reading
from landed.store.schema import accounts, messages, outbox

#: What lists show: all but the facts, which are most of a row, and what only the tracker needs.
_LISTED: Final = tuple(column for column in messages.c if column.name not in ("facts", "dimension_ids"))


#: What a bound may say of a column.
COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}


class Bound(NamedTuple):
    """`> 30000`; a message whose value is not known is outside of any."""

    comparison: str
    value: int


class MessageCursor(NamedTuple):
    """The last message of a page; the next page begins after it. What comes in meanwhile shifts nothing."""

    submitted_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """All of these have to hold; of several values one. `None` among the values stands for "not known"."""

    account_ids: Sequence[int] | None = None
    statuses: Sequence[str] = ()
    channels: Sequence[str] = ()
    direction: str | None = None
    senders: Sequence[str | None] = ()
    ours: Sequence[str | None] = ()  #: who sent it, where we did, and whom it came in to, where another did
    recipient: str | None = None
    countries: Sequence[str | None] = ()
    error_codes: Sequence[str | None] = ()
    tags: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    networks: Sequence[tuple[str | None, str | None]] = ()  #: see `networks.among`
    currencies: Sequence[str | None] = ()
    units: Sequence[Bound] = ()
    latency_ms: Sequence[Bound] = ()
    contradictory: bool | None = None
    receipt_missing: bool | None = None
    converted: bool | None = None
    text: str | None = None  #: our id, the provider's id, or the number it went to, whole
    number: str | None = None  #: `text` as a phone number


async def page(
    engine: AsyncEngine, wanted: MessageFilter, after: MessageCursor | None, limit: int
) -> Sequence[Row[Any]]:
    """Up to `limit` messages behind the cursor, newest submission first."""
    conditions = [*_conditions(wanted), *_behind(after)]
    if wanted.text is not None:
        # Each way to find it has an index of its own: asked for one by one, no plan falls back to reading everything.
        ways = (_newest(conditions, limit, way).subquery() for way in _ways(wanted.text, wanted.number))
        conditions = [messages.c.id.in_(union(*(select(way.c.id) for way in ways)))]
    return await reading.rows(engine, _newest(conditions, limit, None, *_LISTED))


async def one(engine: AsyncEngine, message_id: str, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """A message whole, with its facts: by our id, else by the provider's (the newest, if accounts share one)."""
    ways = [_by_provider_id(message_id)]
    uuid = _uuid(message_id)
    if uuid is not None:
        ways.insert(0, messages.c.id == uuid)
    for way in ways:
        conditions = [way, *_conditions(MessageFilter(account_ids=account_ids))]
        found = await reading.rows(engine, _newest(conditions, 1, None, *messages.c))
        if found:
            return found[0]
    return None


async def progress(engine: AsyncEngine, message_id: UUID) -> Row[Any] | None:
    """Where the message stands in the outbox; None: it is not in there."""
    column = outbox.c
    columns = (column.state, column.due_at, column.attempts, column.problem, column.expires_at)
    found = await reading.rows(engine, select(*columns).where(column.id == message_id))
    return found[0] if found else None


def _newest(
    conditions: Sequence[ColumnElement[bool]], limit: int, way: ColumnElement[bool] | None, *columns: Any
) -> Select[Any]:
    statement = select(*(columns or (messages.c.id,))).where(*conditions)
    if way is not None:
        statement = statement.where(way)
    return statement.order_by(messages.c.submitted_at.desc(), messages.c.id.desc()).limit(limit)


def _conditions(wanted: MessageFilter) -> Iterator[ColumnElement[bool]]:
    column = messages.c
    if wanted.account_ids is not None:
        yield column.account_id.in_(wanted.account_ids)
    if wanted.statuses:
        yield column.status.in_(wanted.statuses)
    if wanted.channels:
        yield column.channel.in_(wanted.channels)
    if wanted.direction is not None:
        yield column.direction == wanted.direction
    if wanted.senders:
        yield _among(column.sender, wanted.senders)
    if wanted.ours:
        ours = case((column.direction == Direction.OUTBOUND.value, column.sender), else_=column.recipient)
        yield _among(ours, wanted.ours)
    if wanted.recipient is not None:
        yield column.recipient == wanted.recipient
    if wanted.countries:
        yield _among(column.country, wanted.countries)
    if wanted.error_codes:
        yield _among(column.error_code, wanted.error_codes)
    if wanted.tags:
        yield or_(*(literal(tag) == any_(column.tags) for tag in wanted.tags))
    if wanted.networks:
        yield networks.among(messages, wanted.networks)
    if wanted.currencies:
        yield _among(column.currency, wanted.currencies)
    for name, bounds in (("units", wanted.units), ("latency_ms", wanted.latency_ms)):
        for bound in bounds:
            yield COMPARISONS[bound.comparison](column[name], bound.value)
    for name in ("contradictory", "receipt_missing", "converted"):
        if (holds := getattr(wanted, name)) is not None:
            yield column[name].is_(holds)
    if wanted.since is not None:
        yield column.submitted_at >= wanted.since
    if wanted.until is not None:
        yield column.submitted_at < wanted.until


def _among(column: ColumnElement[Any], values: Sequence[str | None]) -> ColumnElement[bool]:
    known = column.in_([value for value in values if value is not None])
    return or_(known, column.is_(None)) if None in values else known


def _behind(after: MessageCursor | None) -> Iterator[ColumnElement[bool]]:
    if after is not None:
        yield tuple_(messages.c.submitted_at, messages.c.id) < tuple_(literal(after.submitted_at), literal(after.id))


def _ways(text: str, number: str | None) -> Iterator[ColumnElement[bool]]:
    yield messages.c.recipient == (number or text)
    yield _by_provider_id(text)
    uuid = _uuid(text)
    if uuid is not None:
        yield messages.c.id == uuid


def _by_provider_id(text: str) -> ColumnElement[bool]:
    # The index begins with the account: naming all accounts makes it usable before PostgreSQL 18, too.
    return messages.c.account_id.in_(select(accounts.c.id)) & (messages.c.provider_message_id == text)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
