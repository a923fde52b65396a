"""What is registered for 10DLC, and where it stands: brands, campaigns, and numbers with the campaign of each.

    brand, campaign   pending -> registered
                      pending -> rejected -> (submitted again) pending -> …
    number            pending -> linked -> (unlinking) -> unlinked, which is free -> (linking) pending -> …
                      pending -> failed

Where a thing stands follows from the set of facts alone: from its occasions in the order of time, see occasions.py. A
`pending` that is heard soon after the answer to it is late and undoes nothing; long after, it is a new request. A
number is linked to one campaign at most: while it is linked, a request that is pending or failed does not change that,
and only unlinking it from that campaign does. The request stands beside the status, as `Standing.request`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from landed.domain.events import Event
from landed.domain.occasions import RETRY_WINDOW, Facts, Occasion, occasions
from landed.domain.receipts import Registration, RegistrationReceipt, RegistrationStatus
from landed.domain.words import Word


class Thing(Word):
    """What has a row of its own: linking and unlinking happen to the same number."""

    BRAND = "brand"
    CAMPAIGN = "campaign"
    NUMBER = "number"


#: The statuses of each, in the order in which a board shows them: what needs somebody comes first.
STATUSES: Final[Mapping[Thing, tuple[RegistrationStatus, ...]]] = {
    Thing.BRAND: (RegistrationStatus.REJECTED, RegistrationStatus.PENDING, RegistrationStatus.REGISTERED),
    Thing.CAMPAIGN: (RegistrationStatus.REJECTED, RegistrationStatus.PENDING, RegistrationStatus.REGISTERED),
    Thing.NUMBER: (
        RegistrationStatus.FAILED,
        RegistrationStatus.PENDING,
        RegistrationStatus.UNLINKED,
        RegistrationStatus.LINKED,
    ),
}
_THINGS: Final = {
    Registration.BRAND: Thing.BRAND,
    Registration.CAMPAIGN: Thing.CAMPAIGN,
    Registration.NUMBER_LINK: Thing.NUMBER,
    Registration.NUMBER_UNLINK: Thing.NUMBER,
}
#: What the answers to each request are, however the receipt calls them: yes, and no.
_ANSWERS: Final = {
    Registration.BRAND: (RegistrationStatus.REGISTERED, RegistrationStatus.REJECTED),
    Registration.CAMPAIGN: (RegistrationStatus.REGISTERED, RegistrationStatus.REJECTED),
    Registration.NUMBER_LINK: (RegistrationStatus.LINKED, RegistrationStatus.FAILED),
    Registration.NUMBER_UNLINK: (RegistrationStatus.UNLINKED, RegistrationStatus.FAILED),
}
_NO: Final = frozenset({RegistrationStatus.REJECTED, RegistrationStatus.FAILED})


class Request(NamedTuple):
    """What was last asked for, or answered, and how it stands."""

    registration: Registration
    status: RegistrationStatus
    provider_status: str
    provider_campaign_id: str | None
    reason: str | None
    error_code: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a brand, a campaign or a number stands."""

    facts: Facts
    occasions: tuple[Occasion, ...]  #: all that happened, in the order of time
    status: RegistrationStatus
    since: datetime  #: since when it has this status; a number: with this campaign
    provider_status: str  #: the word that gave it this status
    request: Request | None  #: None: nothing was told that we understand
    free: bool  #: of a number: it is known to be linked to no campaign, and nothing is under way
    provider_brand_id: str | None
    provider_campaign_id: str | None  #: of a number: the one it is linked to, or was last to be linked to
    unknown_statuses: tuple[str, ...]
    first_heard_at: datetime

    @property
    def final(self) -> bool:
        """Nothing more is expected until somebody asks for something."""
        return self.request is not None and self.request.status is not RegistrationStatus.PENDING


class _Place(NamedTuple):
    """Where a thing stands while its occasions are gone through."""

    status: RegistrationStatus
    since: datetime
    word: str
    campaign_id: str | None = None
    asked_campaign_id: str | None = None  #: the one that linking was last asked for
    is_freed: bool = False  #: unlinked, and not linked again


def thing_of(registration: Registration) -> Thing:
    return _THINGS[registration]


def status_of(receipt: RegistrationReceipt) -> RegistrationStatus | None:
    """The status a receipt tells, as this kind of request calls it: `rejected` of a link is `failed`."""
    if receipt.status is None or receipt.status is RegistrationStatus.PENDING:
        return receipt.status
    yes, no = _ANSWERS[receipt.registration]
    return no if receipt.status in _NO else yes


def stand(facts: Facts) -> Standing:
    """Where a thing stands by these facts, of which there must be one."""
    course: list[Occasion] = []
    place: _Place | None = None
    request: Request | None = None
    for occasion in occasions(facts):
        status = status_of(occasion.receipt)
        late = status is not None and _is_late(occasion, course, place)
        course.append(occasion._replace(is_late=late))
        if status is not None and not late:
            place, request = _next(place, occasion, status), _request(occasion, status)
    if place is None:  # only words that we do not know
        place = _Place(RegistrationStatus.PENDING, course[0].at, course[-1].receipt.provider_status)
    receipts = [occasion.receipt for occasion in course]
    return Standing(
        facts=facts,
        occasions=tuple(course),
        status=place.status,
        since=place.since,
        provider_status=place.word,
        request=request,
        free=place.status is RegistrationStatus.UNLINKED
        or (place.status is RegistrationStatus.FAILED and place.is_freed),
        provider_brand_id=_last([receipt.provider_brand_id for receipt in receipts]),
        provider_campaign_id=place.campaign_id or _last([receipt.provider_campaign_id for receipt in receipts]),
        unknown_statuses=tuple(sorted({each.provider_status for each in receipts if each.status is None})),
        first_heard_at=min(heard[0].received_at for heard in facts.values()),
    )


def _is_late(occasion: Occasion, course: list[Occasion], place: _Place | None) -> bool:
    """It came after what it led to: a request after its answer, or unlinking from a campaign after linking to the
    next one."""
    receipt = occasion.receipt
    campaign_id = receipt.provider_campaign_id
    if receipt.status is RegistrationStatus.PENDING:
        return any(
            occasion.at - answer.at <= RETRY_WINDOW
            and answer.receipt.registration is receipt.registration
            and answer.receipt.status not in (None, RegistrationStatus.PENDING)
            and _may_be_same(answer.receipt.provider_campaign_id, campaign_id)
            for answer in course
        )
    return (
        status_of(receipt) is RegistrationStatus.UNLINKED
        and place is not None
        and place.status in (RegistrationStatus.LINKED, RegistrationStatus.PENDING)
        and not _may_be_same(place.campaign_id, campaign_id)
    )


def _may_be_same(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _next(place: _Place | None, occasion: Occasion, status: RegistrationStatus) -> _Place:
    """Where a thing stands after this; None: it is the first that is known of it."""
    receipt = occasion.receipt
    reached = _Place(status, occasion.at, receipt.provider_status)
    if thing_of(receipt.registration) is Thing.NUMBER:
        reached = _number(place, reached, receipt)
    if place and reached.status is place.status and _may_be_same(reached.campaign_id, place.campaign_id):
        return reached._replace(since=place.since)
    return reached


def _number(place: _Place | None, reached: _Place, receipt: RegistrationReceipt) -> _Place:
    told = receipt.provider_campaign_id
    is_link = receipt.registration is Registration.NUMBER_LINK
    if place is None:
        return reached._replace(
            campaign_id=told,
            asked_campaign_id=told if is_link else None,
            is_freed=reached.status is RegistrationStatus.UNLINKED,
        )
    asked = (told if is_link else None) or place.asked_campaign_id
    if reached.status is RegistrationStatus.LINKED:
        return reached._replace(campaign_id=asked or place.campaign_id, asked_campaign_id=asked)
    if reached.status is RegistrationStatus.UNLINKED:
        return reached._replace(campaign_id=told or place.campaign_id, asked_campaign_id=asked, is_freed=True)
    # Unlinking a number that is free leaves it free, whatever comes of it.
    is_free = place.status is RegistrationStatus.UNLINKED
    if place.status is RegistrationStatus.LINKED or (is_free and not is_link):
        return place._replace(asked_campaign_id=asked)
    return reached._replace(campaign_id=told or place.campaign_id, asked_campaign_id=asked, is_freed=place.is_freed)


def _request(occasion: Occasion, status: RegistrationStatus) -> Request:
    receipt = occasion.receipt
    return Request(
        receipt.registration,
        status,
        receipt.provider_status,
        receipt.provider_campaign_id,
        receipt.reason,
        receipt.error_code,
        occasion.at,
    )


def _last(values: list[str | None]) -> str | None:
    return next((value for value in reversed(values) if value), None)


def event(thing: Thing, account_id: int, subject_id: str, before: Standing | None, after: Standing) -> Event | None:
    """The event of a thing that moved: what came of the latest request. None where that is no news.

    It is `number.failed` where unlinking failed, even though the number is still linked.
    """
    request = after.request
    if request is None or (before is not None and before.request is not None and _is_same(before.request, request)):
        return None
    return Event(f"{thing}.{request.status}", account_id, subject_id, request.at)


def _is_same(one: Request, other: Request) -> bool:
    return (
        (one.registration, one.status) == (other.registration, other.status)
        and _may_be_same(one.provider_campaign_id, other.provider_campaign_id)
        and abs(one.at - other.at) <= RETRY_WINDOW
    )
