"""Tracking: callbacks out of the journal, facts into state, counted once.

From the lanes it holds a tracker reads a batch, parses it, folds it, and writes state, counters, events and the lanes'
positions in one transaction. Killed anywhere, a tracker or its successor begins at the position again, and nothing is
lost or counted twice. Several trackers share the lanes by lease; the lane's row is the fence between them.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.callbacks import Callback
from landed.domain.errors import LandedError, StoreUnavailable
from landed.domain.receipts import AnyReceipt, BroadcastReceipt, Receipt, RegistrationReceipt, SessionReceipt, Telling
from landed.journal.base import Journal
from landed.providers.base import Provider
from landed.services.keeping import broadcasts, sessions
from landed.services.keeping.base import Keeper, Kept, Told
from landed.services.keeping.media import MediaKeeper
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.opt_outs import OptOutKeeper
from landed.services.keeping.registrations import RegistrationKeeper
from landed.store import events as event_rows
from landed.store import frozen, lanes, nonces, set_aside, unknown_statuses
from landed.store.connect import transaction
from landed.store.set_aside import SetAside

#: What one transaction takes on while there is a backlog. The more, the more callbacks of one message meet in it, and
#: the less often its row is written: each costs a sixth less with 20,000 than with 10,000, another twelfth less with
#: 40,000, for which a worker takes 60 MB more.
BATCH_MAX: Final = 40_000
#: A tracker that does not renew for this long has lost its lanes; it renews four times as often.
LEASE_S: Final = 8.0
#: Without a wake-up a lane is looked at this often: a NOTIFY may be lost with its connection.
LOOK_EVERY_S: Final = 1.0
#: After news it is looked once more soon: what an older transaction still hides comes without a wake-up of its own.
LOOK_AGAIN_S: Final = 0.03
#: While the database is away it is asked this often whether it is back.
AWAY_S: Final = 0.5
#: Parsing yields to the event loop after this many, about 1 ms: a third of what folding takes, which has to go first.
PARSE_AT_ONCE: Final = 40

_log = structlog.get_logger()
T = TypeVar("T")


class ProviderOf(Protocol):
    """Which provider an account belongs to, and how it is called in our API."""

    def __call__(self, account_id: int) -> Provider | None: ...


class Origin(NamedTuple):
    """What is still needed of a callback once it is parsed. Its request takes more memory than all it says."""

    callback_id: int
    account_id: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a batch says, before state is asked."""

    origins: Sequence[Origin]
    told: Mapping[type[AnyReceipt], list[Told]]  #: by kind of receipt
    faults: Sequence[SetAside]
    nonces: Sequence[tuple[nonces.Seen, Origin]]


class _Bite(NamedTuple):
    """What is tracked in one transaction: the next callbacks of some lanes, and their positions before and after."""

    parsed: Parsed
    before: Mapping[int, str]
    after: Mapping[int, str]


@dataclass(slots=True)
class Tally:
    """What happened, for metrics."""

    callbacks: int = 0
    changed: int = 0  #: messages, sessions and so on that changed
    set_aside: int = 0
    unknown_statuses: int = 0


class Tracker:
    """Tracks the lanes it holds a lease on. One per worker process."""

    def __init__(
        self,
        *,
        name: str,
        journal: Journal,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        provider_of: ProviderOf,
        refresh: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        batch_max: int = BATCH_MAX,
    ) -> None:
        self.name = name
        self.tally = Tally()
        self._journal = journal
        self._pool = pool
        self._provider_of = provider_of
        self._refresh = refresh
        self._clock = clock
        self._batch_max = batch_max
        self._keepers = _keepers(pool, provider_of)
        self._kinds = frozenset(kind for kind, _ in self._keepers)
        self._bite_max = batch_max
        self._held: tuple[int, ...] = ()

    async def run(self) -> None:
        """Track until cancelled. While the database is away it waits and goes on by itself afterwards."""
        while True:
            try:
                await lanes.make(self._pool, self._journal.lanes)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keep_leases())
                    group.create_task(self._end_frozen())
                    group.create_task(self._track_all())
            except* StoreUnavailable as errors:
                _log.warning("tracking_waits", reason=str(errors.exceptions[0]))
                self._held = ()
                await asyncio.sleep(AWAY_S)

    async def stop(self) -> None:
        """Give the lanes back at once, so that others need not wait for the leases to end."""
        with contextlib.suppress(StoreUnavailable):
            await lanes.release(self._pool, self.name)

    async def drain(self, held: Sequence[int]) -> int:
        """Lease these lanes and track until nothing is left in them. How many callbacks it was."""
        await lanes.make(self._pool, self._journal.lanes)
        await lanes.lease(self._pool, self.name, LEASE_S)
        self._held = tuple(held)
        return await self._track_while_any()

    async def _keep_leases(self) -> None:
        while True:
            self._held = tuple(await lanes.lease(self._pool, self.name, LEASE_S))
            await asyncio.sleep(LEASE_S / 4)

    async def _end_frozen(self) -> None:
        """Renewing waits for what we write, which may wait for rows that a frozen one has locked: so this waits for
        neither."""
        while True:
            if ended := await frozen.end(self._pool):
                _log.warning("frozen_sessions_ended", sessions=ended)
            await asyncio.sleep(LEASE_S / 4)

    async def _track_all(self) -> None:
        woken = False
        while True:
            tracked = await self._track_while_any()
            woken = await self._journal.wait(LOOK_AGAIN_S if tracked or woken else LOOK_EVERY_S)

    async def _track_while_any(self) -> int:
        """Track batch by batch. The next one is read and parsed while the database writes the one before."""
        total = 0
        while True:
            held = self._held
            positions = await lanes.positions(self._pool, self.name, held)
            async with _made_ahead(self._bites(positions)) as bites:
                async for bite in bites:
                    if not await self._track(bite):
                        break  # to be taken again, from the positions there are
                    total += len(bite.parsed.origins)
                    # A lane that was taken over has its turn even where the others never run dry.
                    if self._held != held:
                        break
                else:
                    return total

    async def _bites(self, positions: Mapping[int, str]) -> AsyncGenerator[_Bite, None]:
        """What is in these lanes, until nothing is left."""
        while (bite := await self._take(positions)).parsed.origins:
            yield bite
            positions = {**positions, **bite.after}

    async def _take(self, positions: Mapping[int, str]) -> _Bite:
        """Read the next callbacks of these lanes, and parse them, lane by lane: only one lane's requests are held."""
        parsed: list[Parsed] = []
        before, after = {}, {}
        for lane, position in positions.items():
            if len(parsed) >= self._bite_max:  # each of these has one callback at least
                break  # fewer callbacks than lanes: while one that cannot be kept is looked for
            told, reached = await self._read(lane, position, max(1, self._bite_max // len(positions)))
            if told.origins:
                before[lane], after[lane] = position, reached
                parsed.append(told)
        return _Bite(_together(parsed), before, after)

    async def _read(self, lane: int, position: str, limit: int) -> tuple[Parsed, str]:
        """What the next callbacks of a lane say, and the position behind them."""
        batch = await self._journal.read(lane, position, limit)
        return await self._parse(batch.callbacks), batch.position

    async def _track(self, bite: _Bite) -> bool:
        """Write what a bite says. False: nothing was written, and it is to be taken again from the positions there are.

        Raises:
            StoreUnavailable: nothing was written.
        """
        try:
            if await self._write(*bite) is None:
                return False
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            return False  # another tracker was quicker: the same again
        except (StoreUnavailable, psycopg.ProgrammingError):
            raise  # the second is a schema or a right that is missing, which is no callback's fault
        except Exception as error:
            # One callback that cannot be kept must not hold up the others: smaller bites, down to that one alone.
            self._bite_max = max(1, self._bite_max // 8)
            if len(bite.parsed.origins) > 1:
                _log.warning("batch_failed", callbacks=len(bite.parsed.origins), error=type(error).__name__)
                return False
            return await self._write(_cannot_be_kept(bite.parsed, error), bite.before, bite.after) is not None
        self._bite_max = min(self._batch_max, self._bite_max * 2)
        return True

    async def replay(self, callbacks: Sequence[Callback]) -> int:
        """Track callbacks again, wherever they stand: what was counted already changes nothing.

        Returns:
            How many of them are set aside (still, or anew).
        """
        parsed = await self._parse(callbacks)
        while True:
            try:
                return await self._write(parsed, {}, {}) or 0
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again
            except StoreUnavailable:
                raise
            except Exception as error:
                if len(callbacks) == 1:
                    return await self._write(_cannot_be_kept(parsed, error), {}, {}) or 0
                half = len(callbacks) // 2
                return await self.replay(callbacks[:half]) + await self.replay(callbacks[half:])

    async def _parse(self, callbacks: Sequence[Callback]) -> Parsed:
        origins = [Origin(callback.id, callback.account_id, callback.received_at) for callback in callbacks]
        told: dict[type[AnyReceipt], list[Told]] = {}
        faults: list[SetAside] = []
        uses: list[tuple[nonces.Seen, Origin]] = []
        strangers: set[int] = set()
        for number, (callback, origin) in enumerate(zip(callbacks, origins, strict=True)):
            if number % PARSE_AT_ONCE == 0:
                await asyncio.sleep(0)  # what the database has answered meanwhile goes first
            provider = self._provider_of(callback.account_id)
            if provider is None and self._refresh is not None and callback.account_id not in strangers:
                await self._refresh()  # an account may be newer than what we know
                provider = self._provider_of(callback.account_id)
            if provider is None:
                strangers.add(callback.account_id)
                faults.append(_fault(origin, "account_unknown", "The account it came for is gone."))
                continue
            try:
                receipts = provider.parse(callback.request)
                if not self._kinds.issuperset(map(type, receipts)):
                    raise TypeError("a receipt that nobody keeps")
            except LandedError as error:
                faults.append(_fault(origin, error.code, str(error)))
                continue
            except Exception as error:
                _log.error("parse_failed", callback=callback.id, provider=provider.name, error=type(error).__name__)
                faults.append(_fault(origin, "callback_not_trackable", f"{type(error).__name__}: parsing it failed."))
                continue
            for receipt in receipts:
                telling = Telling(receipt, callback.received_at, callback.id)
                told.setdefault(type(receipt), []).append(Told(callback.account_id, telling))
            # Also where another signature covers the body: whoever captured it may leave that one out.
            if not provider.headers_without_body.isdisjoint(callback.verified_by):
                nonce = provider.nonce(callback.request.headers)
                if nonce:
                    uses.append((_use(callback, nonce), origin))
        return Parsed(origins, told, faults, uses)

    async def _write(self, parsed: Parsed, before: Mapping[int, str], after: Mapping[int, str]) -> int | None:
        """All of it in one transaction, or nothing. None: a lane is not ours any more, or not where we think it is.

        Without lanes it is a replay: state changes as far as there is news, and no position moves.

        Returns:
            How many callbacks were set aside.
        """
        now = self._clock()
        async with transaction(self._pool) as connection:
            if before and await lanes.lock(connection, list(before), self.name) != before:
                return None
            reused = await nonces.reused(connection, [use for use, _ in parsed.nonces], now)
            faults = [*parsed.faults]
            told = parsed.told
            forged = {origin.callback_id: origin for use, origin in parsed.nonces if use in reused}
            if not before:  # the ledger forgets, but what was found to be a forgery stays one
                ids = [origin.callback_id for origin in parsed.origins]
                known = await set_aside.among(connection, ids, set_aside.NONCE_REUSED)
                forged |= {origin.callback_id: origin for origin in parsed.origins if origin.callback_id in known}
            if forged:
                faults += [_fault(origin, set_aside.NONCE_REUSED, _NONCE_REUSED) for origin in forged.values()]
                told = _without(told, forged.keys())
            kept = Kept()
            for kind, keeper in self._keepers:
                if kind in told:
                    kept.add(await keeper.keep(connection, told[kind], now))
            await event_rows.record(connection, kept.events, now)
            await unknown_statuses.add(connection, kept.unknown, kept.unknown_in, now)
            await set_aside.keep(connection, faults)
            if not before:
                failed = {fault.callback_id for fault in faults}
                await set_aside.take_out(connection, [number for number in ids if number not in failed])
            await lanes.move(connection, after)
        self.tally.callbacks += len(parsed.origins)
        self.tally.changed += kept.changed
        self.tally.set_aside += len(faults)
        self.tally.unknown_statuses += kept.unknown.total()
        return len(faults)


def _keepers(
    pool: AsyncConnectionPool[AsyncConnection[Any]], provider_of: ProviderOf
) -> Sequence[tuple[type[AnyReceipt], Keeper]]:
    """Who keeps which kind of receipts, in the order they write: it is one for all trackers."""
    return [
        (Receipt, MessageKeeper(pool)),
        (Receipt, OptOutKeeper(provider_of)),
        (Receipt, MediaKeeper()),
        (SessionReceipt, sessions.keeper()),
        (RegistrationReceipt, RegistrationKeeper()),
        (BroadcastReceipt, broadcasts.keeper()),
    ]


@contextlib.asynccontextmanager
async def _made_ahead(items: AsyncGenerator[T, None]) -> AsyncIterator[AsyncIterator[T]]:
    """The same items, each made in the background while the one before is used. What was made for nothing is forgotten
    on leaving."""
    made: asyncio.Queue[T | None] = asyncio.Queue(maxsize=1)

    async def make() -> None:
        try:
            async with contextlib.aclosing(items):
                async for item in items:
                    await made.put(item)
                    await made.join()  # one ahead is enough, and takes half of the memory of two
        finally:
            with contextlib.suppress(asyncio.QueueFull):
                made.put_nowait(None)  # wakes who waits; who does not looks at the task first

    async def all_made() -> AsyncIterator[T]:
        while not (maker.done() and made.empty()):
            item = await made.get()
            made.task_done()
            if item is not None:
                yield item
        maker.result()

    maker = asyncio.create_task(make())
    try:
        yield all_made()
    finally:
        maker.cancel()
        await asyncio.wait([maker])
        if not maker.cancelled():
            maker.exception()


def _together(parsed: Sequence[Parsed]) -> Parsed:
    told: dict[type[AnyReceipt], list[Told]] = {}
    for part in parsed:
        for kind, each in part.told.items():
            told.setdefault(kind, []).extend(each)
    return Parsed(
        [origin for part in parsed for origin in part.origins],
        told,
        [fault for part in parsed for fault in part.faults],
        [use for part in parsed for use in part.nonces],
    )


_NONCE_REUSED: Final = (
    "Its nonce was used before with other content, and its signature does not cover the body: this is a forgery."
)


def _fault(origin: Origin, reason: str, detail: str) -> SetAside:
    return SetAside(origin.callback_id, origin.account_id, reason, detail, origin.received_at)


def _cannot_be_kept(parsed: Parsed, error: Exception) -> Parsed:
    """The one callback there is, set aside instead."""
    fault = _fault(parsed.origins[0], "callback_not_trackable", f"{type(error).__name__}: it cannot be kept.")
    _log.error("callback_set_aside", callback=fault.callback_id, reason=fault.reason, error=type(error).__name__)
    return Parsed(parsed.origins, {}, [fault], ())


def _use(callback: Callback, nonce: str) -> nonces.Seen:
    request = callback.request
    content = _before_body(request.method, request.url) + request.body
    # Plivo's nonces are 20 digits; those of the last 18 are as good as a digest.
    number = int(nonce[-18:]) if nonce.isdecimal() else _digest(nonce.encode())
    return nonces.Seen(callback.account_id, number, _digest(content), _monday(callback.received_at.date()))


@lru_cache(maxsize=256)
def _before_body(method: str, url: str) -> bytes:
    """What else a signature does not cover: method and query, neither of which holds a NUL."""
    return f"{method}\0{url.partition('?')[2]}\0".encode()


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), signed=True)


@lru_cache(maxsize=16)
def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _without(
    told: Mapping[type[AnyReceipt], list[Told]], callback_ids: Collection[int | None]
) -> dict[type[AnyReceipt], list[Told]]:
    left = {
        kind: [each for each in all_ if each.telling.callback_id not in callback_ids] for kind, all_ in told.items()
    }
    return {kind: each for kind, each in left.items() if each}
