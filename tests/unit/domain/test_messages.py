"""What became of a message follows from the set of facts alone, and from nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.domain.facts import CALLBACK_IDS_MAX
from landed.domain.messages import FACTS_MAX, Message, fold
from landed.domain.receipts import Channel, Direction, PartOf, Receipt, Source, Telling
from landed.domain.statuses import FINAL, RANK, Status

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def receipt(status: Status | None, **fields: Any) -> Receipt:
    word = str(status) if status else "teleported"
    return Receipt(**{"provider_message_id": "m1", "provider_status": word, "status": status, **fields})


def part(status: Status | None, number: int, of: int = 3, **fields: Any) -> Receipt:
    return receipt(status, part=PartOf(f"p{number}", number, of), **fields)


def told(*receipts: Receipt, start: datetime = START) -> list[Telling[Receipt]]:
    """Each a second after the one before, by callbacks 1, 2, 3, …"""
    return [Telling(each, start + timedelta(seconds=number), number + 1) for number, each in enumerate(receipts)]


def folded(*receipts: Receipt) -> Message:
    return fold({}, told(*receipts))


# --- any facts whatever --------------------------------------------------------------------------------------------

MOMENTS = st.none() | st.integers(-400_000, 400_000).map(lambda seconds: START + timedelta(seconds=seconds))
#: What a provider tells; what we know before it has the message is told first, and by us.
STATUSES = st.none() | st.sampled_from([status for status in Status if RANK[status] >= RANK[Status.QUEUED]])
PARTS = st.none() | st.builds(
    lambda number, of, shown: PartOf(
        f"p{number}" if shown != "number" else None, number if shown != "id" else None, max(number, of)
    ),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from(["id", "number", "both"]),
)
RECEIPTS = st.builds(
    Receipt,
    provider_message_id=st.just("m1"),
    provider_status=st.sampled_from(["queued", "sent", "delivered", "teleported", "lost"]),
    status=STATUSES,
    source=st.sampled_from(Source),
    part=PARTS,
    direction=st.sampled_from(Direction),
    channel=st.none() | st.sampled_from(Channel),
    sender=st.sampled_from([None, "ACME", "+14155550100"]),
    recipient=st.sampled_from([None, "+447700900123", "+14155550123"]),
    mcc=st.sampled_from([None, "310", "234"]),
    mnc=st.sampled_from([None, "260", "015"]),
    error_code=st.sampled_from([None, "30", "450"]),
    units=st.none() | st.integers(0, 3),
    cost_nanos=st.none() | st.integers(0, 10**8),
    currency=st.sampled_from([None, "USD", "EUR"]),
    sequence=st.none() | st.integers(0, 3),
    submitted_at=MOMENTS,
    queued_at=MOMENTS,
    sent_at=MOMENTS,
    final_at=MOMENTS,
    our_id=st.sampled_from([None, "ours"]),
    extra=st.sampled_from([(), (("tenant", "42"),)]),
)
TELLINGS = st.builds(
    Telling,
    receipt=RECEIPTS,
    received_at=st.integers(0, 5).map(lambda seconds: START + timedelta(seconds=seconds)),
    callback_id=st.none() | st.integers(1, 50),
)


def told_in_batches(tellings: Sequence[Telling[Receipt]], sizes: Sequence[int]) -> Message:
    """Fold as many at once as `sizes` says, then the rest, each time on top of what is known."""
    message = None
    start = 0
    for size in (*sizes, len(tellings)):
        batch = tellings[start : start + size]
        start += size
        if batch:
            message = fold(message.facts if message else {}, batch)
    assert message is not None
    return message


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_permutation_repetition_and_batching_of_the_facts_gives_the_same_message(data: st.DataObject) -> None:
    tellings = data.draw(st.lists(TELLINGS, min_size=1, max_size=8))
    repeats = data.draw(st.lists(st.sampled_from(tellings), max_size=4))
    shuffled = data.draw(st.permutations([*tellings, *repeats]))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=6))

    assert told_in_batches(shuffled, sizes) == fold({}, tellings)


@given(st.lists(TELLINGS, min_size=1, max_size=8))
@settings(deadline=None)
def test_hearing_everything_again_changes_nothing(tellings: list[Telling[Receipt]]) -> None:
    once = fold({}, tellings)

    assert fold(once.facts, tellings) == once
    assert fold(once.facts, []) == once


@given(st.lists(RECEIPTS, min_size=1, max_size=6), st.lists(st.text("abc", max_size=3), max_size=3))
@settings(deadline=None)
def test_words_without_a_mapping_never_move_the_status_and_are_all_recorded(
    receipts: list[Receipt], words: list[str]
) -> None:
    known = [each for each in receipts if each.status is not None] or [receipt(Status.QUEUED)]
    strange = [receipt(None, provider_status=word, part=None) for word in words]
    before = folded(*(each._replace(part=None) for each in known))

    after = fold(before.facts, told(*strange))

    assert (after.status, after.final, after.contradictory) == (before.status, before.final, before.contradictory)
    assert after.unknown_statuses == tuple(sorted(set(words)))


@given(st.lists(TELLINGS, min_size=1, max_size=8), st.lists(TELLINGS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_whole_message_never_climbs_down_and_once_final_stays_so(
    first: list[Telling[Receipt]], later: list[Telling[Receipt]]
) -> None:
    whole = [Telling(each.receipt._replace(part=None), *each[1:]) for each in first]
    more = [Telling(each.receipt._replace(part=None), *each[1:]) for each in later]
    before = fold({}, whole)

    after = fold(before.facts, more)

    assert list(Status).index(after.status) >= list(Status).index(before.status)
    assert after.final >= before.final


# --- status --------------------------------------------------------------------------------------------------------


def test_late_sent_receipt_does_not_undo_delivered() -> None:
    message = folded(receipt(Status.DELIVERED), receipt(Status.SENT), receipt(Status.QUEUED))

    assert (message.status, message.provider_status, message.final) == (Status.DELIVERED, "delivered", True)


def test_failed_beats_sent() -> None:
    message = folded(receipt(Status.FAILED, error_code="450"), receipt(Status.SENT))

    assert (message.status, message.error_code, message.final) == (Status.FAILED, "450", True)


def test_delivered_outranks_undelivered_and_the_contradiction_shows() -> None:
    message = folded(receipt(Status.DELIVERED), receipt(Status.UNDELIVERED, error_code="30"))

    assert (message.status, message.contradictory, message.error_code) == (Status.DELIVERED, True, None)


def test_failed_and_undelivered_contradict_each_other() -> None:
    assert folded(receipt(Status.FAILED), receipt(Status.UNDELIVERED)).contradictory


def test_read_after_delivered_is_no_contradiction() -> None:
    message = folded(receipt(Status.DELIVERED), receipt(Status.READ))

    assert (message.status, message.contradictory) == (Status.READ, False)


@pytest.mark.parametrize("answer", [Status.FAILED, Status.UNDELIVERED, Status.DELIVERED, Status.READ])
def test_a_late_true_answer_corrects_expired_without_contradiction(answer: Status) -> None:
    message = folded(receipt(Status.EXPIRED, source=Source.OURS), receipt(answer))

    assert (message.status, message.final, message.contradictory) == (answer, True, False)


def test_a_message_known_by_a_strange_word_alone_is_queued_and_never_final() -> None:
    message = folded(receipt(None, provider_status="delivered-ish"))

    assert (message.status, message.final) == (Status.QUEUED, False)
    assert (message.provider_status, message.unknown_statuses) == ("delivered-ish", ("delivered-ish",))


def test_the_higher_sequence_wins_among_receipts_of_one_status() -> None:
    early, late = receipt(Status.FAILED, error_code="1", sequence=2), receipt(Status.FAILED, error_code="2", sequence=3)

    assert folded(late, early).error_code == "2"


def test_an_inbound_message_is_final_as_received() -> None:
    message = folded(
        receipt(Status.RECEIVED, direction=Direction.INBOUND, sender="+447700900123", recipient="+14155550100")
    )

    assert (message.status, message.final, message.direction) == (Status.RECEIVED, True, Direction.INBOUND)
    assert message.country == "GB"


# --- what else is known --------------------------------------------------------------------------------------------


def test_numbers_network_and_price_come_from_the_weightiest_receipt_that_names_them() -> None:
    message = folded(
        receipt(
            Status.SENT,
            sender="ACME",
            recipient="+447700900123",
            mcc="234",
            mnc="015",
            units=2,
            cost_nanos=80_600_000,
            currency="GBP",
        ),
        receipt(Status.DELIVERED, cost_nanos=40_300_000, currency="USD"),
    )

    assert (message.sender, message.recipient, message.country) == ("ACME", "+447700900123", "GB")
    assert (message.mcc, message.mnc) == ("234", "015")
    assert (message.units, message.cost_nanos, message.currency) == (2, 40_300_000, "USD")


def test_mcc_and_mnc_are_never_of_two_receipts() -> None:
    message = folded(receipt(Status.DELIVERED, mcc="310"), receipt(Status.SENT, mcc="234", mnc="015"))

    assert (message.mcc, message.mnc) == ("310", None)


def test_the_country_comes_from_the_network_where_the_number_tells_none() -> None:
    assert folded(receipt(Status.SENT, recipient="12345", mcc="234")).country == "GB"


# --- parts ---------------------------------------------------------------------------------------------------------


def test_delivered_when_all_known_parts_are_and_final_when_all_parts_are_known() -> None:
    two = folded(part(Status.DELIVERED, 1), part(Status.DELIVERED, 2))
    three = fold(two.facts, told(part(Status.DELIVERED, 3)))

    assert (two.status, two.final, two.parts_of) == (Status.DELIVERED, False, 3)
    assert (three.status, three.final, len(three.parts)) == (Status.DELIVERED, True, 3)


@pytest.mark.parametrize("lost", [Status.FAILED, Status.UNDELIVERED])
def test_lost_as_soon_as_one_part_is(lost: Status) -> None:
    message = folded(part(Status.DELIVERED, 1), part(lost, 2, error_code="30"))

    assert (message.status, message.final, message.error_code) == (lost, True, "30")
    assert [each.status for each in message.parts] == [Status.DELIVERED, lost]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_success_of_a_later_part_never_hides_the_failure_of_an_earlier(order: tuple[int, ...]) -> None:
    receipts = [part(Status.FAILED, 1, error_code="450"), part(Status.DELIVERED, 2), part(Status.DELIVERED, 3)]

    message = folded(*(receipts[index] for index in order))

    assert (message.status, message.final, message.error_code) == (Status.FAILED, True, "450")
    assert not message.contradictory


def test_a_message_of_parts_is_as_far_as_its_slowest_part() -> None:
    message = folded(part(Status.DELIVERED, 1), part(Status.SENT, 2), part(Status.QUEUED, 3))

    assert (message.status, message.final) == (Status.QUEUED, False)


def test_a_part_that_was_both_lost_and_delivered_is_delivered_and_contradictory() -> None:
    message = folded(
        part(Status.UNDELIVERED, 1, of=2), part(Status.DELIVERED, 1, of=2), part(Status.DELIVERED, 2, of=2)
    )

    assert (message.status, message.final, message.contradictory) == (Status.DELIVERED, True, True)


def test_what_is_said_of_the_whole_message_lifts_it_over_its_parts() -> None:
    message = folded(part(Status.SENT, 1), receipt(Status.DELIVERED))

    assert (message.status, message.final) == (Status.DELIVERED, True)


def test_a_whole_message_said_to_be_lost_contradicts_parts_that_all_arrived() -> None:
    message = folded(part(Status.DELIVERED, 1, of=2), part(Status.DELIVERED, 2, of=2), receipt(Status.FAILED))

    assert (message.status, message.contradictory) == (Status.DELIVERED, True)


@pytest.mark.parametrize("lost", [Status.FAILED, Status.UNDELIVERED])
def test_a_part_that_arrived_does_not_hide_that_the_whole_message_is_said_to_be_lost(lost: Status) -> None:
    message = folded(receipt(lost, error_code="450"), part(Status.DELIVERED, 1))

    assert (message.status, message.final, message.error_code) == (lost, True, "450")


def test_a_part_that_is_lost_contradicts_a_whole_message_that_arrived() -> None:
    message = folded(part(Status.UNDELIVERED, 1), receipt(Status.DELIVERED))

    assert (message.status, message.contradictory) == (Status.UNDELIVERED, True)


def test_units_and_cost_of_parts_add_up_each_part_counted_once() -> None:
    price: dict[str, Any] = {"units": 1, "cost_nanos": 5_500_000, "currency": "USD"}
    receipts = [part(status, number, **price) for status in (Status.SENT, Status.DELIVERED) for number in (1, 2, 3)]

    message = folded(*receipts, *receipts)

    assert (message.units, message.cost_nanos, message.currency) == (3, 16_500_000, "USD")


def test_parts_that_nobody_numbers_are_told_apart_by_their_ids() -> None:
    lost, arrived = (
        receipt(status, part=PartOf(name, None, 1))
        for name, status in (("a", Status.UNDELIVERED), ("b", Status.DELIVERED))
    )
    message = folded(lost, arrived)

    assert (message.status, message.final, message.contradictory) == (Status.UNDELIVERED, True, False)
    assert [(each.provider_message_id, each.number, each.of) for each in message.parts] == [("a", 1, 2), ("b", 2, 2)]


def test_the_only_part_of_a_message_is_the_message() -> None:
    message = folded(
        receipt(Status.SENT, part=PartOf("a", 1, 1)),
        receipt(Status.DELIVERED, part=PartOf("a", None, 1), units=1, cost_nanos=7),
        receipt(Status.QUEUED),
    )

    assert (message.status, message.final, message.parts, message.parts_of) == (Status.DELIVERED, True, (), 1)
    assert (message.units, message.cost_nanos) == (1, 7)


def test_a_message_named_as_its_own_part_is_whole_until_another_part_turns_up() -> None:
    first = receipt(Status.DELIVERED, part=PartOf("m1", 1, 2), units=1, cost_nanos=7)
    alone, with_another = folded(first), folded(first, part(Status.SENT, 2, of=2, units=1, cost_nanos=7))

    assert (alone.status, alone.final, alone.parts) == (Status.DELIVERED, True, ())
    assert (with_another.status, with_another.final, len(with_another.parts)) == (Status.SENT, False, 2)
    assert (with_another.units, with_another.cost_nanos) == (2, 14)


def test_all_parts_are_known_where_some_have_no_number() -> None:
    two = [receipt(Status.DELIVERED, part=PartOf(name, None, 2)) for name in "ab"]

    assert [folded(*two[:count]).final for count in (1, 2)] == [False, True]


def test_a_part_without_an_id_is_the_one_with_its_number() -> None:
    price = {"units": 1, "cost_nanos": 7}
    named = [part(Status.QUEUED, number, of=2, **price) for number in (1, 2)]
    nameless = [receipt(Status.DELIVERED, part=PartOf(None, number, 2), **price) for number in (1, 2)]
    message = folded(*named, *nameless)

    assert (message.status, message.final, message.units, message.cost_nanos) == (Status.DELIVERED, True, 2, 14)
    assert [each.provider_message_id for each in message.parts] == ["p1", "p2"]


def test_the_error_is_that_of_a_part_that_was_lost_in_the_end() -> None:
    recovered = [part(Status.UNDELIVERED, 2, of=2, error_code="30"), part(Status.DELIVERED, 2, of=2)]

    assert folded(*recovered, part(Status.UNDELIVERED, 1, of=2, error_code="80")).error_code == "80"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_error_is_not_lost_where_another_receipt_of_the_status_tells_none(order: tuple[int, ...]) -> None:
    whole = [receipt(Status.FAILED, error_code="30"), receipt(Status.FAILED, provider_status="rejected")]
    parts = [part(Status.UNDELIVERED, 1, error_code="30"), part(Status.UNDELIVERED, 2)]

    assert folded(*(whole[index] for index in order)).error_code == "30"
    assert folded(*(parts[index] for index in order)).error_code == "30"


def test_what_failed_is_not_charged_unless_the_failure_itself_tells_a_price() -> None:
    queued = receipt(Status.QUEUED, units=2, cost_nanos=7, currency="USD")
    refused = receipt(Status.FAILED, provider_status="rejected", cost_nanos=3, currency="USD")

    failed = folded(queued, receipt(Status.FAILED, error_code="30"))
    assert (failed.units, failed.cost_nanos, failed.currency) == (2, None, None)
    assert folded(queued, refused).cost_nanos == 3
    assert folded(queued, receipt(Status.UNDELIVERED, error_code="30")).cost_nanos == 7


def test_the_price_of_the_whole_message_stands_where_no_part_has_one() -> None:
    message = folded(
        part(Status.SENT, 1), part(Status.SENT, 2), receipt(Status.QUEUED, units=3, cost_nanos=21, currency="EUR")
    )

    assert (message.units, message.cost_nanos, message.currency) == (3, 21, "EUR")


def test_a_message_of_parts_is_delivered_with_its_last_part_and_lost_with_the_first_lost_one() -> None:
    at = [START + timedelta(minutes=minute) for minute in range(3)]
    all_there = folded(part(Status.DELIVERED, 1, of=2, final_at=at[1]), part(Status.DELIVERED, 2, of=2, final_at=at[0]))
    lost = folded(part(Status.FAILED, 1, of=2, final_at=at[2]), part(Status.FAILED, 2, of=2, final_at=at[1]))

    assert (all_there.delivered_at, all_there.final_at) == (at[1], at[1])
    assert (lost.delivered_at, lost.final_at) == (None, at[1])


# --- times ---------------------------------------------------------------------------------------------------------


def test_times_are_the_earliest_seen_for_each_status() -> None:
    second = timedelta(seconds=1)
    message = folded(
        receipt(
            Status.DELIVERED,
            submitted_at=START,
            queued_at=START + second,
            sent_at=START + 4 * second,
            final_at=START + 9 * second,
        ),
        receipt(Status.DELIVERED, sent_at=START + 3 * second, final_at=START + 8 * second, sequence=9),
        receipt(Status.SENT, queued_at=START + 2 * second, sent_at=START + 5 * second),
    )

    assert message.submitted_at == START
    assert (message.queued_at, message.sent_at) == (START + second, START + 3 * second)
    assert message.delivered_at == message.final_at == START + 8 * second
    assert (message.latency_ms, message.latency_clock) == (8000, "provider")


def test_times_we_were_not_told_are_those_of_our_own_clock() -> None:
    message = folded(receipt(Status.QUEUED), receipt(Status.SENT), receipt(Status.DELIVERED))

    assert (message.submitted_at, message.queued_at) == (START, START)
    assert (message.sent_at, message.delivered_at) == (START + timedelta(seconds=1), START + timedelta(seconds=2))
    assert (message.latency_ms, message.latency_clock) == (2000, "ours")


@pytest.mark.parametrize(
    "broken",
    [
        START + timedelta(days=2),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_broken_clock_is_not_used(broken: datetime) -> None:
    message = folded(receipt(Status.DELIVERED, submitted_at=broken, queued_at=broken, sent_at=broken, final_at=broken))

    assert (message.submitted_at, message.delivered_at) == (START, START)
    assert (message.queued_at, message.sent_at, message.latency_ms) == (None, None, None)


@pytest.mark.parametrize(
    ("submitted_at", "final_at"),
    [(START - timedelta(hours=1), None), (None, START + timedelta(hours=1))],
    ids=["submission told", "delivery told"],
)
def test_latency_is_never_taken_across_two_clocks(submitted_at: datetime | None, final_at: datetime | None) -> None:
    message = folded(
        receipt(Status.SENT, submitted_at=submitted_at),
        receipt(Status.DELIVERED, submitted_at=submitted_at, final_at=final_at),
    )

    assert (message.latency_ms, message.latency_clock) == (1000, "ours")


def test_a_delivery_before_its_submission_has_no_latency() -> None:
    message = folded(receipt(Status.DELIVERED, submitted_at=START, final_at=START - timedelta(seconds=1)))

    assert (message.latency_ms, message.latency_clock) == (None, None)


def test_a_message_heard_of_only_when_delivered_has_no_latency_of_our_clock() -> None:
    assert folded(receipt(Status.DELIVERED)).latency_ms is None


@pytest.mark.parametrize("lost", sorted(FINAL - {Status.DELIVERED, Status.READ}))
def test_only_what_was_delivered_has_a_latency(lost: Status) -> None:
    message = folded(receipt(Status.QUEUED), receipt(lost, submitted_at=START, final_at=START + timedelta(seconds=3)))

    assert (message.latency_ms, message.delivered_at) == (None, None)
    assert message.final_at == START + timedelta(seconds=3)


def test_a_message_that_was_read_keeps_the_time_it_was_delivered() -> None:
    delivered = receipt(Status.DELIVERED, submitted_at=START, final_at=START + timedelta(seconds=3))
    read = receipt(Status.READ, submitted_at=START, final_at=START + timedelta(hours=3))

    message = folded(delivered, read)

    assert message.delivered_at == START + timedelta(seconds=3)
    assert message.latency_ms == 3000


def test_one_moment_written_with_two_offsets_is_one_fact() -> None:
    there = START.astimezone(timezone(timedelta(hours=2)))

    assert folded(receipt(Status.SENT, sent_at=START), receipt(Status.SENT, sent_at=there)).facts.keys() == {
        receipt(Status.SENT, sent_at=START)
    }


# --- bounds --------------------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_beyond_the_limit_of_facts_order_and_batches_still_do_not_matter(data: st.DataObject) -> None:
    pool = [
        receipt(status, extra=(("n", str(number)),))
        for number in range(FACTS_MAX // 4)
        for status in (*list(Status)[:5], None)
    ]
    tellings = told(*pool)
    shuffled = data.draw(st.randoms(use_true_random=False)).sample(tellings, len(tellings))
    sizes = data.draw(st.lists(st.integers(1, 150), max_size=5))

    message = told_in_batches(shuffled, sizes)

    assert message == fold({}, tellings)
    assert len(message.facts) == FACTS_MAX


def test_a_fact_remembers_a_limited_number_of_the_callbacks_that_told_it() -> None:
    tellings = [Telling(receipt(Status.SENT), START, number) for number in range(100, 0, -1)]

    (heard,) = fold({}, tellings).facts.values()

    assert heard.callback_ids == tuple(range(1, CALLBACK_IDS_MAX + 1))
