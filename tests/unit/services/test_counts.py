"""What is told of a group: its rows added up one by one, or groups of them merged."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain import latency
from landed.domain.receipts import Direction
from landed.domain.statuses import FINAL, Status
from landed.services.counts import Tally
from landed.store.analytics import Sums

NANOS: Final = 1_000_000_000
ROWS: Final = st.lists(
    st.tuples(
        st.sampled_from(Direction),
        st.sampled_from([*Status, "teleported"]),
        st.sampled_from(["USD", "EUR"]),
        st.builds(Sums, *[st.integers(0, 1000)] * len(Sums._fields)),
        st.integers(0, 50),
    ),
    max_size=20,
)


def tally_of(rows: list[tuple[Direction, str, str, Sums, int]]) -> Tally:
    tally = Tally()
    for direction, status, currency, sums, bucket in rows:
        tally.add(direction, status, currency, sums)
        tally.histogram += latency.one(bucket)
    return tally


@given(ROWS, ROWS)
def test_groups_that_are_merged_tell_what_all_their_rows_tell(
    some: list[tuple[Direction, str, str, Sums, int]], more: list[tuple[Direction, str, str, Sums, int]]
) -> None:
    merged = tally_of(some)
    merged.merge(tally_of(more))

    assert merged.told() == tally_of(some + more).told()


@given(ROWS)
def test_messages_are_told_under_their_status_and_pending_are_those_sent_that_are_not_final(
    rows: list[tuple[Direction, str, str, Sums, int]],
) -> None:
    told = tally_of(rows).told()

    for each in Status:
        assert told[each] == sum(sums.messages for _, status, _, sums, _ in rows if status == each)
    assert told["messages"] == sum(sums.messages for _, _, _, sums, _ in rows)
    assert told["pending"] == sum(
        sums.messages
        for direction, status, _, sums, _ in rows
        if direction == Direction.OUTBOUND and status not in FINAL
    )


def test_a_status_that_a_newer_worker_wrote_counts_in_the_total_and_as_pending() -> None:
    told = tally_of([(Direction.OUTBOUND, "teleported", "USD", Sums(3, 3, 3, 0, 0, 0, 0), 1)]).told()

    assert (told["messages"], told["pending"], told["delivery_rate"]) == (3, 3, None)


@pytest.mark.parametrize("directions", [(Direction.OUTBOUND,), tuple(Direction)])
def test_rates_are_over_those_sent_by_us_that_are_final(directions: tuple[Direction, ...]) -> None:
    """What came in is received, which is final, and no part of any rate."""
    rows = [
        (Direction.OUTBOUND, Status.DELIVERED, "USD", Sums(6, 12, 6, 6 * NANOS, 0, 1, 1), 3),
        (Direction.OUTBOUND, Status.FAILED, "USD", Sums(2, 2, 2, 0, 1, 0, 0), 3),
        (Direction.OUTBOUND, Status.SENT, "USD", Sums(2, 2, 2, 0, 0, 0, 0), 3),
        (Direction.INBOUND, Status.RECEIVED, "USD", Sums(8, 8, 8, 0, 0, 0, 0), 3),
    ]

    told = tally_of([row for row in rows if row[0] in directions]).told()

    assert told["delivery_rate"] == 0.75
    assert told["failure_rate"] == 0.25
    assert told["missing_rate"] == 0.125
    assert told["conversion_rate"] == 0.5
    assert told["pending"] == 2
    assert [(each.amount, each.currency) for each in told["cost"]] == [("6.0000", "USD")]
