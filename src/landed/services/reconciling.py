"""Reconciling: no message stays silent. What is not final after a while is asked for at its provider, again and again
at growing distances, and in the end becomes `expired`; a true answer still corrects that, however late.

Answers are facts like any other (source `lookup`), and what we conclude is one, too (source `ours`): folding them
twice, or beside a callback that comes at the same moment, changes nothing. Several workers share the work: each claims
some of what is due, for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

import psycopg
import structlog

from landed.domain.errors import ProviderThrottled, SendFailed, StoreUnavailable
from landed.domain.receipts import Receipt, SessionReceipt, SessionStatus, Source, Telling
from landed.domain.statuses import Status
from landed.providers.clients import SendsMessages, Verifies
from landed.services.calling import Called
from landed.services.keeping import sessions
from landed.services.keeping.base import Keeper, Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.opt_outs import ExplainerOf, OptOutKeeper
from landed.services.keeping.recording import keep_and_record
from landed.store import accounts, lookups
from landed.store.connect import transaction
from landed.store.lookups import Claimed, Kind, Pool, Settled, Standing

#: Whoever claimed something has this long to ask and to write down the answer: several time-outs of a provider.
LEASE_S: Final = 300.0
#: Look-ups of one account that are under way at once.
AT_ONCE: Final = 10
#: A look-up that got no answer is tried again after this.
AGAIN_S: Final = 300.0
#: Where nothing of an account could be asked for, it is let alone for this long.
PAUSE_S: Final = 60.0
#: A message is not given up while its provider cannot be asked, but for longer than this.
GRACE: Final = timedelta(hours=24)
#: How often the present is walked up to, and the rest of the way that goes round through everything.
WALK_S: Final = 15.0
SWEEP_S: Final = 60.0
#: Pages of a walk in one go.
PAGES_AT_ONCE: Final = 20
EVERY_S: Final = 5.0
_ROUND_S: Final = 1.0
_AWAY_S: Final = 5.0
#: What the last answer was, where it was no word of the provider's.
NOT_FOUND: Final = "not_found"
NOT_ASKED: Final = "not_asked"

_log = structlog.get_logger()


class ClientOf(Protocol):
    """Which account it is, and what calls its provider: services.calling.Clients."""

    async def of(self, account_id: int) -> Called | None: ...


class _Asked(NamedTuple):
    """A thing that was to be asked for, and what came of it."""

    claimed: Claimed
    receipts: Sequence[Receipt | SessionReceipt] = ()
    answered: bool = False
    can_ask: bool = True
    answer: str | None = None
    retry_after_s: float | None = None


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    asked: int = 0
    answered: int = 0
    expired: int = 0


class Reconciler:
    """Asks back. One per worker process."""

    def __init__(
        self,
        *,
        pool: Pool,
        clients: ClientOf,
        explainer_of: ExplainerOf,
        after_s: float,
        expire_after_s: float,
        lookups_per_s: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.tally = Tally()
        self._pool = pool
        self._clients = clients
        self._after = timedelta(seconds=after_s)
        self._expire_after = timedelta(seconds=expire_after_s)
        self._lookups_per_s = lookups_per_s
        self._clock = clock
        self._messages = MessageKeeper(pool)
        self._opt_outs = OptOutKeeper(explainer_of)
        self._sessions = sessions.keeper()
        self._paused: dict[int, datetime] = {}
        # One at a time: a transaction that counts takes a second connection of the pool for new combinations.
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Find and ask for what is due, until cancelled. A provider that is slow holds up its own accounts only."""
        busy: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                busy = {account_id: task for account_id, task in busy.items() if not task.done()}
                try:
                    await self.find()
                    claimed = await self._claim(busy)
                except StoreUnavailable:
                    await asyncio.sleep(_AWAY_S)
                    continue
                for account_id, some in claimed.items():
                    busy[account_id] = asyncio.create_task(self._ask_or_leave(account_id, some))
                await asyncio.sleep(_ROUND_S if claimed else EVERY_S)
        finally:
            for task in busy.values():
                task.cancel()
            await asyncio.gather(*busy.values(), return_exceptions=True)

    async def find(self) -> None:
        """Enter what was submitted long enough ago and is not final.

        Raises:
            StoreUnavailable: the rest later.
        """
        for kind in Kind:
            now = self._clock()
            for _ in range(PAGES_AT_ONCE):
                if await lookups.walk(self._pool, kind, now - self._after, now, rest_s=WALK_S) < lookups.PAGE:
                    break
            await lookups.sweep(self._pool, kind, now - self._after, now, rest_s=SWEEP_S)

    async def ask_due(self) -> int:
        """Ask for some of what is due, as much as may be asked for in a second; how much it was.

        Raises:
            StoreUnavailable: what is not written is due again later.
        """
        claimed = await self._claim(())
        await asyncio.gather(*(self._ask(account_id, some) for account_id, some in claimed.items()))
        return sum(map(len, claimed.values()))

    async def _claim(self, besides: Iterable[int]) -> Mapping[int, list[Claimed]]:
        now = self._clock()
        self._paused = {account_id: until for account_id, until in self._paused.items() if until > now}
        every = await accounts.providers(self._pool)
        free = every.keys() - self._paused.keys() - set(besides)
        claimed: dict[int, list[Claimed]] = {}
        found = await lookups.claim(self._pool, sorted(free), now, limit=self._lookups_per_s, lease_s=LEASE_S)
        for each in found:
            claimed.setdefault(each.account_id, []).append(each)
        return claimed

    # --- asking ----------------------------------------------------------------------------------------------------

    async def _ask_or_leave(self, account_id: int, claimed: Sequence[Claimed]) -> None:
        try:
            await self._ask(account_id, claimed)
        except StoreUnavailable as error:
            _log.warning("reconciling_waits", reason=str(error))
        except Exception as error:  # what is wrong with one account must not end the worker: it is due again later
            _log.error("reconciling_failed", account_id=account_id, error=type(error).__name__)
            self._pause(account_id, PAUSE_S)

    async def _ask(self, account_id: int, claimed: Sequence[Claimed]) -> None:
        async with transaction(self._pool) as connection:
            standing = await lookups.standing(connection, claimed)
        called = await self._clients.of(account_id)
        client = called.client if called else None
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(each: Claimed) -> _Asked:
            stands = standing.get(each.id)
            if stands is None or stands.final:
                return _Asked(each)
            async with slots:
                return await _look_up(client, each, stands)

        asked = await asyncio.gather(*map(ask, claimed))
        tried = [each for each in asked if each.answer is not None and each.can_ask]
        self.tally.asked += len(tried)
        self.tally.answered += sum(each.answered for each in tried)
        if tried and not any(each.answered for each in tried):
            self._pause(account_id, PAUSE_S)
        for each in tried:
            if each.retry_after_s is not None:
                self._pause(account_id, each.retry_after_s)
        await self._write(asked)

    def _pause(self, account_id: int, seconds: float) -> None:
        until = self._clock() + timedelta(seconds=seconds)
        self._paused[account_id] = max(self._paused.get(account_id, until), until)

    # --- writing ---------------------------------------------------------------------------------------------------

    async def _write(self, asked: Sequence[_Asked]) -> None:
        """What came of it, in one transaction. An answer that cannot be kept does not hold up the others."""
        while True:
            try:
                async with self._writing:
                    expired = await self._write_once(asked)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again
            except StoreUnavailable:
                raise
            except Exception as error:
                if len(asked) == 1:
                    _log.error("answer_not_kept", id=str(asked[0].claimed.id), error=type(error).__name__)
                    asked = [_Asked(asked[0].claimed, answer="not_kept")]
                    continue
                for each in asked:
                    await self._write([each])
                return
            if expired:
                self.tally.expired += expired
                _log.info("expired", things=expired)
            return

    async def _write_once(self, asked: Sequence[_Asked]) -> int:
        """Returns: how many expired."""
        now = self._clock()
        claimed = [each.claimed for each in asked]
        async with transaction(self._pool) as connection:
            # Locked, so that no row is merged into another between our look and our fact about it.
            standing = await lookups.standing(connection, claimed, lock=True)

            async def keep(kind: Kind, facts: Iterable[tuple[Claimed, Receipt | SessionReceipt]]) -> None:
                told = [Told(each.account_id, Telling(fact, now, None)) for each, fact in facts if each.kind is kind]
                keepers: dict[Kind, Sequence[Keeper]] = {
                    Kind.MESSAGE: (self._messages, self._opt_outs),
                    Kind.SESSION: (self._sessions,),
                }
                for keeper in keepers[kind] if told else ():
                    await keep_and_record(connection, keeper, told, now)

            answers = [(each.claimed, fact) for each in asked for fact in each.receipts if each.claimed.id in standing]
            for kind in Kind:
                await keep(kind, answers)
            if answers:
                standing = await lookups.standing(connection, claimed)
            open_ = [each for each in asked if each.claimed.id in standing and not standing[each.claimed.id].final]
            over = [each for each in open_ if self._is_over(each, standing[each.claimed.id], now)]
            expiries = [(each.claimed, _expiry(each, standing[each.claimed.id])) for each in over]
            for kind in Kind:
                await keep(kind, expiries)
            later = [each for each in open_ if each not in over]
            await lookups.settle(connection, [self._again(each, standing[each.claimed.id], now) for each in later])
            kept = {each.claimed.id for each in later}
            await lookups.remove(connection, [each.id for each in claimed if each.id not in kept])
        return len(expiries)

    def _is_over(self, asked: _Asked, standing: Standing, now: datetime) -> bool:
        """Whether nothing more is to be expected of it."""
        age = now - standing.since
        may_conclude = asked.answered or not asked.can_ask
        if asked.claimed.kind is Kind.SESSION:
            return now >= self._ends_at(standing) and (may_conclude or age >= self._expire_after)
        return age >= self._expire_after and (may_conclude or age >= self._expire_after + GRACE)

    def _again(self, asked: _Asked, standing: Standing, now: datetime) -> Settled:
        """When to ask again: after an answer twice as long as the time before, though not beyond the end."""
        number, attempts = asked.claimed.id, asked.claimed.attempts
        is_session = asked.claimed.kind is Kind.SESSION
        end = self._ends_at(standing) if is_session else standing.since + self._expire_after
        if asked.answered:
            attempts += 1
            next_at = now + self._after * 2 ** min(attempts - 1, 20)
        elif asked.can_ask:
            next_at = now + timedelta(seconds=asked.retry_after_s or AGAIN_S)
        else:
            next_at = end
        if end > now:
            next_at = min(next_at, end)
        return Settled(number, max(next_at, now + timedelta(seconds=1)), attempts, asked.answer or asked.claimed.answer)

    def _ends_at(self, standing: Standing) -> datetime:
        """When a session is over by itself."""
        return standing.ends_at or standing.since + self._after


async def _look_up(client: object | None, claimed: Claimed, standing: Standing) -> _Asked:
    """Ask the provider for one thing."""
    ask = _question(client, claimed.kind)
    if ask is None or standing.provider_id is None:
        return _Asked(claimed, can_ask=False, answer=NOT_ASKED)
    try:
        receipts = await ask(standing.provider_id)
    except ProviderThrottled as error:
        return _Asked(claimed, answer=error.code, retry_after_s=error.retry_after_s or PAUSE_S)
    except SendFailed as error:
        return _Asked(claimed, answer=error.code)
    return _Asked(claimed, receipts, answered=True, answer=receipts[0].provider_status if receipts else NOT_FOUND)


def _question(
    client: object | None, kind: Kind
) -> Callable[[str], Awaitable[Sequence[Receipt | SessionReceipt]]] | None:
    if kind is Kind.MESSAGE:
        return client.look_up if isinstance(client, SendsMessages) else None
    return client.look_up_session if isinstance(client, Verifies) else None


def _expiry(asked: _Asked, standing: Standing) -> Receipt | SessionReceipt:
    """Our own conclusion, and what it rests on: how often the provider answered, and what last."""
    attempts = asked.claimed.attempts + asked.answered
    answer = asked.answer or asked.claimed.answer or NOT_ASKED
    how = (("answers", str(attempts)), ("last_answer", answer))
    if asked.claimed.kind is Kind.SESSION:
        return SessionReceipt(
            provider_session_id=standing.provider_id or "",
            provider_status="",
            status=SessionStatus.EXPIRED,
            source=Source.OURS,
            extra=how,
        )
    return Receipt(
        provider_message_id="",
        provider_status=standing.provider_status,
        status=Status.EXPIRED,
        source=Source.OURS,
        our_id=str(asked.claimed.id),
        extra=how,
    )
