"""What Plivo's callbacks say: the fields of each kind, in its own words and as complete as its pages and captures are.

A thing is described once (`Message`, `Inbound`, `Session`) and told of as often as it changes. Fields come in the order
in which captured requests have them. What the fields of 10DLC are called is a guess, as in providers/plivo/tendlc.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

#: Names and values, each decoded.
Fields = tuple[tuple[str, str], ...]

MESSAGE_STATUSES: Final = ("queued", "sent", "delivered", "undelivered", "failed", "rejected", "read")
#: Statuses of a message that never reached a carrier: it is not charged.
UNCHARGED: Final = frozenset({"failed", "rejected"})
SESSION_STATUSES: Final = ("in-progress", "verified", "expired")
#: An attempt's words, by its channel.
ATTEMPT_STATUSES: Final = {
    "sms": ("queued", "sent", "delivered", "undelivered", "failed"),
    "voice": ("ringing", "in-progress", "completed", "no-answer"),
}
REGISTRATION_STATUSES: Final = ("created", "registered", "rejected")
NUMBER_STATUSES: Final = ("created", "success", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Of a WhatsApp message."""

    id: str
    origin: str = "utility"  #: utility, authentication, marketing, service
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An outbound message. Numbers with or without the plus, which Plivo leaves out."""

    uuid: str
    sender: str
    recipient: str
    type: str = "sms"
    units: int = 1
    rate: str = "0.00550"  #: of a unit, decimal text in US dollars
    mcc: str = "310"
    mnc: str = "260"
    requester_ip: str = "203.0.113.7"
    powerpack_uuid: str = ""
    conversation: Conversation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a message was taken, queued, handed over and reported on; None: not yet."""

    message: datetime
    queued: datetime | None = None
    sent: datetime | None = None
    delivery_report: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of a message's parts, as Plivo used to report them: `2 of 3`."""

    uuid: str
    number: int
    of: int


def message_status(
    message: Message,
    status: str,
    *,
    sequence: int,
    times: Times,
    error_code: str = "",
    part: Part | None = None,
) -> Fields:
    """A change of a message's status. One of a part has the fields of 2017 alone, and one unit."""
    units = 1 if part else message.units
    rate = f"{Decimal(message.rate) * 0:f}" if status in UNCHARGED else message.rate
    fields = (
        ("Status", status),
        ("From", digits(message.sender)),
        ("ParentMessageUUID", message.uuid),
        ("TotalRate", rate),
        ("MCC", message.mcc),
        ("PartInfo", f"{part.number} of {part.of}" if part else "1 of 1"),
        ("ErrorCode", error_code),
        ("To", digits(message.recipient)),
        ("Units", str(units)),
        ("TotalAmount", f"{Decimal(rate) * units:f}"),
        ("MNC", message.mnc),
        ("MessageUUID", part.uuid if part else message.uuid),
    )
    return fields if part else fields + _newer_fields(message, sequence, times)


def _newer_fields(message: Message, sequence: int, times: Times) -> Fields:
    fields = [
        ("Type", message.type),
        ("Sequence", str(sequence)),
        *(
            (name, written(at))
            for name, at in (
                ("MessageTime", times.message),
                ("QueuedTime", times.queued),
                ("SentTime", times.sent),
                ("DeliveryReportTime", times.delivery_report),
            )
            if at is not None
        ),
        ("requester_ip", message.requester_ip),
        ("PowerpackUUID", message.powerpack_uuid),
    ]
    if message.conversation:
        fields += [
            ("ConversationID", message.conversation.id),
            ("ConversationOrigin", message.conversation.origin),
            ("ConversationExpirationTimestamp", str(int(message.conversation.expires_at.timestamp()))),
        ]
    return tuple(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message from a person to a number of ours. Media are told by their URLs."""

    uuid: str
    sender: str
    recipient: str
    type: str = "sms"
    text: str = ""
    units: int = 1
    rate: str = "0.00000"
    intent: str | None = ""  #: optout, optin, help or blank; None: of a number for which Plivo tells none
    powerpack_uuid: str = ""
    media: Sequence[str] = ()
    mime_type: str = "image/jpeg"
    error_code: str = ""  #: why media could not be fetched


def inbound_message(inbound: Inbound) -> Fields:
    """Media are numbered from 0, as all guides do and the API's reference does not."""
    fields = [
        ("To", digits(inbound.recipient)),
        ("From", digits(inbound.sender)),
        ("TotalRate", inbound.rate),
        ("TotalAmount", f"{Decimal(inbound.rate) * inbound.units:f}"),
        ("Units", str(inbound.units)),
        ("Type", inbound.type),
        ("MessageUUID", inbound.uuid),
        ("Text" if inbound.type == "sms" else "Body", inbound.text),
    ]
    if inbound.type == "whatsapp":
        fields.append(("ContentType", "media" if inbound.media else "text"))
        fields += [("MimeType", inbound.mime_type)] if inbound.media else []
    elif inbound.intent is not None:
        fields += [("MessageIntent", inbound.intent)] if inbound.type == "sms" else []
        fields.append(("PowerpackUUID", inbound.powerpack_uuid))
    if inbound.type == "mms":
        fields.append(("MediaCount", str(len(inbound.media))))
    if inbound.type != "sms":
        fields.append(("ErrorCode", inbound.error_code))
    fields += [(f"Media{place}", url) for place, url in enumerate(inbound.media)]
    return tuple(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    uuid: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try to reach the person of a session."""

    uuid: str
    sequence: int = 1  #: from 1
    channel: str = "sms"  #: or voice
    requested_at: datetime


def verify_session(
    session: Session, status: str, attempt: Attempt, attempt_status: str, *, error_code: str = ""
) -> Fields:
    return (
        ("SessionUUID", session.uuid),
        ("SessionStatus", status),
        ("RequestTime", f"{attempt.requested_at:%Y-%m-%dT%H:%M:%S.%f}Z"),
        ("Recipient", digits(session.recipient)),
        ("ChannelErrorCode", error_code),
        ("Channel", attempt.channel),
        ("AttemptUUID", attempt.uuid),
        ("AttemptSequence", str(attempt.sequence)),
        ("ChannelStatus", attempt_status),
    )


def brand(brand_id: str, status: str, *, reason: str = "") -> Fields:
    """`created`, `registered` or `rejected`, with a reason."""
    return _registration("brand", status, (("BrandID", brand_id),), reason)


def campaign(campaign_id: str, brand_id: str, status: str, *, reason: str = "") -> Fields:
    return _registration("campaign", status, (("BrandID", brand_id), ("CampaignID", campaign_id)), reason)


def number(campaign_id: str, number: str, status: str, *, unlinking: bool = False, reason: str = "") -> Fields:
    """Of linking a number to a campaign, or of unlinking it: `created`, `success` or `failed`."""
    event = "number_unlinking" if unlinking else "number_linking"
    return _registration(event, status, (("CampaignID", campaign_id), ("Number", digits(number))), reason)


def _registration(event: str, status: str, ids: Fields, reason: str) -> Fields:
    why: Fields = (("Reason", reason),) if reason else ()
    return (("Event", event), ("Status", status), *ids, *why)


def fraud_alert(auth_id: str, *, country: str = "US", block: str = "no") -> Fields:
    """Fraud Shield's alert on an account, sent as JSON and by POST alone."""
    return (
        ("auth_id", auth_id),
        ("destination_country", country),
        ("block", block),
        ("alert_type", "sms_threshold_breach"),
        ("message", f"The number of messages to {country} in the last hour is above your threshold."),
    )


def digits(number: str) -> str:
    """A number as Plivo writes it."""
    return number.removeprefix("+")


def written(at: datetime) -> str:
    """A time as Plivo writes it in a message's callbacks: UTC without saying so."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
