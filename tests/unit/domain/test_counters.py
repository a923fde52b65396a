"""What messages add to the counters: each counted once, wherever it went in between."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from landed.domain import counters, latency
from landed.domain.counters import (
    MINUTES,
    Contribution,
    Deltas,
    Dimensions,
    Grain,
    Resolution,
    contribution,
    dimensions,
)
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
def test_any_sequence_of_moves_sums_to_the_last_contribution_of_each_message(
    histories: list[list[Contribution]],
) -> None:
    deltas = counted(histories)

    last = counted([history[-1:] for history in histories])
    for resolution in Resolution:
        assert deltas.sums(resolution, ALWAYS) == last.sums(resolution, ALWAYS)
        assert deltas.latencies(resolution, ALWAYS) == last.latencies(resolution, ALWAYS)


@given(HISTORIES)
def test_every_resolution_counts_the_same(histories: list[list[Contribution]]) -> None:
    deltas = counted(histories)

    sums = [over_time(deltas.sums(resolution, ALWAYS)) for resolution in Resolution]
    histograms = [over_time(deltas.latencies(resolution, ALWAYS)) for resolution in Resolution]
    assert sums[0] == sums[1] == sums[2]
    assert histograms[0] == histograms[1] == histograms[2]


def over_time(rows: Iterable[tuple[int, ...]]) -> Counter[tuple[int, int]]:
    """By dimension and column, all buckets together."""
    sums: Counter[tuple[int, int]] = Counter()
    for _, dimension_id, *values in rows:
        for column, value in enumerate(values):
            sums[dimension_id, column] += value
    return +sums


@given(HISTORIES)
def test_rows_come_once_and_in_the_order_of_their_key(histories: list[list[Contribution]]) -> None:
    deltas = counted(histories)

    for resolution in Resolution:
        keys = [row[:2] for row in deltas.sums(resolution, ALWAYS)]
        assert keys == sorted(set(keys))
        assert all(start % MINUTES[resolution] == 0 for start, _ in keys)


@given(CONTRIBUTIONS, CONTRIBUTIONS)
def test_a_message_that_comes_back_to_what_it_counted_for_changes_no_row(
    one: Contribution, other: Contribution
) -> None:
    deltas = Deltas()
    deltas.move(one, other)
    deltas.move(other, one)

    assert not any(deltas.sums(resolution, ALWAYS) for resolution in Resolution)
    assert not any(deltas.latencies(resolution, ALWAYS) for resolution in Resolution)


def test_buckets_outside_the_minutes_asked_for_are_left_out() -> None:
    deltas = counted([[Contribution(minute, (1,), 1, 1, 1, 5)] for minute in (59, 60, 119, 120)])

    assert [row[0] for row in deltas.sums(Resolution.MINUTE, range(60, 120))] == [60, 119]
    assert [row[0] for row in deltas.latencies(Resolution.MINUTE, range(60, 120))] == [60, 119]


def test_the_minute_of_a_moment_is_that_of_utc_and_rounds_down() -> None:
    assert counters.minute_of(START) == counters.minute_of(START - timedelta(seconds=59))
    assert counters.minute_of(START + timedelta(seconds=1)) == counters.minute_of(START) + 1


def message_of(**fields: Any) -> Any:
    receipt = Receipt(
        **{"provider_message_id": "m1", "provider_status": "delivered", "status": Status.DELIVERED, **fields}
    )
    return fold({}, [Telling(receipt, START, 1)])


def test_a_message_is_counted_under_our_side_of_it_whichever_way_it_went() -> None:
    ends = {"sender": "+14155550100", "recipient": "+447700900123"}

    (out, *_), (back, *_) = (dimensions(7, message_of(**ends, direction=direction)) for direction in Direction)

    assert (out.sender, back.sender) == ("+14155550100", "+447700900123")


def test_what_is_not_known_is_empty_text_and_counts_nothing() -> None:
    message = message_of()

    assert dimensions(7, message)[0] == Dimensions(7, "outbound", "sms", "", "", "", "", "delivered", "", "")
    assert contribution(message, (1,)) == (counters.minute_of(START), (1,), 1, 0, 0, None, False, None)


def test_a_message_is_in_one_row_of_each_grain_and_one_for_each_tag() -> None:
    network = {"mcc": "234", "mnc": "015", "error_code": "30"}
    message = message_of(recipient="+447700900123", sender="ACME", cost_nanos=1, currency="USD", **network)

    full, coarse, *tagged = dimensions(7, message, ["otp", "spring"])

    assert (full.grain, coarse.grain) == (Grain.FULL, Grain.COUNTRY)
    assert (full.mcc, full.mnc, full.sender, full.error_code, full.tag) == ("234", "015", "ACME", "30", "")
    assert coarse == Dimensions(7, "outbound", "sms", "GB", "", "", "", "delivered", "", "USD", "", Grain.COUNTRY)
    assert tagged == [full._replace(tag="otp"), full._replace(tag="spring")]
