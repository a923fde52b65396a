"""What we asked providers to register for 10DLC: kept before they are asked, so that nothing is asked for twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import Row, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.words import Word
from landed.store import reading
from landed.store.schema import registration_requests


class RequestKind(Word):
    PROFILE = "profile"
    BRAND = "brand"
    CAMPAIGN = "campaign"
    NUMBER_LINK = "number_link"
    NUMBER_UNLINK = "number_unlink"


class RequestState(Word):
    ASKING = "asking"  #: it is being asked for; or was, by a process that died
    ASKED = "asked"  #: the provider took it
    REFUSED = "refused"  #: nothing came of it
    UNKNOWN = "unknown"  #: the provider may have taken it


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it is kept."""

    id: UUID
    account_id: int
    kind: RequestKind
    alias: str | None = field(default=None, repr=False)
    parent_id: str | None = None
    numbers: Sequence[str] = field(default=(), repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    state: RequestState = RequestState.ASKING
    provider_id: str | None = None
    asked_at: datetime


_COLUMNS: Final = "id, account_id, kind, alias, parent_id, numbers, fields, state, provider_id, asked_at"
_INSERT: Final = """
INSERT INTO registration_requests (id, account_id, kind, alias, parent_id, numbers, fields, state, live, asked_at,
                                   updated_at)
VALUES (%(id)s, %(account_id)s, %(kind)s, %(alias)s, %(parent_id)s, %(numbers)s, %(fields)s, 'asking', true,
        %(asked_at)s, %(asked_at)s)
    ON CONFLICT (account_id, kind, alias) WHERE live AND alias IS NOT NULL DO NOTHING RETURNING id
"""
_LIVE: Final = f"""
SELECT {_COLUMNS} FROM registration_requests
 WHERE account_id = %s AND kind = %s AND alias = %s AND live FOR UPDATE
"""  # noqa: S608  names of columns
_ALL_LIVE: Final = f"""
SELECT {_COLUMNS} FROM registration_requests WHERE account_id = %s AND live AND alias IS NOT NULL ORDER BY asked_at, id
"""  # noqa: S608
_RETIRE: Final = "UPDATE registration_requests SET live = false, updated_at = %s WHERE id = %s"
_SETTLE: Final = """
UPDATE registration_requests
   SET state = %(state)s, live = %(live)s, provider_id = coalesce(%(provider_id)s, provider_id), problem = %(problem)s,
       detail = %(detail)s, updated_at = %(now)s
 WHERE id = %(id)s
"""
_TAKEN: Final = """
SELECT provider_id FROM registration_requests
 WHERE account_id = %s AND kind = %s AND provider_id IS NOT NULL AND id <> %s
"""
_FIELDS: Final = """
SELECT kind, provider_id, fields FROM registration_requests WHERE account_id = %s AND provider_id IS NOT NULL
"""
#: By each kind: what an operator may call such a thing, and the provider's id of it. Profiles have no table of state.
_NAMED: Final = """
SELECT account_id, provider_id FROM registration_requests
 WHERE kind = %(kind)s AND provider_id IS NOT NULL
   AND ((alias = %(name)s AND live) OR provider_id = %(name)s OR id = %(uuid)s)
"""


def _named_in(table: str, column: str) -> str:
    return f"""{_NAMED} UNION
SELECT account_id, {column} FROM {table}
 WHERE {column} IS NOT NULL AND ({column} = %(name)s OR id = %(uuid)s OR our_ids @> ARRAY[%(name)s::text]
                                 OR %(uuid)s = ANY(earlier_ids))"""  # noqa: S608


_RESOLVE: Final = {
    RequestKind.PROFILE: _NAMED,
    RequestKind.BRAND: _named_in("brands", "provider_brand_id"),
    RequestKind.CAMPAIGN: _named_in("campaigns", "provider_campaign_id"),
}
_STATUSES: Final = {
    RequestKind.BRAND: "SELECT provider_brand_id, status FROM brands WHERE account_id = %s",
    RequestKind.CAMPAIGN: "SELECT provider_campaign_id, status FROM campaigns WHERE account_id = %s",
}
_MET: Final = {
    RequestKind.BRAND: "SELECT provider_brand_id FROM brands",
    RequestKind.CAMPAIGN: "SELECT provider_campaign_id FROM campaigns",
}
_NUMBERS: Final = "SELECT number, provider_campaign_id, status FROM number_links WHERE account_id = %s"


async def insert(connection: AsyncConnection[Any], asked: Asked) -> bool:
    """Keep a request. False: there is a live one of the same kind with this alias."""
    row = {
        **{name: getattr(asked, name) for name in ("id", "account_id", "kind", "alias", "parent_id", "asked_at")},
        "numbers": list(asked.numbers),
        "fields": Jsonb(dict(asked.fields)),
    }
    return await (await connection.execute(_INSERT, row)).fetchone() is not None


async def live(connection: AsyncConnection[Any], account_id: int, kind: RequestKind, alias: str) -> Asked | None:
    """The request that has this alias, locked until the transaction ends."""
    return next(iter(await _asked(connection, _LIVE, [account_id, kind, alias])), None)


async def all_live(connection: AsyncConnection[Any], account_id: int) -> list[Asked]:
    """Every request with an alias, of those that came to something or may have, earliest first."""
    return await _asked(connection, _ALL_LIVE, [account_id])


async def retire(connection: AsyncConnection[Any], request_id: UUID, now: datetime) -> None:
    """Let its alias be asked for again."""
    await connection.execute(_RETIRE, [now, request_id])


async def settle(
    connection: AsyncConnection[Any],
    request_id: UUID,
    state: RequestState,
    now: datetime,
    *,
    provider_id: str | None = None,
    problem: str | None = None,
    detail: str | None = None,
) -> None:
    """Note what became of it."""
    told = {"provider_id": provider_id, "problem": problem, "detail": detail}
    row = {"id": request_id, "state": state, "live": state is not RequestState.REFUSED, "now": now, **told}
    await connection.execute(_SETTLE, row)


async def taken(connection: AsyncConnection[Any], asked: Asked) -> set[str]:
    """The provider's ids of what came of other requests of this kind, whether live or not."""
    cursor = await connection.execute(_TAKEN, [asked.account_id, asked.kind, asked.id])
    return {provider_id for (provider_id,) in await cursor.fetchall()}


async def heard_of(connection: AsyncConnection[Any], asked: Asked) -> str | None:
    """The provider's id, where a callback has told it together with ours."""
    if asked.kind not in _MET:
        return None
    query = f"{_MET[asked.kind]} WHERE account_id = %s AND our_ids @> ARRAY[%s]"
    rows = await (await connection.execute(query, [asked.account_id, str(asked.id)])).fetchall()
    found = [provider_id for (provider_id,) in rows if provider_id]
    return found[0] if len(found) == 1 else None


async def asked_fields(connection: AsyncConnection[Any], account_id: int) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What was asked for, by kind and the provider's id of what came of it."""
    cursor = await connection.execute(_FIELDS, [account_id])
    return {(kind, provider_id): fields async for kind, provider_id, fields in cursor}


async def resolve(
    connection: AsyncConnection[Any], kind: RequestKind, name: str, account_id: int | None
) -> set[tuple[int, str]]:
    """The account and the provider's id of a profile, brand or campaign, by whatever it is called."""
    cursor = await connection.execute(_RESOLVE[kind], {"kind": kind, "name": name, "uuid": _uuid(name)})
    return {(owner, provider_id) async for owner, provider_id in cursor if account_id in (None, owner)}


async def statuses(connection: AsyncConnection[Any], account_id: int, kind: RequestKind) -> dict[str, str]:
    """Where brands or campaigns stand, by the provider's id."""
    cursor = await connection.execute(_STATUSES[kind], [account_id])
    return {provider_id: status async for provider_id, status in cursor if provider_id}


async def numbers(connection: AsyncConnection[Any], account_id: int) -> dict[str, tuple[str | None, str]]:
    """The campaign and the status of each number."""
    cursor = await connection.execute(_NUMBERS, [account_id])
    return {number: (campaign_id, status) async for number, campaign_id, status in cursor if number}


async def page_of_profiles(
    engine: AsyncEngine, account_ids: Sequence[int] | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row[Any]]:
    """Profiles that were asked for, latest first."""
    column = registration_requests.c
    statement = select(registration_requests).where(column.kind == RequestKind.PROFILE.value)
    if account_ids is not None:
        statement = statement.where(column.account_id.in_(account_ids))
    if after is not None:
        statement = statement.where(tuple_(column.asked_at, column.id) < tuple_(*map(literal, after)))
    return await reading.rows(engine, statement.order_by(column.asked_at.desc(), column.id.desc()).limit(limit))


async def one_profile(engine: AsyncEngine, name: str, account_ids: Sequence[int] | None) -> Row[Any] | None:
    """By our id, the provider's, or its alias; the latest of several."""
    column = registration_requests.c
    uuid = _uuid(name)
    ways = [column.provider_id == name, column.alias == name, *([column.id == uuid] if uuid else [])]
    statement = select(registration_requests).where(column.kind == RequestKind.PROFILE.value, or_(*ways))
    if account_ids is not None:
        statement = statement.where(column.account_id.in_(account_ids))
    return next(iter(await reading.rows(engine, statement.order_by(column.asked_at.desc()).limit(1))), None)


async def _asked(connection: AsyncConnection[Any], statement: str, values: Sequence[Any]) -> list[Asked]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        return [
            Asked(**row | {"kind": RequestKind(row["kind"]), "state": RequestState(row["state"])})
            async for row in cursor
        ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
