"""Verifying people: a session is started, its code is checked, sent again by another channel, or called off.

A start is kept before the provider is asked, so that limits against abuse count it at once and its outcome is never
forgotten. What the provider answers are facts, folded as callbacks are, in any order with them: our id travels in the
callbacks' path, so that both meet in one session. A start whose outcome is unknown is looked for among what callbacks
told and what the provider lists.

To send a code again starts another session, linked to the first; at a provider that goes on with the same session the
two are one. The code of the latest is the one that counts.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeGuard
from uuid import uuid4

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.countries import country_of
from landed.domain.errors import (
    InputInvalid,
    NotFound,
    OutcomeUnknown,
    RequestRefused,
    SendFailed,
    SessionEnded,
    StoreUnavailable,
    VerifyLimitReached,
)
from landed.domain.limits import Limit, ShareLimit
from landed.domain.outbound import SessionRequest
from landed.domain.receipts import AttemptChannel, SessionReceipt, SessionStatus, Source, Telling
from landed.providers.clients import CancelsSessions, ListsSessions, Verifies
from landed.services import addressing
from landed.services.calling import Clients
from landed.services.choosing import callback_url, choose, client_of
from landed.services.keeping import sessions
from landed.services.keeping.base import Told
from landed.services.keeping.recording import keep_and_record
from landed.store import session_rows, verify_starts
from landed.store.connect import transaction
from landed.store.session_rows import SessionRow
from landed.store.verify_starts import Side, Start, StartState

CODE_LENGTH_MIN: Final = 4
CODE_LENGTH_MAX: Final = 8
LIFETIME_S_MIN: Final = 30
LIFETIME_S_MAX: Final = 3600
#: What stands for the code in a text.
CODE: Final = "{code}"
#: A session that was started so long ago has ended, whether or not anybody told so: providers' codes live 5 to 10 min.
ENDED_AFTER: Final = timedelta(minutes=15)
#: A start that is still being asked after this was asked by a process that died: a call takes 40 s at most.
ASKING_MAX: Final = timedelta(seconds=60)
LOOK_AGAIN_AFTER: Final = timedelta(seconds=60)
LOST_AFTER: Final = timedelta(minutes=15)
#: A session of the provider's that began within this of our asking may be the one that we asked for.
_BEFORE: Final = timedelta(seconds=60)
_AFTER: Final = timedelta(seconds=120)
_PAGES_MAX: Final = 3
_LOOK_EVERY_S: Final = 15.0
_AWAY_S: Final = 5.0
_CLAIMED_AT_ONCE: Final = 20
_CODE: Final = re.compile(r"[0-9A-Za-z]{3,12}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_OTHER: Final = {AttemptChannel.SMS: AttemptChannel.VOICE, AttemptChannel.VOICE: AttemptChannel.SMS}

Pool = AsyncConnectionPool[AsyncConnection[Any]]
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAsked:
    """Whom to verify, and how, as a person says it."""

    to: str = field(repr=False)
    channel: AttemptChannel = AttemptChannel.SMS
    account: str | None = None
    region: str | None = None  #: what bare numbers are of
    locale: str | None = None
    brand_name: str | None = field(default=None, repr=False)
    code_length: int | None = None
    app: str | None = None
    text: str | None = field(default=None, repr=False)
    sender: str | None = field(default=None, repr=False)
    lifetime_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRules:
    """Limits against abuse."""

    limits: Mapping[Side, Sequence[Limit]]
    share: ShareLimit
    tries_max: int
    region: str | None = None  #: what bare numbers are of, where it is not said


class Checked(NamedTuple):
    """What came of a code."""

    is_verified: bool
    tries_left: int | None  #: None: the session was not started here, and nobody counts
    session_id: str  #: the one that it was the code of


class _Open(NamedTuple):
    """A session that still takes codes, and the start of it, where it is ours."""

    start: Start | None
    row: SessionRow


class Verifier:
    """Starts sessions, checks codes, and finds out what became of starts.

    Args:
        public_url: see settings.py.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        clients: Clients,
        public_url: str,
        rules: VerifyRules,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._public_url = public_url
        self._rules = rules
        self._clock = clock
        self._keeper = sessions.keeper()

    # --- starting --------------------------------------------------------------------------------------------------

    async def start(self, asked: SessionAsked, *, caller: str, account_id: int | None) -> str:
        """Send a person a code.

        Args:
            caller: who asks, for the limits.
            account_id: what the key is bound to.

        Returns:
            Our id of the session.

        Raises:
            InputInvalid: it cannot be asked for like this; names the field.
            VerifyLimitReached: there were too many, or too few of them came to anything. Nothing was sent.
            OutcomeUnknown: a code may be on its way. `our_id` is the session's, and what is heard later is kept.
            SendFailed: any other: nothing was sent.
            StoreUnavailable: nothing was sent.
        """
        _check(asked)
        recipient = addressing.recipient(asked.to, region=asked.region or self._rules.region)
        sender = addressing.sender(asked.sender, region=asked.region or self._rules.region) if asked.sender else None
        account, client = await choose(self._clients, asked.account, account_id, _verifies, "verify people")
        told = {name: value for name, value in asdict(asked).items() if name in _KEPT and value is not None}
        start = Start(
            id=uuid4(),
            account_id=account.id,
            caller=caller,
            recipient=recipient,
            country=country_of(recipient),
            channel=asked.channel,
            asked=told | ({"sender": sender} if sender else {}),
            asked_at=self._clock(),
        )
        return await self._start(start, client, callback_url(self._public_url, account, "verify", str(start.id)))

    async def resend(
        self, session_id: str, channel: AttemptChannel | None, *, caller: str, account_id: int | None
    ) -> str:
        """Send a code again, by the other channel where none is named. The one before no longer counts.

        Returns:
            Our id of the session that was started for it.

        Raises:
            NotFound: there is no such session.
            SessionEnded: it takes no code any more: start another.
            InputInvalid: it was not started here, and nobody knows what was asked for; or the channel cannot be.
            VerifyLimitReached, SendFailed, StoreUnavailable: as `start`.
        """
        if channel is not None:
            _check_channel(channel)
        found = await self._open(session_id, account_id)
        before = found.start
        if before is None:
            raise InputInvalid("This session was not started here: start one with the same number instead.")
        account, client = await client_of(self._clients, before.account_id, _verifies, "verify people")
        again = replace(
            before,
            id=uuid4(),
            caller=caller,
            channel=channel or _OTHER[AttemptChannel(before.channel)],
            asked_at=self._clock(),
            state=StartState.ASKING,
            provider_session_id=None,
            resent_from=before.id,
            codes_tried=0,
        )
        our_id = await self._start(again, client, callback_url(self._public_url, account, "verify", str(again.id)))
        if isinstance(client, CancelsSessions):
            await self._call_off(client, before.account_id, found.row.provider_session_id, our_id)
        return our_id

    async def _call_off(self, client: CancelsSessions, account_id: int, session_id: str, our_id: str) -> None:
        """Best effort: what cannot be called off ends by itself."""
        try:
            async with transaction(self._pool) as connection:
                again = await verify_starts.find(connection, our_id, account_id)
            if again is None or again.provider_session_id == session_id:
                return  # the provider goes on with the same session
            await self._keep(account_id, [await client.cancel_session(session_id)])
        except (SendFailed, StoreUnavailable) as error:
            _log.warning("resent_session_not_cancelled", error=error.code)

    async def _start(self, start: Start, client: Verifies, url: str) -> str:
        await self._reserve(start)
        asked = start.asked
        request = SessionRequest(
            id=start.id,
            recipient=start.recipient,
            channel=AttemptChannel(start.channel),
            callback_url=url,
            **asked,
        )
        try:
            receipt = await client.start_session(request)
        except OutcomeUnknown as error:
            await self._settle(start, StartState.UNKNOWN, problem=error.code)
            if await self._find_out(start):
                return str(start.id)
            error.our_id = str(start.id)
            raise
        except SendFailed as error:
            await self._settle(start, StartState.REFUSED, problem=error.code)
            raise
        try:
            await self._keep(start.account_id, [receipt], start)
        except StoreUnavailable as error:
            unknown = OutcomeUnknown("The code is on its way, and that could not be kept: what is heard of it will be.")
            unknown.our_id = str(start.id)
            raise unknown from error
        return str(start.id)

    async def _settle(self, start: Start, state: StartState, *, problem: str | None = None) -> None:
        """Where this cannot be written, the start stays as it is: somebody asks about it later."""
        try:
            async with transaction(self._pool) as connection:
                await verify_starts.settle(connection, start.id, state, problem=problem)
        except StoreUnavailable:
            _log.warning("verify_start_not_settled", state=state)

    # --- limits ----------------------------------------------------------------------------------------------------

    async def _reserve(self, start: Start) -> None:
        """Keep the start, so that it counts from now on; one at a time for each number, country and caller.

        Raises:
            VerifyLimitReached: nothing was kept.
        """
        async with transaction(self._pool) as connection:
            for side in (Side.CALLER, Side.COUNTRY):
                await self._look_at_share(connection, start, side)
            limited = [side for side in Side if self._rules.limits.get(side) and start.of(side)]
            names = [f"{side}:{'/'.join(map(str, start.of(side).values()))}" for side in limited]
            await verify_starts.lock(connection, names)
            for side in limited:
                for limit in self._rules.limits[side]:
                    await self._look_at_count(connection, start, side, limit)
            await verify_starts.insert(connection, start)

    async def _look_at_count(self, connection: AsyncConnection[Any], start: Start, side: Side, limit: Limit) -> None:
        since = start.asked_at - limit.within
        nth = await verify_starts.nth_newest(connection, start.of(side), limit.most, since)
        if nth is not None:
            free_in = nth - since
            raise VerifyLimitReached(
                f"At most {limit.most:,} sessions within {_length(limit.within)} {_FOR[side]}: try again in"
                f" {_length(free_in)}.",
                limit=f"{side} {limit}",
                retry_after_s=free_in.total_seconds(),
            )

    async def _look_at_share(self, connection: AsyncConnection[Any], start: Start, side: Side) -> None:
        rule, columns = self._rules.share, start.of(side)
        if not rule.percent_least or not columns:
            return
        since = start.asked_at - rule.within
        share, asked_at = await verify_starts.share(connection, columns, since, start.asked_at - ENDED_AFTER)
        if share.is_below(rule):
            # At the latest when so many of them are too old that the rest is too few to tell.
            free_in = asked_at[share.of - rule.things_least] - since
            raise VerifyLimitReached(
                f"Of the last {share.of:,} sessions {_FOR[side]} only {share.good:,} were verified, which looks like"
                f" abuse: try again in {_length(free_in)}.",
                limit=f"{side} share",
                retry_after_s=free_in.total_seconds(),
            )

    # --- codes -----------------------------------------------------------------------------------------------------

    async def check(self, session_id: str, code: str, *, account_id: int | None) -> Checked:
        """Tell whether a code is right: that of the latest session, where it was sent again.

        Raises:
            NotFound: there is no such session.
            InputInvalid: it can be no code.
            SessionEnded: the session takes no code any more.
            SendFailed: the provider cannot be asked now. This was no try.
        """
        text = re.sub(r"[\s-]", "", code)
        if not _CODE.fullmatch(text):
            raise InputInvalid("A code is 3 to 12 digits or letters.", field="code")
        found = await self._open(session_id, account_id)
        start, row = found
        _, client = await client_of(self._clients, row.account_id, _verifies, "verify people")
        tried = await self._take_try(found)
        try:
            receipt = await client.check_code(row.provider_session_id, text)
        except SendFailed as error:
            await self._give_back(start)
            if isinstance(error, RequestRefused):
                await self._say_if_ended(client, row)
            raise
        tries_left = None if tried is None else max(0, self._rules.tries_max - tried)
        receipts = [receipt]
        if tries_left == 0 and receipt.status is SessionStatus.IN_PROGRESS:
            receipts.append(_given_up(row))
        await self._keep(row.account_id, receipts)
        verified = receipt.status is SessionStatus.VERIFIED
        return Checked(verified, None if verified else tries_left, str(row.id))

    async def _take_try(self, found: _Open) -> int | None:
        if found.start is None:
            return None
        async with transaction(self._pool) as connection:
            tried = await verify_starts.take_try(connection, found.start.id, self._rules.tries_max)
        if tried is None:
            raise SessionEnded(
                "All codes that may be tried for this session were tried: start another.",
                session_status=SessionStatus.FAILED,
            )
        return tried

    async def _give_back(self, start: Start | None) -> None:
        if start is not None:
            async with transaction(self._pool) as connection:
                await verify_starts.give_back_try(connection, start.id)

    async def _say_if_ended(self, client: Verifies, row: SessionRow) -> None:
        """Raises SessionEnded, where the provider says that it has. What it says is kept."""
        receipts = await client.look_up_session(row.provider_session_id)
        await self._keep(row.account_id, receipts)
        async with transaction(self._pool) as connection:
            after = await session_rows.by_provider_id(connection, row.account_id, row.provider_session_id)
        if after is not None and after.final:
            raise _ended(after)

    async def cancel(self, session_id: str, *, account_id: int | None) -> str:
        """Call a session off, where the provider can.

        Returns:
            Our id of the session that was called off.

        Raises:
            NotFound, SessionEnded: as `check`.
            InputInvalid: the provider cannot call a session off.
            SendFailed: see clients.py.
        """
        found = await self._open(session_id, account_id)
        row = found.row
        _, client = await client_of(self._clients, row.account_id, _cancels, "call sessions off")
        try:
            receipt = await client.cancel_session(row.provider_session_id)
        except RequestRefused:
            if isinstance(client, Verifies):
                await self._say_if_ended(client, row)
            raise
        await self._keep(row.account_id, [receipt])
        return str(row.id)

    async def _open(self, session_id: str, account_id: int | None) -> _Open:
        """The session that takes codes: the latest of those that were started to send it again.

        Raises:
            NotFound: there is no such session, or nothing was heard of it.
            SessionEnded: it takes none any more.
        """
        async with transaction(self._pool) as connection:
            start = await verify_starts.find(connection, session_id, account_id)
            line = [*await verify_starts.later(connection, start.id), start] if start else []
            row = None if start else await session_rows.find(connection, session_id, account_id)
        for each in line:  # latest first
            row = await self._row_of(each)
            if row is not None:
                start = each
                break
        if row is None and start is not None:
            raise NotFound(
                "Whether the provider took this session is not known, and nothing was heard of it so far. Ask again"
                " later, or start another."
            )
        if row is None:
            raise NotFound("There is no verify session with this id, ours or the provider's.")
        if row.final:
            raise _ended(row)
        return _Open(start, row)

    async def _row_of(self, start: Start) -> SessionRow | None:
        if start.state in (StartState.UNKNOWN, StartState.LOST) or (
            start.state is StartState.ASKING and self._clock() - start.asked_at > ASKING_MAX
        ):
            await self._find_out(start)
        async with transaction(self._pool) as connection:
            return await session_rows.by_our_id(connection, start.account_id, str(start.id))

    # --- what became of a start ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Find out what became of starts whose outcome is unknown, until cancelled. Several workers may do it."""
        while True:
            try:
                found = await self.find_out_all()
                await asyncio.sleep(0 if found == _CLAIMED_AT_ONCE else _LOOK_EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(_AWAY_S)

    async def find_out_all(self) -> int:
        """One round. How many were looked for.

        Raises:
            StoreUnavailable: the rest is left for later.
        """
        now = self._clock()
        async with transaction(self._pool) as connection:
            starts = await verify_starts.claim_unsettled(
                connection,
                now,
                asked_before=now - ASKING_MAX,
                again_after=LOOK_AGAIN_AFTER,
                most=_CLAIMED_AT_ONCE,
            )
        for start in starts:
            if not await self._find_out(start) and now - start.asked_at > LOST_AFTER:
                await self._settle(start, StartState.LOST, problem=OutcomeUnknown.code)
                _log.warning("verify_start_lost", start=str(start.id))
        return len(starts)

    async def _find_out(self, start: Start) -> bool:
        """Whether it is known by now which session of the provider's it is.

        Raises:
            StoreUnavailable
        """
        async with transaction(self._pool) as connection:
            session_id = await verify_starts.heard_of(connection, start)
            if session_id is not None:
                await verify_starts.settle(connection, start.id, StartState.STARTED, provider_session_id=session_id)
                return True
        try:
            receipts = await self._listed(start)
        except (SendFailed, InputInvalid) as error:
            _log.info("verify_start_not_found_out", error=error.code)
            return False
        if not receipts:
            return False
        await self._keep(start.account_id, [receipt._replace(our_id=str(start.id)) for receipt in receipts], start)
        return True

    async def _listed(self, start: Start) -> Sequence[SessionReceipt]:
        """The facts of the one session to this number, begun at the time, that is nobody else's; none where there is
        none, or where there are several."""
        since, until = start.asked_at - _BEFORE, start.asked_at + _AFTER
        _, client = await client_of(self._clients, start.account_id, _verifies, "verify people")
        told: dict[str, list[SessionReceipt]] = {}
        if isinstance(client, ListsSessions):
            offset: int | None = 0
            for _ in range(_PAGES_MAX):
                if offset is None:
                    break
                page, offset = await client.sessions_between(since, until, offset=offset, recipient=start.recipient)
                for receipt in page:
                    told.setdefault(receipt.provider_session_id, []).append(receipt)
        async with transaction(self._pool) as connection:
            ids = {*told, *await verify_starts.strays(connection, start, since, until)}
            ids -= await verify_starts.taken(connection, start, list(ids))
        if len(ids) != 1:
            return ()
        (session_id,) = ids
        return told.get(session_id) or await client.look_up_session(session_id)

    # --- facts -----------------------------------------------------------------------------------------------------

    async def _keep(self, account_id: int, receipts: Sequence[SessionReceipt], start: Start | None = None) -> None:
        """Fold what the provider answered; with `start`, note in the same transaction that this is what it came to."""
        if not receipts:
            return
        while True:
            now = self._clock()
            told = [Told(account_id, Telling(receipt, now, None)) for receipt in receipts]
            try:
                async with transaction(self._pool) as connection:
                    await keep_and_record(connection, self._keeper, told, now)
                    if start is not None:
                        await verify_starts.settle(
                            connection,
                            start.id,
                            StartState.STARTED,
                            provider_session_id=receipts[0].provider_session_id,
                        )
                return
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again


#: Of what was asked: what is needed to ask for it again.
_KEPT: Final = frozenset({"locale", "brand_name", "code_length", "app", "text", "lifetime_s"})
_FOR: Final = {
    Side.RECIPIENT: "to this number",
    Side.COUNTRY: "to numbers of this country",
    Side.CALLER: "by this key",
}


def _verifies(client: object) -> TypeGuard[Verifies]:
    return isinstance(client, Verifies)


def _cancels(client: object) -> TypeGuard[CancelsSessions]:
    return isinstance(client, CancelsSessions)


def _check(asked: SessionAsked) -> None:
    """Raises InputInvalid: what no provider takes."""
    _check_channel(asked.channel)
    if asked.text is not None and CODE not in asked.text:
        raise InputInvalid(f"The text needs {CODE} where the code is to stand.", field="text")
    if asked.code_length is not None and not CODE_LENGTH_MIN <= asked.code_length <= CODE_LENGTH_MAX:
        raise InputInvalid(f"A code has {CODE_LENGTH_MIN} to {CODE_LENGTH_MAX} digits.", field="code_length")
    if asked.lifetime_s is not None and not LIFETIME_S_MIN <= asked.lifetime_s <= LIFETIME_S_MAX:
        raise InputInvalid(f"A code lives {LIFETIME_S_MIN} to {LIFETIME_S_MAX} seconds.", field="lifetime_s")
    if asked.locale is not None and not _LANGUAGE.fullmatch(asked.locale):
        raise InputInvalid("Give a language such as en or pt_BR.", field="locale")


def _check_channel(channel: AttemptChannel) -> None:
    if channel not in _OTHER:
        raise InputInvalid("Codes go out by sms or voice.", field="channel")


def _given_up(row: SessionRow) -> SessionReceipt:
    """What we conclude ourselves: the person tried too often."""
    return SessionReceipt(
        provider_session_id=row.provider_session_id,
        provider_status="",
        status=SessionStatus.FAILED,
        source=Source.OURS,
    )


def _ended(row: SessionRow) -> SessionEnded:
    return SessionEnded(f"This session takes no code any more: it is {row.status}.", session_status=row.status)


def _length(time: timedelta) -> str:
    """Rounded up, in one unit: `3 minutes`."""
    seconds = max(1, -(-time // timedelta(seconds=1)))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and (seconds % size == 0 or seconds >= 2 * size):
            count = -(-seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}"
