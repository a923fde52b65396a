"""What the rules of alerts look at: figures from counters alone, as of the moment up to which all is tracked.

Messages that are merely young must not look bad. So a window ends before now: by as long as tracking lags behind; by
`after_s` for what is slow or missing, since only then can that be said of a message; by a minute for failures and
spend, since some are told of faster than others. Verify sessions are counted by the hour of their start, and the hour
in which sessions may still be passed is left out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain import explaining, latency
from landed.domain.accounts import AccountName
from landed.domain.alerting import Filter, Kind, Observation, Rule
from landed.domain.counters import Resolution
from landed.domain.explaining import Cell, Counted
from landed.domain.money import NANOS
from landed.domain.periods import Period, fitted, slots, start_of
from landed.domain.receipts import Direction
from landed.domain.statuses import FINAL, Status
from landed.services.reading import NONE, network_codes, number
from landed.services.reporting import minutes_kept
from landed.store import alert_queries, analytics, oddities
from landed.store.analytics import Sums
from landed.store.oddities import Oddity, OddityCount

#: Failures are often told of faster than deliveries: what was just sent is left out.
SETTLED: Final = timedelta(minutes=1)
#: So long a person may take to type a code.
SESSIONS_SETTLED: Final = timedelta(minutes=15)
HOUR: Final = timedelta(hours=1)
#: What is usual is the mean over the same time of so many days before, of those that had messages then.
USUAL_DAYS: Final = 7
USUAL_DAYS_LEAST: Final = 3

_DELIVERED: Final = frozenset({Status.DELIVERED, Status.READ})
_FAILED: Final = frozenset({Status.FAILED, Status.UNDELIVERED})
_UNDER_WAY: Final = frozenset({Status.QUEUED, Status.SENT})
_NOT_HANDED_OVER: Final = frozenset({Status.SCHEDULED, Status.SENDING, Status.UNKNOWN_OUTCOME})
#: Refusals for other reasons than that nothing proves who sent it.
_OTHER_REASONS: Final = frozenset(
    {
        "callback_malformed", "callback_rejected", "callback_too_large", "overloaded", "store_unavailable",
        "addresses_unresolved", "internal_error", "not_found",
    }
)  # fmt: skip
_WHERE: Final = ("account_id", "country", "mcc", "mnc", "sender", "channel")


class Now(NamedTuple):
    """What all rules of one look have in common."""

    at: datetime
    lag_s: float
    lag_rows: int
    accounts: Mapping[int, AccountName]

    @property
    def tracked_until(self) -> datetime:
        return self.at - timedelta(seconds=self.lag_s)


class Seen(NamedTuple):
    """What a rule sees now."""

    observation: Observation
    period: Period  #: what it was told from
    counted: Counted  #: of shares; of spend `bad` is the amount
    currency: str | None = None
    usual: float | None = None  #: of spend against it: the amount
    words: Sequence[OddityCount] = ()


def window(rule: Rule, now: Now) -> Period:
    """What a rule looks at now: whole minutes, of verify sessions whole hours."""
    if rule.kind is Kind.OTP_CONVERSION:
        until = start_of(Resolution.HOUR, now.tracked_until - SESSIONS_SETTLED)
    else:
        until = start_of(Resolution.MINUTE, now.tracked_until - (rule.after or SETTLED))
    return Period(until - rule.window, until)


class _Row(NamedTuple):
    """Counters that were added up, by the columns asked for."""

    place: int  #: which of the periods
    key: tuple[Any, ...]  #: values of the columns
    status: str
    currency: str
    sums: Sums


class Observer:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def see(self, rule: Rule, now: Now, connection: AsyncConnection[Any]) -> Seen:
        """What a rule sees now.

        Raises:
            StoreUnavailable: not now.
        """
        if rule.kind is Kind.TRACKING_LAG:
            since = now.at - timedelta(seconds=now.lag_s)
            return Seen(Observation(now.at, now.lag_s, 1), Period(since, now.at), Counted(now.lag_rows, now.lag_rows))
        if rule.kind in (Kind.UNKNOWN_STATUSES, Kind.REFUSED_SIGNATURES):
            return await _oddities(rule, now, connection)
        if rule.kind is Kind.SPEND:
            return await self._spend(rule, now)
        period = window(rule, now)
        counted = explaining.total(await self.cells(rule, now, period, connection))
        share = 1 - counted.share if rule.kind is Kind.OTP_CONVERSION else counted.share
        return Seen(Observation(now.at, round(share, 6) if counted.of else None, int(counted.of)), period, counted)

    async def cells(
        self, rule: Rule, now: Now, period: Period, connection: AsyncConnection[Any], *, apart: bool = False
    ) -> list[Cell]:
        """What a share is told from: all together, or apart by where messages were sent and by their error codes."""
        if rule.kind is Kind.OTP_CONVERSION:
            return await _session_cells(rule, now, period, connection)
        columns = (*_WHERE, "error_code") if apart else ()
        rows = await self._rows(rule, now, [period.since, period.until], columns)
        late = await self._late(rule, now, [period.since, period.until], columns)
        return _cells(rule, rows, columns, late, now.accounts)

    async def series(
        self, rule: Rule, now: Now, period: Period, connection: AsyncConnection[Any]
    ) -> list[tuple[datetime, Counted]]:
        """A share by the minute; by the hour where a window is long or was long ago, and of verify sessions."""
        if rule.kind is Kind.OTP_CONVERSION:
            hours = [period.since + number * HOUR for number in range(int((period.until - period.since) / HOUR))]
            cells = [await _session_cells(rule, now, Period(hour, hour + HOUR), connection) for hour in hours]
            return [(hour, explaining.total(these)) for hour, these in zip(hours, cells, strict=True) if these]
        is_short = minutes_kept(now.at).since <= period.since and rule.window <= timedelta(hours=6)
        step = timedelta(minutes=1) if is_short else HOUR
        since = start_of(Resolution.MINUTE if is_short else Resolution.HOUR, period.since)
        edges = [since + number * step for number in range(int((period.until - since) / step) + 1)]
        rows = await self._rows(rule, now, edges, ())
        late = await self._late(rule, now, edges, ())
        by_place: defaultdict[int, list[_Row]] = defaultdict(list)
        for row in rows:
            by_place[row.place].append(row)
        return [
            (edges[place], explaining.total(_cells(rule, these, (), {(place, ()): late.get((place, ()), 0)}, {})))
            for place, these in sorted(by_place.items())
        ]

    async def spent(self, rule: Rule, now: Now, period: Period, currency: str) -> tuple[list[Cell], list[Cell]]:
        """What was spent, apart by where the messages were sent; and what is usual at that time of day."""
        rows = await self._rows(rule, now, [period.since, period.until], _WHERE)
        cells = _spent(rows, _WHERE, currency, now.accounts)
        before = await self._days(rule, now, period, _WHERE)
        usual = [
            cell._replace(bad=cell.bad / len(before), of=cell.of / len(before))
            for day in before
            for cell in _spent(day, _WHERE, currency, now.accounts)
        ]
        return cells, usual

    async def _spend(self, rule: Rule, now: Now) -> Seen:
        period = window(rule, now)
        rows = await self._rows(rule, now, [period.since, period.until], ())
        amounts = _amounts(rows)
        messages = sum(row.sums.messages for row in rows)
        if rule.currency is not None:
            amounts = {rule.currency: amounts.get(rule.currency, 0.0)}
        if not rule.against_usual:
            amount, currency = max(((amount, name) for name, amount in amounts.items()), default=(0.0, None))
            return Seen(Observation(now.at, amount, messages), period, Counted(amount, messages), currency=currency)
        days = [_amounts(day) for day in await self._days(rule, now, period, ())]
        found: list[tuple[float, float, str]] = []
        for currency, amount in amounts.items():
            usual = sum(day.get(currency, 0.0) for day in days) / max(1, len(days))
            if len(days) >= USUAL_DAYS_LEAST and usual:
                found.append((amount / usual, usual, currency))
        if not found:
            return Seen(Observation(now.at, None, messages), period, Counted(0.0, messages))
        times, usual, currency = max(found)
        counted = Counted(amounts[currency], messages)
        return Seen(Observation(now.at, times, messages), period, counted, currency=currency, usual=usual)

    async def _days(self, rule: Rule, now: Now, period: Period, columns: Sequence[str]) -> list[list[_Row]]:
        """The same time of the days before, of those that had messages then."""
        back = [timedelta(days=day) for day in range(USUAL_DAYS, 0, -1)]
        edges = [edge - days for days in back for edge in period]
        by_place: defaultdict[int, list[_Row]] = defaultdict(list)
        for row in await self._rows(rule, now, edges, columns):
            if row.place % 2 == 0:  # the odd ones lie between the days
                by_place[row.place].append(row)
        return list(by_place.values())

    async def _rows(self, rule: Rule, now: Now, edges: Sequence[datetime], columns: Sequence[str]) -> list[_Row]:
        """What is counted between each two of these edges."""
        picked = await self._picked(rule, now, [*columns, "status", "currency"])
        keys = list(dict.fromkeys(picked.values()))
        number_of = {key: number for number, key in enumerate(keys)}
        between = slots(fitted(edges, minutes_kept(now.at)))
        found = await analytics.sums(self._engine, between, {id_: number_of[key] for id_, key in picked.items()})
        return [
            _Row(place, keys[number][:-2], keys[number][-2], keys[number][-1], sums)
            for (number, place), sums in found.items()
            if sums.messages
        ]

    async def _late(
        self, rule: Rule, now: Now, edges: Sequence[datetime], columns: Sequence[str]
    ) -> dict[tuple[int, tuple[Any, ...]], int]:
        """How many were delivered, but took longer than `after`; by place and columns. Of other kinds none."""
        if rule.kind is not Kind.SLOW_SHARE or rule.after is None:
            return {}
        picked = await self._picked(rule, now, list(columns))
        keys = list(dict.fromkeys(picked.values()))
        number_of = {key: number for number, key in enumerate(keys)}
        between = slots(fitted(edges, minutes_kept(now.at)))
        found = await analytics.latencies(self._engine, between, {id_: number_of[key] for id_, key in picked.items()})
        longest = latency.bucket(int(rule.after.total_seconds() * 1000))
        return {
            (place, keys[number]): sum(count for at, count in latency.counts(histogram).items() if at > longest)
            for (number, place), histogram in found.items()
        }

    async def _picked(self, rule: Rule, now: Now, columns: Sequence[str]) -> dict[int, tuple[Any, ...]]:
        """The combinations that a rule looks at, and their values of the columns, by id."""
        wanted = {"direction": [Direction.OUTBOUND.value]} | _wanted(rule, now.accounts)
        rows = await analytics.pick(self._engine, columns, wanted, tagged=Filter.TAG in rule.filters)
        return {row[0]: tuple(row[1:]) for row in rows}


async def _oddities(rule: Rule, now: Now, connection: AsyncConnection[Any]) -> Seen:
    kind = Oddity.UNKNOWN_STATUS if rule.kind is Kind.UNKNOWN_STATUSES else Oddity.REFUSED
    since = start_of(Resolution.MINUTE, now.at - rule.window)
    accounts = _account_ids(rule, now.accounts)
    until = now.at + timedelta(minutes=1)  # a web process' clock may be a little ahead
    found = await oddities.counted(connection, kind, since=since, until=until, account_ids=accounts)
    if kind is Oddity.REFUSED:
        found = [each for each in found if each.account_id and each.word not in _OTHER_REASONS]
    times = sum(each.times for each in found)
    return Seen(Observation(now.at, times, times), Period(since, now.at), Counted(times, times), words=found)


async def _session_cells(rule: Rule, now: Now, period: Period, connection: AsyncConnection[Any]) -> list[Cell]:
    wanted = {"account_id": list(now.accounts)} | _wanted(rule, now.accounts)
    rows = await alert_queries.sessions(connection, period, wanted)
    return [
        Cell(
            _values(("account_id", "country", "mcc", "mnc", "channel"), row[:-2], now.accounts),
            row.started - row.verified,
            row.started,
        )
        for row in rows
    ]


def _cells(
    rule: Rule,
    rows: Sequence[_Row],
    columns: Sequence[str],
    late: Mapping[tuple[int, tuple[Any, ...]], int],
    accounts: Mapping[int, AccountName],
) -> list[Cell]:
    """What is bad of how many, by the columns."""
    sums: defaultdict[tuple[int, tuple[Any, ...]], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        bad, of = _judged(rule.kind, row)
        sums[row.place, row.key][0] += bad
        sums[row.place, row.key][1] += of
    for place_and_key, times in late.items():
        if place_and_key in sums:  # else it came in between the two answers
            sums[place_and_key][0] += times
    return [Cell(_values(columns, key, accounts), bad, of) for (_, key), (bad, of) in sums.items() if of]


def _judged(kind: Kind, row: _Row) -> tuple[int, int]:
    """How many of a row's messages are bad, of how many that count."""
    status, messages = Status(row.status), row.sums.messages
    if kind is Kind.FAILURE_SHARE:
        return (messages if status in _FAILED else 0), (messages if status in FINAL else 0)
    if kind is Kind.SLOW_SHARE:
        counts = status in _DELIVERED or status in _UNDER_WAY
        return (messages if status in _UNDER_WAY else 0), (messages if counts else 0)
    missing = messages if status in _UNDER_WAY else row.sums.receipts_missing
    return missing, (0 if status in _NOT_HANDED_OVER else messages)


def _amounts(rows: Sequence[_Row]) -> dict[str, float]:
    """What was spent, by currency."""
    amounts: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        if row.currency:
            amounts[row.currency] += row.sums.cost_nanos / NANOS
    return dict(amounts)


def _spent(
    rows: Sequence[_Row], columns: Sequence[str], currency: str, accounts: Mapping[int, AccountName]
) -> list[Cell]:
    return [
        Cell(_values(columns, row.key, accounts), row.sums.cost_nanos / NANOS, row.sums.messages)
        for row in rows
        if row.currency == currency
    ]


def _values(columns: Sequence[str], key: Sequence[Any], accounts: Mapping[int, AccountName]) -> dict[str, str]:
    """What a row is about, in the words of filters; what is not known is left out."""
    told = dict(zip(columns, key, strict=True))
    account = accounts.get(told.get("account_id", 0))
    mcc, mnc = told.get("mcc"), told.get("mnc")
    found = {
        "account": account.name if account else None,
        "network": f"{mcc}-{mnc}" if mcc and mnc else mcc,
        **{name: told.get(name) for name in ("country", "sender", "channel", "error_code")},
    }
    return {name: str(value) for name, value in found.items() if value}


def _wanted(rule: Rule, accounts: Mapping[int, AccountName]) -> dict[str, Sequence[Any]]:
    wanted: dict[str, Sequence[Any]] = {}
    for name, values in rule.filters.items():
        if name is Filter.ACCOUNT:
            wanted["account_id"] = _account_ids(rule, accounts) or []
        elif values:
            wanted[name.value] = [_kept(name, value) for value in values]
    return wanted


def _account_ids(rule: Rule, accounts: Mapping[int, AccountName]) -> Sequence[int] | None:
    """None: all."""
    wanted = rule.filters.get(Filter.ACCOUNT)
    return [account.id for account in accounts.values() if account.name in wanted] if wanted else None


def _kept(name: Filter, value: str) -> Any:
    """A value as counters keep it."""
    if name is Filter.NETWORK:
        return network_codes(value)
    if value == NONE and name is not Filter.TAG:
        return ""
    if name is Filter.COUNTRY:
        return value.upper()
    return number(value) if name is Filter.SENDER else value
