"""What to do next follows from the status, the last request, and how long it has been pending."""

from datetime import UTC, datetime, timedelta

import pytest

from landed.domain.next_steps import PENDING_USUAL, is_overdue, next_step, usual_step
from landed.domain.receipts import Registration, RegistrationStatus
from landed.domain.registrations import STATUSES, Thing

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
LINK, UNLINK = Registration.NUMBER_LINK, Registration.NUMBER_UNLINK
PENDING, REJECTED, FAILED = RegistrationStatus.PENDING, RegistrationStatus.REJECTED, RegistrationStatus.FAILED
LINKED, UNLINKED = RegistrationStatus.LINKED, RegistrationStatus.UNLINKED


def step(
    thing: Thing,
    status: RegistrationStatus,
    registration: Registration | None,
    *,
    request: RegistrationStatus | None = None,
    reason: str | None = "no",
    age: timedelta = timedelta(),
) -> str:
    return next_step(
        thing, status, registration=registration, request_status=request or status, reason=reason, asked_at=NOW - age,
        now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(("thing", "status"), [(thing, status) for thing in Thing for status in STATUSES[thing]])
def test_every_status_has_a_next_step_that_is_a_sentence(thing: Thing, status: RegistrationStatus) -> None:
    registration = {Thing.BRAND: Registration.BRAND, Thing.CAMPAIGN: Registration.CAMPAIGN}.get(thing, LINK)

    told = step(thing, status, registration)

    assert told == usual_step(thing, status)
    assert told[0].isupper()
    assert told.endswith(".")


@pytest.mark.parametrize("thing", Thing)
def test_what_is_pending_for_too_long_is_asked_for(thing: Thing) -> None:
    usual = PENDING_USUAL[thing]

    assert step(thing, PENDING, LINK, age=usual).startswith("Wait")
    assert step(thing, PENDING, LINK, age=usual + timedelta(seconds=1)).startswith("Ask the provider")
    assert is_overdue(thing, NOW - usual * 2, NOW)


def test_a_rejection_without_a_reason_is_asked_for_first() -> None:
    assert step(Thing.BRAND, REJECTED, Registration.BRAND, reason=None).startswith("Ask the provider for the reason")


@pytest.mark.parametrize(
    ("status", "registration", "told"),
    [
        (LINKED, UNLINK, "It is still linked"),
        (LINKED, LINK, "It is linked already"),
        (FAILED, UNLINK, "Check that the number is linked to this campaign"),
        (FAILED, LINK, "Check that the campaign is registered"),
        (UNLINKED, UNLINK, "Link it to any"),
    ],
)
def test_after_a_failure_it_depends_on_where_the_number_is(
    status: RegistrationStatus, registration: Registration, told: str
) -> None:
    assert step(Thing.NUMBER, status, registration, request=FAILED).startswith(told)


def test_a_pending_request_of_a_linked_number_is_waited_for() -> None:
    assert step(Thing.NUMBER, LINKED, UNLINK, request=PENDING).startswith("Wait")
    assert "unlinking it" in step(Thing.NUMBER, LINKED, UNLINK, request=PENDING, age=timedelta(days=9))


def test_where_nothing_is_understood_somebody_has_to_read() -> None:
    assert step(Thing.BRAND, PENDING, None).startswith("Read the receipts")
