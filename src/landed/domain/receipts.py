"""Receipts: facts about the things we track, read out of a callback, a look-up or the answer to our own request.

There is one kind of receipt for each kind of thing: `Receipt` for messages, `SessionReceipt` for verify sessions,
`RegistrationReceipt` for what 10DLC registers, `BroadcastReceipt` for one sending to many. A receipt is what a provider
told, in our words; what became of the thing is folded from the set of them. Numbers are E.164 with the plus, or a short
code or alphanumeric sender as it is. Money is in billionths of the currency's unit. Times are aware, UTC, on the
provider's clock. A missing value is None, never a guess. `extra` holds every field without a place, as it came.
"""

from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from landed.domain.statuses import Status
from landed.domain.words import Word


class Source(Word):
    """How we came to know."""

    CALLBACK = "callback"  #: the provider told us
    LOOKUP = "lookup"  #: we asked
    SEND = "send"  #: the answer when we sent it
    OURS = "ours"  #: we concluded it ourselves (`expired`)


class Channel(Word):
    SMS = "sms"
    MMS = "mms"
    WHATSAPP = "whatsapp"


class Direction(Word):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Intent(Word):
    """What an inbound message asks of the sender it answers to."""

    OPT_OUT = "opt_out"  #: send me nothing more
    OPT_IN = "opt_in"  #: send to me again
    HELP = "help"


class Media(NamedTuple):
    """A picture, sound or file of an inbound message, where the provider keeps it."""

    url: str
    mime_type: str | None = None  #: as the provider told it
    size_bytes: int | None = None


class Content(NamedTuple):
    """What an inbound message says."""

    text: str | None
    media: tuple[Media, ...] = ()
    intent: Intent | None = None  #: as the provider told it; what we recognise ourselves is in domain/opt_outs.py
    content_type: str | None = None  #: WhatsApp's word: text, media, button, …


class PartOf(NamedTuple):
    """Which segment of a message a receipt speaks of, where the provider reports on segments."""

    provider_message_id: str | None  #: None: not told; then the number is
    number: int | None  #: from 1; None: not told
    of: int  #: 1 also where it is not told


class Receipt(NamedTuple):  # not a dataclass: made, hashed and compared in C, 25 thousand times a second
    """One fact about a message. Two receipts with equal content are the same fact, however often it was told.

    `mcc` and `mnc` are text, since leading zeros matter.
    """

    provider_message_id: str
    provider_status: str  #: the provider's own word
    status: Status | None  #: None: a word we do not know
    source: Source = Source.CALLBACK
    part: PartOf | None = None
    direction: Direction = Direction.OUTBOUND
    channel: Channel | None = None
    sender: str | None = None
    recipient: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    error_code: str | None = None
    units: int | None = None
    cost_nanos: int | None = None
    currency: str | None = None
    sequence: int | None = None  #: the provider's own order of its callbacks for one message
    submitted_at: datetime | None = None  #: when the provider got the message
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    final_at: datetime | None = None  #: when the final status was reported to the provider
    our_id: str | None = None  #: our message id, where the callback carries it
    extra: tuple[tuple[str, str], ...] = ()  #: every other field and its text, as it came
    content: Content | None = None  #: of an inbound message
    converted: bool | None = None  #: whether the person did what the message was for; where that is what is told


class SessionStatus(Word):
    """Where a verify session is, in climbing order."""

    IN_PROGRESS = "in_progress"
    FAILED = "failed"  #: the provider gave up, or the person tried too often
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    VERIFIED = "verified"  #: the person typed the code


class AttemptChannel(Word):
    SMS = "sms"
    VOICE = "voice"
    WHATSAPP = "whatsapp"


class AttemptReport(NamedTuple):
    """What a receipt says of one try to reach the person."""

    provider_attempt_id: str
    provider_status: str  #: the provider's own word; empty where it told none
    status: Status | None  #: as for messages; None: a word we do not know
    sequence: int | None = None  #: from 1
    channel: AttemptChannel | None = None
    error_code: str | None = None
    requested_at: datetime | None = None  #: when the attempt was made


class SessionReceipt(NamedTuple):
    """One fact about a verify session, and perhaps about one of its attempts."""

    provider_session_id: str
    provider_status: str  #: the provider's own word for the session; empty where it told of an attempt alone
    status: SessionStatus | None  #: None: a word we do not know
    source: Source = Source.CALLBACK
    attempt: AttemptReport | None = None
    recipient: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    started_at: datetime | None = None
    updated_at: datetime | None = None  #: when this status was reached
    expires_at: datetime | None = None
    cost_nanos: int | None = None
    currency: str | None = None
    our_id: str | None = None  #: our session id, where the callback carries it
    extra: tuple[tuple[str, str], ...] = ()


class Registration(Word):
    """What is registered for 10DLC, and the two things done with numbers."""

    BRAND = "brand"
    CAMPAIGN = "campaign"
    NUMBER_LINK = "number_link"
    NUMBER_UNLINK = "number_unlink"


class RegistrationStatus(Word):
    """Where a registration is."""

    PENDING = "pending"
    REJECTED = "rejected"  #: of a brand or campaign
    REGISTERED = "registered"  #: of a brand or campaign
    FAILED = "failed"  #: of linking or unlinking a number
    LINKED = "linked"
    UNLINKED = "unlinked"


class RegistrationReceipt(NamedTuple):
    """One fact about a brand, a campaign, or the link of a number to a campaign.

    Which one it names is known by the provider's ids, by our id in the path of the callback, or by both.
    """

    registration: Registration
    provider_status: str  #: the provider's own word; empty where it told none
    status: RegistrationStatus | None  #: None: a word we do not know
    source: Source = Source.CALLBACK
    provider_brand_id: str | None = None
    provider_campaign_id: str | None = None
    number: str | None = None
    reason: str | None = None
    error_code: str | None = None
    occurred_at: datetime | None = None
    our_id: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


class BroadcastReceipt(NamedTuple):
    """One fact about a broadcast: one sending to many that the provider reports on as a whole."""

    provider_broadcast_id: str
    provider_status: str
    final: bool
    source: Source = Source.CALLBACK
    name: str | None = None
    recipients: int | None = None
    #: How many messages have each of the provider's statuses, in our words where we know them; by name.
    counts: tuple[tuple[str, int], ...] = ()
    our_id: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


#: What a provider's `parse` may give.
AnyReceipt = Receipt | SessionReceipt | RegistrationReceipt | BroadcastReceipt

R = TypeVar("R")


class Telling(NamedTuple, Generic[R]):
    """A receipt and how it reached us. `callback_id` is None where no callback told it."""

    receipt: R
    received_at: datetime
    callback_id: int | None
