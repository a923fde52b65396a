"""What to do next about a brand, a campaign or a number, as one sentence."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from landed.domain.receipts import Registration, RegistrationStatus
from landed.domain.registrations import Thing

#: Longer than this a request should not be pending, by our judgement: no provider promises a time. Brands and numbers
#: are mostly through within the day; campaigns are reviewed by people.
PENDING_USUAL: Final[Mapping[Thing, timedelta]] = {
    Thing.BRAND: timedelta(days=3),
    Thing.CAMPAIGN: timedelta(days=10),
    Thing.NUMBER: timedelta(days=2),
}
_WAIT: Final = "Wait: the provider calls back with the answer."
_AFTER_FAILURE: Final = {
    # Linking or unlinking failed: where it is still linked, and where it is not, as far as we know.
    (Registration.NUMBER_LINK, True): "It is linked already: unlink it first, then link it to the other campaign.",
    (Registration.NUMBER_LINK, False): (
        "Check that the campaign is registered and that the number is linked to no other, then link it again."
    ),
    (Registration.NUMBER_UNLINK, True): "It is still linked: correct what the reason names, then unlink it again.",
    (Registration.NUMBER_UNLINK, False): "Check that the number is linked to this campaign, then unlink it again.",
}
_NEXT: Final = {
    (Thing.BRAND, RegistrationStatus.REGISTERED): "Create a campaign for it.",
    (Thing.BRAND, RegistrationStatus.REJECTED): "Correct what the reason names, then submit the brand again.",
    (Thing.CAMPAIGN, RegistrationStatus.REGISTERED): "Link numbers to it.",
    (Thing.CAMPAIGN, RegistrationStatus.REJECTED): "Correct what the reason names, then submit the campaign again.",
    (Thing.NUMBER, RegistrationStatus.FAILED): _AFTER_FAILURE[Registration.NUMBER_LINK, False],
    (Thing.NUMBER, RegistrationStatus.LINKED): "Send from it.",
    (Thing.NUMBER, RegistrationStatus.UNLINKED): "Link it to any registered campaign: it is free.",
}
_OVERDUE: Final = "Ask the provider: {} has been pending for more than {} days."
_DOING: Final = {Registration.NUMBER_LINK: "linking it", Registration.NUMBER_UNLINK: "unlinking it"}
_NO_REASON: Final = "Ask the provider for the reason, correct it, then submit the {} again."
_NOT_UNDERSTOOD: Final = "Read the receipts: nothing was told in words that we know."


def is_overdue(thing: Thing, asked_at: datetime, now: datetime) -> bool:
    """Whether a request that was made then and is still pending takes longer than it should."""
    return now - asked_at > PENDING_USUAL[thing]


def usual_step(thing: Thing, status: RegistrationStatus) -> str:
    """What to do about most things of this status."""
    return _WAIT if status is RegistrationStatus.PENDING else _NEXT[thing, status]


def next_step(
    thing: Thing,
    status: RegistrationStatus,
    *,
    registration: Registration | None,
    request_status: RegistrationStatus | None,
    reason: str | None,
    asked_at: datetime,
    now: datetime,
) -> str:
    """What to do about a thing of this status.

    Args:
        registration, request_status, reason: of the last request; None: nothing was told that we know.
        asked_at: since when that request has this status.
    """
    if registration is None or request_status is None:
        return _NOT_UNDERSTOOD
    if request_status is RegistrationStatus.PENDING:
        days = PENDING_USUAL[thing].days
        late = _OVERDUE.format(_DOING.get(registration, "it"), days)
        return late if is_overdue(thing, asked_at, now) else _WAIT
    if request_status is RegistrationStatus.FAILED and status is not RegistrationStatus.UNLINKED:
        return _AFTER_FAILURE[registration, status is RegistrationStatus.LINKED]
    if status is RegistrationStatus.REJECTED and not reason:
        return _NO_REASON.format(thing)
    return _NEXT[thing, status]
