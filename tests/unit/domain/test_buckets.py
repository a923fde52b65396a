"""Buckets are those of the viewer's calendar, whatever its clocks do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landed.domain.buckets import Bucket, back_by_length, count_max, starts
from landed.domain.periods import Period

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
         "America/Havana", "Africa/Cairo", "Pacific/Apia")  # fmt: skip
#: Buckets so long that all of them can be looked at.
LONG = (Bucket.HOUR, Bucket.DAY, Bucket.WEEK, Bucket.MONTH)
moments = st.integers(0, 60 * 24 * 400).map(
    lambda minutes: datetime(2025, 12, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
periods = st.tuples(moments, moments).filter(lambda two: two[0] != two[1]).map(lambda two: Period(min(two), max(two)))
zones = st.sampled_from(ZONES).map(ZoneInfo)


def days(zone: str, since: str, until: str, bucket: Bucket = Bucket.DAY) -> tuple[list[str], list[float]]:
    """When buckets begin on the clocks of the zone, and how many hours each has."""
    clock = ZoneInfo(zone)
    period = Period(*(datetime.fromisoformat(text).replace(tzinfo=clock).astimezone(UTC) for text in (since, until)))
    found = starts(period, bucket, clock)
    lengths = [(after - before) / timedelta(hours=1) for before, after in pairwise([*found, period.until])]
    return [f"{at.astimezone(clock):%m-%d %H:%M}" for at in found], lengths


@pytest.mark.parametrize(
    ("zone", "since", "until", "lengths"),
    [
        ("Europe/Berlin", "2026-03-28", "2026-03-31", [24, 23, 24]),
        ("Europe/Berlin", "2026-10-24", "2026-10-27", [24, 25, 24]),
        ("America/New_York", "2026-03-07", "2026-03-10", [24, 23, 24]),
        ("Australia/Lord_Howe", "2026-04-04", "2026-04-07", [24, 24.5, 24]),
        ("Asia/Kolkata", "2026-03-28", "2026-03-30", [24, 24]),
    ],
)
def test_days_have_the_hours_that_clocks_give_them(zone: str, since: str, until: str, lengths: list[float]) -> None:
    begins, hours = days(zone, since, until)
    assert hours == lengths
    assert {each[-5:] for each in begins} == {"00:00"}


def test_where_clocks_skip_midnight_the_day_begins_when_they_do() -> None:
    assert days("Africa/Cairo", "2026-04-23", "2026-04-25") == (["04-23 00:00", "04-24 01:00"], [24, 23])


def test_a_day_that_the_calendar_skips_has_no_bucket() -> None:
    assert days("Pacific/Apia", "2011-12-29", "2012-01-01")[0] == ["12-29 00:00", "12-31 00:00"]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert days("Europe/Berlin", "2026-10-21", "2026-11-03", Bucket.WEEK)[0] == [
        "10-19 00:00", "10-26 00:00", "11-02 00:00"
    ]  # fmt: skip
    assert days("Europe/Berlin", "2026-01-31", "2026-04-01", Bucket.MONTH)[0] == [
        "01-01 00:00", "02-01 00:00", "03-01 00:00"
    ]  # fmt: skip


@given(periods, zones, st.sampled_from(LONG))
@example(  # clocks are changed by half an hour
    Period(datetime(2025, 12, 1, 0, 1, tzinfo=UTC), datetime(2026, 11, 20, 7, 1, tzinfo=UTC)),
    ZoneInfo("Australia/Lord_Howe"),
    Bucket.HOUR,
)
def test_buckets_follow_each_other_and_cover_the_period(period: Period, zone: ZoneInfo, bucket: Bucket) -> None:
    found = starts(period, bucket, zone)
    assert found[0] <= period.since < (found[1] if len(found) > 1 else period.until)
    assert all(before < after for before, after in pairwise([*found, period.until]))
    assert len(found) <= count_max(period, bucket)


@given(moments, st.integers(1, 300), zones, st.sampled_from([Bucket.MINUTE, Bucket.FIVE_MINUTES, Bucket.QUARTER]))
def test_short_buckets_divide_the_hour_of_the_wall(at: datetime, minutes: int, zone: ZoneInfo, bucket: Bucket) -> None:
    period = Period(at, at + timedelta(minutes=minutes))
    step = {Bucket.MINUTE: 1, Bucket.FIVE_MINUTES: 5, Bucket.QUARTER: 15}[bucket]
    found = starts(period, bucket, zone)
    assert all(start.astimezone(zone).minute % step == 0 for start in found)
    assert {after - before for before, after in pairwise(found)} <= {timedelta(minutes=step)}
    assert found[0] <= at < found[0] + timedelta(minutes=step)


def test_whole_days_are_compared_with_as_many_days_before_whatever_clocks_did() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    since, until = (datetime(2026, 3, day, tzinfo=berlin).astimezone(UTC) for day in (29, 31))
    back = back_by_length(Period(since, until), berlin)
    assert [back(at).astimezone(berlin).isoformat()[:16] for at in (since, until)] == [
        "2026-03-27T00:00", "2026-03-29T00:00"
    ]  # fmt: skip


@given(periods, zones)
def test_the_period_before_ends_where_this_one_begins(period: Period, zone: ZoneInfo) -> None:
    back = back_by_length(period, zone)
    assert back(period.until) == period.since
