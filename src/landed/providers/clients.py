"""What a provider's HTTP API is to us: the calls we make, one client for each account.

A provider offers what it can: each protocol here is one ability, and `isinstance` asks for it. All calls are one HTTP
request each, but for what is named here: a token that has to be fetched first, and one repeat after it was refused; and
where a provider says a bare no to a code, the look-up of where its session stands. They never retry on their own, since
whoever calls knows what may be done twice; a call that is cancelled may have gone out. Every answer of a provider,
readable or not, ends as a value or as one of the errors under SendFailed:

    ProviderUnreachable   nothing went out: no connection, no name, no room in the pool
    ProviderThrottled     429, with Retry-After if it was told
    ProviderFailed        nothing was done, or nothing that would be done twice: a look-up, or anything else that is
                          harmless to repeat, got no readable answer (time-out, reset, half an answer, not what was
                          asked for, 5xx); and 408, by which the request did not arrive
    RequestRefused        any other 4xx, with the provider's code; a no inside a 2xx; what cannot be said to this API
    OutcomeUnknown        a request that creates or changes something went out, and no readable answer came back:
                          time-out, reset, half an answer, 2xx that is not understood, 5xx

No error holds a secret, a text or a whole number, and none has the HTTP library's as its cause, which would.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from landed.domain.outbound import (
    AccountCheck,
    BrandRequest,
    CampaignRequest,
    NumberLinkRequest,
    NumberUnlinkRequest,
    Outbound,
    Profile,
    ProfileRequest,
    SessionRequest,
)
from landed.domain.receipts import Receipt, RegistrationReceipt, SessionReceipt


@runtime_checkable
class SendsMessages(Protocol):
    async def send(self, message: Outbound) -> Receipt:
        """Hand over one message. The fact that the provider took it: source `send`, status `queued`, `our_id` set.

        Raises:
            SendFailed: see above.
        """
        ...

    async def look_up(self, provider_message_id: str) -> Sequence[Receipt]:
        """What the provider knows of a message: facts with source `lookup`; none where it does not know it (yet).

        Raises:
            SendFailed: but never OutcomeUnknown.
        """
        ...


@runtime_checkable
class ListsMessages(Protocol):
    """A provider that can be asked what was sent."""

    async def sent_between(
        self, since: datetime, until: datetime, *, offset: int, recipient: str | None = None
    ) -> tuple[Sequence[Receipt], int | None]:
        """A page of the messages submitted in this time: facts with source `lookup`. And the offset of the next page,
        None after the last. Only offsets that a page gave, and 0, are to be asked for. `our_id` is set where the
        provider keeps a reference of ours. Inbound messages are told as such where the provider lists them, too.

        Raises:
            SendFailed: but never OutcomeUnknown.
        """
        ...


@runtime_checkable
class Verifies(Protocol):
    async def start_session(self, request: SessionRequest) -> SessionReceipt:
        """Start to verify a person: the provider makes a code and sends it. The fact that it did: source `send`.

        Raises:
            SendFailed: see above.
        """
        ...

    async def check_code(self, provider_session_id: str, code: str) -> SessionReceipt:
        """Tell the provider what the person typed. The fact that the session is `verified`, or where it stands after
        a wrong code.

        Raises:
            RequestRefused: the session has ended, verified or not, or there is none.
            SendFailed: but never OutcomeUnknown: asking again is harmless, though each wrong code counts as a try.
        """
        ...

    async def look_up_session(self, provider_session_id: str) -> Sequence[SessionReceipt]:
        """What the provider knows of a session and each of its attempts: facts with source `lookup`; none where it
        does not know it.

        Raises:
            SendFailed: but never OutcomeUnknown.
        """
        ...


@runtime_checkable
class CancelsSessions(Protocol):
    async def cancel_session(self, provider_session_id: str) -> SessionReceipt:
        """End a session before its time. The fact that it is `cancelled`: source `send`.

        Raises:
            SendFailed: see above.
        """
        ...


@runtime_checkable
class ListsSessions(Protocol):
    """A provider that can be asked which sessions were started."""

    async def sessions_between(
        self, since: datetime, until: datetime, *, offset: int, recipient: str | None = None
    ) -> tuple[Sequence[SessionReceipt], int | None]:
        """A page of the sessions started in this time, in the form of ListsMessages: one fact for each attempt.

        Raises:
            SendFailed: but never OutcomeUnknown.
        """
        ...


@runtime_checkable
class TakesConversions(Protocol):
    async def report_conversion(self, provider_message_id: str, *, converted: bool, at: datetime) -> None:
        """Tell the provider whether the person did what the message was for. Telling it again is harmless.

        Raises:
            SendFailed: but never OutcomeUnknown.
        """
        ...


@runtime_checkable
class Registers(Protocol):
    """10DLC. What is asked for is under way when these return: each receipt is `pending`, source `send`, `our_id` set;
    callbacks and look-ups tell the rest."""

    async def create_profile(self, request: ProfileRequest) -> str:
        """The provider's id of the profile, which exists from now on.

        Raises:
            SendFailed: see above.
        """
        ...

    async def create_brand(self, request: BrandRequest) -> RegistrationReceipt:
        """Raises SendFailed: see above."""
        ...

    async def create_campaign(self, request: CampaignRequest) -> RegistrationReceipt:
        """Raises SendFailed: see above."""
        ...

    async def link_numbers(self, request: NumberLinkRequest) -> Sequence[RegistrationReceipt]:
        """One receipt for each number. Raises SendFailed: see above."""
        ...

    async def unlink_number(self, request: NumberUnlinkRequest) -> RegistrationReceipt:
        """Raises SendFailed: see above."""
        ...

    async def look_up_brand(self, provider_brand_id: str) -> RegistrationReceipt | None:
        """The fact of where it stands: source `lookup`; None where the provider has none of that id.

        Raises:
            SendFailed: but never OutcomeUnknown; so do all that follow.
        """
        ...

    async def look_up_campaign(self, provider_campaign_id: str) -> RegistrationReceipt | None: ...

    async def look_up_number(self, provider_campaign_id: str, number: str) -> RegistrationReceipt | None:
        """Where the link of this number to this campaign stands; None where there is none."""
        ...

    async def profiles(self, *, offset: int) -> tuple[Sequence[Profile], int | None]:
        """A page of all profiles, and the offset of the next page, None after the last."""
        ...

    async def brands(self, *, offset: int) -> tuple[Sequence[RegistrationReceipt], int | None]:
        """A page of all brands. What the provider calls them is in `extra`."""
        ...

    async def campaigns(self, *, offset: int) -> tuple[Sequence[RegistrationReceipt], int | None]: ...

    async def numbers(
        self, provider_campaign_id: str, *, offset: int
    ) -> tuple[Sequence[RegistrationReceipt], int | None]:
        """A page of the numbers of a campaign."""
        ...


@runtime_checkable
class ChecksAccount(Protocol):
    async def check_account(self) -> AccountCheck:
        """Ask the provider who we are: whether the credentials work, and what is left of the balance.

        Raises:
            RequestRefused: the credentials are wrong.
            SendFailed: but never OutcomeUnknown.
        """
        ...
