"""Rows of the things that come by the thousand, not by the million: verify sessions, broadcasts.

A table of such things has `id`, `account_id`, the provider's id, `facts` (JSON: the set of facts that all else in the
row is derived from) and the columns derived from it. Messages have statements of their own, for speed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID, uuid5

import orjson
from psycopg import AsyncConnection
from pydantic import TypeAdapter
from sqlalchemy import Table

from landed.domain.facts import Heard

R = TypeVar("R")

_NAMESPACE: Final = UUID("1a9ded00-0000-4000-8000-000000000002")


class ThingKey(NamedTuple):
    """How a provider's receipt finds its thing."""

    account_id: int
    provider_id: str


class Stored(NamedTuple, Generic[R]):
    id: UUID
    facts: Mapping[R, Heard]


class Rows(Generic[R]):
    """The rows of one kind of thing."""

    def __init__(self, table: Table, provider_id: str, receipt: type[R]) -> None:
        """`provider_id` is the name of the column that holds the provider's id of the thing."""
        self._name = table.name
        self._provider_id = provider_id
        self._facts: TypeAdapter[list[tuple[R, Heard]]] = TypeAdapter(list[tuple[receipt, Heard]])  # type: ignore[valid-type]  # a type that is a value
        names = [column.name for column in table.c]
        key = f"account_id, {provider_id}"
        derived = ", ".join(name for name in names if name not in ("id", "account_id", provider_id, "created_at"))
        # In the order of the key: two trackers that lock the same rows must not each wait for the other.
        self._lock = f"""
            SELECT t.id, t.account_id, t.{provider_id}, t.facts
              FROM unnest(%s::int[], %s::text[]) AS wanted (account_id, {provider_id})
              JOIN {table.name} t USING ({key}) ORDER BY {key} FOR UPDATE OF t"""  # noqa: S608  names of columns
        self._insert = f"""
            INSERT INTO {table.name} SELECT * FROM jsonb_populate_recordset(NULL::{table.name}, %s) ORDER BY {key}
                ON CONFLICT ({key}) DO NOTHING RETURNING {key}"""  # noqa: S608
        self._update = f"""
            UPDATE {table.name} AS t SET ({derived}) = (SELECT {derived.replace(", ", ", n.").join(("n.", ""))})
              FROM jsonb_populate_recordset(NULL::{table.name}, %s) n WHERE t.id = n.id"""  # noqa: S608

    def new_id(self, key: ThingKey) -> UUID:
        """Our id of a thing that was first seen by a callback: the same one whoever sees it first."""
        return uuid5(_NAMESPACE, f"{self._name}:{key.account_id}:{key.provider_id}")

    async def lock(self, connection: AsyncConnection[Any], keys: Sequence[ThingKey]) -> dict[ThingKey, Stored[R]]:
        """The rows there are of these things, locked until the transaction ends."""
        cursor = await connection.execute(
            self._lock, [[key.account_id for key in keys], [key.provider_id for key in keys]]
        )
        return {
            ThingKey(account_id, provider_id): Stored(number, self.facts(facts))
            async for number, account_id, provider_id, facts in cursor
        }

    async def insert(self, connection: AsyncConnection[Any], rows: Sequence[Mapping[str, Any]]) -> set[ThingKey]:
        """Insert rows for things that had none; gives the keys that went in.

        The others came in by another tracker just now: lock and fold those again.
        """
        if not rows:
            return set()
        cursor = await connection.execute(self._insert, [_json(rows)])
        return {ThingKey(*key) for key in await cursor.fetchall()}

    async def update(self, connection: AsyncConnection[Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """Write back rows that were locked."""
        if rows:
            await connection.execute(self._update, [_json(rows)])

    def row(self, number: UUID, key: ThingKey, facts: Mapping[R, Heard], columns: Mapping[str, Any]) -> dict[str, Any]:
        """A row as `insert` and `update` take it: `columns` are those derived from the facts, times included."""
        named = {"id": number, "account_id": key.account_id, self._provider_id: key.provider_id}
        return {**columns, **named, "facts": self.text(facts)}

    def facts(self, text: str) -> dict[R, Heard]:
        """The set of facts as it was before `text`."""
        return dict(self._facts.validate_json(text))

    def text(self, facts: Mapping[R, Heard]) -> str:
        """The set of facts as the row keeps it, earliest heard first: the same text for the same set."""
        plain = self._facts.dump_python(list(facts.items()), mode="json")
        return orjson.dumps(sorted(plain, key=lambda fact: (fact[1][0], orjson.dumps(fact[0])))).decode()


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return orjson.dumps(rows, default=tuple).decode()
