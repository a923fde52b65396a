"""Keeping messages: 25 thousand receipts a second, so with statements of their own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain import counters, events
from landed.domain.messages import Message, fold
from landed.domain.receipts import Receipt, Telling
from landed.services.keeping.base import Kept, Told
from landed.store import counters as counter_rows
from landed.store import messages as message_rows
from landed.store.messages import Folded, MessageKey


class MessageKeeper:
    """The keeper of messages: see keeping/base.py."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._dimension_ids = counter_rows.DimensionIds()

    async def keep(self, connection: AsyncConnection[Any], told: Sequence[Told], now: datetime) -> Kept:
        tellings: dict[MessageKey, list[Telling[Receipt]]] = {}
        for account_id, telling in told:
            receipt = telling.receipt
            key = MessageKey(account_id, receipt.provider_message_id, receipt.direction)
            tellings.setdefault(key, []).append(telling)
        async with self._pool.connection() as outside:
            moved = await _fold_all(connection, tellings, now, _Counting(outside, self._dimension_ids))
        deltas = counters.Deltas()
        kept = Kept(changed=len(moved))
        for folded in moved:
            stored, message = folded.stored, folded.message
            deltas.move(stored.contribution if stored else None, folded.contribution)
            event = events.of_message(
                folded.key.account_id,
                str(folded.id),
                stored.status if stored else None,
                message,
                stored.final if stored else False,
            )
            if event is not None:
                kept.events.append(event)
            if message.unknown_statuses:
                _note_unknown(kept, folded)
        await counter_rows.add(connection, deltas, now)
        return kept


class _Counting(NamedTuple):
    """What is needed to say where a message is counted. Dimensions are made outside the transaction that counts:
    they are remembered, so they have to stay even where it fails."""

    outside: AsyncConnection[Any]
    ids: counter_rows.DimensionIds

    async def contributions(
        self, messages: Sequence[tuple[MessageKey, Message, tuple[str, ...]]]
    ) -> list[counters.Contribution]:
        wanted = [counters.dimensions(key.account_id, message, tags) for key, message, tags in messages]
        ids = await self.ids.find(self.outside, set(chain.from_iterable(wanted)))
        return [
            counters.contribution(message, tuple([ids[dimensions] for dimensions in each]))
            for each, (_, message, _) in zip(wanted, messages, strict=True)
        ]


async def _fold_all(
    connection: AsyncConnection[Any],
    tellings: Mapping[MessageKey, list[Telling[Receipt]]],
    now: datetime,
    counting: _Counting,
) -> list[Folded]:
    """Fold what was told into the rows there are, and make those that are missing. Gives the messages that changed."""
    moved: list[Folded] = []
    waiting = sorted(tellings)
    while waiting:
        stored = await message_rows.lock(connection, waiting)
        known = [(key, row, fold(row.facts, tellings[key])) for key, row in stored.items()]
        changed = [(key, row, message) for key, row, message in known if message.facts != row.facts]
        fresh = [(key, fold({}, tellings[key])) for key in waiting if key not in stored]
        contributions = await counting.contributions(
            [(key, message, row.tags) for key, row, message in changed] + [(key, message, ()) for key, message in fresh]
        )
        updates = [
            Folded(row.id, key, row, message, counted)
            for (key, row, message), counted in zip(changed, contributions, strict=False)
        ]
        inserts = [
            Folded(message_rows.message_id(key), key, None, message, counted)
            for (key, message), counted in zip(fresh, contributions[len(changed) :], strict=True)
        ]
        await message_rows.update(connection, updates, now)
        inserted = await message_rows.insert(connection, inserts, now)
        moved += updates
        moved += [folded for folded in inserts if folded.key in inserted]
        # Another tracker made the others between our look and our insert: their rows are there now.
        waiting = [folded.key for folded in inserts if folded.key not in inserted]
    return moved


def _note_unknown(kept: Kept, folded: Folded) -> None:
    """Count the facts that are new and use a word without a mapping."""
    for receipt, heard in folded.message.facts.items():
        if receipt.status is None and (folded.stored is None or receipt not in folded.stored.facts):
            callback_id = heard.callback_ids[-1] if heard.callback_ids else None
            kept.note_unknown(folded.key.account_id, receipt.provider_status, callback_id)
