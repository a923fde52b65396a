"""What a provider's error code means for the person who has to do something about it."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Whose side the fault is on."""

    CONTENT = "content"  #: the text or media
    FILTERED = "filtered"  #: a spam or content filter on the way
    SENDER = "sender"  #: the number or name it was sent from
    RECIPIENT = "recipient"  #: the number it was sent to
    ROUTING = "routing"  #: the way there
    CARRIER = "carrier"  #: the mobile network
    PLATFORM = "platform"  #: the provider
    POLICY = "policy"  #: a rule of the account or the country
    EXPIRED = "expired"  #: it waited too long
    ACCOUNT = "account"  #: credit or standing of the account
    OPT_OUT = "opt_out"  #: the person said STOP
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One error code explained. `retryable` is None where nobody knows."""

    title: str
    advice: str  #: one sentence: what to do now
    fault: Fault
    retryable: bool | None
