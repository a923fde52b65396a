"""All that the stand-in for Plivo knows: plain data, which a snapshot copies whole."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from landed.domain.receipts import Channel
from landed.simulator.callbacks.plivo import Conversation
from landed.simulator.carrier.chaos import Chaos
from landed.simulator.carrier.views import Direction

ACCOUNTS_MAX: Final = 1000
#: Messages and sessions beyond this are forgotten, the oldest first.
KEPT_MAX: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """What an account is like. Those that turn up by themselves bring their tokens.

    Attributes:
        main_id: of a sub-account: whose it is.
        balance: US dollars; at zero the API answers `Insufficient Credit`.
        only_v2: its callbacks carry the V2 family of signatures alone.
        reports_parts: each segment of a long text is reported by callbacks of its own, as Plivo once did.
        guards_media: media of inbound messages are behind HTTP Basic.
        requests_max: in 5 seconds, as Plivo has it; beyond it the API answers 429.
        message_url: where inbound messages go whose number has no application.
    """

    auth_token: str = field(default="", repr=False)
    main_id: str | None = None
    balance: str = "10000.00000"
    only_v2: bool = False
    reports_parts: bool = False
    guards_media: bool = False
    requests_max: int = 300
    message_url: str | None = None
    message_method: str = "POST"


@dataclass(slots=True, kw_only=True)
class Account:
    """`token` is empty until one is used."""

    id: str
    token: str = field(repr=False)
    options: AccountOptions
    main_id: str | None
    balance: Decimal
    created_at: datetime
    name: str = ""
    city: str = ""
    address: str = ""
    is_enabled: bool = True
    is_deleted: bool = False
    asked_at_s: deque[float] = field(default_factory=deque)  #: requests of the last seconds, by the system's clock
    listed_at_s: deque[float] = field(default_factory=deque)  #: lists of sessions in the last minute


@dataclass(slots=True, kw_only=True)
class Media:
    """`content` is None where it lies elsewhere, at `url`."""

    id: str
    content_type: str
    url: str
    content: bytes | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class Part:
    uuid: str
    number: int
    state: str = "queued"
    error_code: str | None = None
    sequence: int = 0


@dataclass(slots=True, kw_only=True)
class Message:
    """Numbers as on the wire, without the plus. Where parts are reported, `parts` has them."""

    uuid: str
    account_id: str
    direction: Direction
    channel: Channel
    sender: str
    recipient: str
    text: str | None
    units: int
    rate: str
    country: str
    mcc: str = ""
    mnc: str = ""
    network: str = ""
    created_at: datetime
    asked_at: datetime  #: by our clock, which that of a faster carrier runs away from
    state: str
    error_code: str | None = None
    sequence: int = 0
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    final_at: datetime | None = None
    updated_at: datetime | None = None
    url: str | None = None
    method: str = "POST"
    log: str = "true"
    is_trackable: bool = False
    requester_ip: str = ""
    powerpack_uuid: str = ""
    conversation: Conversation | None = None
    dlt: dict[str, str] = field(default_factory=dict)
    media: list[Media] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    chaos: Chaos | None = None
    is_charged: bool = False
    is_stopped: bool = False  #: nothing more becomes of it: there was no credit left for it


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A try to reach the person of a session. `charge`: decimal text, US dollars."""

    uuid: str
    sequence: int
    channel: str
    requested_at: datetime
    charge: str
    status: str = "in-progress"
    error_code: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Session:
    uuid: str
    account_id: str
    app_uuid: str
    recipient: str
    code: str
    locale: str
    country: str
    network: str
    created_at: datetime
    asked_at: datetime  #: as of a message
    updated_at: datetime
    expires_at: datetime
    requester_ip: str
    url: str | None
    method: str
    chaos: Chaos | None
    status: str = "in-progress"
    tries: int = 0
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Registered:
    """A profile, brand or campaign: `record` is what the API shows."""

    id: str
    account_id: str
    created_at: datetime
    record: dict[str, Any]
    url: str | None = None
    method: str = "POST"


@dataclass(slots=True, kw_only=True)
class Link:
    """A number of a campaign. `status` in the API's words."""

    account_id: str
    campaign_id: str
    number: str
    created_at: datetime
    url: str | None
    method: str
    status: str = "PROCESSING"
    is_unlinking: bool = False


@dataclass(slots=True, kw_only=True)
class Number:
    """A number that an account rents."""

    number: str
    added_at: datetime
    app_id: str | None = None
    alias: str | None = None
    subaccount: str | None = None


@dataclass(slots=True, kw_only=True)
class State:
    """`counts` tells apart things that are asked for in the same words, so that each has lots of its own."""

    accounts: dict[str, Account] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    #: Those that wait for their code: by account, application and recipient.
    open_sessions: dict[tuple[str, str, str], str] = field(default_factory=dict)
    profiles: dict[str, Registered] = field(default_factory=dict)
    brands: dict[str, Registered] = field(default_factory=dict)
    campaigns: dict[str, Registered] = field(default_factory=dict)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)  #: by main account and number
    applications: dict[str, Registered] = field(default_factory=dict)
    numbers: dict[str, dict[str, Number]] = field(default_factory=dict)  #: by account, then by number
    conversions: dict[str, dict[str, str]] = field(default_factory=dict)  #: by message
    opted_out: set[tuple[str, str, str]] = field(default_factory=set)  #: account, number of ours, person
    senders: dict[str, str] = field(default_factory=dict)  #: the account that sent last from a number
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
