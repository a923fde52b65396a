"""The summary's Mondays, wherever people are."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.weeks import last_due, week_before

BERLIN = ZoneInfo("Europe/Berlin")
zones = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia")])


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), zones)
def test_it_is_the_latest_monday_morning_that_is_not_ahead(now: datetime, zone: ZoneInfo) -> None:
    due = last_due(now, zone)

    assert due <= now < due + timedelta(days=7, hours=2)
    assert (due.weekday(), due.hour, due.minute) == (0, 8, 0)


def test_a_week_is_as_long_as_it_is_there() -> None:
    due = last_due(datetime(2026, 3, 30, 6, tzinfo=UTC), BERLIN)  # clocks went forward the day before

    week = week_before(due, BERLIN)

    assert week.since.astimezone(UTC) == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert week.until.astimezone(UTC) - week.since.astimezone(UTC) == timedelta(days=7, hours=-1)
    assert week_before(due, BERLIN, back=2).until == week.since


def test_it_is_not_due_before_eight_there() -> None:
    assert last_due(datetime(2026, 11, 23, 6, 59, tzinfo=UTC), BERLIN).day == 16
    assert last_due(datetime(2026, 11, 23, 7, 0, tzinfo=UTC), BERLIN).day == 23
