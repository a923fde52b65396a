"""Buckets of time as a viewer's calendar has them: days of 23 or 25 hours, weeks that begin on Monday, months."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from landed.domain.counters import Resolution
from landed.domain.periods import Period
from landed.domain.words import Word


class Bucket(Word):
    """How long a bucket is."""

    NONE = "none"  #: one for the whole period
    MINUTE = "minute"
    FIVE_MINUTES = "5_minutes"
    QUARTER = "15_minutes"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  #: from Monday on
    MONTH = "month"


#: Those that divide an hour; a coarse bucket's length is not the same everywhere in the calendar.
STEPS: Final = {
    Bucket.MINUTE: timedelta(minutes=1),
    Bucket.FIVE_MINUTES: timedelta(minutes=5),
    Bucket.QUARTER: timedelta(minutes=15),
    Bucket.HOUR: timedelta(hours=1),
}
#: The shortest each of them can be.
_AT_LEAST: Final = STEPS | {
    Bucket.DAY: timedelta(hours=23),
    Bucket.WEEK: timedelta(hours=7 * 24 - 1),
    Bucket.MONTH: timedelta(hours=28 * 24 - 1),
}
_DAY: Final = timedelta(days=1)


def coarsest(bucket: Bucket) -> Resolution:
    """The longest counters that add up to such a bucket."""
    if bucket is Bucket.HOUR:
        return Resolution.HOUR
    return Resolution.MINUTE if bucket in STEPS else Resolution.DAY


#: Clocks are changed four times a year at most, and hardly one month after another (Morocco around Ramadan).
_BETWEEN_CHANGES: Final = timedelta(days=28)


def count_max(period: Period, bucket: Bucket) -> int:
    """How many buckets there may be, without making them."""
    if bucket is Bucket.NONE:
        return 1
    length = period.until - period.since
    # Where clocks are changed a bucket may be cut short, and so there is one more.
    changes = 1 + length // _BETWEEN_CHANGES if bucket in STEPS else 0
    return -(-length // _AT_LEAST[bucket]) + 1 + changes


def starts(period: Period, bucket: Bucket, zone: tzinfo) -> list[datetime]:
    """Where the buckets begin, in UTC and in order: the first at or before the period's start, all before its end.

    Raises:
        OverflowError: there is no such date.
    """
    if bucket is Bucket.NONE:
        return [period.since]
    made = _of_clock(period, STEPS[bucket], zone) if bucket in STEPS else _of_calendar(period, bucket, zone)
    return list(dict.fromkeys(made))  # a day that the calendar skips begins where the next one does


def _of_clock(period: Period, step: timedelta, zone: tzinfo) -> Iterator[datetime]:
    at = period.since - _since_midnight(period.since, zone) % step
    while at < period.until:
        yield at
        at += step - _since_midnight(at, zone) % step


def _since_midnight(at: datetime, zone: tzinfo) -> timedelta:
    """What a clock on the wall shows."""
    local = at.astimezone(zone)
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _of_calendar(period: Period, bucket: Bucket, zone: tzinfo) -> Iterator[datetime]:
    day = _FIRST_DAY[bucket](period.since.astimezone(zone).date())
    while (at := midnight(day, zone)) < period.until:
        yield at
        day = _FIRST_DAY[bucket](day + _NEXT[bucket])


_FIRST_DAY: Final[dict[Bucket, Callable[[date], date]]] = {
    Bucket.DAY: lambda day: day,
    Bucket.WEEK: lambda day: day - timedelta(days=day.weekday()),
    Bucket.MONTH: lambda day: day.replace(day=1),
}
#: From its first day into the next one.
_NEXT: Final = {Bucket.DAY: _DAY, Bucket.WEEK: 7 * _DAY, Bucket.MONTH: 31 * _DAY}


def midnight(day: date, zone: tzinfo) -> datetime:
    """When the day begins, in UTC: where clocks skip midnight, when they do; where it comes twice, the first."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def back_by_length(period: Period, zone: tzinfo) -> Callable[[datetime], datetime]:
    """What moves the moments of a period into the one of equal length before it.

    Periods of whole days go back by days, also where one of them has 23 or 25 hours.
    """
    since, until = period.since.astimezone(zone), period.until.astimezone(zone)
    if midnight(since.date(), zone) == period.since and midnight(until.date(), zone) == period.until:
        days = until.date() - since.date()
        return lambda at: (at.astimezone(zone).replace(tzinfo=None) - days).replace(tzinfo=zone).astimezone(UTC)
    length = period.until - period.since
    return lambda at: at - length
