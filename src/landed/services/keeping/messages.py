"""Keeping messages: 25 thousand receipts a second, so with statements of their own."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain import counters, events
from landed.domain.facts import told_again
from landed.domain.messages import Message, fold
from landed.domain.receipts import Receipt, Source, Telling
from landed.services.keeping.base import Kept, Told
from landed.store import counters as counter_rows
from landed.store import messages as message_rows
from landed.store.messages import Folded, MessageKey, Stored

#: So many messages are written while the next as many are folded.
WRITTEN_AT_ONCE: Final = 1_000
#: Folding yields to the event loop after this many, about 3 ms.
FOLD_AT_ONCE: Final = 100

_NO_TAGS: Final[Mapping[str, tuple[str, ...]]] = {}

Tellings = list[Telling[Receipt]]
A = TypeVar("A")
B = TypeVar("B")


class MessageKeeper:
    """The keeper of messages: see keeping/base.py."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._dimension_ids = counter_rows.DimensionIds()

    async def keep(
        self,
        connection: AsyncConnection[Any],
        told: Sequence[Told],
        now: datetime,
        tags: Mapping[str, tuple[str, ...]] = _NO_TAGS,
    ) -> Kept:
        """As every keeper. `tags` are of messages of ours that are new, by our id."""
        tellings = await _by_message(connection, told)
        deltas = counters.Deltas()
        kept = Kept()
        waiting = sorted(tellings)
        await message_rows.stage(connection)
        while waiting:
            # What another tracker made between our look and our insert is there at the second look.
            waiting = await self._keep(connection, waiting, tellings, deltas, kept, now, tags)
        await counter_rows.add(connection, deltas, now)
        return kept

    async def _keep(
        self,
        connection: AsyncConnection[Any],
        keys: Sequence[MessageKey],
        tellings: dict[MessageKey, Tellings],
        deltas: counters.Deltas,
        kept: Kept,
        now: datetime,
        tags: Mapping[str, tuple[str, ...]],
    ) -> list[MessageKey]:
        """Gives the keys whose rows were not there when we looked, and were when we inserted."""
        stored = await message_rows.lock(connection, keys)
        if any(key.our_id for key in keys):
            keys, stored = await _as_one(connection, keys, stored, tellings, deltas)
        left: list[MessageKey] = []
        folded: list[Folded] = []
        for start in range(0, len(keys) + WRITTEN_AT_ONCE, WRITTEN_AT_ONCE):
            some = keys[start : start + WRITTEN_AT_ONCE]
            left_out, more = await _both(
                message_rows.write(connection, folded, now), self._fold(some, tellings, stored, tags)
            )
            for each in folded:
                if each.key in left_out:
                    left.append(each.key)
                else:
                    _count(each, deltas, kept)
            folded = more
        return left

    async def _fold(
        self,
        keys: Sequence[MessageKey],
        tellings: Mapping[MessageKey, Tellings],
        stored: Mapping[MessageKey, Stored],
        tags: Mapping[str, tuple[str, ...]],
    ) -> list[Folded]:
        """The messages that news came for."""
        moved: list[tuple[MessageKey, Stored | None, Message]] = []
        for number, key in enumerate(keys):
            if number % FOLD_AT_ONCE == 0:
                await asyncio.sleep(0)  # what the database has answered meanwhile goes first
            row = stored.get(key)
            message = fold(row.facts if row else {}, tellings[key])
            if row is None or message.facts != row.facts:
                moved.append((key, row, message))
        wanted = [
            counters.dimensions(key.account_id, message, row.tags if row else tags.get(key.our_id, ()))
            for key, row, message in moved
        ]
        # Dimensions are made outside the transaction: they are remembered, so they have to stay even where it fails.
        ids = await self._dimension_ids.find(self._pool, set(chain.from_iterable(wanted)))
        return [
            Folded(
                row.id if row else message_rows.message_id(key),
                key,
                row,
                message,
                counters.contribution(message, tuple([ids[dimensions] for dimensions in each])),
                () if row else tags.get(key.our_id, ()),
            )
            for each, (key, row, message) in zip(wanted, moved, strict=True)
        ]


async def _by_message(connection: AsyncConnection[Any], told: Sequence[Told]) -> dict[MessageKey, Tellings]:
    """What was told, by the message it is about: the provider's id names it, or ours where that is one we sent."""
    tellings: dict[MessageKey, Tellings] = {}
    with_our_id: list[tuple[Told, UUID]] = []
    for each in told:
        account_id, telling = each
        receipt = telling.receipt
        if receipt.our_id is not None and (our_id := _uuid(receipt.our_id)) is not None:
            with_our_id.append((each, our_id))
            continue
        key = MessageKey(account_id, receipt.provider_message_id, receipt.direction)
        tellings.setdefault(key, []).append(telling)
    if with_our_id:
        known = await message_rows.ours(connection, {our_id for _, our_id in with_our_id})
        for (account_id, telling), our_id in with_our_id:
            receipt = telling.receipt
            is_ours = receipt.source in (Source.OURS, Source.SEND) or (
                # The path of a callback names a message of ours, unless the provider has another id for that one.
                known.get((account_id, our_id), "") in (None, receipt.provider_message_id)
            )
            key = MessageKey(account_id, receipt.provider_message_id, receipt.direction)
            if is_ours:
                key = MessageKey(account_id, "", receipt.direction, str(our_id))
            tellings.setdefault(key, []).append(telling)
        _join(tellings)
    return tellings


def _join(tellings: dict[MessageKey, Tellings]) -> None:
    """What names a message by the provider's id alone goes to the message of ours that has this id, if it is told of in
    the same batch; the rest meets in `_as_one`."""
    for key in [key for key in tellings if key.our_id]:
        for provider_message_id in {telling.receipt.provider_message_id for telling in tellings[key]} - {""}:
            theirs = MessageKey(key.account_id, provider_message_id, key.direction)
            tellings[theirs] = tellings.get(theirs, [])  # looked for even where nothing names it so: see _as_one


async def _as_one(
    connection: AsyncConnection[Any],
    keys: Sequence[MessageKey],
    stored: dict[MessageKey, Stored],
    tellings: dict[MessageKey, Tellings],
    deltas: counters.Deltas,
) -> tuple[list[MessageKey], dict[MessageKey, Stored]]:
    """One row for each message: what was kept or told under the provider's id alone, before we knew that it is ours,
    goes into the row of ours."""
    emptied: list[UUID] = []
    joined: set[MessageKey] = set()
    for key in [key for key in keys if key.our_id]:
        row = stored.get(key)
        for provider_message_id in sorted({telling.receipt.provider_message_id for telling in tellings[key]} - {""}):
            theirs = MessageKey(key.account_id, provider_message_id, key.direction)
            other = stored.pop(theirs, None)
            tellings[key] = tellings[key] + tellings.get(theirs, [])
            joined.add(theirs)
            if other is not None and (row is None or other.id != row.id) and not _is_ours(other):
                emptied.append(other.id)
                deltas.move(other.contribution, None)
                tellings[key] = tellings[key] + told_again(other.facts)
    await message_rows.delete(connection, emptied)
    return [key for key in keys if key not in joined], stored


def _is_ours(row: Stored) -> bool:
    return any(receipt.source is Source.OURS for receipt in row.facts)


def _uuid(our_id: str) -> UUID | None:
    try:
        return UUID(our_id)
    except ValueError:
        return None


async def _both(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """The results of both, run together. Neither is still running on leaving, whatever came of the other."""
    task = asyncio.create_task(first)
    try:
        result = await second
        await asyncio.wait([task])
    finally:
        await _cancelled(task)
    return task.result(), result


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel it and wait for its end, also where we are cancelled meanwhile: left alone, it would go on in a
    transaction that is not its own any more."""
    are_we = False
    while not task.done():
        task.cancel()
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            are_we = True
    if are_we:
        raise asyncio.CancelledError


def _count(folded: Folded, deltas: counters.Deltas, kept: Kept) -> None:
    stored, message = folded.stored, folded.message
    deltas.move(stored.contribution if stored else None, folded.contribution)
    kept.changed += 1
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
        _note_unknown(folded, kept)


def _note_unknown(folded: Folded, kept: Kept) -> None:
    """Count the facts that are new and use a word without a mapping."""
    for receipt, heard in folded.message.facts.items():
        if receipt.status is None and (folded.stored is None or receipt not in folded.stored.facts):
            callback_id = heard.callback_ids[-1] if heard.callback_ids else None
            kept.note_unknown(folded.key.account_id, receipt.provider_status, callback_id)
