"""Reporting: questions about many messages, answered from counters alone.

A question's period is cut into whole UTC days and finer edges (domain/periods.py), so thirty days cost thirty
buckets. Rates are over messages we sent: `delivery_rate` is delivered and read over all that are final, and
`failure_rate` failed and undelivered over the same; expired ones are neither, since nobody knows. `pending` is
how many are not final yet. `missing_rate` is over the same as well: those whose end the provider did not tell us by
itself. `conversion_rate` is over those of which it was reported whether they converted.
"""

import asyncio
import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain import latency
from landed.domain.counters import Resolution
from landed.domain.errors import InputInvalid
from landed.domain.periods import Period, pieces, rounded
from landed.domain.receipts import Direction
from landed.domain.statuses import FINAL, Status
from landed.domain.words import Word
from landed.providers.base import Provider
from landed.services import shapes
from landed.services.reading import NONE, account_ids, number
from landed.services.shapes import Moment, Money, Network, Shape
from landed.store import analytics, partitions
from landed.store.analytics import Selection
from landed.store.reading import AccountName, account_names

#: Beyond this an answer is refused: nobody reads it, and building it would take seconds and memory.
ROWS_MAX: Final = 20_000
QUANTILES: Final = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
ERRORS_SHOWN: Final = 15

_DELIVERED: Final = (Status.DELIVERED, Status.READ)
_FAILED: Final = (Status.FAILED, Status.UNDELIVERED)
_NETWORK: Final = re.compile(r"(\d{3})(?:-?(\d{2,3}))?", re.ASCII)


class Group(Word):
    """What messages can be grouped and filtered by."""

    ACCOUNT = "account"
    PROVIDER = "provider"
    CHANNEL = "channel"
    DIRECTION = "direction"
    COUNTRY = "country"
    NETWORK = "network"
    SENDER = "sender"  #: our side: the number or name it was sent from, or came in to
    STATUS = "status"
    ERROR_CODE = "error_code"
    TAG = "tag"
    CURRENCY = "currency"


class Bucket(Word):
    NONE = "none"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


_COLUMNS: Final[Mapping[Group, tuple[str, ...]]] = {
    Group.ACCOUNT: ("account_id",),
    Group.PROVIDER: ("account_id",),
    Group.NETWORK: ("mcc", "mnc"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to count. Of several values of one filter one has to hold; `none` stands for "not known".

    `period` goes by the time of submission, from `since` on and before `until`.
    """

    period: Period
    group_by: Sequence[Group] = ()
    bucket: Bucket = Bucket.NONE
    filters: Mapping[Group, Sequence[str]] = field(default_factory=dict)


# --- shapes ------------------------------------------------------------------------------------------------------


class Quantiles(Shape):
    """Seconds from submission to delivery, each at most 5 % off; null where nothing was delivered."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class Counts(Shape):
    """What is told of any set of messages; under the name of each status, how many have it now."""

    messages: int
    parts: int
    units: int
    scheduled: int
    sending: int
    unknown_outcome: int
    queued: int
    sent: int
    expired: int
    failed: int
    undelivered: int
    delivered: int
    read: int
    received: int
    pending: int = Field(description="sent by us, and not final yet")
    delivery_rate: float | None = Field(description="delivered and read, over those sent by us that are final")
    failure_rate: float | None = Field(description="failed and undelivered, over the same; expired ones are neither")
    receipts_missing: int = Field(description="final, and the provider did not tell us: we asked, or gave up")
    missing_rate: float | None = Field(description="those, over those sent by us that are final")
    converted: int = Field(description="the person did what the message was for, as you reported")
    unconverted: int = Field(description="the person did not, as you reported")
    conversion_rate: float | None = Field(description="converted, over converted and unconverted")
    latency_s: Quantiles
    cost: list[Money] = Field(description="one entry per currency")


class AnalyticsRow(Counts):
    """The counts of one group. Only what was asked to group by is there; null stands for "not known"."""

    bucket_at: Moment | None = Field(default=None, description="start of the bucket")
    account: str | None = None
    provider: str | None = None
    channel: str | None = None
    direction: str | None = None
    country: str | None = None
    network: Network | None = None
    sender: str | None = None
    status: str | None = None
    error_code: str | None = None
    tag: str | None = None
    currency: str | None = None


class AnalyticsMeta(Shape):
    """What was really answered."""

    since: Moment = Field(description="rounded outward to what counters tell: minutes of the last days, else hours")
    until: Moment
    group_by: list[str]
    bucket: str
    rounded: bool = Field(description="the period is wider than the one asked for")


class Analytics(Shape):
    data: list[AnalyticsRow]
    next_cursor: str | None
    meta: AnalyticsMeta


class ErrorRow(Shape):
    """One error code in one country."""

    country: str | None
    error_code: str
    error: shapes.ErrorMeaning | None
    messages: int
    share: float = Field(description="of that country's messages")


class Report(Shape):
    """What is going on, on one page."""

    since: Moment
    until: Moment
    rounded: bool
    totals: AnalyticsRow
    by_provider: list[AnalyticsRow]
    by_country: list[AnalyticsRow]
    by_network: list[AnalyticsRow]
    errors: list[ErrorRow]


# --- answers -----------------------------------------------------------------------------------------------------


class Reporter:
    def __init__(
        self,
        engine: AsyncEngine,
        providers: Mapping[str, Provider],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._providers = providers
        self._clock = clock

    async def analytics(self, question: Question, *, account_id: int | None) -> Analytics:
        """One row per bucket and group that has messages, oldest bucket first, then most messages first.

        Without groups and buckets there is exactly one row.

        Raises:
            InputInvalid: the question cannot be answered; names the field and the way out.
        """
        names = await account_names(self._engine)
        if question.period.since >= question.period.until:
            raise InputInvalid("`since` has to be before `until`.", field="since")
        today = self._clock()
        minutes = Period(partitions.minutes_from(today), partitions.minutes_until(today))
        period = rounded(question.period, minutes)
        bucket = None if question.bucket is Bucket.NONE else Resolution(question.bucket.value)
        if bucket is Resolution.MINUTE and not (minutes.since <= period.since and period.until <= minutes.until):
            raise InputInvalid(
                f"Counts per minute are kept from {minutes.since:%Y-%m-%d} on; ask for hours, or begin later.",
                field="bucket",
            )
        columns = [name for group in question.group_by for name in _COLUMNS.get(group, (group.value,))]
        selection = Selection(
            pieces=pieces(period, bucket or Resolution.DAY),
            bucket=bucket,
            columns=columns,
            wanted=_wanted(question, names, account_id),
            tagged=Group.TAG in question.group_by or Group.TAG in question.filters,
        )
        by_status = dataclasses.replace(selection, columns=[*columns, "direction", "status", "currency"])
        sums, latencies = await asyncio.gather(
            analytics.sums(self._engine, by_status, ROWS_MAX + 1), analytics.latencies(self._engine, selection)
        )
        if len(sums) > ROWS_MAX:
            raise InputInvalid(
                f"This has more than {ROWS_MAX} rows; group by less, ask for longer buckets or a shorter period.",
                field="group_by",
            )
        data = _rows(sums, latencies, question, len(columns), names)
        if not (data or question.group_by or bucket):
            data = [AnalyticsRow(**_Counted().told())]
        return Analytics(
            data=data,
            next_cursor=None,
            meta=AnalyticsMeta(
                since=period.since,
                until=period.until,
                group_by=[group.value for group in question.group_by],
                bucket=question.bucket,
                rounded=period != question.period,
            ),
        )

    async def report(self, period: Period, filters: Mapping[Group, Sequence[str]], *, account_id: int | None) -> Report:
        """Of the messages we sent: totals, countries, networks, and what goes wrong where, with what to do about it.

        Raises:
            InputInvalid: see `analytics`.
        """
        sent = {Group.DIRECTION: [Direction.OUTBOUND.value], **filters}

        async def ask(*group_by: Group) -> Analytics:
            question = Question(period=period, group_by=group_by, filters=sent)
            return await self.analytics(question, account_id=account_id)

        totals = await ask()
        by_provider = await ask(Group.PROVIDER)
        by_country = await ask(Group.COUNTRY)
        by_network = await ask(Group.COUNTRY, Group.NETWORK)
        by_error = await ask(Group.COUNTRY, Group.ERROR_CODE, Group.ACCOUNT)
        return Report(
            since=totals.meta.since,
            until=totals.meta.until,
            rounded=totals.meta.rounded,
            totals=totals.data[0],
            by_provider=by_provider.data,
            by_country=by_country.data,
            by_network=by_network.data,
            errors=self._errors(by_error.data, by_country.data, await account_names(self._engine)),
        )

    def _errors(
        self, rows: Iterable[AnalyticsRow], countries: Iterable[AnalyticsRow], names: Mapping[int, AccountName]
    ) -> list[ErrorRow]:
        """The commonest codes. Accounts of one provider mean the same by a code and are added up."""
        provider_of = {name.name: name for name in names.values()}
        messages_in = {row.country: row.messages for row in countries}
        counted: Counter[tuple[str | None, str, str | None]] = Counter()
        accounts: dict[str | None, AccountName | None] = {}
        for row in rows:
            if row.error_code:
                account = provider_of.get(row.account or "")
                provider = account.provider if account else None
                accounts[provider] = account
                counted[row.country, row.error_code, provider] += row.messages
        return [
            ErrorRow(
                country=country,
                error_code=code,
                error=shapes.error_meaning(code, accounts[provider], self._providers),
                messages=messages,
                share=messages / messages_in[country],
            )
            for (country, code, provider), messages in counted.most_common(ERRORS_SHOWN)
        ]


class _Counted:
    """The counts of one group, while its rows come in."""

    def __init__(self) -> None:
        self.messages = self.parts = self.units = 0
        self.receipts_missing = self.converted = self.unconverted = 0
        self.by_status: Counter[str] = Counter()
        self.outbound: Counter[str] = Counter()
        self.cost_nanos: Counter[str] = Counter()
        self.histogram = 0

    def add(self, row: Any) -> None:
        messages = int(row.messages)
        self.messages += messages
        self.parts += int(row.parts)
        self.units += int(row.units)
        self.receipts_missing += int(row.receipts_missing)
        self.converted += int(row.converted)
        self.unconverted += int(row.unconverted)
        self.by_status[row.status] += messages
        if row.direction == Direction.OUTBOUND:
            self.outbound[row.status] += messages
        if row.cost_nanos:
            self.cost_nanos[row.currency] += int(row.cost_nanos)

    def told(self) -> dict[str, Any]:
        final = sum(self.outbound[status] for status in FINAL)
        delivered = sum(self.outbound[status] for status in _DELIVERED)
        failed = sum(self.outbound[status] for status in _FAILED)
        reported = self.converted + self.unconverted
        return {
            "messages": self.messages,
            "parts": self.parts,
            "units": self.units,
            **{status.value: self.by_status[status] for status in Status},
            "pending": self.outbound.total() - final,
            "delivery_rate": round(delivered / final, 6) if final else None,
            "failure_rate": round(failed / final, 6) if final else None,
            "receipts_missing": self.receipts_missing,
            "missing_rate": round(self.receipts_missing / final, 6) if final else None,
            "converted": self.converted,
            "unconverted": self.unconverted,
            "conversion_rate": round(self.converted / reported, 6) if reported else None,
            "latency_s": _quantiles(self.histogram),
            "cost": [Money.of(nanos, currency) for currency, nanos in sorted(self.cost_nanos.items())],
        }


def _quantiles(histogram: int) -> Quantiles:
    counts = latency.counts(histogram)
    return Quantiles(**{name: _seconds(latency.quantile_ms(counts, q)) for name, q in QUANTILES.items()})


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 4)


def _rows(
    sums: Iterable[Any],
    latencies: Mapping[tuple[Any, ...], int],
    question: Question,
    width: int,
    names: Mapping[int, AccountName],
) -> list[AnalyticsRow]:
    """Rows of the two answers, put together by what they were grouped by: the first columns and the bucket."""
    groups: defaultdict[tuple[Any, ...], _Counted] = defaultdict(_Counted)
    providers = {number: name.provider for number, name in names.items()}
    of_provider = _place_of_provider(question.group_by)

    def grouped(key: tuple[Any, ...]) -> tuple[Any, ...]:
        """Accounts of one provider count as one."""
        if of_provider is None:
            return key
        return *key[:of_provider], providers.get(key[of_provider]), *key[of_provider + 1 :]

    for row in sums:
        groups[grouped((*row[:width], row.started_at))].add(row)
    for key, histogram in latencies.items():
        if grouped(key) in groups:  # else it came in between the two answers, and the next one has both
            groups[grouped(key)].histogram += histogram
    filled = ((key, counted) for key, counted in groups.items() if counted.messages)
    ordered = sorted(filled, key=lambda group: (group[0][-1] or 0, -group[1].messages, group[0][:-1]))
    return [AnalyticsRow(**_group(key, question, names), **counted.told()) for key, counted in ordered]


def _place_of_provider(group_by: Sequence[Group]) -> int | None:
    """Which column of a row is the account that stands for its provider."""
    if Group.PROVIDER not in group_by:
        return None
    before = group_by[: group_by.index(Group.PROVIDER)]
    return sum(len(_COLUMNS.get(group, (group.value,))) for group in before)


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


def _wanted(question: Question, names: Mapping[int, AccountName], account_id: int | None) -> dict[str, Sequence[Any]]:
    wanted: dict[str, Sequence[Any]] = {}
    accounts = account_ids(names, question.filters.get(Group.ACCOUNT, ()), account_id)
    if providers := question.filters.get(Group.PROVIDER, ()):
        for provider in providers:
            if provider not in {name.provider for name in names.values()}:
                raise InputInvalid(f"There is no account at {provider[:60]!r}.", field="provider")
        of_providers = {number for number, name in names.items() if name.provider in providers}
        accounts = [number for number in (names if accounts is None else accounts) if number in of_providers]
    if accounts is not None:
        wanted["account_id"] = accounts
    for group, values in question.filters.items():
        if group is Group.TAG and len(set(values)) > 1 and Group.TAG not in question.group_by:
            raise InputInvalid("A message with two of these tags would count twice: group by tag as well.", field="tag")
        if group not in (Group.ACCOUNT, Group.PROVIDER) and values:
            wanted[group.value] = [_dimension(group, value) for value in values]
    return wanted


def _dimension(group: Group, value: str) -> Any:
    """A value as counters keep it."""
    if group is Group.NETWORK:
        return network_codes(value)
    if value == NONE and group is not Group.TAG:
        return ""
    if group in (Group.COUNTRY, Group.CURRENCY):
        return value.upper()
    return number(value) if group is Group.SENDER else value


def network_codes(value: str) -> tuple[str, str | None]:
    """`262-01` is a network, `262` all that have that MCC."""
    if value == NONE:
        return "", None
    told = _NETWORK.fullmatch(value)
    if told is None:
        raise InputInvalid("Name a network by MCC and MNC, as in 262-01, or all of an MCC: 262.", field="network")
    return told[1], told[2]
