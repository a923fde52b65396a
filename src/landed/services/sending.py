"""Accepting messages to be sent: whatever is accepted is in the outbox, with its state, before anybody is told so.

Sending itself is outgoing.py's.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import orjson
import psycopg

from landed.domain import our_codes, outbox, segments
from landed.domain.accounts import Account
from landed.domain.errors import InputInvalid, LandedError, NotCancellable, NotFound, RecipientsRefused
from landed.domain.opt_outs import OptOutKey
from landed.domain.receipts import Channel, Telling
from landed.domain.segments import Segments, TextLimits
from landed.domain.statuses import Status
from landed.providers.clients import SendsMessages
from landed.services import addressing, idempotency
from landed.services.calling import Clients
from landed.services.choosing import choose
from landed.services.idempotency import Answer
from landed.services.keeping.base import Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.recording import keep_and_record
from landed.services.sending_shapes import Accepted, AcceptedMessage, RefusedRecipient, SegmentsShape
from landed.store import opt_outs
from landed.store import outbox as rows
from landed.store.connect import transaction
from landed.store.idempotency import Claim
from landed.store.outbox import Connection, New, Pool

RECIPIENTS_MAX: Final = 1000
MEDIA_MAX: Final = 10
TAGS_MAX: Final = 10
TAG_CHARACTERS_MAX: Final = 64
TEXT_CHARACTERS_MAX: Final = 10_000
AHEAD_MAX: Final = timedelta(days=90)
#: Two machines' clocks are seldom further apart; what is older was not meant.
LATE_MAX: Final = timedelta(minutes=5)
EXPIRES_S_MIN: Final = 5
EXPIRES_S_MAX: Final = 7 * 24 * 3600
_URL_CHARACTERS_MAX: Final = 2000
#: Of the reasons that an error names.
_REASONS_MAX: Final = 20
#: Each takes two connections at most.
_AT_ONCE: Final = 2
_AFTER: Final = re.compile(r"\+(\d{1,6})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TAG: Final = re.compile(rf"[^\x00-\x1f\x7f,]{{1,{TAG_CHARACTERS_MAX}}}")
_Clashes = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants to be sent, as it was written.

    Attributes:
        sender: a number in any writing, a short code, a name, or the provider's id of a pool of numbers.
        send_at: None: now.
        region: whose number a bare one is; None: what the setting says.
    """

    account: str | None = None
    sender: str
    recipients: Sequence[str]
    text: str | None = None
    channel: Channel = Channel.SMS
    media_urls: Sequence[str] = ()
    template: Mapping[str, Any] | None = None
    tags: Sequence[str] = ()
    send_at: datetime | None = None
    expires_after_s: int | None = None
    trackable: bool = False
    region: str | None = None
    callback_method: str = "POST"


@dataclass(slots=True)
class _Sorted:
    """The recipients: whom something will be sent to, by number, and whom not."""

    wanted: dict[str, str]  #: number -> as it was given
    refused: list[RefusedRecipient]
    repeated: int = 0


class Sending:
    """Puts messages into the outbox, and takes out what is not wanted any more."""

    def __init__(
        self,
        pool: Pool,
        clients: Clients,
        *,
        region: str | None = None,
        limits: TextLimits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._region = region
        self._limits = limits or TextLimits()
        self._clock = clock
        self._keeper = MessageKeeper(pool)
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def accept(self, asked: Asked, *, account_id: int | None, claim: Claim | None) -> Answer:
        """Keep a message for each recipient, all of them or none; asked again with the same claim, nothing more.

        Args:
            account_id: what the key is bound to; None: nothing.

        Returns:
            202 with what `Accepted` says.

        Raises:
            InputInvalid: names the field.
            RecipientsRefused: none of them can be sent to.
            IdempotencyKeyReused, IdempotencyInProgress: see services/idempotency.py.
            StoreUnavailable: nothing was kept, or it was and the commit was not heard of: ask again with the same key.
        """
        now = self._clock()
        measured = _measured(asked, self._limits)
        _check(asked, now)
        region = asked.region or self._region
        sender = _sender(asked.sender, region)
        account, _ = await choose(self._clients, asked.account, account_id, _sends, "send messages")
        sorted_ = _sort(asked.recipients, sender, region)
        async with self._at_once:
            while True:
                try:
                    async with transaction(self._pool) as connection:
                        before = await idempotency.taken(connection, claim, now)
                        if before is not None:
                            return before
                        accepted = await self._keep(connection, asked, account, sender, sorted_, measured, now)
                        answer = Answer(HTTPStatus.ACCEPTED, accepted.model_dump(mode="json"))
                        await idempotency.kept(connection, claim, answer)
                    return answer
                except _Clashes:
                    continue

    async def _keep(
        self,
        connection: Connection,
        asked: Asked,
        account: Account,
        sender: str,
        sorted_: _Sorted,
        measured: Segments | None,
        now: datetime,
    ) -> Accepted:
        keys = {number: OptOutKey(account.id, sender, number) for number in sorted_.wanted}
        out = await opt_outs.opted_out(connection, keys.values())
        refused = [
            *sorted_.refused,
            *(_opted_out(given) for number, given in sorted_.wanted.items() if keys[number] in out),
        ]
        ids = {number: uuid4() for number in sorted_.wanted if keys[number] not in out}
        if not ids:
            reasons = tuple(each.detail for each in refused[:_REASONS_MAX])
            raise RecipientsRefused(f"Nothing can be sent: {' '.join(reasons[:3])}", reasons)
        parts = len(measured.parts) if measured else None
        accepted = partial(outbox.accepted, channel=asked.channel, sender=sender, trackable=asked.trackable)
        told = [
            Told(account.id, Telling(accepted(number_id, recipient=number, segments=parts), now, None))
            for number, number_id in ids.items()
        ]
        request = _request(asked)
        await rows.add(
            connection,
            [
                New(number_id, account.id, sender, number, request, asked.send_at, asked.expires_after_s)
                for number, number_id in ids.items()
            ],
        )
        tags = tuple(dict.fromkeys(asked.tags))
        await keep_and_record(connection, _Tagged(self._keeper, {str(each): tags for each in ids.values()}), told, now)
        shape = _segments(measured)
        return Accepted(
            data=[
                AcceptedMessage(
                    id=str(number_id),
                    account=account.name,
                    from_=sender,
                    to=number,
                    channel=asked.channel,
                    status=Status.SCHEDULED,
                    send_at=asked.send_at,
                    segments=shape,
                )
                for number, number_id in ids.items()
            ],
            refused=refused,
            warnings=_warnings(measured, sorted_),
        )

    async def cancel(self, message_id: str, *, account_id: int | None) -> None:
        """Do not send it.

        Args:
            account_id: what the key is bound to; None: nothing.

        Raises:
            NotFound: there is no such message, or none of this account.
            NotCancellable: it is being sent, was sent, or has ended.
        """
        now = self._clock()
        try:
            number = UUID(message_id)
        except ValueError as error:
            raise _no_such_message() from error
        while True:
            try:
                async with transaction(self._pool) as connection:
                    standing = await rows.standing(connection, number)
                    if standing is None or account_id not in (None, standing.account_id):
                        raise _no_such_message()
                    if not await rows.cancel(connection, number):
                        raise NotCancellable(_why_not_cancelled(standing.status))
                    fact = outbox.told(number, Status.FAILED, error_code=our_codes.CANCELLED)
                    told = [Told(standing.account_id, Telling(fact, now, None))]
                    await keep_and_record(connection, self._keeper, told, now)
                    await rows.count(connection, {(standing.account_id, outbox.Outcome.NOT_SENT): 1})
                return
            except _Clashes:
                continue


class _Tagged:
    """A keeper of new messages that gives them their tags."""

    def __init__(self, keeper: MessageKeeper, tags: Mapping[str, tuple[str, ...]]) -> None:
        self._keeper = keeper
        self._tags = tags

    async def keep(self, connection: Connection, told: Sequence[Told], now: datetime) -> Any:
        return await self._keeper.keep(connection, told, now, self._tags)


def send_time(text: str, now: datetime, *, field: str = "send_at") -> datetime:
    """When to send: `2026-11-01T09:30:00Z`, or from now on: `+10m`, `+2h`. Without an offset it is UTC.

    Raises:
        InputInvalid: it is no moment.
    """
    text = text.strip()
    try:
        if after := _AFTER.fullmatch(text):
            return now + timedelta(**{_UNITS[after[2]]: int(after[1])})
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputInvalid(
            f"{text[:40]!r} is no moment to send at; give one such as 2026-11-01T09:30:00Z, or +10m.", field=field
        ) from error


def _sends(client: object) -> TypeGuard[SendsMessages]:
    return isinstance(client, SendsMessages)


def _check(asked: Asked, now: datetime) -> None:
    """Refuse what cannot be said; what a provider makes of the rest is its own business."""
    if asked.send_at is not None and not now - LATE_MAX <= asked.send_at <= now + AHEAD_MAX:
        raise InputInvalid(
            f"A message can be sent from now on, up to {AHEAD_MAX.days} days ahead; leave it out to send at once.",
            field="send_at",
        )
    expires_s = asked.expires_after_s
    if expires_s is not None and not EXPIRES_S_MIN <= expires_s <= EXPIRES_S_MAX:
        raise InputInvalid(
            f"A message expires after {EXPIRES_S_MIN} to {EXPIRES_S_MAX:,} seconds, not {expires_s:,}.",
            field="expires_after_s",
        )
    if not 1 <= len(asked.recipients) <= RECIPIENTS_MAX:
        raise InputInvalid(f"Give 1 to {RECIPIENTS_MAX:,} recipients, not {len(asked.recipients):,}.", field="to")
    if len(asked.tags) > TAGS_MAX or not all(map(_TAG.fullmatch, asked.tags)):
        raise InputInvalid(
            f"A message has up to {TAGS_MAX} tags of 1 to {TAG_CHARACTERS_MAX} characters, without commas.",
            field="tags",
        )
    if asked.callback_method not in ("POST", "GET"):
        raise InputInvalid("Callbacks come by POST or GET.", field="callback_method")
    _check_content(asked)


def _check_content(asked: Asked) -> None:
    if asked.media_urls and asked.channel is Channel.SMS:
        raise InputInvalid("Pictures and files go by mms or whatsapp, not by sms.", field="media_urls")
    if len(asked.media_urls) > MEDIA_MAX or not all(map(_is_web_address, asked.media_urls)):
        raise InputInvalid(f"Give up to {MEDIA_MAX} http or https URLs.", field="media_urls")
    if asked.template is not None and asked.channel is not Channel.WHATSAPP:
        raise InputInvalid("Templates are WhatsApp's: use the channel whatsapp.", field="template")
    if asked.template is not None and not _can_be_kept(asked.template):
        raise InputInvalid("The template holds a text or number that cannot be kept.", field="template")
    if not (asked.text or asked.media_urls or asked.template):
        raise InputInvalid("There is nothing to send: give a text, media, or a template.", field="text")
    if asked.text and asked.template:
        raise InputInvalid("A template has its own text: give one of them.", field="template")


def _can_be_kept(template: Mapping[str, Any]) -> bool:
    """Whether a table can hold it: no NUL, no half of a surrogate pair, no number beyond 64 bits."""
    try:
        return b"\\u0000" not in orjson.dumps(template)
    except TypeError:
        return False


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= _URL_CHARACTERS_MAX
    except ValueError:
        return False


def _measured(asked: Asked, limits: TextLimits) -> Segments | None:
    """The text of an SMS in its parts; None where parts do not count.

    Raises:
        InputInvalid: it is too long, or no text.
    """
    if not asked.text:
        return None
    if "\0" in asked.text or len(asked.text) > TEXT_CHARACTERS_MAX:
        raise InputInvalid(f"A text has at most {TEXT_CHARACTERS_MAX:,} characters, none of them NUL.", field="text")
    measured = segments.measure(asked.text)
    segments.check_length(measured, asked.channel, limits)
    return measured if asked.channel is Channel.SMS else None


def _sender(written: str, region: str | None) -> str:
    """Raises InputInvalid: nobody has that."""
    pool = written.strip().lower()
    return pool if outbox.POOL.fullmatch(pool) else addressing.sender(written, region=region)


def _sort(recipients: Sequence[str], sender: str, region: str | None) -> _Sorted:
    """Each number once, in the order given.

    Raises:
        InputInvalid: the region is none.
    """
    sorted_ = _Sorted({}, [])
    for given in recipients:
        try:
            number = addressing.recipient(given, region=region)
            if number == sender:
                raise InputInvalid("It is the number that the message is from.", field="to")
        except InputInvalid as error:
            if error.field != "to":
                raise
            sorted_.refused.append(RefusedRecipient(to=given[:100], code=error.code, detail=_sentence(error)))
            continue
        sorted_.repeated += number in sorted_.wanted
        sorted_.wanted.setdefault(number, given)
    return sorted_


def _sentence(error: LandedError) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."


def _opted_out(given: str) -> RefusedRecipient:
    return RefusedRecipient(
        to=given[:100],
        code=our_codes.OPTED_OUT,
        detail="The person opted out of hearing from this sender; `landed opt-outs check` tells when and how.",
    )


def _request(asked: Asked) -> dict[str, Any]:
    """What the outbox keeps besides its columns. The callback's address is not in it: it holds the account's key."""
    request = {
        "channel": asked.channel.value,
        "text": asked.text,
        "media_urls": list(asked.media_urls),
        "template": asked.template,
        "trackable": asked.trackable,
        "callback_method": asked.callback_method,
    }
    return {name: value for name, value in request.items() if value not in (None, [], False)}


def _segments(measured: Segments | None) -> SegmentsShape | None:
    if measured is None:
        return None
    return SegmentsShape(
        encoding=measured.encoding, characters=measured.characters, units=measured.units, parts=len(measured.parts)
    )


def _warnings(measured: Segments | None, sorted_: _Sorted) -> list[str]:
    found = [segments.warning(measured)] if measured else []
    if sorted_.repeated:
        found.append(f"Recipients given more than once get one message: {sorted_.repeated} left out.")
    return [warning for warning in found if warning]


def _why_not_cancelled(status: str) -> str:
    if status in (Status.SCHEDULED, Status.SENDING):
        return "It is being sent right now, so it cannot be cancelled any more."
    if status == Status.UNKNOWN_OUTCOME:
        return "It may have gone out: it is looked up at the provider, and cannot be cancelled."
    return f"It is {status} already, so it cannot be cancelled."


def _no_such_message() -> NotFound:
    return NotFound("There is no message with this id.")
