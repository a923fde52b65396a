"""Routee's callbacks: one JSON POST for each change of a part, an inbound text, a 2-step verification or a campaign.

Follows Routee's pages "Callbacks (WebHooks)", "Messaging Statuses", "Inbound Messages (MO)", "Callback URL (WebHook)"
of the 2-step service and "How to correctly set the SMS Service Application Settings for Callbacks", read 2026-11. Only
the id and the status are required. A field without a place of its own travels in `extra`, nested names joined with
dots; the text of what we sent does not, nor do our own callback URLs, which hold the account's key.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from landed.domain import money
from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood
from landed.domain.numbers import normalise
from landed.domain.receipts import (
    AnyReceipt,
    BroadcastReceipt,
    Channel,
    Content,
    Direction,
    PartOf,
    Receipt,
    SessionReceipt,
    SessionStatus,
)
from landed.domain.statuses import FINAL, Status
from landed.providers import forms
from landed.providers.routee import error_codes

#: Routee's word in small letters -> our status. A word missing here becomes `status=None`, never an error.
STATUSES: Final = {
    "queued": Status.QUEUED,
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "unsent": Status.FAILED,  # of campaigns: not enough credit
    "network error": Status.FAILED,  # named on the page "Send an SMS" only
}
#: The same for 2-step verifications.
SESSION_STATUSES: Final = {
    "pending": SessionStatus.IN_PROGRESS,
    "verified": SessionStatus.VERIFIED,
    "cancelled": SessionStatus.CANCELLED,
    "expired": SessionStatus.EXPIRED,
    "failed": SessionStatus.FAILED,
}
#: Campaigns that have ended. Routee publishes no list: `Completed` is in an SDK's test, the others are our reading.
CAMPAIGNS_ENDED: Final = frozenset({"completed", "finished", "cancelled", "canceled", "failed"})
ID_CHARACTERS_MAX: Final = 255
WORD_CHARACTERS_MAX: Final = 64
#: A text has at most 255 segments: the header that numbers them has one byte for it.
PARTS_MAX: Final = 255
COUNT_DIGITS_MAX: Final = 9

#: Objects whose fields are told apart.
_OBJECTS: Final = frozenset({"status", "status.reason", "callbackInfo", "callback", "campaignCallback"})
#: The raw callback has them; here they would show a text, or the key of an account.
_LEFT_OUT: Final = frozenset({"message", "body", "callbackInfo.url", "callback.url", "campaignCallback.url"})
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})

T = TypeVar("T")


def parse(request: CallbackRequest) -> list[AnyReceipt]:
    """The fact in a callback: of a message, a session or a broadcast, told apart by what it names.

    Raises:
        CallbackNotUnderstood: it names nothing that is tracked, or says nothing of it.
        CallbackMalformed: it is no JSON object.
    """
    try:
        return [_read(request, _Told(_content(request.body)))]
    except RecursionError:
        raise CallbackMalformed("The body is nested too deeply.") from None


def _read(request: CallbackRequest, told: "_Told") -> AnyReceipt:
    if message_id := told.take("messageId", _id):
        if word := told.take("status.name", _word) or told.take("status.status", _word) or told.take("status", _word):
            return _receipt(request, told, message_id, word)
        return _inbound(request, told, message_id)
    if tracking_id := told.take("trackingId", _id):
        if told.is_campaign:
            return _broadcast(request, told, tracking_id)
        if word := told.take("status", _word):
            return _session(request, told, tracking_id, word)
        raise CallbackNotUnderstood("status is missing: this says nothing of what became of the verification.")
    raise CallbackNotUnderstood("There is no usable messageId or trackingId: this names nothing that is tracked.")


def _content(body: bytes) -> dict[str, Any]:
    try:
        # Numbers stay as they are written: a price keeps its digits.
        content = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except ValueError as error:
        raise CallbackMalformed("The body is not JSON.") from error
    if not isinstance(content, dict):
        raise CallbackMalformed("The body is JSON, but not an object.")
    return _storable(content) if b"\\u" in body else content


def _storable(content: dict[str, Any]) -> dict[str, Any]:
    """With a replacement character for each half of a surrogate pair, which no text of a database takes."""
    storable: dict[str, Any] = json.loads(forms.whole(json.dumps(content, ensure_ascii=False)))
    return storable


class _Told:
    """The fields of a callback by name, those of its objects with dots: `status.reason.description`.

    `take` reads a field for the place it has in a receipt; what was not taken, or could not be read, is `extra`.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._left = dict(_fields(content))

    @property
    def is_campaign(self) -> bool:
        return not self._left.keys().isdisjoint(("campaignStatus", "messageStatuses", "totalRecipients"))

    def take(self, name: str, read: Callable[[str], T | None]) -> T | None:
        text = self._left.get(name)
        value = read(text) if isinstance(text, str) else None
        if value is not None:
            del self._left[name]
        return value

    def keep(self, name: str, text: str) -> None:
        """Put it among what is left, under this name."""
        self._left[name] = text

    def take_counts(self) -> tuple[tuple[str, int], ...]:
        """`messageStatuses`: how many messages have which status. Those that are no numbers are left."""
        statuses = self._left.get("messageStatuses")
        if not isinstance(statuses, dict):
            return ()
        del self._left["messageStatuses"]
        counts: Counter[str] = Counter()
        for word, number in statuses.items():
            count = _count(number) if isinstance(number, str) else None
            if count is None:
                self._left[f"messageStatuses.{word}"] = number
            else:
                known = STATUSES.get(word.strip().casefold())
                counts[known.value if known else word[:WORD_CHARACTERS_MAX]] += count
        return tuple(sorted(counts.items()))

    def extra(self) -> tuple[tuple[str, str], ...]:
        left = [(name, value) for name, value in self._left.items() if name not in _LEFT_OUT]
        return tuple(sorted((name, _text(value)) for name, value in left if value not in _EMPTY))


def _fields(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        whole = prefix + name
        if isinstance(value, dict) and whole in _OBJECTS:
            yield from _fields(value, f"{whole}.")
        else:
            yield whole, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _receipt(request: CallbackRequest, told: _Told, message_id: str, word: str) -> Receipt:
    status = STATUSES.get(word.casefold())
    part, units = _part(told)
    at = told.take("status.updatedDate", _moment) or told.take("status.date", _moment) if status else None
    return Receipt(
        provider_message_id=message_id,
        provider_status=word,
        status=status,
        part=part,
        direction=told.take("direction", _direction) or Direction.OUTBOUND,
        channel=told.take("originatingService", _channel),
        sender=told.take("from", _number),
        recipient=told.take("to", _number),
        error_code=_reason(told, word, status),
        units=units,
        cost_nanos=told.take("price", money.nanos),  # in the account's currency, which no callback names
        queued_at=at if status is Status.QUEUED else None,
        sent_at=at if status is Status.SENT else None,
        final_at=at if status in FINAL else None,
        our_id=request.our_id if request.kind == "messages" else None,
        extra=told.extra(),
    )


def _reason(told: _Told, word: str, status: Status | None) -> str | None:
    """Why it was lost, in Routee's words. Mostly they only repeat the status, and say nothing then."""
    if description := told.take("status.reason.description", str):
        told.keep("reason", description)
    detailed = told.take("status.reason.detailedStatus", _word) or told.take("status.reason", _word)
    if detailed and detailed.casefold() != word.casefold():
        if detailed.casefold() not in STATUSES and status is not Status.DELIVERED:
            return error_codes.normalise(detailed)
        told.keep("detailedStatus", detailed)
    # These statuses are a reason themselves.
    return error_codes.normalise(word) if word.casefold() in ("unsent", "network error") else None


def _part(told: _Told) -> tuple[PartOf | None, int | None]:
    """Which part it is about, and the units of that. Of a message of one part there is none, and smsId is left."""
    number, of = told.take("part", _part_number), told.take("parts", _part_number)
    if of == 1 and (number or 1) == 1:
        return None, 1
    # A message may have parts that nobody numbers: their ids tell them apart.
    if (part_id := told.take("smsId", _id)) is not None:
        return PartOf(part_id, number, max(number or 1, of or 1)), 1
    if max(number or 1, of or 1) == 1:
        return None, of
    # Without a number and an id it can be any: taken for the first, the others are still waited for.
    return PartOf(None, number or 1, max(number or 1, of or 1)), 1


def _inbound(request: CallbackRequest, told: _Told, message_id: str) -> Receipt:
    direction, received_at = told.take("direction", _direction), told.take("receivedDate", _moment)
    if direction is Direction.OUTBOUND or (direction is None and received_at is None):
        raise CallbackNotUnderstood("status.name is missing: this says nothing of what became of the message.")
    return Receipt(
        provider_message_id=message_id,
        provider_status=Status.RECEIVED.value,  # Routee has no word for it
        status=Status.RECEIVED,
        direction=Direction.INBOUND,
        channel=told.take("originatingService", _channel),
        sender=told.take("from", _number),
        recipient=told.take("to", _number),
        units=told.take("parts", _part_number),
        cost_nanos=told.take("price", money.nanos),  # of pools only
        submitted_at=received_at,
        final_at=received_at,
        our_id=request.our_id if request.kind == "messages" else None,
        content=Content(told.take("message", str)),
        extra=told.extra(),
    )


def _session(request: CallbackRequest, told: _Told, tracking_id: str, word: str) -> SessionReceipt:
    return SessionReceipt(
        provider_session_id=tracking_id,
        provider_status=word,
        status=SESSION_STATUSES.get(word.casefold()),
        recipient=told.take("recipient", _number),
        updated_at=told.take("updatedAt", _moment),
        expires_at=told.take("expiresAt", _moment),
        our_id=request.our_id if request.kind == "verify" else None,
        extra=told.extra(),
    )


def _broadcast(request: CallbackRequest, told: _Told, tracking_id: str) -> BroadcastReceipt:
    word = told.take("campaignStatus", _word) or ""
    return BroadcastReceipt(
        provider_broadcast_id=tracking_id,
        provider_status=word,
        final=word.casefold() in CAMPAIGNS_ENDED,
        name=told.take("name", str),
        recipients=told.take("totalRecipients", _count),
        counts=told.take_counts(),
        our_id=request.our_id if request.kind == "campaigns" else None,
        extra=told.extra(),
    )


# --- how a field is read; None: it is not what it should be ----------------------------------------------------


def _id(text: str) -> str | None:
    return text if text.strip() and len(text) <= ID_CHARACTERS_MAX else None


def _word(text: str) -> str | None:
    return text.strip()[:WORD_CHARACTERS_MAX] or None


def _number(text: str) -> str | None:
    number = normalise(text)
    return number if number is None or len(number) <= WORD_CHARACTERS_MAX else None


def _count(text: str) -> int | None:
    """A number may come as text: Routee's templates print `"number"`."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX else None


def _part_number(text: str) -> int | None:
    number = _count(text)
    return number if number and number <= PARTS_MAX else None


def _direction(text: str) -> Direction | None:
    return {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}.get(text.casefold())


def _channel(text: str) -> Channel | None:
    return Channel.SMS if text.casefold() == "sms" else None


def _moment(text: str) -> datetime | None:
    """`2018-01-17T13:02:08Z`, or with milliseconds; without an offset it is UTC, as far as anyone knows."""
    if "-" not in text:  # Python takes eight digits and more for a date
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
