"""Slots become stretches of time, and a counter found in one is added up wherever its slots say, and nowhere else."""

from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, text

from landed.domain import periods
from landed.domain.counters import MINUTES, Resolution
from landed.domain.periods import Slot
from landed.store import analytics
from landed.store.analytics import _stretches, _times

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
resolutions = st.sampled_from(Resolution)


def length(resolution: Resolution) -> timedelta:
    return timedelta(minutes=MINUTES[resolution])


@st.composite
def slots(draw: st.DrawFn, resolution: Resolution) -> list[Slot]:
    """Few or many of the buckets between the first and the last, in any order, each in up to four places."""
    width = draw(st.sampled_from([1, 3, 12, 60]))
    drawn = st.tuples(st.integers(0, width), st.integers(0, 3), st.sampled_from([-1, 1]))
    found = draw(st.lists(drawn, min_size=1, max_size=40, unique_by=lambda each: each[:2]))
    return [Slot(SINCE + number * length(resolution), place, sign) for number, place, sign in found]


def read(resolution: Resolution, those: list[Slot], at: datetime) -> list[tuple[int, int]]:
    """Where a counter is added up: what the statement does with it, in Python."""
    stretches = _stretches(resolution, those)
    gaps, bound = _times(resolution, stretches)
    values: dict[str, Any] = {each.key.rpartition("_")[0]: each.value for each in bound}
    assert (gaps == "") == (values.keys() == {"since", "until", "starts"})
    number = bisect_right(values["starts"], at)  # as width_bucket does
    if (
        not values["since"] <= at < values["until"]
        or at not in values.get("moments", [at])
        or number not in values.get("counted", [number])
    ):
        return []
    assert stretches[number - 1].places, "the gaps are left out by the database"
    return sorted(stretches[number - 1].places)


@given(st.data(), resolutions)
def test_a_counter_is_added_up_where_its_slots_say_and_nowhere_else(
    data: st.DataObject, resolution: Resolution
) -> None:
    those = data.draw(slots(resolution))

    for number in range(-1, 63):
        at = SINCE + number * length(resolution)
        meant = sorted((slot.place, slot.sign) for slot in those if slot.at == at)
        assert read(resolution, those, at) == meant


@given(st.data(), resolutions)
def test_stretches_follow_each_other_without_a_hole_and_no_two_are_the_same(
    data: st.DataObject, resolution: Resolution
) -> None:
    stretches = _stretches(resolution, data.draw(slots(resolution)))

    assert all(stretch.since < stretch.until for stretch in stretches)
    assert stretches[0].places
    assert stretches[-1].places
    for one, other in pairwise(stretches):
        assert one.until == other.since
        assert one.places != other.places


@given(st.lists(st.integers(0, 30 * 24 * 60), min_size=2, max_size=6))
def test_what_lies_between_two_edges_is_added_up_there_once(minutes: list[int]) -> None:
    """All resolutions together: a minute is in its own counter, in one of an hour and in one of a day."""
    edges = [SINCE + timedelta(minutes=minute) for minute in sorted(minutes)]
    cut = periods.slots(edges)
    near = {at + timedelta(minutes=minute) for at in edges for minute in (-721, -61, -31, -1, 0, 1, 29, 59, 719)}
    for at in near:
        found = Counter[int]()
        for resolution, those in cut.items():
            for place, sign in read(resolution, list(those), periods.start_of(resolution, at)):
                found[place] += sign
        meant = {place: 1 for place, since in enumerate(edges[:-1]) if since <= at < edges[place + 1]}
        assert {place: times for place, times in found.items() if times} == meant


def test_one_slot_is_one_stretch() -> None:
    assert _stretches(Resolution.HOUR, [Slot(SINCE, 2, 1)]) == [(SINCE, SINCE + HOUR, ((2, 1),))]


def test_hours_that_move_from_one_day_to_the_next_are_one_stretch() -> None:
    """As at midnight in Berlin: they leave the day of UTC, and enter the one after."""
    moved = [Slot(SINCE + number * HOUR, place, sign) for number in (22, 23) for place, sign in ((0, -1), (1, 1))]

    assert _stretches(Resolution.HOUR, moved) == [(SINCE + 22 * HOUR, SINCE + 24 * HOUR, ((0, -1), (1, 1)))]


@pytest.mark.parametrize(
    ("hours", "left_out_by"),
    [([0, 1, 2], None), ([0, 1, 3, 4], "counted"), ([0, 24], "moments"), ([0, 1, 24], "moments")],
)
def test_few_hours_are_looked_up_and_many_read_with_the_gaps_left_out(
    hours: list[int], left_out_by: str | None
) -> None:
    stretches = _stretches(Resolution.HOUR, [Slot(SINCE + hour * HOUR, 0, 1) for hour in hours])

    gaps, bound = _times(Resolution.HOUR, stretches)

    assert [each.key for each in bound[3:]] == ([f"{left_out_by}_hour"] if left_out_by else [])
    assert (f":{left_out_by}_hour" in gaps) == (left_out_by is not None)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("cut", "numbers"), [({}, {1: 0}), ({Resolution.HOUR: []}, {1: 0}), ({Resolution.HOUR: [Slot(SINCE, 0, 1)]}, {})]
)
async def test_no_time_or_no_combination_asks_nothing_of_the_database(
    cut: analytics.Slots, numbers: dict[int, int]
) -> None:
    engine: Any = None  # whoever asked it would fail
    assert await analytics.sums(engine, cut, numbers, 5) == {}
    assert await analytics.latencies(engine, cut, numbers) == {}


def test_arrays_of_different_things_are_told_apart_where_statements_are_cached() -> None:
    integers, moments = (
        text("SELECT :values").bindparams(bindparam("values", values, kind))
        for values, kind in (([1], analytics._INTEGERS), ([SINCE], analytics._MOMENTS))
    )

    assert integers._generate_cache_key() != moments._generate_cache_key()
