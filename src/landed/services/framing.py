"""The stretches of time that a question is answered for: its period in buckets, and the period before it in the same.

Counters are kept by the minute for some days and by the hour for ever. What they cannot tell is said, not hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from landed.domain import buckets, periods
from landed.domain.buckets import STEPS, Bucket
from landed.domain.counters import Resolution
from landed.domain.errors import InputInvalid
from landed.domain.periods import Period, Slot
from landed.domain.words import Word

#: More than a screen has pixels.
BUCKETS_MAX: Final = 5_000
#: Nothing is counted outside: domain/messages.py takes no such times. So a question for all time costs no more.
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)
NO_MINUTES: Final = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))


class Compare(Word):
    """What to compare a period with."""

    NONE = "none"
    PREVIOUS = "previous"  #: the period of equal length that ends where this one begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Places in time. Those of the period before come first, as many as there are buckets."""

    period: Period  #: what is answered: at least what was asked for
    bucket: Bucket
    time_zone: str
    starts: Sequence[datetime]  #: of the buckets; the first may begin before the period
    edges: Sequence[datetime]  #: what counters are added up between: of the period before, then of this one
    previous: Period | None
    rounded: bool  #: the period is wider than what was asked for
    approximated: str | None  #: where buckets are a little other than the calendar's: how, as a sentence

    @property
    def places_before(self) -> int:
        return len(self.starts) if self.previous else 0

    def slots(self) -> Mapping[Resolution, Sequence[Slot]]:
        return periods.slots(self.edges, buckets.coarsest(self.bucket))


def frame(
    period: Period, *, bucket: Bucket, time_zone: str = "UTC", compare: Compare = Compare.NONE, minutes_kept: Period
) -> Frame:
    """Cut a period.

    Raises:
        InputInvalid: it ends before it begins, there are too many buckets, or counters do not tell ones so short.
    """
    if period.since >= period.until:
        raise InputInvalid("`since` has to be before `until`.", field="since")
    zone = zone_of(time_zone)
    try:
        whole = periods.rounded(period, minutes_kept)
        _check(whole, bucket, minutes_kept)
        starts = buckets.starts(whole, bucket, zone)
        exact = [whole.since, *starts[1:], whole.until]
        previous = None
        if compare is Compare.PREVIOUS:
            back = buckets.back_by_length(whole, zone)
            before = [back(at) for at in exact[:-1]]
            exact = [*before, *exact]
            previous = Period(periods.fitted(before[:1], minutes_kept)[0], whole.since)
    except OverflowError as error:
        raise InputInvalid("This reaches beyond all time; ask for a shorter period.", field="since") from error
    edges = [min(max(at, _FIRST), _LAST) for at in periods.fitted(exact, minutes_kept)]
    moved = [
        at
        for at, fitted in zip(exact[-len(starts) :], edges[-len(starts) :], strict=True)
        if at != fitted and _FIRST < at < _LAST
    ]
    return Frame(
        period=whole,
        bucket=bucket,
        time_zone=time_zone,
        starts=starts,
        edges=edges,
        previous=previous,
        rounded=whole != period,
        approximated=_approximated(moved, time_zone, minutes_kept) if moved else None,
    )


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name in the tz database.

    Raises:
        InputInvalid: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputInvalid(
            f"There is no time zone {name[:60]!r}. Give one of the tz database: UTC, Europe/Berlin, America/New_York.",
            field="time_zone",
        ) from error


def _check(period: Period, bucket: Bucket, minutes_kept: Period) -> None:
    if bucket in STEPS and bucket is not Bucket.HOUR:
        if minutes_kept == NO_MINUTES:
            raise InputInvalid("This is counted by the hour; ask for hours or longer.", field="bucket")
        if not (minutes_kept.since <= period.since and period.until <= minutes_kept.until):
            raise InputInvalid(
                f"Counts per minute are kept from {minutes_kept.since:%Y-%m-%d} on; ask for hours, or begin later.",
                field="bucket",
            )
    if (count := buckets.count_max(period, bucket)) > BUCKETS_MAX:
        raise InputInvalid(
            f"This has {count - 1:,} buckets, and {BUCKETS_MAX:,} are shown at most;"
            " ask for longer buckets or a shorter period.",
            field="bucket",
        )


def _approximated(moved: Sequence[datetime], time_zone: str, minutes_kept: Period) -> str:
    kept = "" if minutes_kept == NO_MINUTES else f" before {minutes_kept.since:%Y-%m-%d}"
    return (
        f"Buckets of {time_zone} begin off the whole hour of UTC, and counters go by that hour{kept}:"
        f" {len(moved)} of them are counted from the nearest whole hour of UTC on, up to 30 minutes off."
    )
