"""Where a brand, a campaign or a number stands follows from the set of facts alone, and from nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.domain.events import Event
from landed.domain.occasions import (
    RETRY_WINDOW,
    TELLINGS_MAX,
    TELLINGS_OF_FACT_MAX,
    Hearing,
    hear,
    occasions,
)
from landed.domain.receipts import Registration, RegistrationReceipt, RegistrationStatus, Source, Telling
from landed.domain.registrations import STATUSES, Standing, Thing, event, stand, thing_of

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BRAND, CAMPAIGN = Registration.BRAND, Registration.CAMPAIGN
LINK, UNLINK = Registration.NUMBER_LINK, Registration.NUMBER_UNLINK
PENDING, REJECTED, REGISTERED = RegistrationStatus.PENDING, RegistrationStatus.REJECTED, RegistrationStatus.REGISTERED
FAILED, LINKED, UNLINKED = RegistrationStatus.FAILED, RegistrationStatus.LINKED, RegistrationStatus.UNLINKED

Told = Telling[RegistrationReceipt]


def brand(status: RegistrationStatus | None, after: timedelta = timedelta(), **fields: Any) -> Told:
    return told(BRAND, status, after, provider_brand_id="B1", **fields)


def link(status: RegistrationStatus | None, after: timedelta, campaign: str | None = "C1", **fields: Any) -> Told:
    return told(LINK, status, after, number="+14155550100", provider_campaign_id=campaign, **fields)


def unlink(status: RegistrationStatus | None, after: timedelta, campaign: str | None = "C1", **fields: Any) -> Told:
    return told(UNLINK, status, after, number="+14155550100", provider_campaign_id=campaign, **fields)


def told(
    registration: Registration, status: RegistrationStatus | None, after: timedelta = timedelta(), **fields: Any
) -> Told:
    word = str(status) if status else "vetted"
    receipt = RegistrationReceipt(registration=registration, **{"provider_status": word, "status": status, **fields})
    return Telling(receipt, START + after, 1 + after // timedelta(seconds=1))


def stood(*tellings: Told) -> Standing:
    """The same, whatever the order."""
    standing = stand(hear({}, tellings))
    assert standing == stand(hear({}, reversed(tellings)))
    return standing


def course(standing: Standing) -> list[tuple[str | None, bool]]:
    return [(occasion.receipt.status, occasion.is_late) for occasion in standing.occasions]


# --- any facts whatever --------------------------------------------------------------------------------------------

RECEIPTS = st.builds(
    RegistrationReceipt,
    registration=st.sampled_from([LINK, UNLINK]),
    provider_status=st.sampled_from(["created", "success", "failed", "vetted"]),
    status=st.none() | st.sampled_from([PENDING, FAILED, LINKED, UNLINKED]),
    source=st.sampled_from([Source.CALLBACK, Source.LOOKUP]),
    provider_campaign_id=st.sampled_from([None, "C1", "C2"]),
    number=st.just("+14155550100"),
    reason=st.sampled_from([None, "no"]),
    occurred_at=st.none() | st.integers(-50, 3000).map(lambda minutes: START + minutes * MINUTE),
)
TELLINGS = st.builds(
    Telling,
    receipt=RECEIPTS,
    received_at=st.integers(0, 60).map(lambda minutes: START + minutes * MINUTE),
    callback_id=st.none() | st.integers(1, 50),
)


def heard_in_batches(tellings: Sequence[Told], sizes: Sequence[int]) -> Any:
    facts: Any = {}
    left = list(tellings)
    for size in sizes:
        facts, left = hear(facts, left[:size]), left[size:]
    return hear(facts, left)


@given(st.lists(TELLINGS, min_size=1, max_size=12), st.lists(st.integers(0, 4), max_size=6), st.randoms())
@settings(max_examples=100)
def test_order_repeats_and_batches_do_not_matter(tellings: list[Told], sizes: list[int], random: Any) -> None:
    again = [*tellings, *random.choices(tellings, k=3)]
    random.shuffle(again)

    facts = heard_in_batches(again, sizes)

    assert facts == hear({}, tellings)
    assert stand(facts) == stand(hear({}, tellings))


@given(st.lists(TELLINGS, min_size=1, max_size=12))
@settings(max_examples=100)
def test_a_standing_holds_together(tellings: list[Told]) -> None:
    standing = stand(hear({}, tellings))

    assert standing.status in STATUSES[Thing.NUMBER]
    assert standing.since in {occasion.at for occasion in standing.occasions}
    assert not (standing.free and standing.status in (LINKED, PENDING))
    assert (standing.request is None) == all(telling.receipt.status is None for telling in tellings)
    assert [occasion.at for occasion in standing.occasions] == sorted(occasion.at for occasion in standing.occasions)


@given(st.integers(1, 3), st.randoms())
@settings(max_examples=20, deadline=None)
def test_the_limits_do_not_depend_on_the_order_either(seed: int, random: Any) -> None:
    tellings = [brand(REGISTERED, minute * MINUTE) for minute in range(TELLINGS_OF_FACT_MAX + 9)]
    tellings += [brand(REJECTED, minute * MINUTE, reason=f"{minute // 2}") for minute in range(TELLINGS_MAX + 50)]
    shuffled = random.sample(tellings, len(tellings))

    facts = heard_in_batches(shuffled, [random.randrange(200) for _ in range(5)])

    assert facts == hear({}, tellings)
    assert sum(map(len, facts.values())) == TELLINGS_MAX
    assert max(hearings[-1].received_at for hearings in facts.values()) == START + (TELLINGS_MAX + 49) * MINUTE


# --- occasions -----------------------------------------------------------------------------------------------------


def test_retries_are_one_occasion_and_the_same_words_later_are_another() -> None:
    retried = [brand(REGISTERED, timedelta(seconds=seconds)) for seconds in (0, 60, 180, 420)]

    (first, second) = occasions(hear({}, [*retried, brand(REGISTERED, RETRY_WINDOW + timedelta(seconds=1))]))

    assert [hearing.callback_id for hearing in first.heard] == [1, 61, 181, 421]
    assert second.heard == (Hearing(START + RETRY_WINDOW + timedelta(seconds=1), 902),)


def test_a_time_that_the_provider_tells_is_one_occasion_however_late_it_is_repeated() -> None:
    at = START - DAY
    standing = stood(brand(REGISTERED, occurred_at=at), brand(REGISTERED, 9 * DAY, occurred_at=at))

    (occasion,) = standing.occasions
    assert occasion.is_provider_time
    assert standing.since == at


@pytest.mark.parametrize("at", [START + 2 * DAY, datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_clock_that_is_broken_is_not_used(at: datetime) -> None:
    assert stood(brand(REGISTERED, occurred_at=at)).since == START


# --- brands and campaigns ------------------------------------------------------------------------------------------


def test_a_brand_is_pending_then_registered() -> None:
    standing = stood(brand(PENDING), brand(REGISTERED, DAY))

    assert (standing.status, standing.since, standing.final) == (REGISTERED, START + DAY, True)
    assert standing.provider_brand_id == "B1"


def test_a_request_that_is_heard_soon_after_its_answer_is_late_and_undoes_nothing() -> None:
    standing = stood(brand(REGISTERED), brand(PENDING, 7 * MINUTE))

    assert (standing.status, standing.final) == (REGISTERED, True)
    assert course(standing) == [(REGISTERED, False), (PENDING, True)]


def test_a_request_long_after_the_answer_is_a_new_one() -> None:
    standing = stood(brand(PENDING), brand(REJECTED, DAY, reason="EIN"), brand(PENDING, 2 * DAY))

    assert (standing.status, standing.since, standing.final) == (PENDING, START + 2 * DAY, False)
    assert standing.request is not None
    assert standing.request.reason is None


def test_a_brand_rejected_and_submitted_again_may_be_rejected_in_the_same_words() -> None:
    standing = stood(
        brand(PENDING), brand(REJECTED, DAY), brand(PENDING, 2 * DAY), brand(REJECTED, 3 * DAY), brand(PENDING, 4 * DAY)
    )

    assert [status for status, _ in course(standing)] == [PENDING, REJECTED, PENDING, REJECTED, PENDING]
    assert standing.since == START + 4 * DAY


def test_the_last_answer_in_time_holds() -> None:
    assert stood(brand(REJECTED), brand(REGISTERED, 3 * DAY)).status is REGISTERED
    assert stood(brand(REGISTERED), brand(REJECTED, 3 * DAY)).status is REJECTED


def test_the_same_answer_again_does_not_begin_the_status_anew() -> None:
    assert stood(brand(REGISTERED), brand(REGISTERED, 3 * DAY), brand(REGISTERED, 5 * DAY)).since == START


def test_every_order_of_a_whole_course_ends_the_same() -> None:
    tellings = [brand(PENDING), brand(REJECTED, DAY), brand(PENDING, 2 * DAY), brand(REGISTERED, 3 * DAY)]

    assert len({stand(hear({}, order)).occasions for order in permutations(tellings)}) == 1


def test_a_word_that_we_do_not_know_leaves_the_status_alone() -> None:
    standing = stood(brand(REGISTERED), brand(None, DAY))

    assert (standing.status, standing.provider_status) == (REGISTERED, "registered")
    assert standing.unknown_statuses == ("vetted",)


def test_with_nothing_but_unknown_words_a_thing_is_pending() -> None:
    standing = stood(brand(None), brand(None, DAY, provider_status="reviewed"))

    assert (standing.status, standing.since, standing.provider_status) == (PENDING, START, "reviewed")
    assert standing.request is None
    assert not standing.final


@pytest.mark.parametrize(
    ("registration", "status", "meant"),
    [(BRAND, FAILED, REJECTED), (CAMPAIGN, LINKED, REGISTERED), (LINK, REJECTED, FAILED), (UNLINK, LINKED, UNLINKED)],
)
def test_each_request_has_its_own_words_for_yes_and_no(
    registration: Registration, status: RegistrationStatus, meant: RegistrationStatus
) -> None:
    standing = stood(told(registration, status))

    assert standing.status is meant
    assert meant in STATUSES[thing_of(registration)]


# --- numbers -------------------------------------------------------------------------------------------------------


def test_a_number_is_linked_to_a_campaign() -> None:
    standing = stood(link(PENDING, 0 * DAY), link(LINKED, DAY))

    assert (standing.status, standing.provider_campaign_id, standing.free) == (LINKED, "C1", False)


def test_a_number_is_free_after_unlinking_and_may_be_linked_to_the_same_campaign_again() -> None:
    first = [link(LINKED, 0 * DAY), unlink(PENDING, DAY), unlink(UNLINKED, DAY + MINUTE)]
    freed = stood(*first)
    again = stood(*first, link(LINKED, 2 * DAY))

    assert (freed.status, freed.provider_campaign_id, freed.free) == (UNLINKED, "C1", True)
    assert (again.status, again.since, again.free) == (LINKED, START + 2 * DAY, False)


def test_a_free_number_may_be_linked_to_another_campaign() -> None:
    standing = stood(link(LINKED, 0 * DAY), unlink(UNLINKED, DAY), link(PENDING, 2 * DAY, "C2"))
    linked = stood(link(LINKED, 0 * DAY), unlink(UNLINKED, DAY), link(LINKED, 2 * DAY, "C2"))

    assert (standing.status, standing.provider_campaign_id, standing.free) == (PENDING, "C2", False)
    assert (linked.status, linked.provider_campaign_id, linked.free) == (LINKED, "C2", False)


def test_a_number_stays_free_where_linking_it_failed() -> None:
    standing = stood(link(LINKED, 0 * DAY), unlink(UNLINKED, DAY), link(PENDING, 2 * DAY), link(FAILED, 3 * DAY))

    assert (standing.status, standing.free) == (FAILED, True)


@pytest.mark.parametrize(
    "request_", [unlink(PENDING, DAY), unlink(FAILED, DAY, reason="busy"), link(FAILED, DAY, "C2")]
)
def test_a_request_that_is_pending_or_failed_leaves_a_linked_number_linked(request_: Told) -> None:
    standing = stood(link(LINKED, 0 * DAY), request_)

    assert (standing.status, standing.since, standing.provider_campaign_id) == (LINKED, START, "C1")
    assert standing.request is not None
    assert (standing.request.status, standing.request.reason) == (request_.receipt.status, request_.receipt.reason)
    assert standing.final is (request_.receipt.status is not PENDING)


def test_a_failed_request_is_all_that_is_known_of_a_number() -> None:
    standing = stood(unlink(FAILED, 0 * DAY))

    assert (standing.status, standing.provider_campaign_id, standing.final, standing.free) == (
        FAILED,
        "C1",
        True,
        False,
    )


def test_unlinking_from_the_campaign_before_does_not_unlink_from_this_one() -> None:
    standing = stood(link(LINKED, 0 * DAY), link(LINKED, DAY, "C2"), unlink(UNLINKED, DAY + MINUTE, "C1"))

    assert (standing.status, standing.provider_campaign_id) == (LINKED, "C2")
    assert course(standing)[-1] == (UNLINKED, True)


def test_a_number_is_linked_to_the_campaign_that_was_asked_for_where_the_answer_names_none() -> None:
    tellings = [link(LINKED, 0 * DAY), link(PENDING, DAY, "C2"), link(LINKED, DAY + MINUTE, None)]

    assert stood(*tellings).provider_campaign_id == "C2"


def test_a_late_request_to_link_does_not_make_a_linked_number_pending() -> None:
    standing = stood(link(LINKED, 0 * DAY), unlink(UNLINKED, 5 * MINUTE), link(PENDING, 7 * MINUTE))

    assert (standing.status, standing.free) == (UNLINKED, True)


def test_unlinking_soon_after_linking_is_a_request_of_its_own() -> None:
    standing = stood(link(LINKED, 0 * DAY), unlink(PENDING, 5 * MINUTE))

    assert standing.request is not None
    assert (standing.status, standing.request.status, standing.final) == (LINKED, PENDING, False)


# --- events --------------------------------------------------------------------------------------------------------


def news(*tellings: Told) -> list[str]:
    """What is told of a number as one telling after another comes in."""
    facts: Any = {}
    before, types = None, []
    for telling in tellings:
        facts = hear(facts, [telling])
        after = stand(facts)
        found = event(Thing.NUMBER, 1, "id", before, after)
        types += [found.type] if found else []
        before = after
    return types


def test_each_step_is_told_once() -> None:
    tellings = [link(PENDING, 0 * DAY), link(LINKED, DAY), unlink(FAILED, 2 * DAY), unlink(UNLINKED, 3 * DAY)]
    retried = [each._replace(received_at=each.received_at + MINUTE) for each in tellings]

    assert news(*[each for pair in zip(tellings, retried, strict=True) for each in pair]) == [
        "number.pending", "number.linked", "number.failed", "number.unlinked",
    ]  # fmt: skip


def test_what_happened_before_is_no_news_afterwards() -> None:
    assert news(link(LINKED, DAY), link(PENDING, 0 * DAY), link(None, 2 * DAY)) == ["number.linked"]


def test_the_same_answer_to_a_new_request_is_news() -> None:
    assert news(link(FAILED, 0 * DAY), link(FAILED, DAY)) == ["number.failed", "number.failed"]


def test_an_event_says_when_it_happened() -> None:
    after = stand(hear({}, [brand(REGISTERED, DAY, occurred_at=START)]))

    assert event(Thing.BRAND, 7, "id", None, after) == Event("brand.registered", 7, "id", START)
