"""Periods are cut so that counters answer them exactly."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.counters import MINUTES, Resolution
from landed.domain.periods import Period, end_of, fitted, rounded, slots, start_of

moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 20)).map(lambda at: at.replace(tzinfo=UTC))
periods = st.tuples(moments, moments).map(lambda two: Period(min(two), max(two)))
kept = st.one_of(periods, st.just(Period(datetime(2010, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)))).map(
    lambda period: Period(start_of(Resolution.DAY, period.since), end_of(Resolution.DAY, period.until))
)
resolutions = st.sampled_from(Resolution)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@st.composite
def edges(draw: st.DrawFn, minutes: Period) -> list[datetime]:
    return fitted(sorted(draw(st.lists(moments, min_size=2, max_size=4))), minutes)


@given(st.data(), kept, resolutions)
def test_slots_cover_what_lies_between_edges_once_and_nothing_else(
    data: st.DataObject, minutes: Period, coarsest: Resolution
) -> None:
    cut = data.draw(edges(minutes))
    assert covered(cut, coarsest) == between(cut)


def covered(cut: Sequence[datetime], coarsest: Resolution) -> dict[int, Counter[datetime]]:
    """How often each minute is counted, by place."""
    found: dict[int, Counter[datetime]] = {place: Counter() for place in range(len(cut) - 1)}
    for resolution, those in slots(cut, coarsest).items():
        for slot in those:
            for minute in range(MINUTES[resolution]):
                found[slot.place][slot.at + timedelta(minutes=minute)] += slot.sign
    return {place: Counter({at: times for at, times in counted.items() if times}) for place, counted in found.items()}


def between(cut: Sequence[datetime]) -> dict[int, Counter[datetime]]:
    minute = timedelta(minutes=1)
    return {
        place: Counter({cut[place] + number * minute: 1 for number in range((cut[place + 1] - cut[place]) // minute)})
        for place in range(len(cut) - 1)
    }


@given(st.data(), kept)
def test_minutes_are_read_only_where_they_are_kept(data: st.DataObject, minutes: Period) -> None:
    for slot in slots(data.draw(edges(minutes))).get(Resolution.MINUTE, ()):
        assert minutes.since <= slot.at <= minutes.until


@given(periods, kept)
def test_rounding_is_outward_and_by_less_than_an_hour_at_each_end(period: Period, minutes: Period) -> None:
    whole = rounded(period, minutes)
    assert whole.since <= period.since
    assert period.until <= whole.until
    assert period.since - whole.since < timedelta(hours=1)
    assert whole.until - period.until < timedelta(hours=1)


@given(periods, kept)
def test_what_is_rounded_fits_the_counters(period: Period, minutes: Period) -> None:
    whole = rounded(period, minutes)
    assert fitted(whole, minutes) == [*whole]


def test_days_of_berlin_are_days_of_utc_with_two_hours_moved_at_each_midnight() -> None:
    cut = [at("2026-07-01 22:00"), at("2026-07-02 22:00"), at("2026-07-03 22:00")]
    found = slots(cut)
    assert [(slot.at.day, slot.place, slot.sign) for slot in found[Resolution.DAY]] == [(2, 0, 1), (3, 1, 1)]
    assert sorted((slot.at.day, slot.at.hour, slot.place, slot.sign) for slot in found[Resolution.HOUR]) == [
        (1, 22, 0, 1), (1, 23, 0, 1),
        (2, 22, 0, -1), (2, 22, 1, 1), (2, 23, 0, -1), (2, 23, 1, 1),
        (3, 22, 1, -1), (3, 23, 1, -1),
    ]  # fmt: skip
    assert Resolution.MINUTE not in found


def test_thirty_days_cost_thirty_days_and_the_nearer_side_of_each_edge() -> None:
    found = slots([at("2026-10-23 21:00"), at("2026-11-22 02:01")])
    assert {resolution: len(those) for resolution, those in found.items()} == {
        Resolution.MINUTE: 1,
        Resolution.HOUR: 3 + 2,
        Resolution.DAY: 29,
    }


@pytest.mark.parametrize("coarsest", Resolution)
def test_an_empty_period_has_no_slots(coarsest: Resolution) -> None:
    assert slots([at("2026-11-01"), at("2026-11-01")], coarsest) == {}
