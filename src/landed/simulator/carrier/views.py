"""What a stand-in shows of its world, in our words, for whoever asks and asserts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.routing import BaseRoute

from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.domain.words import Word
from landed.simulator.carrier.carrier import StandIn


class Direction(Word):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """A message as the carrier knows it, which may be more than it told. Numbers with the plus."""

    provider: str
    account: str
    id: str
    direction: Direction
    channel: Channel
    sender: str
    recipient: str
    text: str | None
    units: int
    status: Status
    error_code: str | None  #: the provider's own
    callback_url: str | None
    created_at: datetime
    conversion: str | None = None  #: what was fed back of it, in the provider's word


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A verify session and the code that its person was sent."""

    provider: str
    account: str
    id: str
    recipient: str
    code: str
    status: str  #: in the provider's words
    tries: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationView:
    """A brand, campaign or number link."""

    provider: str
    account: str
    kind: str  #: brand, campaign, number
    id: str
    status: str  #: in the provider's words
    created_at: datetime


class Shown(StandIn, Protocol):
    """A stand-in with its API, and with what can be asked of it besides."""

    base_url: str  #: where it is reached, set by whoever serves it

    def routes(self) -> list[BaseRoute]:
        """Its API, as the provider has it."""
        ...

    def messages(self) -> Iterable[MessageView]:
        """In the order in which they were made."""
        ...

    def sessions(self) -> Iterable[SessionView]: ...

    def registrations(self) -> Iterable[RegistrationView]: ...

    @property
    def receive(self) -> Callable[..., str]:
        """Somebody writes to a number of ours: the callback goes to where its account wants it; the message's id.
        Called with `sender`, `recipient`, `text`, and with options of the provider's own.

        Raises:
            InputInvalid: no account of this stand-in wants messages to that number.
        """
        ...

    @property
    def set_up(self) -> Callable[..., object]:
        """What the provider's console is for: changes how an account is, which may not have asked for anything yet.
        Called with the account's id, and with options of the provider's own.

        Raises:
            InputInvalid, NotFound: a value cannot be, or no such account is let in.
        """
        ...
