"""Plivo's callbacks: form POSTs (or GETs) of several kinds, which may all come to one URL.

Here they are told apart by what they hold, and the commonest is read: the status change of a message. The others are
read in inbound.py, verify.py and tendlc.py. Follows Plivo's pages "Message Status Callbacks" and "SMS Callbacks", the
official SDKs, and requests captured from real traffic, read 2026-11. Of a message status only `MessageUUID` and
`Status` are required; every field that has no place of its own travels in `extra`.
"""

import json
import re
from functools import lru_cache
from typing import Any, Final

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood
from landed.domain.receipts import AnyReceipt, PartOf, Receipt
from landed.domain.statuses import FINAL
from landed.providers import forms
from landed.providers.plivo import error_codes, inbound, tendlc, verify
from landed.providers.plivo.values import CHANNELS, CURRENCY, ID_CHARACTERS_MAX, STATUSES, WORD_CHARACTERS_MAX
from landed.providers.plivo.values import count as _count
from landed.providers.plivo.values import moment as _moment
from landed.providers.plivo.values import nanos as _nanos
from landed.providers.plivo.values import number as _number
from landed.providers.plivo.values import units as _units

#: Fields that have a place in a receipt.
_PLACED: Final = frozenset({
    "MessageUUID", "Status", "From", "To", "Type", "Units", "TotalAmount", "MCC", "MNC", "ErrorCode", "Sequence",
    "ParentMessageUUID", "PartInfo", "MessageTime", "QueuedTime", "SentTime", "DeliveryReportTime",
})  # fmt: skip
#: Those of them that may be unreadable, in the order in which they are read.
_READ: Final = (
    "Type", "Units", "TotalAmount", "MCC", "MNC", "Sequence", "MessageTime", "QueuedTime", "SentTime",
)  # fmt: skip
#: Fields that say nothing of the message; the raw callback still has them.
_LEFT_OUT: Final = _PLACED | {"TotalRate", "requester_ip"}


def parse(request: CallbackRequest) -> list[AnyReceipt]:
    """The facts in a callback.

    Returns:
        One receipt for a message status, an inbound message or a verify session; for 10DLC one for each number.

    Raises:
        CallbackNotUnderstood: it names nothing that we track, or says nothing of it.
        CallbackMalformed: it is no form, JSON object or query.
    """
    fields = fields_of(request)
    message_id, word = fields.get("MessageUUID"), fields.get("Status")
    # Nearly all are like this, and it costs them no more than a look.
    if message_id and word in STATUSES and "SessionUUID" not in fields and len(message_id) <= ID_CHARACTERS_MAX:
        return [_receipt(request, fields, message_id, word)]
    return _told_apart(request, fields)


def _told_apart(request: CallbackRequest, fields: dict[str, str]) -> list[AnyReceipt]:
    """Names are taken as Plivo writes them; where those tell nothing, in any case. So a field of another's making that
    is called `status` does not turn an inbound message into a status."""
    for given in (fields, cased := _in_plivos_case(fields)):
        _check_ids(given)
        if verify.is_session(given):
            return [verify.receipt(request, given)]
        if inbound.is_inbound(given):
            return [inbound.receipt(request, given)]
        message_id, word = given.get("MessageUUID"), given.get("Status")
        if message_id and word and (word.lower() != inbound.RECEIVED or request.kind == "messages"):
            return [_receipt(request, given, message_id, word)]
    if not cased.get("alert_type") and tendlc.is_registration(request, pairs := _pairs_of(request, fields)):
        return [*tendlc.receipts(request, pairs)]
    raise CallbackNotUnderstood(_reason(cased))


def _check_ids(fields: dict[str, str]) -> None:
    for name in ("MessageUUID", "SessionUUID"):
        if len(fields.get(name, "")) > ID_CHARACTERS_MAX:
            raise CallbackNotUnderstood(f"{name} has {len(fields[name])} characters; Plivo's have 36.")


def _reason(fields: dict[str, str]) -> str:
    """Why nothing could be read, where names are as Plivo writes them."""
    get = fields.get
    if alert := get("alert_type"):
        country = get("destination_country", "")[:2]
        return (
            f"This is Plivo's alert `{alert[:WORD_CHARACTERS_MAX]}`{f' for {country}' if country else ''}: it is about"
            " the account and not about a message, so it is kept and changes nothing."
        )
    if get("SessionUUID"):
        return "SessionStatus is missing, and so is an attempt's ChannelStatus: this says nothing of the session."
    if get("MessageUUID"):
        if get("Status"):
            return "Status is `received`, which only inbound messages are, but there is no text or media."
        told = "empty" if "Status" in fields else "missing"
        return f"Status is {told}, and it is no inbound message: this says nothing of what became of the message."
    if get("api_id"):
        return "This is Plivo's answer to a request with a `callback_url`: it names nothing that is tracked."
    return "MessageUUID is missing: this names no message, and no verify session, brand, campaign or number either."


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
    fields = {name: _text(value) for name, value in content.items() if value is not None}
    if not all(map(_is_storable, fields.values())) or not all(map(_is_storable, fields)):
        raise CallbackMalformed("The JSON holds a NUL character or half a surrogate pair.")
    return fields


def _is_storable(text: str) -> bool:
    """What a form cannot hold either, and no text of a database."""
    return "\0" not in text and _HALF_PAIR.search(text) is None


_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _pairs_of(request: CallbackRequest, fields: dict[str, str]) -> list[tuple[str, str]]:
    """The fields, repeated ones with every value."""
    pairs = list(fields.items())
    query = request.url.partition("?")[2].partition("#")[0]
    body = b"" if _is_json(request) else request.body
    return pairs + [pair for pair in (*forms.pairs(query), *forms.pairs(body)) if pair not in pairs]


#: The names that have a meaning, by what they are in any case.
_WRITTEN: Final = {name.casefold(): name for name in _PLACED | inbound.CONTENT | verify.FIELDS}


def _in_plivos_case(fields: dict[str, str]) -> dict[str, str]:
    """Names as Plivo writes them, whatever case a middleman gave them (some receivers' own tests send `status=`).
    Of two that are one by that, the one that Plivo writes counts, unless it is blank."""
    cased: dict[str, str] = {}
    for name, value in sorted(fields.items(), key=lambda field: field[0] not in _WRITTEN.values()):
        written = _WRITTEN.get(name.casefold(), _MEDIA.sub(r"Media\1", name))
        cased[name if cased.get(written) else written] = value
    return cased


_MEDIA: Final = re.compile(r"\Amedia(\d+)\Z", re.IGNORECASE)


def _receipt(request: CallbackRequest, fields: dict[str, str], message_id: str, word: str) -> Receipt:
    get = fields.get
    status = STATUSES.get(word) or STATUSES.get(word.lower())
    parent_id, part = _part(message_id, get("ParentMessageUUID"), get("PartInfo"))
    extra = [(name, fields[name]) for name in _others(tuple(fields)) if fields[name]]
    mcc, mnc = get("MCC"), get("MNC")
    if not mcc or not (mcc.isdecimal() and len(mcc) <= 3):
        mcc, mnc = None, None
    elif mnc and not (mnc.isdecimal() and len(mnc) <= 3):
        mnc = None
    read = (
        CHANNELS.get(get("Type", "").lower()), _units(get("Units")), _nanos(get("TotalAmount")), mcc, mnc,
        _count(get("Sequence")), _moment(get("MessageTime")), _moment(get("QueuedTime")), _moment(get("SentTime")),
    )  # fmt: skip
    if None in read and (
        unread := [name for name, value in zip(_READ, read, strict=True) if value is None and get(name)]
    ):  # it is kept as it came
        extra = sorted([*extra, *((name, fields[name]) for name in unread)])
    channel, units, cost_nanos, mcc, mnc, sequence, submitted_at, queued_at, sent_at = read
    return Receipt(
        provider_message_id=parent_id,
        provider_status=word[:WORD_CHARACTERS_MAX],
        status=status,
        part=part,
        channel=channel,
        sender=_number(get("From")),
        recipient=_number(get("To")),
        mcc=mcc,
        mnc=mnc,
        error_code=(error_codes.normalise(get("ErrorCode")) or "")[:WORD_CHARACTERS_MAX] or None,
        units=units,
        cost_nanos=cost_nanos,
        currency=CURRENCY if get("TotalAmount") else None,
        sequence=sequence,
        submitted_at=submitted_at,
        queued_at=queued_at,
        sent_at=sent_at,
        final_at=_moment(get("DeliveryReportTime")) if status in FINAL else None,
        our_id=request.our_id if request.kind == "messages" else None,
        extra=tuple(extra),
    )


@lru_cache(maxsize=64)
def _others(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those without a place, in the order of the alphabet. Callbacks have few sets of names, each in one order."""
    return tuple(sorted(set(names) - _LEFT_OUT))


def _part(message_id: str, parent_id: str | None, part_info: str | None) -> tuple[str, PartOf | None]:
    """The message's id and which part of it this is. Plivo's old callbacks came per part, with the message's
    id as the parent and `2 of 3`; today's carry the same id twice and `1 of 1`. One that carries it twice and `1 of 2`
    is the whole message as long as no other part turns up."""
    if not parent_id or len(parent_id) > ID_CHARACTERS_MAX:
        return message_id, None
    if parent_id == message_id and (not part_info or part_info == "1 of 1"):
        return message_id, None
    number, _, of = (part_info or "").partition(" of ")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number[:4]) <= int(of[:4]) and int(of[:4]) > 1:
        return parent_id, PartOf(message_id, int(number[:4]), int(of[:4]))
    return parent_id, None if parent_id == message_id else PartOf(message_id, None, 1)


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
