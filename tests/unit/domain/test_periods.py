"""Periods are cut so that counters answer them exactly."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.counters import MINUTES, Resolution
from landed.domain.periods import Period, Piece, end_of, pieces, rounded, start_of

moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
periods = st.tuples(moments, moments).map(lambda two: Period(min(two), max(two)))
kept = st.one_of(periods, st.just(Period(datetime(2010, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)))).map(
    lambda period: Period(start_of(Resolution.DAY, period.since), end_of(Resolution.DAY, period.until))
)
resolutions = st.sampled_from(Resolution)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(periods, kept, resolutions)
def test_pieces_cover_exactly_the_rounded_period(period: Period, minutes: Period, coarsest: Resolution) -> None:
    whole = rounded(period, minutes)
    cut = pieces(whole, coarsest)
    assert [piece.since for piece in cut] + [whole.until] == [whole.since] + [piece.until for piece in cut]
    assert all(piece.since < piece.until for piece in cut)


@given(periods, kept, resolutions)
def test_pieces_begin_and_end_where_buckets_of_their_resolution_do(
    period: Period, minutes: Period, coarsest: Resolution
) -> None:
    for resolution, since, until in pieces(rounded(period, minutes), coarsest):
        assert MINUTES[resolution] <= MINUTES[coarsest]
        assert start_of(resolution, since) == since
        assert start_of(resolution, until) == until


@given(periods, kept)
def test_rounding_is_outward_and_by_less_than_an_hour_at_each_end(period: Period, minutes: Period) -> None:
    whole = rounded(period, minutes)
    assert whole.since <= period.since
    assert period.until <= whole.until
    assert period.since - whole.since < timedelta(hours=1)
    assert whole.until - period.until < timedelta(hours=1)


@given(periods, kept)
def test_minutes_are_read_only_where_they_are_kept(period: Period, minutes: Period) -> None:
    for resolution, since, until in pieces(rounded(period, minutes)):
        if resolution is Resolution.MINUTE:
            assert minutes.since <= since
            assert until <= minutes.until + timedelta(hours=1)


@given(periods, kept)
def test_a_period_is_five_pieces_at_most_and_its_days_are_one(period: Period, minutes: Period) -> None:
    cut = pieces(rounded(period, minutes))
    assert len(cut) <= 5
    assert sum(piece.resolution is Resolution.DAY for piece in cut) <= 1


def test_thirty_days_are_days_with_hours_and_minutes_at_the_edges() -> None:
    minutes = Period(at("2026-11-20"), at("2026-11-25"))
    period = Period(at("2026-10-23 09:30:10"), at("2026-11-22 14:20:30"))
    assert pieces(rounded(period, minutes)) == [
        Piece(Resolution.HOUR, at("2026-10-23 09:00"), at("2026-10-24")),
        Piece(Resolution.DAY, at("2026-10-24"), at("2026-11-22")),
        Piece(Resolution.HOUR, at("2026-11-22"), at("2026-11-22 14:00")),
        Piece(Resolution.MINUTE, at("2026-11-22 14:00"), at("2026-11-22 14:21")),
    ]


def test_days_are_those_of_utc_whatever_zone_the_question_speaks() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    period = Period(datetime(2026, 11, 1, 5, 30, tzinfo=east), datetime(2026, 11, 2, 5, 30, tzinfo=east))
    whole = rounded(period, Period(at("2030-01-01"), at("2030-01-02")))
    assert pieces(whole) == [Piece(Resolution.DAY, at("2026-11-01"), at("2026-11-02"))]


def test_an_empty_period_has_no_pieces() -> None:
    assert pieces(Period(at("2026-11-01"), at("2026-11-01"))) == []
