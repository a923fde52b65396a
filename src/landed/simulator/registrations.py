"""10DLC: now and then a company registers a brand, then a campaign for it, and links numbers to that.

The words are Plivo's, the names of the fields are a guess, as in providers/plivo/tendlc.py. What takes days takes
seconds here.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from landed.domain.receipts import Registration
from landed.simulator import draws
from landed.simulator.callbacks import plivo
from landed.simulator.items import Kind, RegistrationTruth, Told

#: A company turns up so often. The first is there at the start, and is refused nothing.
EVERY: Final = timedelta(seconds=25)
BRANDS_REJECTED: Final = 0.25
CAMPAIGNS_REJECTED: Final = 0.25
LINKS_FAILED: Final = 0.15
UNLINKED: Final = 0.3  #: share of linked numbers that are unlinked after a while
#: Unlinking waits so long; what was said of linking is tracked by then.
UNLINK_AFTER_S: Final = 30.0
REASONS: Final = (
    "EIN does not match the legal name",
    "The website could not be reached",
    "The sample messages do not show how to opt out",
    "The message flow does not say where people agree",
)
#: Nobody's numbers: an exchange of zeroes does not exist. Of the ranges for fiction one demo would meet another.
NUMBERS: Final = tuple(
    f"1{area}000####"
    for area in ("212", "310", "415", "512", "206", "305", "617", "702", "503", "404", "214", "313", "602", "615")
)
_PATHS: Final = {
    Registration.BRAND: "brands",
    Registration.CAMPAIGN: "campaigns",
    Registration.NUMBER_LINK: "number-links",
    Registration.NUMBER_UNLINK: "number-unlinks",
}


class Company:
    """One company after the other."""

    def __init__(self, random: Random, every: timedelta = EVERY) -> None:
        self._random = random
        self._every = every
        self._next_at: datetime | None = None
        self._is_first = True

    def act(self, at: datetime) -> Iterator[Told]:
        """All that will be told of the company that turns up now, if one does; in no order."""
        if self._next_at is None:
            self._next_at = at
        if at >= self._next_at:
            self._next_at = at + timedelta(seconds=self._random.expovariate(1 / self._every.total_seconds()))
            yield from self._register(at)
            self._is_first = False

    def _register(self, at: datetime) -> Iterator[Told]:
        random = self._random
        brand_id, campaign_id = draws.tcr_id(random, "B"), draws.tcr_id(random, "C")
        brand = partial(plivo.brand, brand_id)
        campaign = partial(plivo.campaign, campaign_id, brand_id)
        at, is_registered, told = self._request(Registration.BRAND, brand_id, brand, at, BRANDS_REJECTED)
        yield from told
        if not is_registered:
            return
        at, is_registered, told = self._request(Registration.CAMPAIGN, campaign_id, campaign, at, CAMPAIGNS_REJECTED)
        yield from told
        if not is_registered:
            return
        for number in {draws.number(random, NUMBERS): None for _ in range(random.randint(1, 3))}:
            link = partial(plivo.number, campaign_id, number)
            unlink = partial(plivo.number, campaign_id, number, unlinking=True)
            linked_at, is_linked, told = self._request(Registration.NUMBER_LINK, number, link, at, LINKS_FAILED)
            yield from told
            if is_linked and random.random() < UNLINKED:
                later = linked_at + timedelta(seconds=UNLINK_AFTER_S)
                yield from self._request(Registration.NUMBER_UNLINK, number, unlink, later, 0.0)[2]

    def _request(
        self,
        registration: Registration,
        subject: str,
        fields_of: Callable[..., plivo.Fields],
        at: datetime,
        refused: float,
    ) -> tuple[datetime, bool, list[Told]]:
        """When it is answered, whether with yes, and what is told of it."""
        random = self._random
        created_at = at + draws.seconds(random, 1.5, 0.4)
        answered_at = created_at + draws.seconds(random, 9.0, 0.5)
        is_number = registration in (Registration.NUMBER_LINK, Registration.NUMBER_UNLINK)
        yes, no = ("success", "failed") if is_number else ("registered", "rejected")
        is_granted = random.random() >= refused or self._is_first
        path = f"/{_PATHS[registration]}/demo-{subject}" if random.random() < 0.5 else ""
        reason = "" if is_granted or is_number else random.choice(REASONS)
        answer = fields_of(yes if is_granted else no, reason=reason)
        return (
            answered_at,
            is_granted,
            [
                self._told(registration, subject, "created", fields_of("created"), created_at, path),
                self._told(registration, subject, yes if is_granted else no, answer, answered_at, path),
            ],
        )

    def _told(
        self,
        registration: Registration,
        subject: str,
        status: str,
        fields: plivo.Fields,
        at: datetime,
        path: str,
    ) -> Told:
        return Told(
            due_at=at,
            truth=RegistrationTruth(kind=Kind.GENUINE, registration=registration, subject=subject, status=status),
            fields=fields,
            lie={"Status": "rejected" if status == "registered" else "registered"},
            path=path,
        )
