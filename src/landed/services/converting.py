"""Conversions: whether the person did what a message was for. Kept as a fact of ours, and told to the provider.

Once the person did it, nothing takes that back. A worker tells the provider, again and again while it is away.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import psycopg
import structlog
from psycopg import AsyncConnection
from pydantic import Field

from landed.domain.errors import InputInvalid, NotFound, SendFailed, StoreUnavailable
from landed.domain.outbox import TRACKABLE
from landed.domain.receipts import Direction, Receipt, Source, Telling
from landed.domain.statuses import Status
from landed.providers.clients import TakesConversions
from landed.services.calling import Clients
from landed.services.keeping.base import Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.recording import keep_and_record
from landed.services.shapes import Moment, Shape
from landed.store import conversions, walks
from landed.store.connect import transaction
from landed.store.conversions import Claimed, ConversionState, Converting, Pool, Verified
from landed.store.messages import facts_from_json

#: A clock of somebody else's may be ahead of ours by this.
AHEAD_MAX: Final = timedelta(minutes=5)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: 20 attempts, the second after 30 s and then each after twice as long, up to an hour: for 13 hours in all.
ATTEMPTS_MAX: Final = 20
FIRST_S: Final = 30.0
MOST_S: Final = 3600.0
AT_ONCE: Final = 10
EVERY_S: Final = 2.0
_AWAY_S: Final = 5.0
#: A message that names a session in a tag was sent for it at most this long before it was begun.
BEFORE_SESSION: Final = timedelta(hours=1)
SESSION_TAG: Final = "session:"

_log = structlog.get_logger()


class ConversionShape(Shape):
    """What was reported of a message, and whether the provider knows."""

    message_id: str
    converted: bool = Field(description="true stays true, whatever is reported later")
    at: Moment
    state: str = Field(
        description="whether the provider was told; refused: it does not take it", examples=list(ConversionState)
    )
    problem: str | None = Field(description="why it was not told")


class Converter:
    """Takes in what is reported of messages."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._pool = pool
        self._clock = clock
        self._keeper = MessageKeeper(pool)
        # One at a time: a transaction that counts takes a second connection of the pool for new combinations.
        self._writing = asyncio.Lock()

    async def report(
        self, message_id: str, *, converted: bool, at: datetime | None, account_id: int | None
    ) -> ConversionShape:
        """Note whether the person did what the message was for. Reporting it again changes nothing.

        Args:
            message_id: ours or the provider's.
            at: when; None: now.

        Raises:
            NotFound: there is no such message, or none of this account.
            InputInvalid: it is none that we sent; or `at` is in the future.
        """
        now = self._clock()
        if at is not None and not _LONG_AGO <= at <= now + AHEAD_MAX:
            raise InputInvalid("`at` is in the future, or from before there were such messages.", field="at")
        while True:
            try:
                async with self._writing, transaction(self._pool) as connection:
                    number = await conversions.find(connection, message_id, account_id)
                    found = await conversions.lock(connection, [number]) if number else []
                    if not found:
                        raise NotFound("There is no message with this id, ours or the provider's.")
                    if found[0].direction != Direction.OUTBOUND:
                        raise InputInvalid("Only messages that were sent convert; this one came in.", field="id")
                    await self.note(connection, found, converted=converted, at=at or now, now=now)
                    kept = await conversions.one(connection, found[0].id)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again
            assert kept is not None  # noqa: S101  it was noted now, or before
            return ConversionShape(
                message_id=str(kept.message_id),
                converted=kept.converted,
                at=kept.occurred_at,
                state=kept.state,
                problem=kept.problem,
            )

    async def note(
        self,
        connection: AsyncConnection[object],
        messages: Iterable[Converting],
        *,
        converted: bool,
        at: datetime,
        now: datetime,
    ) -> None:
        """Note it of messages that are locked, inside the transaction."""
        news = [each for each in messages if each.converted is None or (converted and not each.converted)]
        if not news:
            return
        told = [Told(each.account_id, Telling(_fact(each, converted, at), now, None)) for each in news]
        await keep_and_record(connection, self._keeper, told, now)
        for each in news:
            problem = None if _is_trackable(each) else "It was sent without `trackable`: the provider takes nothing."
            await conversions.add(connection, each, converted=converted, at=at, now=now, problem=problem)


def _fact(message: Converting, converted: bool, at: datetime) -> Receipt:
    """Lifts no status: the lowest there is."""
    return Receipt(
        provider_message_id="",
        provider_status="converted" if converted else "not_converted",
        status=Status.SCHEDULED,
        source=Source.OURS,
        our_id=str(message.id),
        extra=(("at", at.astimezone(UTC).isoformat()),),
        converted=converted,
    )


def _is_trackable(message: Converting) -> bool:
    """Unless we sent it otherwise. Of what others sent we do not know: there the provider says so."""
    known = facts_from_json(None, orjson.loads(message.facts))
    accepted = [fact for fact in known if fact.source is Source.OURS and fact.status is Status.SCHEDULED]
    accepted = [fact for fact in accepted if fact.converted is None]
    return not accepted or any(TRACKABLE in fact.extra for fact in accepted)


class Teller:
    """Tells providers of conversions. Several workers may do it at once."""

    def __init__(
        self, *, pool: Pool, clients: Clients, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._clock = clock

    async def run(self) -> None:
        """Tell what is due, until cancelled."""
        while True:
            try:
                if not await self.tell_due():
                    await asyncio.sleep(EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(_AWAY_S)

    async def tell_due(self) -> int:
        """Tell some of those that are due, at once; how many.

        Raises:
            StoreUnavailable: what came of them may not be noted; they are due again later.
        """
        claimed = await conversions.claim(self._pool, self._clock(), limit=AT_ONCE, first_s=FIRST_S, most_s=MOST_S)
        for result in await asyncio.gather(*map(self._tell, claimed), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        return len(claimed)

    async def _tell(self, claimed: Claimed) -> None:
        called = await self._clients.of(claimed.account_id)
        if called is None or not isinstance(called.client, TakesConversions):
            problem = "The account is disabled, has no secret, or its provider takes no conversions."
            await conversions.settle(self._pool, claimed, ConversionState.REFUSED, problem, self._clock())
            return
        try:
            await called.client.report_conversion(
                claimed.provider_message_id, converted=claimed.converted, at=claimed.occurred_at
            )
        except SendFailed as error:
            is_over = not error.retryable or claimed.attempts >= ATTEMPTS_MAX
            state = ConversionState.REFUSED if is_over else ConversionState.WAITING
            _log.warning("conversion_not_told", message=str(claimed.message_id), code=error.code, given_up=is_over)
            await conversions.settle(self._pool, claimed, state, str(error), self._clock())
        else:
            await conversions.settle(self._pool, claimed, ConversionState.TOLD, None, self._clock())


class SessionConverter:
    """Notes the conversion of the messages that belong to verify sessions, when those are passed.

    A message belongs to a session if it is one of the session's attempts at the provider, or names it in a tag
    `session:ID`, by our id or the provider's.
    """

    def __init__(self, *, pool: Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._pool = pool
        self._clock = clock
        self._converter = Converter(pool, clock)

    async def run(self) -> None:
        """Follow the events, until cancelled. One worker at a time does."""
        while True:
            try:
                if not await self.follow():
                    await asyncio.sleep(EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(_AWAY_S)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again

    async def follow(self) -> int:
        """Go one step along the events; how many sessions there were.

        Raises:
            StoreUnavailable, DeadlockDetected, SerializationFailure: nothing was noted.
        """
        now = self._clock()
        async with transaction(self._pool) as connection:
            taken = await walks.take(connection, "verified sessions", now)
            if taken is None:
                return 0
            position, sessions = await conversions.verified(connection, taken)
            for session in sessions:
                found = await conversions.of_session(
                    connection, session, session.started_at - BEFORE_SESSION, _tags(session)
                )
                locked = await conversions.lock(connection, found)
                await self._converter.note(connection, locked, converted=True, at=session.verified_at, now=now)
            await walks.move(connection, taken, position, now, rest_s=0)
        return len(sessions)


def _tags(session: Verified) -> list[str]:
    names = [str(session.id), session.provider_session_id]
    return [f"{SESSION_TAG}{name}" for name in names if name]
