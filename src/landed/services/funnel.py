"""The funnel of verify sessions: how many were started, reached the person, and were verified; from counters alone.

Counters go by the hour and day of a session's start, so a period is widened to whole hours. Stages are monotone
(domain/funnel.py): verified sessions count as delivered, and delivered ones as sent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import AccountName
from landed.domain.buckets import Bucket
from landed.domain.errors import InputInvalid
from landed.domain.funnel import NOTHING, Counts
from landed.domain.periods import Period
from landed.domain.words import Word
from landed.services.counts import QUANTILES, Change, change, points, quantiles_s, rate
from landed.services.framing import NO_MINUTES, Compare, Frame, frame
from landed.services.reading import NONE, account_ids, network_codes
from landed.services.reporting import ROWS_MAX, AnalyticsMeta
from landed.services.shapes import Moment, Network, Shape
from landed.store import session_analytics
from landed.store.analytics import TooManyRows
from landed.store.reading import account_names
from landed.store.session_analytics import Selection


class Group(Word):
    """What sessions can be grouped and filtered by."""

    ACCOUNT = "account"
    CHANNEL = "channel"  #: of the first attempt; attempts are counted under their own
    COUNTRY = "country"
    NETWORK = "network"


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
    time_zone: str = "UTC"
    compare: Compare = Compare.NONE


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


class TimeToVerifyChanges(Shape):
    p50: Change
    p90: Change
    p95: Change
    p99: Change


class StageChanges(Shape):
    """Against the period of equal length before."""

    started: Change
    sent: Change
    delivered: Change
    verified: Change
    expired: Change
    ended: Change
    pending: Change
    attempts: Change
    sent_rate: Change
    delivery_rate: Change
    verification_rate: Change
    conversion_rate: Change
    expiry_rate: Change
    attempts_per_session: Change
    time_to_verify_s: TimeToVerifyChanges


class FunnelRow(Stages):
    """The funnel of one group. Only what was asked to group by is there; null stands for "not known"."""

    bucket_at: Moment | None = Field(default=None, description="start of the bucket")
    account: str | None = None
    channel: str | None = None
    country: str | None = None
    network: Network | None = None
    previous: Stages | None = Field(default=None, description="the same of the period before, with `compare`")
    change: StageChanges | None = None


class Funnel(Shape):
    data: list[FunnelRow]
    next_cursor: str | None
    meta: AnalyticsMeta


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
        """One row per group that has sessions or attempts; with buckets one per bucket and group, also where it has
        none then. Oldest bucket first, then most sessions first.

        Without groups and buckets there is exactly one row.

        Raises:
            InputInvalid: the question cannot be answered; names the field and the way out.
        """
        within = frame(
            question.period,
            bucket=question.bucket,
            time_zone=question.time_zone,
            compare=question.compare,
            minutes_kept=NO_MINUTES,
        )
        names = await account_names(self._engine)
        selection = Selection(
            slots=within.slots(),
            columns=[name for group in question.group_by for name in _COLUMNS.get(group, (group.value,))],
            wanted=_wanted(question, names, account_id),
        )
        try:
            sums, histograms = await asyncio.gather(
                session_analytics.sums(self._engine, selection, ROWS_MAX),
                session_analytics.histograms(self._engine, selection),
            )
        except TooManyRows as error:
            raise _too_much() from error
        counted = {key: Counts(*values)._replace(histogram=histograms.get(key, 0)) for key, values in sums.items()}
        return Funnel(
            data=_rows(counted, within, question, names),
            next_cursor=None,
            meta=AnalyticsMeta.of(within, question.group_by),
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
    counted: Mapping[tuple[Any, ...], Counts], within: Frame, question: Question, names: Mapping[int, AccountName]
) -> list[FunnelRow]:
    groups = sorted({key[:-1] for key in counted}, key=lambda key: tuple(map(str, key)))
    if not question.group_by:
        groups = [()]
    if len(groups) * len(within.starts) > ROWS_MAX:
        raise _too_much()
    rows = []
    for place, bucket_at in enumerate(within.starts):
        here = {key: counted.get((*key, within.places_before + place), NOTHING) for key in groups}
        for key in sorted(groups, key=lambda key: -here[key].started):
            told = _group(key, question, names)
            if question.bucket is not Bucket.NONE:
                told = {"bucket_at": bucket_at, **told}
            stages = _stages(here[key])
            if question.compare is Compare.PREVIOUS:
                previous = Stages(**_stages(counted.get((*key, place), NOTHING)))
                told |= {"previous": previous, "change": changes(Stages(**stages), previous)}
            rows.append(FunnelRow(**told, **stages))
    return rows


def _too_much() -> InputInvalid:
    return InputInvalid(
        f"This has more than {ROWS_MAX:,} rows; group by less, ask for longer buckets or a shorter period.",
        field="group_by",
    )


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
    return named


def _stages(counts: Counts) -> dict[str, Any]:
    return {
        **{name: value for name, value in counts._asdict().items() if name != "histogram"},
        "pending": counts.started - counts.verified - counts.expired - counts.ended,
        "sent_rate": rate(counts.sent, counts.started),
        "delivery_rate": rate(counts.delivered, counts.sent),
        "verification_rate": rate(counts.verified, counts.delivered),
        "conversion_rate": rate(counts.verified, counts.started),
        "expiry_rate": rate(counts.expired, counts.started),
        "attempts_per_session": rate(counts.attempts, counts.started),
        "time_to_verify_s": TimeToVerify(**quantiles_s(counts.histogram)),
    }


def changes(now: Stages, before: Stages) -> StageChanges:
    found: dict[str, Any] = {
        name: (points if name.endswith("_rate") else change)(getattr(now, name), getattr(before, name))
        for name in StageChanges.model_fields
        if name != "time_to_verify_s"
    }
    times = {
        name: change(getattr(now.time_to_verify_s, name), getattr(before.time_to_verify_s, name)) for name in QUANTILES
    }
    return StageChanges(**found, time_to_verify_s=TimeToVerifyChanges(**times))
