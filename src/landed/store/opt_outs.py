"""Rows of opt-outs: kept by the tracker and by hand alike, asked before anything is sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from pydantic import TypeAdapter

from landed.domain.facts import Heard
from landed.domain.opt_outs import Facts, OptOut, OptOutFact, OptOutKey

_FACTS: Final = TypeAdapter(list[tuple[OptOutFact, Heard]])


class Stored(NamedTuple):
    id: UUID
    facts: Facts


class Folded(NamedTuple):
    """An opt-out that news came for."""

    id: UUID
    key: OptOutKey
    opt_out: OptOut


# In the order of the key: two trackers that lock the same rows must not each wait for the other.
_LOCK: Final = """
SELECT o.id, o.account_id, o.sender, o.recipient, o.facts
  FROM unnest(%s::int[], %s::text[], %s::text[]) AS wanted (account_id, sender, recipient)
  JOIN opt_outs o USING (account_id, sender, recipient)
 ORDER BY o.account_id, o.sender, o.recipient
   FOR UPDATE OF o
"""
_INSERT: Final = """
INSERT INTO opt_outs SELECT * FROM jsonb_populate_recordset(NULL::opt_outs, %s) ORDER BY account_id, sender, recipient
    ON CONFLICT (account_id, sender, recipient) DO NOTHING RETURNING account_id, sender, recipient
"""
_UPDATE: Final = """
UPDATE opt_outs SET opted_out = n.opted_out, changed_at = n.changed_at, keyword = n.keyword, source = n.source,
       provider_message_id = n.provider_message_id, facts = n.facts, updated_at = n.updated_at
  FROM jsonb_populate_recordset(NULL::opt_outs, %s) n WHERE opt_outs.id = n.id
"""
_OPTED_OUT: Final = """
SELECT o.account_id, o.sender, o.recipient
  FROM unnest(%s::int[], %s::text[], %s::text[]) AS wanted (account_id, sender, recipient)
  JOIN opt_outs o USING (account_id, sender, recipient)
 WHERE o.opted_out
"""


async def opted_out(connection: AsyncConnection[Any], keys: Iterable[OptOutKey]) -> set[OptOutKey]:
    """Those of them that hold now: nothing is to be sent from that sender to that recipient.

    Args:
        keys: numbers as domain/numbers.py writes them.
    """
    cursor = await connection.execute(_OPTED_OUT, _columns(list(keys)))
    return {OptOutKey(*row) for row in await cursor.fetchall()}


async def is_opted_out(connection: AsyncConnection[Any], account_id: int, sender: str, recipient: str) -> bool:
    """Whether the recipient does not want to hear from that sender."""
    return bool(await opted_out(connection, [OptOutKey(account_id, sender, recipient)]))


async def lock(connection: AsyncConnection[Any], keys: Sequence[OptOutKey]) -> dict[OptOutKey, Stored]:
    """The rows there are, locked until the transaction ends."""
    cursor = await connection.execute(_LOCK, _columns(keys))
    return {
        OptOutKey(account_id, sender, recipient): Stored(number, facts_of(facts))
        for number, account_id, sender, recipient, facts in await cursor.fetchall()
    }


async def insert(connection: AsyncConnection[Any], folded: Sequence[Folded], now: datetime) -> set[OptOutKey]:
    """Insert rows for keys that had none; gives those that went in.

    The others came in by another transaction just now: lock and fold those again.
    """
    if not folded:
        return set()
    cursor = await connection.execute(_INSERT, [_json(folded, now)])
    return {OptOutKey(*row) for row in await cursor.fetchall()}


async def update(connection: AsyncConnection[Any], folded: Sequence[Folded], now: datetime) -> None:
    """Write back rows that were locked."""
    if folded:
        await connection.execute(_UPDATE, [_json(folded, now)])


def facts_of(text: str) -> dict[OptOutFact, Heard]:
    """The set of facts as a row keeps it."""
    return dict(_FACTS.validate_json(text))


def _json(folded: Sequence[Folded], now: datetime) -> str:
    return orjson.dumps([_row(each, now) for each in folded]).decode()


def _row(folded: Folded, now: datetime) -> Mapping[str, Any]:
    opt_out = folded.opt_out
    facts = sorted(opt_out.facts.items(), key=lambda fact: (fact[1], repr(fact[0])))
    return {
        "id": folded.id,
        **folded.key._asdict(),
        "opted_out": opt_out.opted_out,
        "changed_at": opt_out.changed_at,
        "keyword": opt_out.keyword,
        "source": opt_out.source,
        "provider_message_id": opt_out.provider_message_id,
        "facts": _FACTS.dump_json(facts).decode(),
        "created_at": now,
        "updated_at": now,
    }


def _columns(keys: Sequence[OptOutKey]) -> list[list[Any]]:
    return [[key.account_id for key in keys], [key.sender for key in keys], [key.recipient for key in keys]]
