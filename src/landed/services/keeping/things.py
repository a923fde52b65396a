"""Keeping things that a provider names by one id of its own, each in one row: verify sessions, broadcasts."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from psycopg import AsyncConnection

from landed.domain.events import Event
from landed.domain.facts import Heard
from landed.domain.receipts import Telling
from landed.services.keeping.base import Kept, Told
from landed.store.things import Rows, ThingKey

R = TypeVar("R")


class State(Protocol):
    """What a fold gives: at least the facts it is derived from."""

    @property
    def facts(self) -> Mapping[Any, Heard]: ...


S = TypeVar("S", bound=State)


class Moved(NamedTuple, Generic[S]):
    """A thing that news came for: as it stood (None: no row yet), and as it stands."""

    id: UUID
    key: ThingKey
    before: S | None
    after: S


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R, S]):
    """What is special about one kind of thing. All of it is pure but `count`."""

    rows: Rows[R]
    key: Callable[[R], str]  #: the provider's id of the thing
    fold: Callable[[Mapping[R, Heard], Iterable[Telling[R]]], S]
    columns: Callable[[S], Mapping[str, Any]]  #: what the row shows, but for id, account, provider's id, facts
    events: Callable[[Moved[S]], Iterable[Event]]
    unknown_word: Callable[[R], str | None]  #: the provider's word in this receipt that has no mapping
    count: Callable[[AsyncConnection[Any], Sequence[Moved[S]], datetime], Awaitable[None]] | None = None


class ThingKeeper(Generic[R, S]):
    """The keeper of one kind of thing: see keeping/base.py."""

    def __init__(self, kind: Kind[R, S]) -> None:
        self._kind = kind

    async def keep(self, connection: AsyncConnection[Any], told: Sequence[Told], now: datetime) -> Kept:
        tellings: dict[ThingKey, list[Telling[R]]] = {}
        for account_id, telling in told:
            tellings.setdefault(ThingKey(account_id, self._kind.key(telling.receipt)), []).append(telling)
        kept = Kept()
        moved: list[Moved[S]] = []
        waiting = sorted(tellings)
        while waiting:
            news, waiting = await self._fold(connection, {key: tellings[key] for key in waiting}, now)
            moved += news
        for each in moved:
            kept.events += self._kind.events(each)
            self._note_unknown(each, kept)
        if self._kind.count is not None and moved:
            await self._kind.count(connection, moved, now)
        kept.changed = len(moved)
        return kept

    async def _fold(
        self, connection: AsyncConnection[Any], tellings: Mapping[ThingKey, list[Telling[R]]], now: datetime
    ) -> tuple[list[Moved[S]], list[ThingKey]]:
        """Gives what changed, and the keys of rows that another tracker made between our look and our insert."""
        kind = self._kind
        stored = await kind.rows.lock(connection, list(tellings))
        updates: list[Moved[S]] = []
        inserts: list[Moved[S]] = []
        for key, news in tellings.items():
            row = stored.get(key)
            after = kind.fold(row.facts if row else {}, news)
            if row is None:
                inserts.append(Moved(kind.rows.new_id(key), key, None, after))
            elif after.facts != row.facts:
                updates.append(Moved(row.id, key, kind.fold(row.facts, ()), after))
        await kind.rows.update(connection, list(self._rows(updates, now)))
        inserted = await kind.rows.insert(connection, list(self._rows(inserts, now)))
        made = [each for each in inserts if each.key in inserted]
        return updates + made, [each.key for each in inserts if each.key not in inserted]

    def _rows(self, moved: Iterable[Moved[S]], now: datetime) -> Iterator[dict[str, Any]]:
        for each in moved:
            columns = {**self._kind.columns(each.after), "created_at": now, "updated_at": now}
            yield self._kind.rows.row(each.id, each.key, each.after.facts, columns)

    def _note_unknown(self, each: Moved[S], kept: Kept) -> None:
        for receipt, heard in each.after.facts.items():
            if each.before is None or receipt not in each.before.facts:
                word = self._kind.unknown_word(receipt)
                if word is not None:
                    kept.note_unknown(each.key.account_id, word, heard.callback_ids[-1] if heard.callback_ids else None)
