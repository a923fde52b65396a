"""Overview: all that a page shows of a period at one glance, asked of the counters at once.

The counters of each combination are read once, without buckets, for the period and the one before it; every table is
added up from them (overview_tables.py). Beside that run the series over time and the funnel of verify sessions.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.buckets import Bucket
from landed.domain.periods import Period
from landed.domain.receipts import Direction
from landed.providers.base import Provider
from landed.services import funnel
from landed.services.counts import Tally
from landed.services.framing import Compare, Frame, frame, zone_of
from landed.services.funnel import Funnel, FunnelReporter
from landed.services.overview_shapes import Overview, SeriesRow
from landed.services.overview_tables import TABLES, Tables
from landed.services.questions import Group, Question, Words, columns, wanted
from landed.services.reporting import AnalyticsMeta, minutes_kept
from landed.store import analytics
from landed.store.analytics import Sums
from landed.store.reading import account_names

#: Rows of a table; what is left is added up.
TOP: Final = 10
#: Up to such a period buckets are of that length: enough of them for a line, and few enough to tell apart.
_AUTOMATIC: Final = (
    (timedelta(hours=4), Bucket.FIVE_MINUTES),
    (timedelta(days=8), Bucket.HOUR),
    (timedelta(days=120), Bucket.DAY),
    (timedelta(days=800), Bucket.WEEK),
)
_ODD_HOURS_MAX: Final = timedelta(days=2)
_SERIES: Final = ("direction", "status", "currency")
#: What sessions can be filtered by as well.
_OF_SESSIONS: Final = {
    Group.ACCOUNT: funnel.Group.ACCOUNT,
    Group.COUNTRY: funnel.Group.COUNTRY,
    Group.NETWORK: funnel.Group.NETWORK,
    Group.CHANNEL: funnel.Group.CHANNEL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewQuestion:
    """What to look at: of the messages we sent, unless the filters name a direction."""

    period: Period
    bucket: Bucket | None = None  #: of the series; None: what fits the period
    filters: Mapping[Group, Sequence[str]] = field(default_factory=dict)
    time_zone: str = "UTC"
    compare: Compare = Compare.NONE
    top: int = TOP  #: rows of each table


class Overviewer:
    def __init__(
        self,
        engine: AsyncEngine,
        providers: Mapping[str, Provider],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._providers = providers
        self._funnel = FunnelReporter(engine)
        self._clock = clock

    async def overview(self, asked: OverviewQuestion, *, account_id: int | None) -> Overview:
        """All of it.

        Raises:
            InputInvalid: the question cannot be answered; names the field and the way out.
        """
        sent = {Group.DIRECTION: [Direction.OUTBOUND.value], **asked.filters}
        kept = minutes_kept(self._clock())
        bucket = asked.bucket or automatic_bucket(asked.period, zone_of(asked.time_zone), kept)
        question = Question(period=asked.period, bucket=bucket, filters=sent, time_zone=asked.time_zone)
        over_time = frame(asked.period, bucket=bucket, time_zone=asked.time_zone, minutes_kept=kept)
        as_one = frame(
            asked.period, bucket=Bucket.NONE, time_zone=asked.time_zone, compare=asked.compare, minutes_kept=kept
        )
        names = await account_names(self._engine)
        words = Words(accounts=names, providers=self._providers)
        filters = wanted(question, names, account_id)

        (sums, histograms), series, sessions = await asyncio.gather(
            self._whole(filters, as_one, tagged=question.tagged),
            self._series(filters, over_time, tagged=question.tagged),
            self._sessions(asked, account_id),
        )
        tables = Tables(as_one, words, asked.top)
        tables.add(sums, histograms)
        meta = AnalyticsMeta.of(over_time, ()).model_copy(update={"previous": AnalyticsMeta.of(as_one, ()).previous})
        return Overview(
            meta=meta,
            series=series,
            funnel=sessions.data[0] if sessions else None,
            funnel_meta=sessions.meta if sessions else None,
            **tables.told(),
        )

    async def _whole(
        self, filters: Mapping[str, Sequence[Any]], within: Frame, *, tagged: bool
    ) -> tuple[list[tuple[Any, int, Sums]], list[tuple[Any, int, int]]]:
        """Sums and histograms of every combination, each with its row of `dimensions` and place in time."""
        wide = [*columns(TABLES), *_SERIES, "error_code"]
        picked = await analytics.pick(self._engine, wide, filters, tagged=tagged)
        rows = {row.id: row for row in picked}
        numbers = {number: number for number in rows}
        slots = within.slots()
        sums, latencies = await asyncio.gather(
            analytics.sums(self._engine, slots, numbers), analytics.latencies(self._engine, slots, numbers)
        )
        return (
            [(rows[number], place, added) for (number, place), added in sums.items()],
            [(rows[number], place, histogram) for (number, place), histogram in latencies.items()],
        )

    async def _series(self, filters: Mapping[str, Sequence[Any]], within: Frame, *, tagged: bool) -> list[SeriesRow]:
        picked = await analytics.pick(self._engine, _SERIES, filters, tagged=tagged)
        lines: dict[tuple[str, str, str], int] = {}
        numbers = {row.id: lines.setdefault((row.direction, row.status, row.currency), len(lines)) for row in picked}
        slots = within.slots()
        sums, latencies = await asyncio.gather(
            analytics.sums(self._engine, slots, numbers),
            analytics.latencies(self._engine, slots, dict.fromkeys(numbers, 0)),
        )
        tallies = [Tally() for _ in within.starts]
        of_line = list(lines)
        for (number, place), added in sums.items():
            tallies[place].add(*of_line[number], added)
        for (_, place), histogram in latencies.items():
            tallies[place].histogram += histogram
        return [
            SeriesRow(bucket_at=bucket_at, **tally.told())
            for bucket_at, tally in zip(within.starts, tallies, strict=True)
        ]

    async def _sessions(self, asked: OverviewQuestion, account_id: int | None) -> Funnel | None:
        applied = {group: values for group, values in asked.filters.items() if values}
        if applied.keys() - _OF_SESSIONS.keys():
            return None
        question = funnel.Question(
            period=asked.period,
            filters={_OF_SESSIONS[group]: values for group, values in applied.items()},
            time_zone=asked.time_zone,
            compare=asked.compare,
        )
        return await self._funnel.funnel(question, account_id=account_id)


def automatic_bucket(period: Period, zone: tzinfo, minutes_kept: Period) -> Bucket:
    """What fits the period, and what counters tell of it."""
    length = period.until - period.since
    is_young = minutes_kept.since <= period.since and period.until <= minutes_kept.until
    # Hours that begin amid an hour of UTC are added up from minutes: only few of them are.
    is_odd = bool((period.since.astimezone(zone).utcoffset() or timedelta()) % timedelta(hours=1))
    for length_max, bucket in _AUTOMATIC:
        too_fine = (bucket is Bucket.FIVE_MINUTES and not is_young) or (
            bucket is Bucket.HOUR and is_odd and length > _ODD_HOURS_MAX
        )
        if length <= length_max and not too_fine:
            return bucket
    return Bucket.MONTH
