"""What Routee's callbacks say: the JSON of each kind, in its own words, with every field of its pages.

One callback for each part and change of a message; what arrives at a number; a campaign's progress; a two-step
verification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

#: As it is written to JSON: numbers are numbers.
Content = dict[str, Any]

MESSAGE_STATUSES: Final = ("Queued", "Sent", "Delivered", "Undelivered", "Failed", "Unsent")
UNCHARGED: Final = frozenset({"Queued", "Failed", "Unsent"})
FINAL_STATUSES: Final = frozenset({"Delivered", "Undelivered", "Failed", "Unsent"})
TWO_STEP_STATUSES: Final = ("Pending", "Verified", "Cancelled", "Expired", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An outbound SMS. Numbers have the plus."""

    id: str  #: the `trackingId` of its send, the same for all parts
    sender: str
    recipient: str
    text: str
    label: str | None = None
    parts: int = 1
    price: float = 0.0421  #: of a part, in the account's currency
    country: str = "GR"
    operator: str | None = "COSMOTE"
    application_name: str = "default"
    campaign_tracking_id: str | None = None
    campaign_name: str | None = None
    groups: Sequence[str] = ()


def message_status(
    message: Message,
    status: str,
    *,
    sms_id: str,
    at: datetime,
    part: int = 1,
    detailed_status: str | None = None,
    description: str = "",
    latency_s: int = 3,
) -> Content:
    """A change of one part. `sms_id` is the part's own; without a detailed status it repeats the status."""
    return {
        "messageId": message.id,
        "smsId": sms_id,
        "campaignTrackingId": message.campaign_tracking_id,
        "part": part,
        "parts": message.parts,
        "label": message.label,
        "to": message.recipient,
        "from": message.sender,
        "country": message.country,
        "operator": message.operator,
        "groups": list(message.groups),
        "campaignName": message.campaign_name,
        "status": {
            "name": status,
            "reason": {"detailedStatus": detailed_status or status, "description": description},
            "updatedDate": seconds(at),
        },
        "message": message.text,
        "applicationName": message.application_name,
        "latency": latency_s,
        "price": 0 if status in UNCHARGED else message.price,
        "direction": "Outbound",
        "originatingService": "Sms",
    }


def inbound_message(
    message_id: str, sender: str, recipient: str, text: str, *, received_at: datetime, parts: int = 1
) -> Content:
    return {
        "messageId": message_id,
        "from": sender,
        "to": recipient,
        "message": text,
        "parts": parts,
        "originatingService": "Sms",
        "direction": "Inbound",
        "receivedDate": seconds(received_at),
    }


def campaign(
    tracking_id: str, name: str, status: str, counts: Mapping[str, int], *, url: str, strategy: str = "OnChange"
) -> Content:
    """A campaign's progress; `counts` are messages by the name of their status."""
    return {
        "trackingId": tracking_id,
        "name": name,
        "totalRecipients": sum(counts.values()),
        "campaignStatus": status,
        "messageStatuses": dict(counts),
        "callbackInfo": {"url": url, "strategy": strategy},
    }


def two_step(tracking_id: str, application_id: str, recipient: str, status: str, *, updated_at: datetime) -> Content:
    return {
        "applicationId": application_id,
        "trackingId": tracking_id,
        "recipient": recipient,
        "status": status,
        "updatedAt": milliseconds(updated_at),
    }


def seconds(at: datetime) -> str:
    """`2018-01-17T13:02:08Z`, as messages have it."""
    return _iso(at, "seconds")


def milliseconds(at: datetime) -> str:
    """`2026-03-02T09:20:00.000Z`, as the rest of the API has it."""
    return _iso(at, "milliseconds")


def _iso(at: datetime, precision: str) -> str:
    return at.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
