"""Streams of callbacks: each one once, in the order in which they were kept, from a place that a reader remembers.

A reader asks for what comes behind its place and gets the next few, and the place behind them. Nothing is remembered
here, so that every web process can go on with every stream. What a filter leaves out moves the place all the same.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import AccountName
from landed.domain.callbacks import CallbackKind, CallbackRequest, headers_of
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood, InputInvalid
from landed.domain.receipts import (
    AnyReceipt,
    BroadcastReceipt,
    Direction,
    Receipt,
    Registration,
    RegistrationReceipt,
    SessionReceipt,
)
from landed.domain.statuses import Status
from landed.domain.words import Word
from landed.providers.base import Provider
from landed.services import cursors, reading, shapes
from landed.services.resending import header_lines
from landed.store import callback_stream
from landed.store.callback_queries import CallbackCursor, Found
from landed.store.callback_stream import Head, Place
from landed.store.reading import account_names

#: Callbacks looked at in one go, and how many and how much of those that are wanted is loaded: little enough that
#: callbacks which arrive meanwhile do not wait.
HEADS_MAX: Final = 500
LOADED_MAX: Final = 100
#: Of those every one has up to 16 KiB, and they come without warning.
REFUSED_MAX: Final = 50
BODIES_BYTES_MAX: Final = 1024 * 1024
#: So many are read before others get their turn.
_AT_ONCE: Final = 10
#: How often an idle stream looks for more.
IDLE_S: Final = 0.3


_REGISTRATIONS: Final = {
    Registration.BRAND: CallbackKind.BRANDS,
    Registration.CAMPAIGN: CallbackKind.CAMPAIGNS,
    Registration.NUMBER_LINK: CallbackKind.NUMBER_LINKS,
    Registration.NUMBER_UNLINK: CallbackKind.NUMBER_UNLINKS,
}


class Wanted(Word):
    """Which verdicts a stream tells of."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ALL = "all"


class Told(shapes.Shape):
    """A fact in a callback."""

    kind: CallbackKind
    provider_id: str | None
    status: str | None = Field(description="in our words; null for a word we do not know")
    provider_status: str
    attempt_status: str | None = Field(description="of a session's attempt, in our words")

    @property
    def words(self) -> set[str]:
        """All the words for where the thing is, in lower case."""
        return {word.lower() for word in (self.status, self.provider_status, self.attempt_status) if word}


class StreamedCallback(shapes.CallbackShape):
    """A callback as a stream tells of it: byte for byte, but for secrets."""

    provider: str | None
    header_lines: list[tuple[str, str]] = Field(description="in their order; secrets among them are masked")
    body: str | None = Field(description="null where it is not text: see body_base64")
    body_base64: str | None
    body_truncated: bool = Field(description="of a refused callback only the first bytes are kept")
    body_masked: bool = Field(description="the account's key was in it, which only admin keys are shown")
    told: list[Told] = Field(description="the facts in it, as far as it is understood")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuestion:
    """Which callbacks a stream has. An empty choice leaves nothing out. Statuses are words of ours or of the
    provider's, in lower case."""

    accounts: Sequence[str] = ()
    kinds: Collection[CallbackKind] = ()
    statuses: Collection[str] = ()
    wanted: Wanted = Wanted.ACCEPTED
    since: datetime | None = None


class Step(NamedTuple):
    """The next of a stream. `callback` is None where only the place moved."""

    place: str
    callback: StreamedCallback | None


class CallbackStream:
    def __init__(
        self,
        engine: AsyncEngine,
        providers: Mapping[str, Provider],
        *,
        lanes: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._providers = providers
        self._lanes = lanes
        self._clock = clock

    async def start(self, since: datetime | None) -> str:
        """The place before what was received since then; None: behind all that is kept by now.

        Raises:
            StoreUnavailable: the database is away.
        """
        if since is None:
            return written(await callback_stream.end(self._engine, self._clock()))
        return written(await callback_stream.before(self._engine, max(since, _FIRST)))

    async def steps(
        self, question: StreamQuestion, place: str, *, account_id: int | None, keys_shown: bool
    ) -> AsyncGenerator[Step | None, None]:
        """All that comes behind the place, without end. None: there is nothing now, and it waits for more.

        Args:
            account_id: the account that the reader is bound to; None: all.
            keys_shown: whether accounts' keys in URLs and bodies stay.

        Raises:
            InputInvalid: the place is none of ours, or there is no such account.
            StoreUnavailable: the database is away.
        """
        at = read(place)
        if at[:2] > (await callback_stream.end(self._engine, self._clock()))[:2]:
            raise InputInvalid(
                "This place is ahead of all that is kept here: it is of another database. Begin anew,"
                " without it; `landed listen` does with --from-now.",
                field="Last-Event-ID",
            )
        reading.account_ids(await account_names(self._engine), question.accounts, account_id)
        while True:
            steps, at = await self._next(question, at, account_id, keys_shown=keys_shown)
            for step in steps:
                yield step
            if not steps:
                yield None
                await asyncio.sleep(IDLE_S)

    async def _next(
        self, question: StreamQuestion, place: Place, account_id: int | None, *, keys_shown: bool
    ) -> tuple[list[Step], Place]:
        """What can be read now, a bounded part of it, and the place behind that."""
        heads: Sequence[Head] = ()
        refused: Sequence[Any] = ()
        if question.wanted is not Wanted.REFUSED:
            heads = await callback_stream.heads(self._engine, place, lanes=self._lanes, limit=HEADS_MAX)
        if question.wanted is not Wanted.ACCEPTED:
            refused = await callback_stream.refused(self._engine, place.refused_at, limit=REFUSED_MAX)
        if not heads and not refused:
            return [], place
        names = await account_names(self._engine)  # not before: the first callback of an account may be among them
        among = reading.account_ids(names, question.accounts, account_id)
        show = _Showing(self._providers, names, keys_shown)
        heads, wanted = _loadable(heads, question, among)
        rows = await callback_stream.whole(self._engine, wanted)
        steps = []
        for number, head in enumerate(heads):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            place = Place(*head.place, min(head.received_at, self._clock()), place.refused_at)
            row = rows.get(head.place[2])
            steps.append(_step(place, None if row is None else show.accepted(row), question))
        for row in refused:
            place = place._replace(refused_at=row.received_at)
            is_seen = among is None or row.account_id in among
            steps.append(_step(place, show.refused(row) if is_seen else None, question))
        return _without_idle(steps), place


def _step(place: Place, streamed: StreamedCallback | None, question: StreamQuestion) -> Step:
    is_wanted = streamed is not None and _is_wanted(streamed, question)
    return Step(written(place), streamed if is_wanted else None)


def _without_idle(steps: Sequence[Step]) -> list[Step]:
    """The steps that tell of a callback, and the last: a place says all that those before it do."""
    return [step for number, step in enumerate(steps, start=1) if step.callback or number == len(steps)]


def _loadable(
    heads: Sequence[Head], question: StreamQuestion, among: Sequence[int] | None
) -> tuple[Sequence[Head], list[Head]]:
    """As many as can be looked at in one go, and those of them that have to be loaded for that."""
    wanted: list[Head] = []
    size = 0
    for count, head in enumerate(heads):
        if among is not None and head.account_id not in among:
            continue
        if question.since is not None and head.received_at < question.since:
            continue
        size += head.body_bytes
        if len(wanted) == LOADED_MAX or (size > BODIES_BYTES_MAX and wanted):
            return heads[:count], wanted
        wanted.append(head)
    return heads, wanted


def _is_wanted(streamed: StreamedCallback, question: StreamQuestion) -> bool:
    of_kind = not question.kinds or any(told.kind in question.kinds for told in streamed.told)
    words = {word for told in streamed.told for word in told.words}
    return of_kind and (not question.statuses or not words.isdisjoint(question.statuses))


class _Showing:
    """Turns rows into what a reader may see of them."""

    def __init__(self, providers: Mapping[str, Provider], names: Mapping[int, AccountName], keys_shown: bool) -> None:
        self._providers = providers
        self._names = names
        self._keys_shown = keys_shown

    def accepted(self, row: Any) -> StreamedCallback:
        verified_by = row.verified_by.split(",") if row.verified_by else []
        known = {"kind": row.kind, "our_id": row.our_id, "verified_by": verified_by, "reason": None, "detail": None}
        request = CallbackRequest(
            method=row.method,
            url=row.url,
            headers=headers_of(row.headers),
            body=row.body,
            kind=row.kind,
            our_id=row.our_id,
        )
        found = Found(CallbackCursor(row.received_at, True, row.id, 0), row)
        told = self._told(row.account_id, request)
        return self._streamed(found, id=str(row.id), verdict="accepted", told=told, **known)

    def refused(self, row: Any) -> StreamedCallback:
        """What it says is not looked at: nobody proved it."""
        found = Found(CallbackCursor(row.received_at, False, row.account_id, row.slot), row)
        callback_id = f"refused-{row.account_id}-{row.slot}-{cursors.micros(row.received_at)}"
        known = {"kind": None, "our_id": None, "verified_by": [], "reason": row.reason, "detail": row.detail}
        return self._streamed(found, id=callback_id, verdict="refused", told=[], **known)

    def _streamed(self, found: Found, **known: Any) -> StreamedCallback:
        row = found.row
        account = self._names.get(row.account_id)
        masked = reading.masking(found, self._names, self._providers, keys_shown=self._keys_shown)
        body, body_base64 = reading.body_of(row.body)
        shown = None if body is None else masked(body)
        return StreamedCallback(
            account=account.name if account else None,
            provider=account.provider if account else None,
            received_at=row.received_at,
            method=row.method,
            url=masked(row.url),
            body_bytes=row.body_bytes,
            outcome=None,
            header_lines=[
                (name, reading.MASKED if reading.is_secret(name) else value)
                for name, value in header_lines(row.headers)
            ],
            body=shown,
            body_base64=body_base64,
            body_truncated=len(row.body) < row.body_bytes,
            body_masked=shown != body,
            **known,
        )

    def _told(self, account_id: int, request: CallbackRequest) -> list[Told]:
        account = self._names.get(account_id)
        provider = self._providers.get(account.provider) if account else None
        try:
            return [fact(receipt) for receipt in provider.parse(request)] if provider else []
        except (CallbackNotUnderstood, CallbackMalformed):
            return []


def fact(receipt: AnyReceipt) -> Told:
    """What a receipt tells, as a stream shows it."""
    provider_id: str | None
    attempt_status: Status | None = None
    match receipt:
        case Receipt():
            inbound = receipt.direction is Direction.INBOUND
            kind, provider_id = (
                (CallbackKind.INBOUND if inbound else CallbackKind.MESSAGES),
                receipt.provider_message_id,
            )
        case SessionReceipt():
            kind, provider_id = CallbackKind.VERIFY, receipt.provider_session_id
            attempt_status = receipt.attempt.status if receipt.attempt else None
        case BroadcastReceipt():
            provider_id, word = receipt.provider_broadcast_id, receipt.provider_status
            return Told(
                kind=CallbackKind.BROADCASTS,
                provider_id=provider_id,
                status=None,
                provider_status=word,
                attempt_status=None,
            )
        case RegistrationReceipt():
            kind = _REGISTRATIONS[receipt.registration]
            provider_id = receipt.number or receipt.provider_campaign_id or receipt.provider_brand_id
    return Told(
        kind=kind,
        provider_id=provider_id,
        status=receipt.status.value if receipt.status else None,
        provider_status=receipt.provider_status,
        attempt_status=attempt_status.value if attempt_status else None,
    )


# --- places as text ------------------------------------------------------------------------------------------------


def written(place: Place) -> str:
    """A place as a reader keeps it: text that means nothing to anyone but us."""
    return cursors.encoded(
        orjson.dumps([*place[:3], cursors.micros(place.received_at), cursors.micros(place.refused_at)])
    )


def read(text: str) -> Place:
    """What was written.

    Raises:
        InputInvalid: it is no place of ours.
    """
    try:
        content = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if [type(number) for number in content] != [int] * 5 or not all(0 <= number < 2**63 for number in content):
            raise ValueError("not five whole numbers")
        epoch, xid, number, *moments = content
        if epoch > _EPOCH_MAX or min(moments) < _MICROS_MIN:
            raise ValueError("out of range")
        return Place(epoch, xid, number, *map(cursors.moment_of, moments))
    except (ValueError, TypeError, OverflowError, binascii.Error) as error:
        raise InputInvalid(
            "This is no place in our stream. Send the `id` of the last event as it is, or none to begin now.",
            field="Last-Event-ID",
        ) from error


_EPOCH_MAX: Final = 2**15 - 1
_MICROS_MIN: Final = 10**15
#: In 2001: before any callback.
_FIRST: Final = cursors.moment_of(_MICROS_MIN)
