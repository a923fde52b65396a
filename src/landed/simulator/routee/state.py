"""What the stand-in for Routee remembers. Plain data, since snapshots copy all of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from landed.domain.segments import Segments
from landed.simulator.carrier.chaos import Chaos
from landed.simulator.carrier.fate import Step
from landed.simulator.routee.reasons import Reason

Thing = TypeVar("Thing")

#: Routee's words for where a part is, in climbing order; the higher one is what its API says.
QUEUED, SENT, FAILED, UNSENT, UNDELIVERED, DELIVERED = (
    "Queued", "Sent", "Failed", "Unsent", "Undelivered", "Delivered",
)  # fmt: skip
RANK: Final = {word: rank for rank, word in enumerate((QUEUED, SENT, FAILED, UNSENT, UNDELIVERED, DELIVERED))}
LOST: Final = frozenset({FAILED, UNSENT, UNDELIVERED})
#: Things of a kind beyond this are forgotten, the oldest first.
KEPT_MAX: Final = 200_000
#: Stands for every number that has no address of its own.
ANY_NUMBER: Final = "*"


@dataclass(slots=True, kw_only=True)
class Application:
    """An application of Routee's console, with what is set for it there."""

    id: str
    secret: str | None = field(repr=False)  #: None until it first comes with one
    balance_nanos: int
    token_lifetime_s: int = 3600
    requests_max: int = 500  #: in a second of ours; beyond it comes 429
    two_step_url: str = ""
    inbound_urls: dict[str, str] = field(default_factory=dict)  #: by number with the plus, or ANY_NUMBER


@dataclass(slots=True, kw_only=True)
class Token:
    value: str = field(repr=False)
    application_id: str
    scopes: tuple[str, ...]
    expires_at: datetime
    is_revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    url: str
    strategy: str  #: OnChange or OnCompletion

    @property
    def only_at_the_end(self) -> bool:
        return self.strategy == "OnCompletion"


@dataclass(slots=True, kw_only=True)
class Part:
    """A segment of a message, which has a fate of its own."""

    id: str
    number: int  #: from 1
    steps: Sequence[Step]
    changed_at: datetime
    status: str = QUEUED
    reason: Reason | None = None


@dataclass(slots=True, kw_only=True)
class Message:
    """An outbound SMS. Numbers have the plus; `rate` is the price of a part, as decimal text."""

    id: str
    application_id: str
    sender: str
    recipient: str
    text: str
    label: str | None
    callback: Callback | None
    campaign_id: str | None
    chaos: Chaos | None
    country: str
    operator: str
    rate: str
    created_at: datetime
    asked_at: datetime  #: by our clock, which a faster one runs away from
    parts: Sequence[Part]
    has_replied: bool = False

    @property
    def status(self) -> str:
        """Lost with the first part that is, else as far as the slowest."""
        words = [part.status for part in self.parts]
        lost = [word for word in words if word in LOST]
        return max(lost, key=RANK.__getitem__) if lost else min(words, key=RANK.__getitem__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An inbound SMS."""

    id: str
    application_id: str
    sender: str
    recipient: str
    text: str
    parts: int
    url: str
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Campaign:
    """A text to many. `steps_left` counts what is still to happen to its messages; None: it has not begun."""

    id: str
    application_id: str
    asked: dict[str, Any]  #: the request as it was taken
    recipients: Sequence[str]
    segments: Segments
    callback: Callback | None
    campaign_callback: Callback | None
    created_at: datetime
    scheduled_at: datetime | None
    state: str
    version: int = 0  #: of its schedule: what was planned for an earlier one is void
    steps_left: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    told: int = 0  #: callbacks of its progress so far
    told_at: int = 0  #: how many of its messages had ended at the last of them


@dataclass(slots=True, kw_only=True)
class TwoStep:
    """A verification. `status` is Routee's word."""

    id: str
    application_id: str
    recipient: str
    method: str
    code: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    tries_max: int
    chaos: Chaos | None
    status: str = "Pending"
    tries: int = 0
    changes: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """By id. `counts` numbers things of one kind to one recipient, which is what their lots are drawn by."""

    applications: dict[str, Application] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    received: dict[str, Received] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    two_steps: dict[str, TwoStep] = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def keep(self, things: dict[str, Thing], key: str, thing: Thing) -> Thing:
        things[key] = thing
        if len(things) > KEPT_MAX:
            del things[next(iter(things))]
        return thing

    def next_key(self, *kind: str) -> tuple[str, ...]:
        """The key of the next thing of its kind: the same in each world of a seed."""
        self.counts[kind] += 1
        return (*kind, str(self.counts[kind]))
