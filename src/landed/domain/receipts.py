"""A receipt: a fact about a message, read out of a callback, a look-up or the answer to our own send."""

from datetime import datetime
from typing import NamedTuple

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


class PartOf(NamedTuple):
    """Which segment of a message a receipt speaks of, where the provider reports on segments."""

    provider_message_id: str
    number: int  #: from 1
    of: int


class Receipt(NamedTuple):  # not a dataclass: made, hashed and compared in C, 25 thousand times a second
    """One fact. Two receipts with equal content are the same fact, however often it was told.

    Numbers are E.164 with the plus, or a short code or alphanumeric sender as it is. `mcc` and `mnc`
    are text, since leading zeros matter. Money is in billionths of the currency's unit. Times are aware,
    UTC, on the provider's clock. A missing value is None, never a guess.
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


class Telling(NamedTuple):
    """A receipt and how it reached us. `callback_id` is None where no callback told it."""

    receipt: Receipt
    received_at: datetime
    callback_id: int | None
