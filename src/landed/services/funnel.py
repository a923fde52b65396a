"""The funnel of verify sessions: how many were started, reached the person, and were verified; from counters alone.

Counters go by the hour and day of a session's start, so a period is widened to whole hours. Stages are monotone
(domain/funnel.py): verified sessions count as delivered, and delivered ones as sent.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain import latency
from landed.domain.counters import Resolution
from landed.domain.errors import InputInvalid
from landed.domain.funnel import NOTHING, Counts
from landed.domain.periods import Period, pieces, rounded
from landed.domain.words import Word
from landed.services.reading import NONE, account_ids
from landed.services.reporting import QUANTILES, ROWS_MAX, network_codes
from landed.services.shapes import Moment, Network, Shape
from landed.store import session_analytics
from landed.store.reading import AccountName, account_names
from landed.store.session_analytics import Selection

#: No counters by the minute.
_NO_MINUTES: Final = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))


class Group(Word):
    """What sessions can be grouped and filtered by."""

    ACCOUNT = "account"
    CHANNEL = "channel"  #: of the first attempt; attempts are counted under their own
    COUNTRY = "country"
    NETWORK = "network"


class Bucket(Word):
    NONE = "none"
    HOUR = "hour"
    DAY = "day"


_COLUMNS: Final[Mapping[Group, tuple[str, ...]]] = {Group.ACCOUNT: ("account_id",), Group.NETWORK: ("mcc", "mnc")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to count. Of several values of one filter one has to hold; `none` stands for "not known".

    `period` goes by the time of start, from `since` on and before `until`.
    """

    period: Period
    group_by: Sequence[Group] = ()
    bucket: Bucket = Bucket.NONE
    filters: Mapping[Group, Sequence[str]] = field(default_factory=dict)


# --- shapes ------------------------------------------------------------------------------------------------------


class TimeToVerify(Shape):
    """Seconds from start to verification, each at most 5 % off; null where nothing was measured."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class Stages(Shape):
    """How far sessions came."""

    started: int
    sent: int = Field(description="an attempt went out; so it did where one was delivered or the code was typed")
    delivered: int = Field(description="an attempt arrived; so it did where the code was typed")
    verified: int
    expired: int
    ended: int = Field(description="failed or cancelled")
    pending: int = Field(description="neither verified nor expired nor ended yet")
    attempts: int
    attempts_sent: int = Field(description="as the provider told of them")
    attempts_delivered: int
    sent_rate: float | None = Field(description="sent, over started")
    delivery_rate: float | None = Field(description="delivered, over sent")
    verification_rate: float | None = Field(description="verified, over delivered")
    conversion_rate: float | None = Field(description="verified, over started")
    expiry_rate: float | None = Field(description="expired, over started")
    attempts_per_session: float | None
    time_to_verify_s: TimeToVerify


class FunnelRow(Stages):
    """The funnel of one group. Only what was asked to group by is there; null stands for "not known"."""

    bucket_at: Moment | None = Field(default=None, description="start of the bucket")
    account: str | None = None
    channel: str | None = None
    country: str | None = None
    network: Network | None = None


class FunnelMeta(Shape):
    """What was really answered."""

    since: Moment = Field(description="rounded outward to whole hours")
    until: Moment
    group_by: list[str]
    bucket: str
    rounded: bool = Field(description="the period is wider than the one asked for")


class Funnel(Shape):
    data: list[FunnelRow]
    next_cursor: str | None
    meta: FunnelMeta


class FunnelReport(Shape):
    """The funnel on one page."""

    since: Moment
    until: Moment
    rounded: bool
    totals: FunnelRow
    by_country: list[FunnelRow]
    by_channel: list[FunnelRow]


# --- answers -----------------------------------------------------------------------------------------------------


class FunnelReporter:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def funnel(self, question: Question, *, account_id: int | None) -> Funnel:
        """One row per bucket and group that has sessions or attempts, oldest bucket first, then most sessions first.

        Without groups and buckets there is exactly one row.

        Raises:
            InputInvalid: the question cannot be answered; names the field and the way out.
        """
        if question.period.since >= question.period.until:
            raise InputInvalid("`since` has to be before `until`.", field="since")
        names = await account_names(self._engine)
        period = rounded(question.period, _NO_MINUTES)
        bucket = None if question.bucket is Bucket.NONE else Resolution(question.bucket.value)
        selection = Selection(
            pieces=pieces(period, bucket or Resolution.DAY),
            bucket=bucket,
            columns=[name for group in question.group_by for name in _COLUMNS.get(group, (group.value,))],
            wanted=_wanted(question, names, account_id),
        )
        sums, histograms = await asyncio.gather(
            session_analytics.sums(self._engine, selection, ROWS_MAX + 1),
            session_analytics.histograms(self._engine, selection),
        )
        if len(sums) > ROWS_MAX:
            raise InputInvalid(
                f"This has more than {ROWS_MAX} rows; group by less, ask for longer buckets or a shorter period.",
                field="group_by",
            )
        data = _rows(sums, histograms, question, len(selection.columns), names)
        if not (data or question.group_by or bucket):
            data = [FunnelRow(**_stages(NOTHING))]
        return Funnel(
            data=data,
            next_cursor=None,
            meta=FunnelMeta(
                since=period.since,
                until=period.until,
                group_by=[group.value for group in question.group_by],
                bucket=question.bucket,
                rounded=period != question.period,
            ),
        )

    async def report(
        self, period: Period, filters: Mapping[Group, Sequence[str]], *, account_id: int | None
    ) -> FunnelReport:
        """Totals, countries and channels.

        Raises:
            InputInvalid: see `funnel`.
        """

        async def ask(*group_by: Group) -> Funnel:
            return await self.funnel(Question(period=period, group_by=group_by, filters=filters), account_id=account_id)

        totals = await ask()
        by_country = await ask(Group.COUNTRY)
        by_channel = await ask(Group.CHANNEL)
        return FunnelReport(
            since=totals.meta.since,
            until=totals.meta.until,
            rounded=totals.meta.rounded,
            totals=totals.data[0],
            by_country=by_country.data,
            by_channel=by_channel.data,
        )


def _wanted(question: Question, names: Mapping[int, AccountName], account_id: int | None) -> dict[str, Sequence[Any]]:
    accounts = account_ids(names, question.filters.get(Group.ACCOUNT, ()), account_id)
    # The key begins with the account: naming all of them makes it usable before PostgreSQL 18, too.
    wanted: dict[str, Sequence[Any]] = {"account_id": list(names) if accounts is None else accounts}
    for group, values in question.filters.items():
        if group is not Group.ACCOUNT and values:
            wanted[group.value] = [_dimension(group, value) for value in values]
    return wanted


def _dimension(group: Group, value: str) -> Any:
    """A value as counters keep it."""
    if group is Group.NETWORK:
        return network_codes(value)
    if value == NONE:
        return ""
    return value.upper() if group is Group.COUNTRY else value


def _rows(
    sums: Iterable[Any],
    histograms: Mapping[tuple[Any, ...], int],
    question: Question,
    width: int,
    names: Mapping[int, AccountName],
) -> list[FunnelRow]:
    """Rows of the two answers, put together by what they were grouped by: the first columns and the bucket."""
    groups: dict[tuple[Any, ...], Counts] = {}
    for row in sums:
        key = tuple(row[: width + 1])
        groups[key] = Counts(*map(int, row[width + 1 :]))._replace(histogram=histograms.get(key, 0))
    ordered = sorted(groups.items(), key=lambda group: (group[0][-1] or 0, -group[1].started, group[0][:-1]))
    return [FunnelRow(**_group(key, question, names), **_stages(counts)) for key, counts in ordered]


def _group(key: Sequence[Any], question: Question, names: Mapping[int, AccountName]) -> dict[str, Any]:
    """What the row is about, in the order that was asked for."""
    values = iter(key)
    named: dict[str, Any] = {}
    for group in question.group_by:
        if group is Group.NETWORK:
            named["network"] = Network.of(next(values), next(values))
        elif group is Group.ACCOUNT:
            account = names.get(next(values))
            named["account"] = account.name if account else None
        else:
            named[group.value] = next(values) or None
    bucket_at = next(values)
    return named if question.bucket is Bucket.NONE else {"bucket_at": bucket_at, **named}


def _stages(counts: Counts) -> dict[str, Any]:
    to_verify = latency.counts(counts.histogram)
    return {
        **{name: value for name, value in counts._asdict().items() if name != "histogram"},
        "pending": counts.started - counts.verified - counts.expired - counts.ended,
        "sent_rate": _rate(counts.sent, counts.started),
        "delivery_rate": _rate(counts.delivered, counts.sent),
        "verification_rate": _rate(counts.verified, counts.delivered),
        "conversion_rate": _rate(counts.verified, counts.started),
        "expiry_rate": _rate(counts.expired, counts.started),
        "attempts_per_session": _rate(counts.attempts, counts.started),
        "time_to_verify_s": TimeToVerify(
            **{name: _seconds(latency.quantile_ms(to_verify, q)) for name, q in QUANTILES.items()}
        ),
    }


def _rate(some: int, of_all: int) -> float | None:
    return round(some / of_all, 6) if of_all else None


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 4)
