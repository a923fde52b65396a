"""The events of Plivo."""

from datetime import timedelta
from functools import partial
from typing import Final

from landed.simulator import world
from landed.simulator.callbacks import plivo
from landed.simulator.callbacks.event import OURS, THEIRS, Content, Described, Event, country, units

PROVIDER: Final = "plivo"
_SEQUENCES: Final = {"queued": 1, "sent": 2, "failed": 2, "rejected": 2, "delivered": 3, "undelivered": 3, "read": 4}
#: What goes wrong if nobody says what.
_CODES: Final = {"undelivered": "80", "failed": "300", "rejected": "10"}
_NEVER_SENT: Final = frozenset({"queued", "failed", "rejected"})
#: Statuses that a carrier reported.
_REPORTED: Final = frozenset({"delivered", "undelivered", "read"})
_NO_NETWORK: Final = ("", "")


def _message(status: str, described: Described) -> Content:
    channel = "whatsapp" if status == "read" else "sms"
    mcc, mnc = _network(described.theirs)
    conversation = plivo.Conversation(id=described.second_id, expires_at=described.at + timedelta(hours=24))
    message = plivo.Message(
        uuid=described.id,
        sender=described.ours,
        recipient=described.theirs,
        type=channel,
        units=units(described.text) if channel == "sms" else 1,
        mcc=mcc,
        mnc=mnc,
        conversation=conversation if channel == "whatsapp" else None,
    )
    times = plivo.Times(
        message=described.at,
        queued=described.after("queued"),
        sent=None if status in _NEVER_SENT else described.after("sent"),
        delivery_report=described.after("final") if status in _REPORTED else None,
    )
    code = _CODES.get(status, "")
    return dict(plivo.message_status(message, status, sequence=_SEQUENCES[status], times=times, error_code=code))


def _network(number: str) -> tuple[str, str]:
    """MCC and MNC of some network of the number's country; blank where we know none."""
    iso2 = country(number)
    networks = [each.networks[0] for each in world.COUNTRIES if each.iso2 == iso2]
    return (networks[0].mcc, networks[0].mnc) if networks else _NO_NETWORK


def _inbound(channel: str, text: str, intent: str, described: Described) -> Content:
    text = text if described.text is None else described.text
    media: tuple[str, ...] = ()
    if channel != "sms":
        media = (f"https://media.plivo.com/Account/{described.auth_id}/Message/{described.id}/Media/1",)
    inbound = plivo.Inbound(
        uuid=described.id,
        sender=described.sender or THEIRS,
        recipient=described.recipient or OURS,
        type=channel,
        text=text,
        units=units(text) if channel == "sms" else 1,
        intent=intent,
        media=media,
    )
    return dict(plivo.inbound_message(inbound))


def _session(status: str, channel: str, attempt_status: str, error_code: str, described: Described) -> Content:
    session = plivo.Session(uuid=described.id, recipient=described.theirs)
    attempt = plivo.Attempt(
        uuid=described.second_id if channel == "sms" else described.call_id,
        sequence=1 if channel == "sms" else 2,
        channel=channel,
        requested_at=described.at,
    )
    return dict(plivo.verify_session(session, status, attempt, attempt_status, error_code=error_code))


def _brand(status: str, described: Described) -> Content:
    reason = "EIN does not match the legal name" if status == "rejected" else ""
    return dict(plivo.brand(described.id, status, reason=reason))


def _campaign(status: str, described: Described) -> Content:
    reason = "The sample messages do not show how to opt out" if status == "rejected" else ""
    return dict(plivo.campaign(described.id, described.second_id, status, reason=reason))


def _number(unlinking: bool, status: str, described: Described) -> Content:
    reason = "The number cannot be used for 10DLC" if status == "failed" else ""
    return dict(plivo.number(described.id, described.ours, status, unlinking=unlinking, reason=reason))


def _alert(described: Described) -> Content:
    return dict(plivo.fraud_alert(described.auth_id, country=country(described.theirs) or "US"))


_MESSAGE_SENTENCES: Final = {
    "queued": "Plivo took a message and gave it an id.",
    "sent": "It was handed to the carrier.",
    "delivered": "The carrier confirmed that it arrived.",
    "undelivered": "The carrier could not deliver it; ErrorCode says why.",
    "failed": "It was never handed to a carrier; ErrorCode says why, and nothing is charged.",
    "rejected": "Plivo refused it: an old word for failed.",
    "read": "A WhatsApp message was read.",
}
_INBOUND: Final = {
    "sms": ("sms", "Hello!", "", "Somebody wrote a text message."),
    "mms": ("mms", "Look at this", "", "Somebody sent a picture by MMS."),
    "whatsapp": ("whatsapp", "Hello!", "", "Somebody sent a picture by WhatsApp."),
    "optout": ("sms", "STOP", "optout", "Somebody wrote STOP."),
    "optin": ("sms", "START", "optin", "Somebody wrote START."),
    "help": ("sms", "HELP", "help", "Somebody wrote HELP."),
}
#: Session status, channel, attempt status, error code.
_VERIFY: Final = {
    "in-progress": ("in-progress", "sms", "queued", "", "A verify session began: the code is about to be sent."),
    "queued": ("in-progress", "sms", "queued", "", "Plivo took the text message with the code."),
    "sent": ("in-progress", "sms", "sent", "", "The text message with the code was handed to the carrier."),
    "delivered": ("in-progress", "sms", "delivered", "", "The text message with the code arrived."),
    "undelivered": ("in-progress", "sms", "undelivered", "80", "The text message with the code did not arrive."),
    "failed": ("in-progress", "sms", "failed", "300", "The text message with the code could not be sent."),
    "ringing": ("in-progress", "voice", "ringing", "", "A call with the code rings."),
    "voice-in-progress": ("in-progress", "voice", "in-progress", "", "The call was answered."),
    "completed": ("in-progress", "voice", "completed", "", "The call told the code and ended."),
    "no-answer": ("in-progress", "voice", "no-answer", "3010", "Nobody answered the call."),
    "verified": ("verified", "sms", "delivered", "", "The person typed the right code."),
    "expired": ("expired", "sms", "delivered", "", "Nobody typed the right code in time."),
}
_REGISTRATION_SENTENCES: Final = {
    "created": "was submitted",
    "registered": "was registered",
    "rejected": "was rejected; Reason says why",
    "success": "was granted",
    "failed": "was refused; Reason says why",
}


def events() -> list[Event]:
    """In the order in which they are listed."""
    made = [
        Event(
            name=f"plivo.message.{status}", sentence=sentence, content=partial(_message, status), path_kind="messages"
        )
        for status, sentence in _MESSAGE_SENTENCES.items()
    ]
    made += [
        Event(name=f"plivo.inbound.{word}", sentence=sentence, content=partial(_inbound, channel, text, intent))
        for word, (channel, text, intent, sentence) in _INBOUND.items()
    ]
    made += [
        Event(
            name=f"plivo.verify.{word}",
            sentence=sentence,
            content=partial(_session, status, channel, attempt_status, code),
            path_kind="verify",
        )
        for word, (status, channel, attempt_status, code, sentence) in _VERIFY.items()
    ]
    for thing, content, ids in (("brand", _brand, ("B", "B")), ("campaign", _campaign, ("C", "B"))):
        made += [
            Event(
                name=f"plivo.{thing}.{status}",
                sentence=f"A {thing} {_REGISTRATION_SENTENCES[status]}.",
                content=partial(content, status),
                ids=ids,
                path_kind=f"{thing}s",
            )
            for status in plivo.REGISTRATION_STATUSES
        ]
    for thing, words, unlinking in (
        ("number-link", "to link a number to a campaign", False),
        ("number-unlink", "to unlink a number from its campaign", True),
    ):
        made += [
            Event(
                name=f"plivo.{thing}.{status}",
                sentence=f"A request {words} {_REGISTRATION_SENTENCES[status]}.",
                content=partial(_number, unlinking, status),
                ids=("C", "B"),
                path_kind=f"{thing}s",
            )
            for status in plivo.NUMBER_STATUSES
        ]
    sentence = "Fraud Shield's alert: too many messages to a country within an hour. JSON, and about no message."
    made.append(Event(name="plivo.fraud-alert", sentence=sentence, content=_alert, is_json=True))
    return made
