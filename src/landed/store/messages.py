"""Message rows: loaded and saved by the batch, under lock, so that folding never loses a fact to another tracker."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha1
from operator import itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncConnection

from landed.domain import latency
from landed.domain.counters import Contribution, minute_of
from landed.domain.facts import Heard
from landed.domain.messages import Facts, Message
from landed.domain.receipts import Channel, Content, Direction, Intent, Media, PartOf, Receipt, Source
from landed.domain.statuses import Status
from landed.store.connect import read_in_long_pieces

_NAMESPACE: Final = UUID("1a9ded00-0000-4000-8000-000000000001").bytes


class MessageKey(NamedTuple):
    """How a receipt finds its message: by the provider's id, or, of a message we sent that has none yet, by ours.

    No inbound message is ever taken for one we sent.
    """

    account_id: int
    provider_message_id: str
    direction: str
    our_id: str = ""  #: where this is set, the provider's id is not looked at


class Stored(NamedTuple):
    """What a row tells the tracker: the facts so far, what it counts for, and where it stood."""

    id: UUID
    provider_message_id: str | None
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
    tags: tuple[str, ...] = ()  #: of a message that has no row yet


def message_id(key: MessageKey) -> UUID:
    """Ours, or that of a message first seen by a callback: the same one whoever sees it first."""
    if key.our_id:
        return UUID(key.our_id)
    name = f"{key.account_id}:{key.provider_message_id}"
    if key.direction != Direction.OUTBOUND:
        name = f"{name}:{key.direction}"
    # As uuid5 makes it, in two thirds of its time.
    return UUID(bytes=sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16], version=5)


_LOCKED: Final = """
SELECT m.id, m.account_id, m.provider_message_id, m.direction, m.facts, m.dimension_ids, m.submitted_at, m.parts_of,
       m.units, m.cost_nanos, m.latency_ms, m.receipt_missing, m.converted, m.status, m.final, m.tags
"""
# In the order of the key: two trackers that lock the same messages must not each wait for the other.
_LOCK: Final = f"""{_LOCKED}
  FROM unnest(%s::int[], %s::text[], %s::text[]) AS wanted (account_id, provider_message_id, direction)
  JOIN messages m USING (account_id, provider_message_id, direction)
 ORDER BY m.account_id, m.provider_message_id, m.direction
   FOR UPDATE OF m
"""
_LOCK_OURS: Final = f"""{_LOCKED}
  FROM unnest(%s::uuid[]) AS wanted (id) JOIN messages m USING (id)
 ORDER BY m.id
   FOR UPDATE OF m
"""
_OURS: Final = """
SELECT m.account_id, m.id, m.provider_message_id FROM unnest(%s::uuid[]) AS wanted (id) JOIN messages m USING (id)
"""
_DELETE: Final = "DELETE FROM messages WHERE id = ANY(%s::uuid[])"

_COLUMNS: Final = (
    "provider_message_id", "direction", "channel", "sender", "recipient", "country", "mcc", "mnc", "status",
    "provider_status", "final", "contradictory", "error_code", "parts", "parts_of", "units", "cost_nanos", "currency",
    "submitted_at", "queued_at", "sent_at", "delivered_at", "final_at", "latency_ms", "latency_clock",
    "unknown_statuses", "content", "converted", "receipt_missing", "facts_count", "dimension_ids", "updated_at",
    "facts",
)  # fmt: skip

# Rows travel by COPY through a table of the connection's own, which PostgreSQL reads twice as fast as JSON. It has the
# defaults too: a column that a migration adds while we run is none of ours to fill.
_STAGE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS written_messages (is_new boolean NOT NULL, LIKE messages INCLUDING DEFAULTS)
    ON COMMIT DELETE ROWS
"""
_INSERTED: Final = f"id, account_id, created_at, tags, {', '.join(_COLUMNS)}"
_COPY: Final = f"COPY written_messages (is_new, {_INSERTED}) FROM STDIN (FORMAT csv, NULL 'null', ESCAPE '\\')"
_WRITE: Final = f"""
WITH updated AS (
    UPDATE messages SET {", ".join(f"{name} = written.{name}" for name in _COLUMNS)}
      FROM written_messages AS written WHERE messages.id = written.id AND NOT written.is_new
)
INSERT INTO messages ({_INSERTED})
SELECT {_INSERTED} FROM written_messages WHERE is_new ORDER BY account_id, provider_message_id, direction
    ON CONFLICT DO NOTHING
RETURNING id
"""  # noqa: S608  only names of columns are put in
_EMPTY: Final = "TRUNCATE written_messages"

#: So many rows are half a megabyte.
_MANY: Final = 500


async def lock(connection: AsyncConnection[Any], keys: Sequence[MessageKey]) -> dict[MessageKey, Stored]:
    """The rows there are of these messages, locked until the transaction ends."""
    found: dict[MessageKey, Stored] = {}
    ours = [key for key in keys if key.our_id]
    theirs = [key for key in keys if not key.our_id] if ours else keys
    cursor = connection.cursor(binary=True)
    if len(keys) > _MANY:
        await read_in_long_pieces(connection)
    if ours:
        keys_by_id = {UUID(key.our_id): key for key in ours}
        await cursor.execute(_LOCK_OURS, [sorted(keys_by_id)])
        for row in [_Row(*row) for row in await cursor.fetchall()]:
            if row.account_id == keys_by_id[row.id].account_id:
                found[keys_by_id[row.id]] = row.stored()
    if theirs:
        accounts = "{" + ",".join([str(key.account_id) for key in theirs]) + "}"
        directions = "{" + ",".join([key.direction for key in theirs]) + "}"
        await cursor.execute(_LOCK, [accounts, _array([key.provider_message_id for key in theirs]), directions])
        for row in [_Row(*row) for row in await cursor.fetchall()]:
            found[MessageKey(row.account_id, row.provider_message_id or "", row.direction)] = row.stored()
    return found


async def ours(connection: AsyncConnection[Any], our_ids: Iterable[UUID]) -> dict[tuple[int, UUID], str | None]:
    """Which of these are messages of ours: account and id -> the provider's id, None as long as it has none."""
    cursor = await connection.execute(_OURS, [list(our_ids)])
    return {(account_id, number): provider_message_id async for account_id, number, provider_message_id in cursor}


async def delete(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> None:
    """Take out rows whose facts went into others."""
    if ids:
        await connection.execute(_DELETE, [ids])


async def stage(connection: AsyncConnection[Any]) -> None:
    """What `write` needs: once in each transaction, before."""
    await connection.execute(_STAGE)


async def write(connection: AsyncConnection[Any], messages: Sequence[Folded], now: datetime) -> set[MessageKey]:
    """Write back rows that were locked, and insert rows for messages that had none.

    Returns:
        Those that had none, and have one by now: another tracker came first. Lock and fold these again.
    """
    if not messages:
        return set()
    rows = b"\n".join([_line(folded, now) for folded in messages])
    async with connection.cursor() as cursor:
        async with cursor.copy(_COPY) as copy:
            await copy.write(rows)
        await cursor.execute(_WRITE)
        new = [each for each in messages if each.stored is None]
        are_all_in = cursor.rowcount == len(new)  # nearly always, and then the ids need not be read
        inserted = None if are_all_in else {number for (number,) in await cursor.fetchall()}
        await cursor.execute(_EMPTY)
    return set() if inserted is None else {each.key for each in new if each.id not in inserted}


class _Row(NamedTuple):
    id: UUID
    account_id: int
    provider_message_id: str | None
    direction: str
    facts: str
    dimension_ids: list[int]
    submitted_at: datetime
    parts_of: int
    units: int | None
    cost_nanos: int | None
    latency_ms: int | None
    receipt_missing: bool
    converted: bool | None
    status: str
    final: bool
    tags: list[str]

    def stored(self) -> Stored:
        return Stored(
            self.id,
            self.provider_message_id,
            facts_from_json(self.provider_message_id, orjson.loads(self.facts)),
            Contribution(
                minute_of(self.submitted_at),
                tuple(self.dimension_ids),
                self.parts_of,
                self.units or 0,
                self.cost_nanos or 0,
                None if self.latency_ms is None else latency.bucket(self.latency_ms),
                self.receipt_missing,
                self.converted,
            ),
            _STATUSES[self.status],
            self.final,
            tuple(self.tags),
        )


def _line(folded: Folded, now: datetime) -> bytes:
    """One row for COPY. A JSON array without its brackets is CSV whose escape sign is the backslash, and orjson writes
    it five times as fast as we could; but for control characters, which JSON escapes and CSV does not."""
    message = folded.message
    (
        provider_message_id, facts, direction, channel, sender, recipient, country, mcc, mnc, status, provider_status,
        final, contradictory, error_code, parts, parts_of, units, cost_nanos, currency, submitted_at, queued_at,
        sent_at, delivered_at, final_at, latency_ms, latency_clock, unknown, content, converted, receipt_missing,
    ) = message  # fmt: skip
    row = orjson.dumps(
        (
            folded.stored is None,
            folded.id,
            folded.key.account_id,
            now,
            _array(folded.tags) if folded.tags else "{}",
            provider_message_id,
            direction,
            channel,
            sender,
            recipient,
            country,
            mcc,
            mnc,
            status,
            provider_status,
            final,
            contradictory,
            error_code,
            orjson.dumps([part._asdict() for part in parts]).decode() if parts else "[]",
            parts_of,
            units,
            cost_nanos,
            currency,
            submitted_at,
            queued_at,
            sent_at,
            delivered_at,
            final_at,
            latency_ms,
            latency_clock,
            _array(unknown) if unknown else "{}",
            orjson.dumps(content, default=_content_to_json).decode() if content else None,
            converted,
            receipt_missing,
            len(facts),
            "{" + ",".join(map(str, folded.contribution.dimension_ids)) + "}",
            now,
        ),
        option=orjson.OPT_UTC_Z,
    )[1:-1]
    if b"\\" in row and _CONTROL.search(row):  # the first alone takes a tenth of the time
        row = _ESCAPE.sub(_without_escape, row)
    told = orjson.dumps(facts_to_json(facts), default=tuple, option=orjson.OPT_UTC_Z)
    return b'%b,"%b"' % (row, told.replace(b"\\", b"\\\\").replace(b'"', b'\\"'))


def _without_escape(found: re.Match[bytes]) -> bytes:
    """A control character as itself; a quote or backslash stays escaped, for CSV as for JSON."""
    escape = found[0]
    return escape if escape in _ESCAPED_ALIKE else orjson.loads(b'"' + escape + b'"').encode()


_CONTROL: Final = re.compile(rb"\\[bfnrtu]")
_ESCAPE: Final = re.compile(rb'\\(?:["\\bfnrt]|u[0-9a-f]{4})')
_ESCAPED_ALIKE: Final = (b'\\"', b"\\\\")


def _array(texts: Iterable[str]) -> str:
    """An array literal."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _content_to_json(content: Content | Media) -> dict[str, Any]:
    return content._asdict()


# --- the set of facts as JSON ---------------------------------------------------------------------------------
# A list per fact: when and by which callbacks it was heard, then the fields of Receipt in their order, but for the
# provider's id of the message, and for the last two where they say nothing. Facts of our own have no provider's id.


def facts_to_json(facts: Facts) -> list[tuple[Any, ...]]:
    """Earliest heard first. Times are left as they are: orjson writes them."""
    earliest_first = sorted(facts.items(), key=_HEARD) if len(facts) > 1 else facts.items()
    return [
        heard + (receipt[1:-2] if receipt[-1] is None and receipt[-2] is None else receipt[1:])
        for receipt, heard in earliest_first
    ]


def facts_from_json(provider_message_id: str | None, facts: Iterable[Sequence[Any]]) -> dict[Receipt, Heard]:
    """The set of facts as it was before facts_to_json."""
    known: dict[Receipt, Heard] = {}
    moment = datetime.fromisoformat
    for fact in facts:
        received_at, callback_ids, word, status, source, part, direction, channel = fact[:8]
        sender, recipient, mcc, mnc, error_code, units, cost_nanos, currency, sequence = fact[8:17]
        submitted_at, queued_at, sent_at, final_at, our_id, extra, *rare = fact[17:]
        receipt = Receipt(
            provider_message_id if provider_message_id and source != "ours" else "",
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
            _content_from_json(*rare[0]) if rare and rare[0] else None,
            rare[1] if rare else None,
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
