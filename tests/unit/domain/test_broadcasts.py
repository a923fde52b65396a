"""What became of a broadcast follows from the set of reports, in whatever order they come."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.broadcasts import FACTS_MAX, Broadcast, fold, unknown_words
from landed.domain.receipts import BroadcastReceipt, Telling

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def report(word: str = "Running", *, final: bool = False, **counts: int) -> BroadcastReceipt:
    return BroadcastReceipt("b1", word, final, name="Welcome", recipients=100, counts=tuple(counts.items()))


def told(*receipts: BroadcastReceipt) -> list[Telling[BroadcastReceipt]]:
    return [Telling(each, START + timedelta(seconds=number), number + 1) for number, each in enumerate(receipts)]


REPORTS = st.builds(
    BroadcastReceipt,
    provider_broadcast_id=st.just("b1"),
    provider_status=st.sampled_from(["Queued", "Running", "Completed"]),
    final=st.booleans(),
    name=st.sampled_from([None, "Welcome", "Bye"]),
    recipients=st.sampled_from([None, 10, 100]),
    counts=st.lists(
        st.tuples(st.sampled_from(["queued", "sent", "delivered", "failed", "Paused"]), st.integers(0, 9)), max_size=3
    ).map(tuple),
    our_id=st.sampled_from([None, "ours"]),
)
TELLINGS = st.lists(
    st.builds(
        Telling,
        receipt=REPORTS,
        received_at=st.integers(0, 60).map(lambda seconds: START + timedelta(seconds=seconds)),
        callback_id=st.none() | st.integers(1, 20),
    ),
    min_size=1,
    max_size=10,
)


@given(told=TELLINGS, shuffled=st.randoms(use_true_random=False))
def test_order_repeats_and_batches_cannot_matter(told: list[Telling[BroadcastReceipt]], shuffled: Any) -> None:
    expected = fold({}, told)
    mixed = told + shuffled.choices(told, k=5)
    shuffled.shuffle(mixed)
    state: Broadcast | None = None
    while mixed:
        size = shuffled.randint(1, 4)
        state = fold(state.facts if state else {}, mixed[:size])
        mixed = mixed[size:]

    assert state == expected
    assert fold(expected.facts, ()) == expected


def test_the_report_with_the_most_messages_at_their_end_is_the_latest() -> None:
    early = report(queued=90, sent=10)
    later = report(queued=20, sent=40, delivered=38, undelivered=2)

    broadcast = fold({}, told(later, early))

    assert broadcast.counts == {"delivered": 38, "queued": 20, "sent": 40, "undelivered": 2}
    assert (broadcast.first_heard_at, broadcast.last_heard_at) == (START, START + timedelta(seconds=1))


def test_a_final_report_stands_whatever_comes_after() -> None:
    broadcast = fold({}, told(report("Completed", final=True, delivered=97), report(delivered=98)))

    assert (broadcast.provider_status, broadcast.final, broadcast.counts) == ("Completed", True, {"delivered": 97})


def test_a_report_without_counts_takes_none_away() -> None:
    assert fold({}, told(report(sent=3), report("Completed", final=True))).counts == {"sent": 3}


def test_counts_of_the_same_status_add_up_and_unknown_words_stay() -> None:
    receipt = report()._replace(counts=(("failed", 1), ("failed", 2), ("Paused", 4)))

    assert fold({}, told(receipt)).counts == {"Paused": 4, "failed": 3}
    assert unknown_words(receipt) == ["Paused"]


def test_no_more_than_a_number_of_facts_is_kept_whatever_the_order() -> None:
    reports = told(*(report(delivered=number) for number in range(FACTS_MAX + 20)))

    state = fold({}, reports)

    assert len(state.facts) == FACTS_MAX
    assert fold(fold({}, reports[100:]).facts, reports[:100]) == state
    assert state.counts == {"delivered": FACTS_MAX + 19}
