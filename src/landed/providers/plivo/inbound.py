"""Inbound messages: what people write to our numbers, by SMS, MMS or WhatsApp.

Follows Plivo's pages "Handling incoming SMS", "… MMS" and "… WhatsApp" and a request captured from real traffic, read
2026-11. They contradict each other in two points, and here both readings are taken: an MMS has its text in `Text` or
in `Body`, and its media are numbered from 0 or from 1. The callback has no word for it; the record's is `received`.
"""

import re
from typing import Final

from landed.domain.callbacks import CallbackRequest
from landed.domain.receipts import Channel, Content, Direction, Intent, Media, Receipt
from landed.domain.statuses import Status
from landed.providers.plivo import values

RECEIVED: Final = "received"
INTENTS: Final = {"optout": Intent.OPT_OUT, "optin": Intent.OPT_IN, "help": Intent.HELP}

#: Fields of an inbound message that no message status has.
CONTENT: Final = frozenset({"Text", "Body", "MessageIntent", "MediaCount", "ContentType", "MimeType"})
#: Fields of a message status that no inbound message has.
_OF_STATUSES: Final = frozenset({
    "ParentMessageUUID", "PartInfo", "Sequence", "QueuedTime", "SentTime", "DeliveryReportTime", "MCC", "MNC",
    "requester_ip",
})  # fmt: skip
_PLACED: Final = frozenset({
    "MessageUUID", "Status", "From", "To", "Type", "Units", "TotalAmount", "ErrorCode", "Text", "MessageTime",
    "ContentType", "TotalRate",
})  # fmt: skip
_MEDIA: Final = re.compile(r"Media(\d{1,4})")


def is_inbound(fields: dict[str, str]) -> bool:
    """Whether it is a message to us. A `Status` makes it a status of a message of ours, whatever text is with it,
    unless it is the word that only inbound messages have. An empty one decides nothing by itself."""
    if not fields.get("MessageUUID") or (CONTENT.isdisjoint(fields) and not any(map(_MEDIA.fullmatch, fields))):
        return False
    word = fields.get("Status")
    return word is None or word.lower() == RECEIVED or (not word and _OF_STATUSES.isdisjoint(fields))


def receipt(request: CallbackRequest, fields: dict[str, str]) -> Receipt:
    get = fields.get
    media, placed = _media(fields)
    intent = INTENTS.get(re.sub(r"[\W_]", "", get("MessageIntent", "")).lower())
    if intent:
        placed |= {"MessageIntent"}
    if not get("Text") or get("Body") == get("Text"):
        placed |= {"Body"}
    return Receipt(
        provider_message_id=fields["MessageUUID"],
        provider_status=RECEIVED,
        status=Status.RECEIVED,
        direction=Direction.INBOUND,
        channel=_channel(fields, media),
        sender=values.number(get("From")),
        recipient=values.number(get("To")),
        error_code=values.error_code(get("ErrorCode")),
        units=values.units(get("Units")),
        cost_nanos=values.nanos(get("TotalAmount")),
        currency=values.CURRENCY if get("TotalAmount") else None,
        submitted_at=values.moment(get("MessageTime")),
        extra=values.left_over(fields, (_PLACED | placed) - _unreadable(fields)),
        content=Content(
            text=get("Text") or get("Body") or None,
            media=media,
            intent=intent,
            content_type=get("ContentType", "")[: values.WORD_CHARACTERS_MAX] or None,
        ),
    )


def _channel(fields: dict[str, str], media: tuple[Media, ...]) -> Channel | None:
    """As told; where it is not, an SMS has no media, and only WhatsApp tells a type of content."""
    if told := fields.get("Type"):
        return values.CHANNELS.get(told.lower())
    if fields.get("ContentType"):
        return Channel.WHATSAPP
    return Channel.MMS if media else Channel.SMS


def _unreadable(fields: dict[str, str]) -> frozenset[str]:
    """The fields that have a place and cannot be read, which are kept as they came."""
    get = fields.get
    read = {
        "Type": values.CHANNELS.get(get("Type", "").lower()),
        "Units": values.units(get("Units")),
        "TotalAmount": values.nanos(get("TotalAmount")),
        "MessageTime": values.moment(get("MessageTime")),
    }
    return frozenset(name for name, value in read.items() if value is None)


def _media(fields: dict[str, str]) -> tuple[tuple[Media, ...], frozenset[str]]:
    """The media in the order of their numbers, and the fields that told them. The one `MimeType` there may be is told
    where there is one medium; beside several nobody knows whose it is."""
    numbered = {int(found[1]): name for name in fields if (found := _MEDIA.fullmatch(name)) and fields[name]}
    names = [numbered[number] for number in sorted(numbered)]
    if len(names) == 1:
        media = Media(fields[names[0]], fields.get("MimeType") or None)
        return (media,), frozenset({names[0], "MimeType"})
    return tuple(Media(fields[name]) for name in names), frozenset(names)
