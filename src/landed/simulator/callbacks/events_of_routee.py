"""The events of Routee."""

from functools import partial
from typing import Final

from landed.simulator.callbacks import routee
from landed.simulator.callbacks.event import OURS, THEIRS, Content, Described, Event, country, units

_REASONS: Final = {
    "Undelivered": ("Unknown Number", "The number does not exist"),
    "Failed": ("Failed", "message could not be processed"),
}
_ROUTEE_AFTER: Final = {"Queued": "queued", "Sent": "sent"}


def _routee_message(status: str, described: Described) -> Content:
    text = described.text or "Hello!"
    message = routee.Message(
        id=described.id,
        sender=described.ours,
        recipient=described.theirs,
        text=text,
        parts=units(text),
        country=country(described.theirs) or "US",
        operator=None,
        campaign_tracking_id=described.second_id if status == "Unsent" else None,
        campaign_name="Welcome" if status == "Unsent" else None,
    )
    detailed, description = _REASONS.get(status, (None, ""))
    return routee.message_status(
        message,
        status,
        sms_id=described.second_id,
        at=described.after(_ROUTEE_AFTER.get(status, "final")),
        detailed_status=detailed,
        description=description,
    )


def _routee_inbound(described: Described) -> Content:
    text = "Hello!" if described.text is None else described.text
    sender, recipient = described.sender or THEIRS, described.recipient or OURS
    return routee.inbound_message(described.id, sender, recipient, text, received_at=described.at, parts=units(text))


def _routee_campaign(described: Described) -> Content:
    counts = {"Queued": 40, "Sent": 20, "Delivered": 38, "Undelivered": 2}
    return routee.campaign(described.id, "Welcome", "Running", counts, url=described.url)


def _two_step(status: str, described: Described) -> Content:
    return routee.two_step(described.id, "5756a411e4b06a33d50517c7", described.theirs, status, updated_at=described.at)


_ROUTEE_SENTENCES: Final = {
    "Queued": "Routee took a message.",
    "Sent": "It was handed on; the outcome is not known.",
    "Delivered": "It arrived.",
    "Undelivered": "It did not arrive; status.reason says why.",
    "Failed": "Routee could not process it.",
    "Unsent": "A message of a campaign was not sent: not enough balance.",
}
_TWO_STEP_SENTENCES: Final = {
    "Pending": "A two-step verification began.",
    "Verified": "The person gave the right code.",
    "Cancelled": "It was cancelled.",
    "Expired": "Nobody gave the right code in time.",
    "Failed": "Too many wrong codes.",
}


def events() -> list[Event]:
    """In the order in which they are listed."""
    made = [
        Event(
            name=f"routee.message.{status.lower()}",
            sentence=sentence,
            content=partial(_routee_message, status),
            path_kind="messages",
            is_json=True,
        )
        for status, sentence in _ROUTEE_SENTENCES.items()
    ]
    made += [
        Event(name="routee.inbound", sentence="Somebody wrote to a number.", content=_routee_inbound, is_json=True),
        Event(name="routee.campaign", sentence="How far a campaign is.", content=_routee_campaign, is_json=True),
    ]
    made += [
        Event(
            name=f"routee.two-step.{status.lower()}",
            sentence=sentence,
            content=partial(_two_step, status),
            path_kind="verify",
            is_json=True,
        )
        for status, sentence in _TWO_STEP_SENTENCES.items()
    ]
    return made
