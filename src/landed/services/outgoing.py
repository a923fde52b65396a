"""Sending what is in the outbox: at its rate, to the provider, and never the same request twice.

A worker claims what is due and has its turn, marks it durably right before each request, and writes what came of it in
one transaction with the message's state. Killed at any point: what it claimed is free again when its lease ends; what
it had marked may have gone out, and is looked up at the provider before anything else happens to it.

    waiting --claim, mark--> sending --answer--> out of the outbox, with the message queued, or failed
       ^                        |  `--nothing went out--> waiting, later
       |                        v no readable answer, or the worker died
       `---not there---------unknown --look-up: there, or a callback told--> out of the outbox
"""

import asyncio
import heapq
import math
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
import structlog

from landed.domain import our_codes, outbox
from landed.domain.errors import OutcomeUnknown, ProviderFailed, RequestRefused, SendFailed, StoreUnavailable
from landed.domain.opt_outs import OptOutKey
from landed.domain.outbound import Outbound
from landed.domain.outbox import Again, LookUp, Never, Outcome, Patience
from landed.domain.receipts import Channel, Direction, Receipt, Source, Telling
from landed.domain.statuses import Status
from landed.providers.clients import ListsMessages, SendsMessages
from landed.services import rates
from landed.services.calling import Called, Clients
from landed.services.choosing import callback_url
from landed.services.keeping.base import Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.recording import keep_and_record
from landed.store import listening, opt_outs
from landed.store import outbox as rows
from landed.store.connect import transaction
from landed.store.messages import MessageKey, message_id
from landed.store.outbox import Connection, Marked, Pool

#: Requests that one worker has under way at a time; its HTTP client has a few connections more.
CALLS_MAX: Final = 90
#: Messages whose time comes within this are marked in one transaction.
_TOGETHER_S: Final = 0.005
_SETTLED_AT_ONCE: Final = 100
_LOOKED_UP_AT_ONCE: Final = 4
#: Of a list at the provider; a recipient who got more within minutes is none.
_PAGES_MAX: Final = 25
_LEFT_AT_ONCE: Final = 200
_AWAY_S: Final = 0.5
#: Another worker plans for the account: it takes milliseconds.
_BUSY_S: Final = 0.05
_NOT_THERE: Final = "The provider gave no readable answer, time and again, and does not have the message."
_LEFT_BEHIND: Final = "The worker that sent it stopped before an answer came."
#: Shorter, a provider may not take.
_EXPIRES_S_MIN: Final = 5

_log = structlog.get_logger()
_Clashes = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Of a worker, in seconds."""

    #: One that does not say it is alive for this long has lost what it claimed.
    lease_s: float = 15.0
    #: From the mark to the last byte of the answer. Before the lease and the last look-up are over, it is over.
    call_s_max: float = 60.0
    #: A mark is good for this long: whoever slept longer than that between mark and request does not send.
    mark_s_max: float = 10.0
    #: Planned ahead, so that messages go at even distances.
    ahead_s: float = 0.5
    #: Without news the outbox is looked into this often.
    idle_s: float = 1.0
    #: For what is under way when the worker is told to stop.
    stop_s_max: float = 3.0


class Rates(NamedTuple):
    """Messages per second, where an account or sender has no rate of its own."""

    account: float
    sender: float


class _Done(NamedTuple):
    """A try that ended: the receipt if the provider took it, else what went wrong and what follows from it."""

    marked: Marked
    at: datetime
    receipt: Receipt | None
    error: SendFailed | None = None
    verdict: Again | Never | LookUp | None = None


class Dispatcher:
    """Sends for all accounts that can be called. One per worker process; several share the work and the rates.

    Args:
        name: of this worker, never used before.
        draw: from 0 to 1, by chance.
    """

    def __init__(
        self,
        *,
        name: str,
        pool: Pool,
        clients: Clients,
        public_url: str,
        default_rates: Rates,
        patience: Patience | None = None,
        timing: Timing | None = None,
        database_url: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._pool = pool
        self._clients = clients
        self._public_url = public_url
        self._default_rates = default_rates
        self._patience = patience or Patience()
        self._timing = timing or Timing()
        self._database_url = database_url
        self._clock = clock
        self._draw = draw
        self._keeper = MessageKeeper(pool)
        #: Claimed messages by their time, on the monotonic clock.
        self._claimed: list[tuple[float, UUID]] = []
        #: All that is ours between claim and settlement.
        self._held: set[UUID] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._done: deque[_Done] = deque()
        self._news = asyncio.Event()
        self._to_mark = asyncio.Event()
        self._to_settle = asyncio.Event()

    async def run(self) -> None:
        """Send until cancelled. While the database is away nothing is sent, and what was answered is remembered."""
        await _persist(lambda: rows.stay_alive(self._pool, self.name, self._timing.lease_s))
        loops = [self._stay_alive, self._claim_all, self._mark_all, self._settle_all, self._tidy, self._look_up_all]
        if self._database_url is not None:
            loops.append(self._listen)
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(_forever(loop))

    async def stop(self) -> None:
        """After `run` was cancelled: wait a little for answers, write them, and give up all claims. What is still
        without an answer will be looked up."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._timing.stop_s_max)
        for call in list(self._calls):
            call.cancel()
        with suppress(StoreUnavailable):
            while self._done:
                await self._settle_some()
            await rows.leave(self._pool, self.name)

    # --- alive -----------------------------------------------------------------------------------------------------

    async def _stay_alive(self) -> None:
        await rows.stay_alive(self._pool, self.name, self._timing.lease_s)
        await asyncio.sleep(self._timing.lease_s / 4)

    async def _listen(self) -> None:
        assert self._database_url is not None  # noqa: S101  see run
        async for _ in listening.notifications(self._database_url, rows.ADDED):
            self._news.set()

    # --- claiming --------------------------------------------------------------------------------------------------

    async def _claim_all(self) -> None:
        self._news.clear()
        wait_s = self._timing.idle_s
        for account_id, called in (await self._clients.every()).items():
            if isinstance(called.client, SendsMessages) and len(self._claimed) < rates.PLANNED_MAX:
                try:
                    wait_s = min(wait_s, await self._claim(account_id))
                except _Clashes:
                    wait_s = _BUSY_S
        await _wait(self._news, max(wait_s, _TOGETHER_S))

    async def _claim(self, account_id: int) -> float:
        """Claim what has its turn; seconds until there may be more."""
        if not await rows.is_any_free(self._pool, account_id):
            return self._timing.idle_s
        ours: list[UUID] = []
        try:
            async with transaction(self._pool) as connection:
                now = await rows.lock_rates(connection, account_id)
                if now is None:
                    return _BUSY_S
                read_at = time.monotonic()
                known = await rows.rates(connection, account_id)
                account = _bucket(known.get(rows.WHOLE), self._default_rates.account)
                # Twice of what can have its turn: some are for recipients to whom something is under way.
                most = 2 * min(math.ceil(account.rate * self._timing.ahead_s) + rates.BURST_MAX, rates.PLANNED_MAX)
                first = await rows.waiting(connection, account_id, most)
                queues = await _queues(connection, account_id, first)
                senders = {sender: _bucket(known.get(sender), self._default_rates.sender) for sender in queues}
                waiting = {sender: len(queue) for sender, queue in queues.items()}
                plan = rates.plan(account, senders, waiting, now, ahead_s=self._timing.ahead_s)
                turns = [(send.at, queues[send.sender].popleft()) for send in plan.sends]
                ours = [number for _, number in turns]
                if ours:
                    self._held.update(ours)
                    claimed = await rows.claim(connection, self.name, ours)
                    spent = {sender: _spent(plan.senders[sender]) for sender in {send.sender for send in plan.sends}}
                    await rows.keep_rates(connection, account_id, {**spent, rows.WHOLE: _spent(plan.account)})
        except BaseException:
            self._held.difference_update(ours)  # if they are ours all the same, tidying gives them back
            raise
        if ours:
            self._held.difference_update(set(ours) - claimed)
            for at, number in turns:
                if number in claimed:
                    heapq.heappush(self._claimed, (read_at + at - now, number))
            self._to_mark.set()
        later = [each.due_in_s for each in first if each.due_in_s > 0]
        if plan.next_at is not None:
            later.append(plan.next_at - now)
        elif ours:
            later.append(self._timing.ahead_s / 2)  # there may be more than was looked at
        return min(later, default=self._timing.idle_s)

    # --- marking and sending ---------------------------------------------------------------------------------------

    async def _mark_all(self) -> None:
        self._to_mark.clear()
        now = time.monotonic()
        ids: list[UUID] = []
        while self._claimed and self._claimed[0][0] <= now + _TOGETHER_S and len(self._calls) + len(ids) < CALLS_MAX:
            ids.append(heapq.heappop(self._claimed)[1])
        if ids:
            await self._mark(ids)
            return
        is_full = len(self._calls) >= CALLS_MAX
        wait_s = self._claimed[0][0] - now if self._claimed and not is_full else self._timing.idle_s
        await _wait(self._to_mark, min(wait_s, self._timing.idle_s))

    async def _mark(self, ids: Sequence[UUID]) -> None:
        try:
            called = await self._clients.every()
            marked_at = _Moment.now()
            while True:
                try:
                    going = await self._marked(ids, called)
                    break
                except _Clashes:
                    marked_at = _Moment.now()
        except BaseException:
            self._held.difference_update(ids)  # whatever the database made of it, tidying finds out
            raise
        self._held.difference_update(set(ids) - {each.id for each in going})
        for each in going:
            call = asyncio.create_task(self._call(each, called[each.account_id], marked_at))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _marked(self, ids: Sequence[UUID], called: Mapping[int, Called]) -> list[Marked]:
        """Mark them in one transaction, but those that must not go any more; gives those that go."""
        now = self._clock()
        going: list[Marked] = []
        told: list[Told] = []
        counts: Counter[tuple[int, str]] = Counter()
        async with transaction(self._pool) as connection:
            marked = await rows.mark(connection, self.name, ids)
            settled = await rows.settled(connection, [each.id for each in marked])
            keys = {each.id: OptOutKey(each.account_id, each.sender, each.recipient) for each in marked}
            opted_out = await opt_outs.opted_out(connection, keys.values())
            back: list[tuple[UUID, int, float, str]] = []
            for each in marked:
                why = _why_not(each, is_opted_out=keys[each.id] in opted_out)
                if each.id in settled:
                    counts[each.account_id, Outcome.FOUND if settled[each.id] else Outcome.NOT_SENT] += 1
                elif why is not None:
                    told.append(_told(each, now, outbox.told(each.id, Status.FAILED, error_code=why)))
                    counts[each.account_id, Outcome.NOT_SENT] += 1
                elif each.account_id not in called or not isinstance(called[each.account_id].client, SendsMessages):
                    back.append((each.id, each.attempts, self._patience.backoff_first_s, "Its account cannot be used."))
                else:
                    told.append(_told(each, now, outbox.told(each.id, Status.SENDING)))
                    going.append(each)
            if back:
                await rows.wait_again(connection, back)
            stays = {each.id for each in going} | {number for number, *_ in back}
            await rows.remove(connection, [each.id for each in marked if each.id not in stays])
            await keep_and_record(connection, self._keeper, told, now)
            await rows.count(connection, counts)
        return going

    async def _call(self, marked: Marked, called: Called, marked_at: "_Moment") -> None:
        """Make the request, and remember what came of it until it is written."""
        assert isinstance(called.client, SendsMessages)  # noqa: S101  see _marked
        receipt: Receipt | None = None
        error: SendFailed | None = None
        try:
            url = callback_url(self._public_url, called.account, "messages", str(marked.id))
            outbound = _outbound(marked, url)
            if marked_at.is_older_than(self._timing.mark_s_max):
                error = ProviderFailed("This worker was held up for too long before the request, so it made none.")
            else:
                async with asyncio.timeout(self._timing.call_s_max):
                    receipt = await called.client.send(outbound)
        except SendFailed as failed:
            error = failed
        except TimeoutError:
            error = OutcomeUnknown("The provider did not answer in time. It may have sent the message.")
        except Exception as unexpected:
            _log.error("send_failed", message=str(marked.id), error=type(unexpected).__name__)
            error = OutcomeUnknown(f"{type(unexpected).__name__} while sending. The provider may have the message.")
        verdict = None
        if error is not None:
            verdict = outbox.verdict(
                error,
                attempts=marked.attempts,
                tried_s=marked.tried_s,
                draw=self._draw(),
                patience=self._patience,
            )
        self._done.append(_Done(marked, self._clock(), receipt, error, verdict))
        self._to_settle.set()
        self._to_mark.set()  # there is room for another

    # --- settling --------------------------------------------------------------------------------------------------

    async def _settle_all(self) -> None:
        self._to_settle.clear()
        while self._done:
            await self._settle_some()
        await self._to_settle.wait()

    async def _settle_some(self) -> None:
        """Write what came of some tries. They are forgotten only when that is done.

        Raises:
            StoreUnavailable: not now; again with the same ones is safe.
        """
        some = [self._done[index] for index in range(min(len(self._done), _SETTLED_AT_ONCE))]
        try:
            await _again_where_clashing(lambda: self._settle(some))
        except (StoreUnavailable, psycopg.ProgrammingError):
            raise
        except Exception as error:
            # One answer that cannot be kept must not hold up the others: it stays unknown, and is looked up.
            _log.error("answers_not_kept", answers=len(some), error=type(error).__name__)
            some = some[:1]
            with suppress(*_Clashes):
                await self._settle([some[0]._replace(receipt=None, error=_cannot_be_kept(error), verdict=LookUp())])
        for _ in some:
            done = self._done.popleft()
            self._held.discard(done.marked.id)
        self._news.set()  # their recipients are free again

    async def _settle(self, some: Sequence[_Done]) -> None:
        now = self._clock()
        counts: Counter[tuple[int, str]] = Counter()
        told: list[Told] = []
        account_of = {done.marked.id: done.marked.account_id for done in some}

        def note(ids: set[UUID], outcome: Outcome) -> None:
            counts.update((account_of[number], outcome) for number in ids)

        async with transaction(self._pool) as connection:
            taken = [done for done in some if done.receipt is not None]
            note(await rows.remove(connection, [done.marked.id for done in taken]), Outcome.SENT)
            told += [_told(done.marked, done.at, done.receipt) for done in taken if done.receipt is not None]

            never = {done.marked.id: done for done in some if isinstance(done.verdict, Never)}
            ended = await rows.remove_tries(connection, [_try(done) for done in never.values()])
            told += [_told(never[number].marked, never[number].at, _failure(never[number])) for number in sorted(ended)]
            given_up = {number for number in ended if _code(never[number]) == our_codes.GIVEN_UP}
            note(given_up, Outcome.NOT_SENT)
            note(ended - given_up, Outcome.REFUSED)

            again = [(done, done.verdict) for done in some if isinstance(done.verdict, Again)]
            if again:
                tries = [(*_try(done), verdict.after_s, str(done.error)) for done, verdict in again]
                note(await rows.wait_again(connection, tries), Outcome.RETRIED)
            unknown = {done.marked.id: done for done in some if isinstance(done.verdict, LookUp)}
            if unknown:
                tries_unknown = [(*_try(done), str(done.error)) for done in unknown.values()]
                left = await rows.become_unknown(connection, tries_unknown, self._patience.looks_s[0])
                note(left, Outcome.UNKNOWN)
                told += [_told(unknown[number].marked, unknown[number].at, _is_unknown(number)) for number in left]
            await keep_and_record(connection, self._keeper, told, now)
            for account_id in sorted({done.marked.account_id for done, _ in again}):
                rest_s = max(verdict.rest_s for done, verdict in again if done.marked.account_id == account_id)
                await rows.pause(connection, account_id, rest_s)
            await rows.count(connection, counts)

    # --- what was left behind --------------------------------------------------------------------------------------

    async def _tidy(self) -> None:
        await _again_where_clashing(self._tidy_once)
        await asyncio.sleep(self._timing.lease_s / 4)

    async def _tidy_once(self) -> None:
        """See to what dead workers left, and to what could not be sent in time."""
        now = self._clock()
        counts: Counter[tuple[int, str]] = Counter()
        async with transaction(self._pool) as connection:
            await rows.free_claims(connection)
            look_s = self._patience.looks_s[0]
            left = await rows.take_left_sending(connection, look_s=look_s, problem=_LEFT_BEHIND, limit=_LEFT_AT_ONCE)
            expired = await rows.expire(connection, _LEFT_AT_ONCE)
            code = our_codes.EXPIRED_BEFORE_SENDING
            told = [Told(account, Telling(_is_unknown(number), now, None)) for number, account in left]
            told += [
                Told(account, Telling(outbox.told(number, Status.FAILED, error_code=code), now, None))
                for number, account in expired
            ]
            counts.update((account, Outcome.UNKNOWN) for _, account in left)
            counts.update((account, Outcome.NOT_SENT) for _, account in expired)
            await keep_and_record(connection, self._keeper, told, now)
            await rows.count(connection, counts)
        async with transaction(self._pool) as connection:
            # Where a commit failed, or we were cancelled in it, the database may think otherwise of what is ours.
            ours = await rows.held_by(connection, self.name)
            stray = [(number, attempts) for number, attempts in ours.items() if number not in self._held]
            if stray:
                await rows.give_back(connection, self.name, stray)
                await rows.become_unknown(connection, [(*each, _LEFT_BEHIND) for each in stray], look_s)
                _log.warning("claims_given_back", claims=len(stray))

    # --- looking up ------------------------------------------------------------------------------------------------

    async def _look_up_all(self) -> None:
        lease_s = self._timing.call_s_max + self._timing.lease_s
        unknown = await rows.take_unknown(self._pool, lease_s=lease_s, limit=_LOOKED_UP_AT_ONCE)
        results = await asyncio.gather(*[self._look_up(each) for each in unknown], return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        if not unknown:
            next_s = await rows.next_unknown_s(self._pool)
            await asyncio.sleep(self._timing.idle_s if next_s is None else min(max(next_s, 0.0), self._timing.idle_s))

    async def _look_up(self, unknown: Marked) -> None:
        """Ask the provider for it, where it can be asked, and nobody has told yet."""
        if await self._is_told(unknown):
            return
        called = await self._clients.of(unknown.account_id)
        listed: list[Receipt] | None = None
        after_s = self._patience.cannot_look_s
        if called is not None and isinstance(called.client, ListsMessages):
            try:
                async with asyncio.timeout(self._timing.call_s_max):
                    listed = await self._listed(called.client, unknown)
            except RequestRefused as error:
                _log.warning("look_up_refused", message=str(unknown.id), error=error.code)
            except (SendFailed, TimeoutError):
                after_s = self._patience.look_again_s
            except StoreUnavailable:
                raise
            except Exception as error:
                _log.error("look_up_failed", message=str(unknown.id), error=type(error).__name__)
        await _again_where_clashing(lambda: self._looked_up(unknown, listed, after_s))
        self._news.set()

    async def _is_told(self, unknown: Marked) -> bool:
        """Whether a callback told meanwhile that the provider has it; then it is out of the outbox."""
        async with transaction(self._pool) as connection:
            return await self._take_out_settled(connection, unknown)

    async def _take_out_settled(self, connection: Connection, unknown: Marked) -> bool:
        settled = await rows.settled(connection, [unknown.id])
        if unknown.id not in settled:
            return False
        if await rows.remove(connection, [unknown.id]):
            outcome = Outcome.FOUND if settled[unknown.id] else Outcome.NOT_SENT
            await rows.count(connection, {(unknown.account_id, outcome): 1})
        return True

    async def _listed(self, client: ListsMessages, unknown: Marked) -> list[Receipt]:
        """What the provider has to this recipient from about then on."""
        since = outbox.since(unknown.marked_at, self._patience)
        until = self._clock() + timedelta(seconds=self._patience.clock_off_s)
        listed: list[Receipt] = []
        offset = 0
        for _ in range(_PAGES_MAX):
            receipts, following = await client.sent_between(since, until, offset=offset, recipient=unknown.recipient)
            listed += receipts
            if following is None:
                return listed
            offset = following
        raise ProviderFailed("The list does not end.")

    async def _looked_up(self, unknown: Marked, listed: Sequence[Receipt] | None, after_s: float) -> None:
        """Write what was found. None: nobody could be asked, and only a callback can have told."""
        now, number, account_id = self._clock(), unknown.id, unknown.account_id
        async with transaction(self._pool) as connection:
            looks = await rows.lock_unknown(connection, number, unknown.attempts)
            if looks is None:
                return  # its answer came after all
            if await self._take_out_settled(connection, unknown):
                return
            if listed is None:
                await rows.look_again(connection, number, looks=looks, after_s=after_s)
                return
            known = await rows.known_ids(connection, account_id, [each.provider_message_id for each in listed])
            since = outbox.since(unknown.marked_at, self._patience)
            others = _others(unknown, known)
            found = outbox.found(unknown.id, unknown.sender, unknown.recipient, since, listed, others)
            if found:
                receipts = [each._replace(our_id=str(number), source=Source.LOOKUP) for each in found]
                await rows.remove(connection, [number])
                told = [_told(unknown, now, receipt) for receipt in receipts]
                await keep_and_record(connection, self._keeper, told, now)
                await rows.count(connection, {(account_id, Outcome.FOUND): 1})
                return
            waits = self._patience.looks_s
            if looks + 1 < len(waits):
                await rows.look_again(connection, number, looks=looks + 1, after_s=waits[looks + 1] - waits[looks])
                return
            if unknown.tried_s >= self._patience.tried_s_max:
                await rows.remove(connection, [number])
                fact = outbox.told(number, Status.FAILED, error_code=our_codes.GIVEN_UP, detail=_NOT_THERE)
                await keep_and_record(connection, self._keeper, [_told(unknown, now, fact)], now)
                await rows.count(connection, {(account_id, Outcome.NOT_SENT): 1})
                return
            await rows.send_again(connection, number)
            await rows.count(connection, {(account_id, Outcome.NOT_FOUND): 1})


class _Moment(NamedTuple):
    """By two clocks: the one stands still while the machine sleeps, the other may be set."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> "_Moment":
        return cls(time.monotonic(), time.time())

    def is_older_than(self, seconds: float) -> bool:
        now = _Moment.now()
        return max(now.monotonic - self.monotonic, now.wall - self.wall) > seconds


async def _queues(connection: Connection, account_id: int, first: Sequence[rows.Waiting]) -> dict[str, deque[UUID]]:
    """What may go now, by sender: what is due, and the first to each recipient, if nothing is under way there."""
    due = [each for each in first if each.due_in_s <= 0]
    taken = await rows.under_way(connection, account_id, {each.recipient for each in due}) if due else set()
    queues: dict[str, deque[UUID]] = {}
    for each in due:
        if each.recipient not in taken:
            taken.add(each.recipient)
            queues.setdefault(each.sender, deque()).append(each.id)
    return queues


def _others(unknown: Marked, known: Mapping[str, UUID]) -> set[str]:
    """The provider's ids of messages of ours that are others. One that we know only because the provider told of it
    may be the one that is looked for."""
    return {
        theirs
        for theirs, ours in known.items()
        if ours not in (unknown.id, message_id(MessageKey(unknown.account_id, theirs, Direction.OUTBOUND)))
    }


def _why_not(marked: Marked, *, is_opted_out: bool) -> str | None:
    """Our code of why it must not go any more."""
    if is_opted_out:
        return our_codes.OPTED_OUT
    if marked.expires_in_s is not None and marked.expires_in_s <= 0:
        return our_codes.EXPIRED_BEFORE_SENDING
    return None


def _outbound(marked: Marked, url: str) -> Outbound:
    """What the provider is asked to send. What is left of its time is rounded up."""
    request: Mapping[str, Any] = marked.request
    left_s = None if marked.expires_in_s is None else max(_EXPIRES_S_MIN, math.ceil(marked.expires_in_s))
    return Outbound(
        id=marked.id,
        channel=Channel(request["channel"]),
        sender=marked.sender,
        recipient=marked.recipient,
        text=request.get("text"),
        media_urls=tuple(request.get("media_urls") or ()),
        template=request.get("template"),
        expires_after_s=left_s,
        trackable=bool(request.get("trackable")),
        callback_url=url,
        callback_method=request.get("callback_method") or "POST",
    )


def _try(done: _Done) -> tuple[UUID, int]:
    return done.marked.id, done.marked.attempts


def _told(marked: Marked, at: datetime, receipt: Receipt) -> Told:
    return Told(marked.account_id, Telling(receipt, at, None))


def _is_unknown(number: UUID) -> Receipt:
    return outbox.told(number, Status.UNKNOWN_OUTCOME)


def _code(done: _Done) -> str:
    assert isinstance(done.verdict, Never)  # noqa: S101  see _settle
    return done.verdict.error_code


def _failure(done: _Done) -> Receipt:
    """The fact that it failed: the provider's no, or ours after too many tries."""
    assert done.error is not None  # noqa: S101  what has a verdict has an error
    if _code(done) == our_codes.GIVEN_UP:
        return outbox.told(done.marked.id, Status.FAILED, error_code=_code(done), detail=str(done.error))
    return outbox.refused(done.marked.id, _code(done), done.error)


def _cannot_be_kept(error: Exception) -> SendFailed:
    if isinstance(error, psycopg.errors.UniqueViolation):
        return OutcomeUnknown("The provider answered with the id of another message, so its answer cannot be kept.")
    return OutcomeUnknown(f"{type(error).__name__}: the provider's answer cannot be kept.")


def _bucket(row: rows.Rate | None, default: float) -> rates.Bucket:
    if row is None:
        return rates.Bucket(rate=default)
    return rates.Bucket(
        rate=row.rate or default,
        spent_until=-math.inf if row.spent_until is None else row.spent_until,
        paused_until=-math.inf if row.paused_until is None else row.paused_until,
        turn=row.turn,
    )


def _spent(bucket: rates.Bucket) -> tuple[float, int]:
    return bucket.spent_until, bucket.turn


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until then, or that long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _forever(step: Callable[[], Awaitable[None]]) -> None:
    """Again and again; while the database is away, now and then."""
    while True:
        await _persist(step)


async def _persist(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await step()
        except StoreUnavailable as error:
            _log.warning("sending_waits", reason=str(error))
            await asyncio.sleep(_AWAY_S)


async def _again_where_clashing(work: Callable[[], Awaitable[None]]) -> None:
    """Where two transactions locked the same in another order, one of them is to be done again."""
    while True:
        try:
            return await work()
        except _Clashes:
            continue
