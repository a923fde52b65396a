"""Stretches of time cut so that counters answer them: whole days where they fit, hours and minutes at the edges."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from landed.domain.counters import MINUTES, Resolution

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTH: Final = {resolution: timedelta(minutes=minutes) for resolution, minutes in MINUTES.items()}
_FINER: Final = {Resolution.DAY: Resolution.HOUR, Resolution.HOUR: Resolution.MINUTE}


class Period(NamedTuple):
    """From `since` on and before `until`; aware, UTC."""

    since: datetime
    until: datetime


class Piece(NamedTuple):
    """A stretch that counters of one resolution answer, from bucket start to bucket start."""

    resolution: Resolution
    since: datetime
    until: datetime


def rounded(period: Period, minutes_kept: Period) -> Period:
    """The period, widened to what counters can tell: to the minute where minutes are kept, else to the hour."""

    def finest(at: datetime) -> Resolution:
        return Resolution.MINUTE if minutes_kept.since <= at <= minutes_kept.until else Resolution.HOUR

    since, until = period.since.astimezone(UTC), period.until.astimezone(UTC)
    return Period(start_of(finest(since), since), end_of(finest(until), until))


def start_of(resolution: Resolution, at: datetime) -> datetime:
    """The start of the bucket that a moment (UTC) falls in."""
    return at - (at - _EPOCH) % _LENGTH[resolution]


def end_of(resolution: Resolution, at: datetime) -> datetime:
    """The moment itself where a bucket starts there, else the start of the next bucket."""
    start = start_of(resolution, at)
    return start if start == at else start + _LENGTH[resolution]


def pieces(period: Period, coarsest: Resolution = Resolution.DAY) -> list[Piece]:
    """Cut a rounded period into the fewest pieces, none coarser than asked; in order, without gap or overlap."""
    if period.since >= period.until:
        return []
    if coarsest not in _FINER:
        return [Piece(coarsest, *period)]
    first, last = end_of(coarsest, period.since), start_of(coarsest, period.until)
    finer = _FINER[coarsest]
    if first >= last:
        return pieces(period, finer)
    return [
        *pieces(Period(period.since, first), finer),
        Piece(coarsest, first, last),
        *pieces(Period(last, period.until), finer),
    ]
