"""Stretches of time cut so that counters answer them: whole days where they fit, hours and minutes at the edges."""

from collections import Counter
from collections.abc import Iterator, Sequence
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


class Slot(NamedTuple):
    """A counter's bucket, and where it is added up."""

    at: datetime
    place: int  #: number of the stretch between two edges
    sign: int  #: 1 where it is added, -1 where it is taken out


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


def nearest(resolution: Resolution, at: datetime) -> datetime:
    """The start of a bucket that is nearest to the moment."""
    return start_of(resolution, at + _LENGTH[resolution] / 2)


def fitted(edges: Sequence[datetime], minutes_kept: Period) -> list[datetime]:
    """Edges that counters can tell: those on no whole hour, where minutes are not kept, move to the nearest hour."""
    return [
        nearest(Resolution.MINUTE if minutes_kept.since <= at <= minutes_kept.until else Resolution.HOUR, at)
        for at in edges
    ]


def slots(edges: Sequence[datetime], coarsest: Resolution = Resolution.DAY) -> dict[Resolution, list[Slot]]:
    """The fewest counters that tell what lies between each two of some edges, which are `fitted` and in order.

    Edges are first taken to be where counters of the coarsest resolution begin; what lies between there and the edge
    is then moved from one side of it to the other. So a day of Berlin costs a day of UTC and four hours, and not 24.
    """
    found: Counter[tuple[Resolution, datetime, int]] = Counter()
    places = range(len(edges) - 1)
    coarse = [nearest(coarsest, at) for at in edges]
    for place in places:
        found.update((coarsest, at, place) for at in _each(coarsest, coarse[place], coarse[place + 1]))
    resolution = coarsest
    while resolution in _FINER:
        resolution = _FINER[resolution]
        fine = [nearest(resolution, at) for at in edges]
        for number, (told, meant) in enumerate(zip(coarse, fine, strict=True)):
            gains, loses = (number, number - 1) if meant < told else (number - 1, number)
            for at in _each(resolution, min(told, meant), max(told, meant)):
                for place, sign in ((gains, 1), (loses, -1)):
                    if place in places:
                        found[resolution, at, place] += sign
        coarse = fine
    return {
        resolution: [Slot(at, place, sign) for (of, at, place), sign in found.items() if of is resolution and sign]
        for resolution in Resolution
        if any(of is resolution and sign for (of, _, _), sign in found.items())
    }


def _each(resolution: Resolution, since: datetime, until: datetime) -> Iterator[datetime]:
    length = _LENGTH[resolution]
    for number in range((until - since) // length):
        yield since + number * length
