"""Reporting: questions about many messages, answered from counters alone. What is told of them: counts.py."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import AccountName
from landed.domain.buckets import Bucket
from landed.domain.errors import InputInvalid
from landed.domain.periods import Period
from landed.domain.receipts import Direction
from landed.providers.base import Provider
from landed.services import shapes
from landed.services.counts import Bar, Changes, Counts, Tally, bars, changes
from landed.services.framing import Compare, Frame, frame
from landed.services.questions import Group, Question, Words, columns, shown, wanted
from landed.services.shapes import Moment, Network, Shape
from landed.store import analytics, partitions
from landed.store.reading import account_names

#: Beyond this an answer is refused: nobody reads it, and building it would take seconds and memory.
ROWS_MAX: Final = 20_000
ERRORS_SHOWN: Final = 15
#: A row of the answer is made of so many of the database at most, by status and currency.
_READ_MAX: Final = 5 * ROWS_MAX


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
    error: shapes.ErrorMeaning | None = Field(
        default=None,
        description="with `error_code`: at the provider that gave it most, where `provider` does not tell them apart",
    )
    fault: str | None = Field(default=None, description="whose side the error code is on; null: there is none")
    tag: str | None = None
    currency: str | None = None
    latency_bars: list[Bar] = Field(default=[], description="where asked for with `bars`")
    previous: Counts | None = Field(default=None, description="the same of the period before, with `compare`")
    change: Changes | None = None


class Span(Shape):
    since: Moment
    until: Moment


class AnalyticsMeta(Shape):
    """What was really answered."""

    since: Moment = Field(description="rounded outward to what counters tell: minutes of the last days, else hours")
    until: Moment
    group_by: list[str]
    bucket: str
    time_zone: str = Field(description="whose days, weeks and months the buckets are")
    rounded: bool = Field(description="the period is wider than the one asked for")
    approximated: str | None = Field(description="how buckets differ from those of the time zone; null: not at all")
    previous: Span | None = Field(description="the period it is compared with")

    @classmethod
    def of(cls, frame: Frame, group_by: Sequence[str]) -> "AnalyticsMeta":
        return cls(
            since=frame.period.since,
            until=frame.period.until,
            group_by=[str(group) for group in group_by],
            bucket=frame.bucket,
            time_zone=frame.time_zone,
            rounded=frame.rounded,
            approximated=frame.approximated,
            previous=Span(**frame.previous._asdict()) if frame.previous else None,
        )


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


class _Line(NamedTuple):
    """What the database adds up by: a group, and what its rates and costs take apart."""

    key: tuple[Any, ...]
    direction: str
    status: str
    currency: str
    error_code: str = ""
    provider: str | None = None


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
        """One row per group that has messages; with buckets one per bucket and group, also where it has none then.

        Oldest bucket first, then most messages first. Without groups and buckets there is exactly one row. Groups that
        have messages only in the period compared with are there, too.

        Raises:
            InputInvalid: the question cannot be answered; names the field and the way out.
        """
        names = await account_names(self._engine)
        words = Words(accounts=names, providers=self._providers)
        within = frame(
            question.period,
            bucket=question.bucket,
            time_zone=question.time_zone,
            compare=question.compare,
            minutes_kept=minutes_kept(self._clock()),
        )
        picked = await analytics.pick(
            self._engine,
            list(dict.fromkeys([*columns(question.group_by), "direction", "status", "currency"])),
            wanted(question, names, account_id),
            tagged=question.tagged,
        )
        cells = await self._cells(picked, within, question.group_by, words)
        return Analytics(
            data=_rows(cells, within, question, words),
            next_cursor=None,
            meta=AnalyticsMeta.of(within, question.group_by),
        )

    async def _cells(
        self, picked: Iterable[Any], within: Frame, group_by: Sequence[Group], words: Words
    ) -> "dict[tuple[Any, ...], _Cells]":
        """What is counted, by group and place in time."""
        lines: dict[_Line, int] = {}
        keys: dict[tuple[Any, ...], int] = {}
        of_line: dict[int, int] = {}
        of_key: dict[int, int] = {}
        for dimension_id, line in _lines(picked, group_by, words):
            of_line[dimension_id] = lines.setdefault(line, len(lines))
            of_key[dimension_id] = keys.setdefault(line.key, len(keys))
        slots = within.slots()
        try:
            sums, latencies = await asyncio.gather(
                analytics.sums(self._engine, slots, of_line, _READ_MAX),
                analytics.latencies(self._engine, slots, of_key),
            )
        except analytics.TooManyRows as error:
            raise _too_much() from error
        by_number, cells = list(lines), defaultdict[tuple[Any, ...], _Cells](_Cells)
        for (number, place), added in sums.items():
            cells[by_number[number].key].add(place, by_number[number], added)
        key_of = list(keys)
        for (number, place), histogram in latencies.items():
            if key_of[number] in cells:  # else it came in between the two answers, and the next one has both
                cells[key_of[number]].tallies[place].histogram += histogram
        return cells

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


def minutes_kept(now: datetime) -> Period:
    return Period(partitions.minutes_from(now), partitions.minutes_until(now))


def _too_much() -> InputInvalid:
    return InputInvalid(
        f"This has more than {ROWS_MAX:,} rows; group by less, ask for longer buckets or a shorter period.",
        field="group_by",
    )


class _Cells:
    """One group: its counts at each place in time, and which provider told of its error code how often."""

    def __init__(self) -> None:
        self.tallies: defaultdict[int, Tally] = defaultdict(Tally)
        self.codes: Counter[tuple[str, str | None]] = Counter()

    def add(self, place: int, line: _Line, sums: analytics.Sums) -> None:
        self.tallies[place].add(line.direction, line.status, line.currency, sums)
        if line.error_code:
            self.codes[line.error_code, line.provider] += sums.messages

    @property
    def has_messages(self) -> bool:
        return any(tally.messages for tally in self.tallies.values())


def _lines(picked: Iterable[Any], group_by: Sequence[Group], words: Words) -> Iterator[tuple[int, _Line]]:
    """The line of each combination, by its id."""
    named = [words.of(group) for group in group_by]
    for row in picked:
        codes = (row.error_code, words.provider(row.account_id)) if Group.ERROR_CODE in group_by else ()
        yield row.id, _Line(tuple([name(row) for name in named]), row.direction, row.status, row.currency, *codes)


def _rows(
    cells: Mapping[tuple[Any, ...], _Cells], within: Frame, question: Question, words: Words
) -> list[AnalyticsRow]:
    groups = {key: cell for key, cell in cells.items() if cell.has_messages}
    if not question.group_by:
        groups = groups or {(): _Cells()}
    if len(groups) * len(within.starts) > ROWS_MAX:
        raise _too_much()
    ordered = sorted(groups.items(), key=lambda group: tuple(map(str, group[0])))
    rows = []
    for place, bucket_at in enumerate(within.starts):
        at = within.places_before + place
        by_size = sorted(ordered, key=lambda group: -group[1].tallies[at].messages)
        for key, cell in by_size:
            named = {group.value: shown(group, value) for group, value in zip(question.group_by, key, strict=True)}
            if question.bucket is not Bucket.NONE:
                named = {"bucket_at": bucket_at, **named}
            if Group.ERROR_CODE in question.group_by:
                named["error"] = words.meaning(*cell.codes.most_common(1)[0][0]) if cell.codes else None
            before = cell.tallies[place] if question.compare is Compare.PREVIOUS else None
            rows.append(_row(named, cell.tallies[at], before, question))
    return rows


def _row(named: Mapping[str, Any], now: Tally, before: Tally | None, question: Question) -> AnalyticsRow:
    told = {**named, **now.told()}
    if question.bars:
        told["latency_bars"] = bars(now.histogram)
    if before is not None:
        previous = before.counts()
        told |= {"previous": previous, "change": changes(Counts(**now.told()), previous)}
    return AnalyticsRow(**told)
