"""What messages add to the counters: each counted once, wherever it went in between."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from landed.domain import counters, latency
from landed.domain.counters import MINUTES, Contribution, Deltas, Resolution, contribution, dimensions
from landed.domain.messages import fold
from landed.domain.receipts import Direction, Receipt, Telling
from landed.domain.statuses import Status

START = datetime(2026, 3, 2, 9, 15, 59, tzinfo=UTC)
ALWAYS = range(2**40)

CONTRIBUTIONS = st.builds(
    Contribution,
    minute=st.integers(0, 5 * 24 * 60),
    dimension_ids=st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(tuple),
    parts=st.integers(1, 3),
    units=st.integers(0, 3),
    cost_nanos=st.integers(0, 10**7),
    latency_bucket=st.none() | st.integers(0, latency.BUCKET_MAX),
)


def counted(histories: list[list[Contribution]]) -> Deltas:
    """The deltas of messages that went through these contributions, one after the other."""
    deltas = Deltas()
    for history in histories:
        for old, new in zip([None, *history], history, strict=False):
            deltas.move(old, new)
    return deltas


HISTORIES = st.lists(st.lists(CONTRIBUTIONS, min_size=1, max_size=4), max_size=5)


@given(HISTORIES)
def test_any_sequence_of_moves_sums_to_the_last_contribution_of_each_message(histories: list[list[Contribution]]) -> None:
    deltas = counted(histories)

    last = counted([history[-1:] for history in histories])
    for resolution in Resolution:
        assert deltas.sums(resolution, ALWAYS) == last.sums(resolution, ALWAYS)
        assert deltas.latencies(resolution, ALWAYS) == last.latencies(resolution, ALWAYS)


@given(HISTORIES)
def test_every_resolution_counts_the_same(histories: list[list[Contribution]]) -> None:
    deltas = counted(histories)

    minutes, hours, days = ([row[1:] for row in deltas.sums(resolution, ALWAYS)] for resolution in Resolution)
    assert totals(minutes) == totals(hours) == totals(days)
    changes = [deltas.latencies(resolution, ALWAYS) for resolution in Resolution]
    minutes, hours, days = (histograms(rows) for rows in changes)
    assert minutes == hours == days


def histograms(rows: list[tuple[int, int, int]]) -> dict[int, int]:
    """Histograms by dimension, all time added up."""
    added_up: dict[int, int] = {}
    for _, dimension_id, change in rows:
        added_up[dimension_id] = added_up.get(dimension_id, 0) + change
    return {dimension_id: histogram for dimension_id, histogram in added_up.items() if histogram}


def totals(rows: Sequence[tuple[int, ...]]) -> Counter[tuple[int, ...]]:
    """Sums over time by everything else: key columns are told by their place."""
    sums: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        for column, value in enumerate(row[1:]):
            sums[row[0], column] += value if column else 0
    return +sums


@given(HISTORIES)
def test_rows_come_once_and_in_the_order_of_their_key(histories: list[list[Contribution]]) -> None:
    deltas = counted(histories)

    for resolution in Resolution:
        keys = [row[:2] for row in deltas.sums(resolution, ALWAYS)]
        assert keys == sorted(set(keys))
        assert all(start % MINUTES[resolution] == 0 for start, _ in keys)


@given(CONTRIBUTIONS, CONTRIBUTIONS)
def test_a_message_that_comes_back_to_what_it_counted_for_changes_no_row(one: Contribution, other: Contribution) -> None:
    deltas = Deltas()
    deltas.move(one, other)
    deltas.move(other, one)

    assert not any(deltas.sums(resolution, ALWAYS) + deltas.latencies(resolution, ALWAYS) for resolution in Resolution)


def test_buckets_outside_the_minutes_asked_for_are_left_out() -> None:
    deltas = counted([[Contribution(minute, (1,), 1, 1, 1, 5)] for minute in (59, 60, 119, 120)])

    assert [row[0] for row in deltas.sums(Resolution.MINUTE, range(60, 120))] == [60, 119]
    assert [row[0] for row in deltas.latencies(Resolution.MINUTE, range(60, 120))] == [60, 119]


def test_the_minute_of_a_moment_is_that_of_utc_and_rounds_down() -> None:
    assert counters.minute_of(START) == counters.minute_of(START - timedelta(seconds=59))
    assert counters.minute_of(START + timedelta(seconds=1)) == counters.minute_of(START) + 1


def message_of(**fields: Any) -> Any:
    receipt = Receipt(**{"provider_message_id": "m1", "provider_status": "delivered", "status": Status.DELIVERED, **fields})
    return fold({}, [Telling(receipt, START, 1)])


def test_a_message_is_counted_under_our_side_of_it_whichever_way_it_went() -> None:
    ends = {"sender": "+14155550100", "recipient": "+447700900123"}

    assert dimensions(7, message_of(**ends)).sender == "+14155550100"
    assert dimensions(7, message_of(**ends, direction=Direction.INBOUND)).sender == "+447700900123"


def test_what_is_not_known_is_empty_text_and_counts_nothing() -> None:
    message = message_of()

    assert dimensions(7, message) == (7, "outbound", "sms", "", "", "", "", "delivered", "", "", "")
    assert contribution(message, (1,)) == (counters.minute_of(START), (1,), 1, 0, 0, None)
