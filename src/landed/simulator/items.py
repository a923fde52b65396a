"""What simulated traffic is made of: requests that know what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from landed.domain.receipts import Channel, Registration
from landed.domain.words import Word


class Kind(Word):
    """What a callback is in truth."""

    GENUINE = "genuine"
    DUPLICATE = "duplicate"  #: the same again, mostly with a fresh nonce
    BAD_SIGNATURE = "bad_signature"  #: forged with a signature out of thin air
    WRONG_TOKEN = "wrong_token"  #: forged with the token of another account  # noqa: S105
    TAMPERED = "tampered"  #: captured, then altered: V2, which signs no parameters, still matches, and V3 does not
    UNSIGNED = "unsigned"
    NONCE_REUSED = "nonce_reused"  #: captured, then altered, where there is only V2: it matches, and the nonce was used


#: What must be refused at the door. A reused nonce is let in and found out when it is tracked.
REFUSED: Final = frozenset({Kind.BAD_SIGNATURE, Kind.WRONG_TOKEN, Kind.TAMPERED, Kind.UNSIGNED})
FORGED: Final = REFUSED | {Kind.NONCE_REUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account that is called back. A main account signs everything with one token."""

    callback_url: str
    auth_token: str = field(repr=False)
    main_auth_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a status of a message says, and whether it may. Numbers are as on the wire, without the plus."""

    kind: Kind
    message_id: str
    status: str
    sequence: int
    country: str
    mcc: str
    mnc: str
    channel: Channel
    sender: str
    error_code: str | None
    units: int
    cost_nanos: int
    part: int | None = None  #: where parts are reported one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundTruth:
    """What an inbound message says. `country` is the person's."""

    kind: Kind
    message_id: str
    country: str
    channel: Channel
    text: str
    units: int
    cost_nanos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTruth:
    """What a callback says of a verify session and its attempt, in Plivo's words."""

    kind: Kind
    session_id: str
    status: str
    country: str
    attempt: int
    channel: str
    attempt_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTruth:
    """What a callback says of a brand, a campaign or a number, in Plivo's words."""

    kind: Kind
    registration: Registration
    subject: str  #: the id of the brand or campaign, or the number
    status: str


AnyTruth = Truth | InboundTruth | SessionTruth | RegistrationTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What Plivo tells: the fields of a callback, and how and when it goes out."""

    due_at: datetime
    truth: AnyTruth
    fields: tuple[tuple[str, str], ...]
    lie: Mapping[str, str]  #: what a fraudster would put in the place of some of the fields
    by_get: bool = False
    with_v3: bool = False
    path: str = ""  #: behind the callback URL: kind and our id


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One HTTP request that is due at a moment. `url` is the public one, query included."""

    due_at: datetime
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    truth: AnyTruth
