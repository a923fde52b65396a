"""Rows of what is registered for 10DLC: a table each for brands, campaigns and numbers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson
from psycopg import AsyncConnection
from pydantic import TypeAdapter
from sqlalchemy import Table

from landed.domain.occasions import Facts, Hearing, content
from landed.domain.receipts import RegistrationReceipt
from landed.domain.registration_names import Known, Name
from landed.domain.registrations import Standing, Thing
from landed.store.schema import brands, campaigns, number_links

_NAMESPACE: Final = UUID("1a9ded00-0000-4000-8000-000000000003")
#: Of the locks below, the first number: one for each kind of thing. The second is the account.
_LOCKS: Final = {Thing.BRAND: 0x10DC01, Thing.CAMPAIGN: 0x10DC02, Thing.NUMBER: 0x10DC03}

TABLES: Final = {Thing.BRAND: brands, Thing.CAMPAIGN: campaigns, Thing.NUMBER: number_links}
#: The column that holds the provider's id of a thing.
PROVIDER_ID: Final = {
    Thing.BRAND: "provider_brand_id",
    Thing.CAMPAIGN: "provider_campaign_id",
    Thing.NUMBER: "number",
}

_FACTS: Final[TypeAdapter[list[tuple[RegistrationReceipt, tuple[Hearing, ...]]]]] = TypeAdapter(
    list[tuple[RegistrationReceipt, tuple[Hearing, ...]]]
)


class Row(NamedTuple):
    """A thing as it is to be written."""

    name: Name
    known: Known
    standing: Standing


def row_id(thing: Thing, account_id: int, name: Name) -> UUID:
    """Our id of a thing: the same one whoever sees it first."""
    kind, value = ("provider", name.provider_id) if name.provider_id else ("ours", name.our_id or "")
    return uuid5(_NAMESPACE, f"{thing}:{account_id}:{kind}:{value}")


async def lock(connection: AsyncConnection[Any], thing: Thing, account_id: int) -> None:
    """One tracker at a time for these rows of an account, until the transaction ends: facts move between rows."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCKS[thing], account_id])


async def load(
    connection: AsyncConnection[Any], thing: Thing, account_id: int, names: Iterable[Name], our_ids: Iterable[str]
) -> dict[Name, Known]:
    """The rows there are of these names, and two at most that each of our ids was seen together with."""
    named, met = list(names), list(our_ids)
    cursor = await connection.execute(
        _LOAD[thing],
        {
            "account_id": account_id,
            "provider_ids": [name.provider_id for name in named if name.provider_id],
            "our_ids": met,
            "ids": [row_id(thing, account_id, name) for name in (*named, *(Name(None, our_id) for our_id in met))],
        },
    )
    return {
        Name(provider_id, None if provider_id else next(iter(ours), None)): Known(frozenset(ours), facts(text))
        async for provider_id, ours, text in cursor
    }


async def write(
    connection: AsyncConnection[Any], thing: Thing, account_id: int, rows: Sequence[Row], now: datetime
) -> None:
    """Make these rows, or write them anew."""
    if rows:
        values = [_values(thing, account_id, row, now) for row in rows]
        await connection.execute(_WRITE[thing], [orjson.dumps(values, default=tuple).decode()])


async def delete(connection: AsyncConnection[Any], thing: Thing, account_id: int, names: Iterable[Name]) -> None:
    """Things whose last fact moved to another."""
    ids = [row_id(thing, account_id, name) for name in names]
    if ids:
        await connection.execute(_DELETE[thing], [ids])


def facts(text: str) -> dict[RegistrationReceipt, tuple[Hearing, ...]]:
    """The set of facts as it was before it became text."""
    return dict(_FACTS.validate_json(text))


def facts_text(known: Facts) -> str:
    """The set of facts as the row keeps it: one text for one set."""
    return _FACTS.dump_json(sorted(known.items(), key=lambda fact: content(fact[0]))).decode()


def _values(thing: Thing, account_id: int, row: Row, now: datetime) -> Mapping[str, Any]:
    name, known, standing = row
    request = standing.request
    values = {
        "id": row_id(thing, account_id, name),
        "account_id": account_id,
        "our_ids": sorted(known.our_ids),
        "earlier_ids": [row_id(thing, account_id, Name(None, our_id)) for our_id in sorted(known.our_ids)]
        if name.provider_id
        else [],
        "status": standing.status,
        "provider_status": standing.provider_status,
        "final": standing.final,
        "status_since": standing.since,
        "reason": request.reason if request else None,
        "error_code": request.error_code if request else None,
        "unknown_statuses": standing.unknown_statuses,
        "facts": facts_text(known.facts),
        "first_heard_at": standing.first_heard_at,
        "created_at": now,
        "updated_at": now,
        "provider_brand_id": standing.provider_brand_id,
        "provider_campaign_id": standing.provider_campaign_id,
        "free": standing.free,
        "request": request._asdict() if request else None,
        PROVIDER_ID[thing]: name.provider_id,
    }
    return {name: value for name, value in values.items() if name in TABLES[thing].c}


def _load(table: Table, provider_id: str) -> str:
    return f"""
        SELECT {provider_id}, our_ids, facts FROM {table.name}
         WHERE account_id = %(account_id)s
           AND ({provider_id} = ANY(%(provider_ids)s::text[]) OR id = ANY(%(ids)s::uuid[])
                OR id IN (SELECT met.id FROM unnest(%(our_ids)s::text[]) AS wanted (our_id), LATERAL (
                              SELECT id FROM {table.name}
                               WHERE account_id = %(account_id)s AND our_ids @> ARRAY[wanted.our_id]
                                 AND {provider_id} IS NOT NULL
                               LIMIT 2) AS met))"""  # noqa: S608  names of tables and columns


def _write(table: Table) -> str:
    names = [column.name for column in table.c if column.name not in ("id", "created_at")]
    return f"""
        INSERT INTO {table.name} SELECT * FROM jsonb_populate_recordset(NULL::{table.name}, %s)
            ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in names)}"""  # noqa: S608


_LOAD: Final = {thing: _load(table, PROVIDER_ID[thing]) for thing, table in TABLES.items()}
_WRITE: Final = {thing: _write(table) for thing, table in TABLES.items()}
_DELETE: Final = {
    thing: f"DELETE FROM {table.name} WHERE id = ANY(%s)"  # noqa: S608  names of tables
    for thing, table in TABLES.items()
}
