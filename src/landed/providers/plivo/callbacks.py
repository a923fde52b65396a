"""Plivo's callbacks: one form POST (or GET) for each status change of a message.

Follows contracts "Message status callback" as gathered from Plivo's pages "Message Status Callbacks" and "SMS
Callbacks", the official SDKs, and requests captured from real traffic, read 2026-11. Only `MessageUUID` and
`Status` are required; every field that has no place of its own travels in `extra`.
"""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from landed.domain import money
from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood
from landed.domain.numbers import normalise
from landed.domain.receipts import Channel, PartOf, Receipt
from landed.domain.statuses import FINAL, Status
from landed.providers import forms
from landed.providers.plivo import error_codes

#: Plivo's word -> our status. A word missing here becomes `status=None`, never an error.
STATUSES: Final = {
    "queued": Status.QUEUED,
    "sent": Status.SENT,
    "failed": Status.FAILED,
    "rejected": Status.FAILED,  # old pages and SDK lists only: Plivo refused it
    "undelivered": Status.UNDELIVERED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}
CHANNELS: Final = {channel.value: channel for channel in Channel}
#: Plivo charges in US dollars; no callback names the currency.
CURRENCY: Final = "USD"
ID_CHARACTERS_MAX: Final = 255
WORD_CHARACTERS_MAX: Final = 64

#: Fields that have a place in a receipt.
_PLACED: Final = frozenset({
    "MessageUUID", "Status", "From", "To", "Type", "Units", "TotalAmount", "MCC", "MNC", "ErrorCode", "Sequence",
    "ParentMessageUUID", "PartInfo", "MessageTime", "QueuedTime", "SentTime", "DeliveryReportTime",
})  # fmt: skip
#: Fields that say nothing of the message; the raw callback still has them.
_LEFT_OUT: Final = _PLACED | {"TotalRate", "requester_ip"}


def parse(request: CallbackRequest) -> list[Receipt]:
    """The facts in a callback: one receipt for a message status.

    Raises:
        CallbackNotUnderstood: it names no message, or says nothing of one.
        CallbackMalformed: it is no form, JSON object or query.
    """
    fields = fields_of(request)
    message_id, word = fields.get("MessageUUID"), fields.get("Status")
    if message_id is None or word is None:
        fields = _in_plivos_case(fields)
        message_id, word = fields.get("MessageUUID"), fields.get("Status")
    if not message_id:
        raise CallbackNotUnderstood("MessageUUID is missing: this names no message.")
    if not word:
        raise CallbackNotUnderstood("Status is missing: this says nothing of what became of the message.")
    if len(message_id) > ID_CHARACTERS_MAX:
        raise CallbackNotUnderstood(f"MessageUUID has {len(message_id)} characters; Plivo's have 36.")
    return [_receipt(request, fields, message_id, word)]


def fields_of(request: CallbackRequest) -> dict[str, str]:
    """The fields by name: of the query, and over it those of the body. A repeated field counts once, as last given."""
    _, question_mark, query = request.url.partition("?")
    fields = forms.fields(query.partition("#")[0].encode()) if question_mark else {}
    if not request.body:
        return fields
    if _is_json(request):
        fields.update(_json_fields(request.body))
    else:
        fields = fields | forms.fields(request.body) if fields else forms.fields(request.body)
    return fields


def _is_json(request: CallbackRequest) -> bool:
    """As the door tells it: by the type, or, where there is none, by the brace."""
    content_type = request.headers.get("content-type", "")
    if content_type == _FORM:
        return False
    return content_type.lower().startswith("application/json") or (not content_type and request.body[:1] == b"{")


_FORM: Final = "application/x-www-form-urlencoded"


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        content = json.loads(body, parse_float=str)  # a price keeps its digits
    except (ValueError, RecursionError) as error:
        raise CallbackMalformed("The body is not JSON.") from error
    if not isinstance(content, dict):
        raise CallbackMalformed("The body is JSON, but not an object.")
    return {name: _text(value) for name, value in content.items() if value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _in_plivos_case(fields: dict[str, str]) -> dict[str, str]:
    """Names as Plivo writes them, whatever case a middleman gave them (some receivers' own tests send `status=`)."""
    written = {name.casefold(): name for name in _PLACED}
    return {written.get(name.casefold(), name): value for name, value in fields.items()}


def _receipt(request: CallbackRequest, fields: dict[str, str], message_id: str, word: str) -> Receipt:
    get = fields.get
    status = STATUSES.get(word) or STATUSES.get(word.lower())
    parent_id, part = _part(message_id, get("ParentMessageUUID"), get("PartInfo"))
    extra = [(name, fields[name]) for name in fields.keys() - _LEFT_OUT if fields[name]]
    mcc, mnc = get("MCC"), get("MNC")
    if not mcc or not (mcc.isdecimal() and len(mcc) <= 3):
        mcc, mnc = None, None
    channel = CHANNELS.get(get("Type", "").lower())
    return Receipt(
        provider_message_id=parent_id,
        provider_status=word[:WORD_CHARACTERS_MAX],
        status=status,
        part=part,
        channel=channel,
        sender=_number(get("From")),
        recipient=_number(get("To")),
        mcc=mcc,
        mnc=mnc if mnc and mnc.isdecimal() and len(mnc) <= 3 else None,
        error_code=(error_codes.normalise(get("ErrorCode")) or "")[:WORD_CHARACTERS_MAX] or None,
        units=_count(get("Units")),
        cost_nanos=_nanos(get("TotalAmount")),
        currency=CURRENCY if get("TotalAmount") else None,
        sequence=_count(get("Sequence")),
        submitted_at=_moment(get("MessageTime")),
        queued_at=_moment(get("QueuedTime")),
        sent_at=_moment(get("SentTime")),
        final_at=_moment(get("DeliveryReportTime")) if status in FINAL else None,
        our_id=request.our_id if request.kind == "messages" else None,
        extra=tuple(sorted(extra)) if extra else (),
    )


def _part(message_id: str, parent_id: str | None, part_info: str | None) -> tuple[str, PartOf | None]:
    """The message's id and which part of it this is. Plivo's old callbacks came per part, with the message's
    id as the parent and `2 of 3`; today's carry the same id twice and `1 of 1`."""
    if not parent_id or parent_id == message_id or len(parent_id) > ID_CHARACTERS_MAX:
        return message_id, None
    number, _, of = (part_info or "").partition(" of ")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number[:4]) <= int(of[:4]) and int(of[:4]) > 1:
        return parent_id, PartOf(message_id, int(number[:4]), int(of[:4]))
    return parent_id, None


@lru_cache(maxsize=16_384)
def _number(text: str | None) -> str | None:
    number = normalise(text)
    return number if number is None or len(number) <= WORD_CHARACTERS_MAX else None


@lru_cache(maxsize=1024)
def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) <= 9 else None


_nanos = lru_cache(maxsize=4096)(money.nanos)


def _moment(text: str | None) -> datetime | None:
    """`2024-08-21 12:58:49.244057`: without an offset it is UTC, as far as anyone knows."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text + "+00:00")
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def signed_fields(request: CallbackRequest) -> dict[str, list[str]]:
    """The body's fields as a V3 signature covers them. For a JSON body these are the top-level fields as
    text: unconfirmed, since Plivo's messaging callbacks are forms."""
    if not request.body:
        return {}
    if _is_json(request):
        return {name: [value] for name, value in _json_fields(request.body).items()}
    fields: dict[str, list[str]] = {}
    for name, value in forms.pairs(request.body):
        fields.setdefault(name, []).append(value)
    return fields
