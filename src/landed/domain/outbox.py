"""The rules of the outbox: what may be done again, what has to be looked up first, and how it is found again.

A request that may have reached the provider is never repeated before the provider was asked for it. So that what is
found there can only be that request, no two messages of an account to one recipient are under way at a time.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from landed.domain import our_codes
from landed.domain.errors import OutcomeUnknown, ProviderThrottled, RequestRefused, SendFailed
from landed.domain.receipts import Channel, Direction, Receipt, Source
from landed.domain.statuses import Status
from landed.domain.words import Word


class State(Word):
    """Where a message in the outbox is. What is sent, refused or cancelled is not in it any more."""

    WAITING = "waiting"  #: nothing of it has gone out, or it is known that the provider does not have it
    SENDING = "sending"  #: it may have gone out
    UNKNOWN = "unknown"  #: it may have gone out, and nobody waits for the answer any more: it is looked up


class Outcome(Word):
    """What is counted of sending."""

    SENT = "sent"
    REFUSED = "refused"  #: by the provider
    RETRIED = "retried"  #: it did not go out, and will be tried again
    UNKNOWN = "unknown"  #: it went out, and no readable answer came
    FOUND = "found"  #: of those: the provider has it
    NOT_FOUND = "not_found"  #: of those: the provider does not have it, so that it was sent again
    NOT_SENT = "not_sent"  #: opted out, cancelled, expired or given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what, in seconds."""

    #: After 1, 2, 4, … up to this, less some by chance.
    backoff_first_s: float = 1.0
    backoff_most_s: float = 300.0
    #: The whole account rests when its provider is away or wants it to: as long as the message, up to this.
    rest_most_s: float = 30.0
    #: From its first try on, until it is given up.
    tried_s_max: float = 24 * 3600.0
    #: When to ask the provider for a message whose outcome is unknown. Lists lag behind, so it is asked more than once.
    looks_s: tuple[float, ...] = (5.0, 30.0, 120.0)
    #: Where asking failed; and where the provider cannot be asked, to see whether a callback has told.
    look_again_s: float = 30.0
    cannot_look_s: float = 600.0
    #: How far the provider's clock may be off, either way.
    clock_off_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Nothing was done: try again after `after_s`, and let the whole account rest for `rest_s`."""

    after_s: float
    rest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """It ends here, as failed."""

    error_code: str


class LookUp:
    """It may have been done: look before anything else."""


#: Wrong credentials are no fault of the message: it waits until they are mended.
_NOT_AUTHORIZED: Final = 401


def verdict(
    error: SendFailed, *, attempts: int, tried_s: float, draw: float, patience: Patience
) -> Again | Never | LookUp:
    """What to do after a try that failed.

    Args:
        attempts: tries so far, this one included.
        tried_s: since the first of them.
        draw: from 0 to 1, by chance.
    """
    if isinstance(error, OutcomeUnknown):
        return LookUp()
    if isinstance(error, RequestRefused) and error.http_status != _NOT_AUTHORIZED:
        return Never(error_code=error.provider_code or our_codes.REFUSED)
    if tried_s >= patience.tried_s_max:
        return Never(error_code=our_codes.GIVEN_UP)
    backoff_s = min(patience.backoff_first_s * 2 ** min(attempts - 1, 30), patience.backoff_most_s)
    rest_s = min(backoff_s, patience.rest_most_s)
    if isinstance(error, ProviderThrottled) and error.retry_after_s is not None:
        rest_s = error.retry_after_s
    return Again(after_s=max(rest_s, backoff_s * (0.5 + draw / 2)), rest_s=rest_s)


# --- finding again -------------------------------------------------------------------------------------------------

#: A pool of numbers, which the provider chooses from.
POOL: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def found(
    our_id: UUID, sender: str, recipient: str, since: datetime, listed: Iterable[Receipt], others: Collection[str]
) -> Sequence[Receipt]:
    """The facts about the message that a request became, among what the provider has; none: it is not there.

    Args:
        since: nothing submitted before is it.
        listed: what the provider has to this recipient.
        others: the provider's ids of other messages of ours.
    """
    candidates = [
        receipt
        for receipt in listed
        if receipt.direction is Direction.OUTBOUND
        and receipt.provider_message_id not in others
        and receipt.recipient in (recipient, None)  # a provider that was told so hides it
        and _may_be(receipt, our_id, sender)
        and (receipt.submitted_at is None or receipt.submitted_at >= since)
    ]
    if not candidates:
        return ()
    # One that names us, else the first.
    best = min(
        candidates,
        key=lambda receipt: (receipt.our_id is None, receipt.submitted_at or since, receipt.provider_message_id),
    )
    return [receipt for receipt in candidates if receipt.provider_message_id == best.provider_message_id]


def _may_be(receipt: Receipt, our_id: UUID, sender: str) -> bool:
    if receipt.our_id is not None:
        return receipt.our_id == str(our_id)
    if receipt.sender is None or POOL.fullmatch(sender):
        return True
    return receipt.sender.casefold() == sender.casefold() or any(name == "replaced_sender" for name, _ in receipt.extra)


def since(marked_at: datetime, patience: Patience) -> datetime:
    """From when on a request that was made after then can have been submitted, on the provider's clock."""
    return marked_at - timedelta(seconds=patience.clock_off_s)


# --- what we know ourselves ----------------------------------------------------------------------------------------

#: Of the fact that we accepted a message: how many parts we expect it to be.
SEGMENTS: Final = "segments_estimated"
DETAIL: Final = "detail"
#: Of the same fact: conversions may be reported to the provider.
TRACKABLE: Final = ("trackable", "true")


def accepted(
    our_id: UUID, channel: Channel, sender: str, recipient: str, segments: int | None, *, trackable: bool = False
) -> Receipt:
    """The fact that we are to send it."""
    extra = [] if segments is None else [(SEGMENTS, str(segments))]
    if trackable:
        extra.append(TRACKABLE)
    return Receipt(
        provider_message_id="",
        provider_status="",
        status=Status.SCHEDULED,
        source=Source.OURS,
        channel=channel,
        sender=sender,
        recipient=recipient,
        our_id=str(our_id),
        extra=tuple(extra),
    )


def told(our_id: UUID, status: Status, *, error_code: str | None = None, detail: str | None = None) -> Receipt:
    """A fact that we concluded: it is being sent, its outcome is unknown, or it failed before the provider had it."""
    return Receipt(
        provider_message_id="",
        provider_status="",
        status=status,
        source=Source.OURS,
        error_code=error_code,
        our_id=str(our_id),
        extra=((DETAIL, detail),) if detail else (),
    )


def refused(our_id: UUID, error_code: str, error: SendFailed) -> Receipt:
    """The fact that the provider did not take it: its answer."""
    extra = [(DETAIL, str(error))]
    if error.http_status is not None:
        extra.append(("http_status", str(error.http_status)))
    return told(our_id, Status.FAILED, error_code=error_code)._replace(source=Source.SEND, extra=tuple(extra))
