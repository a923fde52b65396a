"""Time to deliver as a histogram that can be added up, within 5 % of the truth."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain import latency

MILLISECONDS = st.integers(1, 4 * 365 * 24 * 3600 * 1000)


@given(MILLISECONDS)
def test_the_estimate_is_within_five_percent_of_every_latency_in_its_bucket(latency_ms: int) -> None:
    estimate = latency.estimate_ms(latency.bucket(latency_ms))

    assert abs(estimate - latency_ms) <= latency.ERROR * latency_ms * (1 + 1e-9)


@given(MILLISECONDS, MILLISECONDS)
def test_a_longer_latency_is_never_in_a_lower_bucket(one: int, other: int) -> None:
    assert latency.bucket(min(one, other)) <= latency.bucket(max(one, other))


@given(st.lists(MILLISECONDS, min_size=1), st.floats(0, 1))
def test_a_quantile_is_within_five_percent_of_the_latency_at_its_rank(latencies: list[int], q: float) -> None:
    histogram = histogram_of([latency.bucket(latency_ms) for latency_ms in latencies])

    (estimate,) = latency.quantiles_ms(histogram, (q,))

    exact = sorted(latencies)[int(q * (len(latencies) - 1))]
    assert estimate is not None
    assert abs(estimate - exact) <= latency.ERROR * exact * (1 + 1e-9)


@pytest.mark.parametrize("latency_ms", [0, 1])
def test_a_millisecond_and_less_is_the_first_bucket(latency_ms: int) -> None:
    assert latency.bucket(latency_ms) == 0


def test_what_is_slower_than_the_last_bucket_counts_in_it() -> None:
    assert latency.bucket(10**18) == latency.BUCKET_MAX


def test_an_empty_histogram_has_no_quantile() -> None:
    assert latency.quantiles_ms(0, (0.0, 0.5, 1.0)) == [None, None, None]


# --- whole histograms as one integer -------------------------------------------------------------------------------

BUCKETS = st.lists(st.integers(0, latency.BUCKET_MAX), max_size=30)


def histogram_of(buckets: list[int]) -> int:
    return sum(latency.one(index) for index in buckets)


@given(BUCKETS)
def test_a_histogram_counts_each_message_in_its_bucket(buckets: list[int]) -> None:
    assert latency.counts(histogram_of(buckets)) == Counter(buckets)


@given(BUCKETS)
def test_a_histogram_is_unpacked_as_it_was_packed(buckets: list[int]) -> None:
    assert latency.unpack(latency.pack(histogram_of(buckets))) == histogram_of(buckets)


@given(st.lists(BUCKETS, max_size=5))
def test_many_packed_histograms_are_unpacked_as_their_sum(histograms: list[list[int]]) -> None:
    packed = [latency.pack(histogram_of(buckets)) for buckets in histograms]

    total = latency.unpack_all(b"".join(len(each).to_bytes(4, "big") + each for each in packed))

    assert total == sum(map(histogram_of, histograms))


@given(BUCKETS, BUCKETS)
def test_histograms_add_up_and_what_went_in_comes_out(some: list[int], more: list[int]) -> None:
    assert latency.counts(histogram_of(some) + histogram_of(more)) == Counter(some + more)
    assert histogram_of(some + more) - histogram_of(more) == histogram_of(some)


@given(BUCKETS, st.integers(1, 2**27))
def test_a_full_bucket_does_not_spill_into_the_next(buckets: list[int], messages: int) -> None:
    assert latency.counts(histogram_of(buckets) * messages) == {
        index: count * messages for index, count in Counter(buckets).items()
    }
