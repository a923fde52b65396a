"""Message rows: loaded and saved by the batch, under lock, so that folding never loses a fact to another tracker."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson
from psycopg import AsyncConnection

from landed.domain import latency
from landed.domain.counters import Contribution, minute_of
from landed.domain.facts import Heard
from landed.domain.messages import Facts, Message
from landed.domain.receipts import Channel, Content, Direction, Intent, Media, PartOf, Receipt, Source
from landed.domain.statuses import Status

_NAMESPACE: Final = UUID("1a9ded00-0000-4000-8000-000000000001")


class MessageKey(NamedTuple):
    """How a provider's receipt finds its message: no inbound message is ever taken for one we sent."""

    account_id: int
    provider_message_id: str
    direction: str


class Stored(NamedTuple):
    """What a row tells the tracker: the facts so far, what it counts for, and where it stood."""

    id: UUID
    facts: Facts
    contribution: Contribution
    status: Status
    final: bool
    tags: tuple[str, ...]


class Folded(NamedTuple):
    """A message that news came for: as it stood (None: no row yet), as it stands, and what it counts for now."""

    id: UUID
    key: MessageKey
    stored: Stored | None
    message: Message
    contribution: Contribution


def message_id(key: MessageKey) -> UUID:
    """Our id of a message that was first seen by a callback: the same one whoever sees it first."""
    name = f"{key.account_id}:{key.provider_message_id}"
    return uuid5(_NAMESPACE, name if key.direction == Direction.OUTBOUND else f"{name}:{key.direction}")


# In the order of the key: two trackers that lock the same messages must not each wait for the other.
_LOCK: Final = """
SELECT m.id, m.account_id, m.provider_message_id, m.direction, m.facts, m.dimension_ids, m.submitted_at, m.parts_of,
       m.units, m.cost_nanos, m.latency_ms, m.status, m.final, m.tags
  FROM unnest(%s::int[], %s::text[], %s::text[]) AS wanted (account_id, provider_message_id, direction)
  JOIN messages m USING (account_id, provider_message_id, direction)
 ORDER BY m.account_id, m.provider_message_id, m.direction
   FOR UPDATE OF m
"""

_COLUMNS: Final = (
    "direction", "channel", "sender", "recipient", "country", "mcc", "mnc", "status", "provider_status", "final",
    "contradictory", "error_code", "parts", "parts_of", "units", "cost_nanos", "currency", "submitted_at", "queued_at",
    "sent_at", "delivered_at", "final_at", "latency_ms", "latency_clock", "unknown_statuses", "content", "facts",
    "facts_count", "dimension_ids", "updated_at",
)  # fmt: skip

# Rows travel by COPY through a table of the connection's own, which PostgreSQL reads twice as fast as JSON.
_STAGE: Final = "CREATE TEMPORARY TABLE IF NOT EXISTS staged_messages (LIKE messages) ON COMMIT DELETE ROWS"
_COPY: Final = (
    f"COPY staged_messages (id, account_id, provider_message_id, created_at, tags, {', '.join(_COLUMNS)}) FROM STDIN"
)
_INSERT: Final = """
INSERT INTO messages SELECT * FROM staged_messages ORDER BY account_id, provider_message_id, direction
    ON CONFLICT (account_id, provider_message_id, direction) DO NOTHING
RETURNING account_id, provider_message_id, direction
"""
_UPDATE: Final = f"""
UPDATE messages SET {", ".join(f"{name} = staged.{name}" for name in _COLUMNS)}
  FROM staged_messages AS staged WHERE messages.id = staged.id
"""  # noqa: S608  only names of columns are put in
_EMPTY: Final = "TRUNCATE staged_messages"


async def lock(connection: AsyncConnection[Any], keys: Sequence[MessageKey]) -> dict[MessageKey, Stored]:
    """The rows there are of these messages, locked until the transaction ends."""
    if not keys:
        return {}
    cursor = connection.cursor(binary=True)
    accounts = "{" + ",".join([str(key.account_id) for key in keys]) + "}"
    directions = "{" + ",".join([key.direction for key in keys]) + "}"
    await cursor.execute(_LOCK, [accounts, _array([key.provider_message_id for key in keys]), directions])
    rows = [_Row(*row) for row in await cursor.fetchall()]
    return {MessageKey(row.account_id, row.provider_message_id, row.direction): row.stored() for row in rows}


async def insert(connection: AsyncConnection[Any], messages: Sequence[Folded], now: datetime) -> set[MessageKey]:
    """Insert rows for messages that had none.

    Returns:
        The keys that went in. The others came in by another tracker just now: lock and fold those again.
    """
    if not messages:
        return set()
    await _stage(connection, messages, now)
    cursor = await connection.execute(_INSERT)
    keys = {MessageKey(*key) for key in await cursor.fetchall()}
    await connection.execute(_EMPTY)
    return keys


async def update(connection: AsyncConnection[Any], messages: Sequence[Folded], now: datetime) -> None:
    """Write back rows that were locked."""
    if messages:
        await _stage(connection, messages, now)
        await connection.execute(_UPDATE)
        await connection.execute(_EMPTY)


async def _stage(connection: AsyncConnection[Any], messages: Sequence[Folded], now: datetime) -> None:
    written_at = now.isoformat()
    rows = "".join([_line(folded, written_at) for folded in messages])
    await connection.execute(_STAGE)
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        await copy.write(rows)


class _Row(NamedTuple):
    id: UUID
    account_id: int
    provider_message_id: str
    direction: str
    facts: str
    dimension_ids: list[int]
    submitted_at: datetime
    parts_of: int
    units: int | None
    cost_nanos: int | None
    latency_ms: int | None
    status: str
    final: bool
    tags: list[str]

    def stored(self) -> Stored:
        return Stored(
            self.id,
            facts_from_json(self.provider_message_id, orjson.loads(self.facts)),
            Contribution(
                minute_of(self.submitted_at),
                tuple(self.dimension_ids),
                self.parts_of,
                self.units or 0,
                self.cost_nanos or 0,
                None if self.latency_ms is None else latency.bucket(self.latency_ms),
            ),
            _STATUSES[self.status],
            self.final,
            tuple(self.tags),
        )


def _line(folded: Folded, now: str) -> str:
    """One row as COPY's text format wants it: tabs between, \\N for null, text escaped."""
    message, contribution = folded.message, folded.contribution
    unknown, parts = message.unknown_statuses, message.parts
    values = (
        folded.id,
        folded.key.account_id,
        _escaped(folded.key.provider_message_id),
        now,
        "{}",
        message.direction,
        message.channel,
        _escaped(message.sender),
        _escaped(message.recipient),
        message.country,
        message.mcc,
        message.mnc,
        message.status,
        _escaped(message.provider_status),
        message.final,
        message.contradictory,
        _escaped(message.error_code),
        _escaped(orjson.dumps([part._asdict() for part in parts]).decode()) if parts else "[]",
        message.parts_of,
        message.units,
        message.cost_nanos,
        message.currency,
        message.submitted_at,
        message.queued_at,
        message.sent_at,
        message.delivered_at,
        message.final_at,
        message.latency_ms,
        message.latency_clock,
        _escaped(_array(unknown)) if unknown else "{}",
        _escaped(orjson.dumps(message.content, default=_content_to_json).decode()) if message.content else None,
        _escaped(orjson.dumps(facts_to_json(message.facts), default=tuple, option=orjson.OPT_UTC_Z).decode()),
        len(message.facts),
        "{" + ",".join(map(str, contribution.dimension_ids)) + "}",
        now,
    )
    return "\t".join(["\\N" if value is None else str(value) for value in values]) + "\n"


def _escaped(text: str | None) -> str | None:
    if text is None or not _SPECIAL.search(text):
        return text
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


_SPECIAL: Final = re.compile(r"[\\\t\n\r]")


def _array(texts: Iterable[str]) -> str:
    """An array literal."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _content_to_json(content: Content | Media) -> dict[str, Any]:
    return content._asdict()


# --- the set of facts as JSON ---------------------------------------------------------------------------------
# A list per fact: when and by which callbacks it was heard, then the fields of Receipt in their order, but for the
# message's own id, and for the content where there is none.


def facts_to_json(facts: Facts) -> list[tuple[Any, ...]]:
    """Earliest heard first. Times are left as they are: orjson writes them."""
    return [
        (*heard, *receipt[1:]) if receipt.content else (*heard, *receipt[1:-1])
        for receipt, heard in sorted(facts.items(), key=_HEARD)
    ]


def facts_from_json(provider_message_id: str, facts: Iterable[Sequence[Any]]) -> dict[Receipt, Heard]:
    """The set of facts as it was before facts_to_json."""
    known: dict[Receipt, Heard] = {}
    moment = datetime.fromisoformat
    for fact in facts:
        received_at, callback_ids, word, status, source, part, direction, channel = fact[:8]
        sender, recipient, mcc, mnc, error_code, units, cost_nanos, currency, sequence = fact[8:17]
        submitted_at, queued_at, sent_at, final_at, our_id, extra, *content = fact[17:]
        receipt = Receipt(
            provider_message_id,
            word,
            None if status is None else _STATUSES[status],
            _SOURCES[source],
            None if part is None else PartOf(*part),
            _DIRECTIONS[direction],
            None if channel is None else _CHANNELS[channel],
            sender,
            recipient,
            mcc,
            mnc,
            error_code,
            units,
            cost_nanos,
            currency,
            sequence,
            None if submitted_at is None else moment(submitted_at),
            None if queued_at is None else moment(queued_at),
            None if sent_at is None else moment(sent_at),
            None if final_at is None else moment(final_at),
            our_id,
            tuple(map(tuple, extra)),
            _content_from_json(*content[0]) if content else None,
        )
        known[receipt] = Heard(moment(received_at), tuple(callback_ids))
    return known


def _content_from_json(
    text: str | None, media: Sequence[Sequence[Any]], intent: str | None, content_type: str | None
) -> Content:
    return Content(text, tuple(Media(*each) for each in media), Intent(intent) if intent else None, content_type)


_HEARD: Final = itemgetter(1)
_STATUSES: Final = {word.value: word for word in Status}
_SOURCES: Final = {word.value: word for word in Source}
_DIRECTIONS: Final = {word.value: word for word in Direction}
_CHANNELS: Final = {word.value: word for word in Channel}
