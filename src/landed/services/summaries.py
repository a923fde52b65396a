"""The weekly summary: last week against the week before, told on Monday morning, once.

Which Monday was last told of is kept with what is put into the outbox, in one transaction: whoever restarts when, a
week is told of once. A Monday that is missed by more than two days is left out.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.errors import StoreUnavailable
from landed.domain.periods import Period
from landed.domain.receipts import Direction
from landed.domain.weeks import last_due, week_before
from landed.providers.base import Provider
from landed.services import funnel, shapes
from landed.services.alert_telling import payload
from landed.services.alert_words import exact, length, moment, money, name, percent
from landed.services.funnel import FunnelReporter
from landed.services.questions import Group, Question
from landed.services.reporting import AnalyticsRow, Reporter
from landed.services.shapes import Moment, Shape
from landed.store import alert_targets, alerts, walks
from landed.store.alerts import Pool, Told
from landed.store.connect import transaction
from landed.store.reading import account_names

LATE_MAX: Final = timedelta(days=2)
EVERY_S: Final = 60.0
ROWS: Final = 5
#: Fewer messages than this say little about a country or a network.
MESSAGES_LEAST: Final = 20
ALERTS_MAX: Final = 20
_WALK: Final = "weekly summary"

_log = structlog.get_logger()


class SummarySection(Shape):
    heading: str
    lines: list[str] = Field(default=[])
    table: list[list[str]] = Field(default=[], description="rows of cells; the first row says what they are")


class WeeklySummary(Shape):
    """Last week against the week before, to be read."""

    title: str
    since: Moment
    until: Moment
    time_zone: str
    url: str
    sections: list[SummarySection]


class Summaries:
    def __init__(
        self,
        *,
        pool: Pool,
        engine: AsyncEngine,
        providers: Mapping[str, Provider],
        public_url: str,
        zone: ZoneInfo,
        recipients: Sequence[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`recipients` get it by mail, besides the targets that ask for it."""
        self._pool = pool
        self._engine = engine
        self._providers = providers
        self._public_url = public_url
        self._zone = zone
        self._recipients = recipients
        self._clock = clock
        self._reporter = Reporter(engine, providers, clock)

    async def run(self) -> None:
        """Tell when it is time, until cancelled. One worker at a time does."""
        while True:
            try:
                await self.tell_due()
            except StoreUnavailable:
                pass
            except Exception:
                _log.exception("summary_failed")  # a summary that cannot be written must not end the worker
            await asyncio.sleep(EVERY_S)

    async def tell_due(self) -> bool:
        """Tell of last week where that is due, and was not done.

        Raises:
            StoreUnavailable: not now.
        """
        now = self._clock()
        due = last_due(now, self._zone)
        async with transaction(self._pool) as connection:
            taken = await walks.take(connection, _WALK, now)
            if taken is None:
                return False
            monday = due.date().isoformat()
            is_due = taken.position is not None and taken.position < monday
            if is_due and now - due <= LATE_MAX:
                await self._tell(connection, due, now)
            # Where it was never told of, the next Monday is the first.
            await walks.move(connection, taken, monday, now, rest_s=EVERY_S / 2)
        return is_due

    async def tell_now(self) -> int:
        """Tell of last week now, besides; how many are told."""
        now = self._clock()
        async with transaction(self._pool) as connection:
            return await self._tell(connection, last_due(now, self._zone), now)

    async def _tell(self, connection: Any, due: datetime, now: datetime) -> int:
        targets = [row for row in await alert_targets.every(connection) if row.weekly_summary and row.enabled]
        if not targets and not self._recipients:
            return 0
        summary = await self.of(due)
        content = payload("summary.weekly", summary.model_dump(mode="json"), now)
        for target in targets:
            await alerts.tell(connection, uuid4(), Told.SUMMARY, content, now, target_id=target.id)
        if self._recipients:
            await alerts.tell(connection, uuid4(), Told.SUMMARY, content, now, addresses=self._recipients)
        return len(targets) + len(self._recipients)

    async def latest(self) -> WeeklySummary:
        """The summary of last week."""
        return await self.of(last_due(self._clock(), self._zone))

    async def of(self, due: datetime) -> WeeklySummary:
        """The summary of the week before that Monday."""
        week, before = week_before(due, self._zone), week_before(due, self._zone, back=2)
        sections = [
            await self._figures(week, before),
            await self._worst("Countries with most failures", week, Group.COUNTRY),
            await self._worst("Networks with most failures", week, Group.NETWORK),
            await self._errors(week),
            await self._alerts(week),
        ]
        days = f"{week.since:%d %B} to {week.until - timedelta(days=1):%d %B %Y}"
        query = urlencode({"since": exact(week.since), "until": exact(week.until)})
        return WeeklySummary(
            title=f"Messages from {days}",
            since=week.since,
            until=week.until,
            time_zone=self._zone.key,
            url=f"{self._public_url}/?{query}",
            sections=[section for section in sections if section.lines or section.table],
        )

    async def _figures(self, week: Period, before: Period) -> SummarySection:
        now, then = (await self._rows(week))[0], (await self._rows(before))[0]
        passed, passed_then = await self._passed(week), await self._passed(before)
        rows = [
            ["", "last week", "the week before"],
            ["messages sent", f"{now.messages:,}", f"{then.messages:,}"],
            ["delivery rate", _rate(now.delivery_rate), _rate(then.delivery_rate)],
            ["95 % delivered within", _seconds(now.latency_s.p95), _seconds(then.latency_s.p95)],
            ["receipts missing", _rate(now.missing_rate), _rate(then.missing_rate)],
            ["spend", _spend(now), _spend(then)],
        ]
        if passed or passed_then:
            rows.append(["codes typed", passed or "-", passed_then or "-"])
        return SummarySection(heading="In figures", table=rows)

    async def _passed(self, period: Period) -> str | None:
        """How many verify sessions were passed; None where there were none."""
        asked = funnel.Question(period=period)
        (row,) = (await FunnelReporter(self._engine).funnel(asked, account_id=None)).data
        return f"{_rate(row.conversion_rate)} of {row.started:,}" if row.started else None

    async def _worst(self, heading: str, week: Period, group: Group) -> SummarySection:
        rows = [row for row in await self._rows(week, group) if row.messages >= MESSAGES_LEAST and row.failure_rate]
        rows.sort(key=lambda row: row.failed + row.undelivered, reverse=True)
        table = [[_named(row), f"{_rate(row.failure_rate)} failed", f"of {row.messages:,}"] for row in rows[:ROWS]]
        return SummarySection(heading=heading, table=table)

    async def _errors(self, week: Period) -> SummarySection:
        names = {account.name: account for account in (await account_names(self._engine)).values()}
        rows = [row for row in await self._rows(week, Group.ERROR_CODE, Group.ACCOUNT) if row.error_code]
        table = []
        for row in sorted(rows, key=lambda row: -row.messages)[:ROWS]:
            meaning = shapes.error_meaning(row.error_code, names.get(row.account or ""), self._providers)
            table.append([row.error_code or "", f"{row.messages:,}", meaning.title if meaning else ""])
        return SummarySection(heading="Commonest error codes", table=table)

    async def _alerts(self, week: Period) -> SummarySection:
        asked = {
            "account": None, "firing": None, "rule": None, "severities": None, "since": week.since,
            "until": week.until, "at": None, "id": None, "limit": ALERTS_MAX,
        }  # fmt: skip
        rows = await alerts.page(self._pool, asked)
        lines = [
            f"{moment(row.fired_at)}: {row.content['title']}"
            + (f" ({row.content['where']['text']})" if row.content["where"] else "")
            + (f", over after {length((row.ended_at - row.fired_at).total_seconds())}" if row.ended_at else "")
            for row in rows
        ]
        return SummarySection(heading="Alerts", lines=lines or ["None."])

    async def _rows(self, period: Period, *group_by: Group) -> list[AnalyticsRow]:
        question = Question(period=period, group_by=group_by, filters={Group.DIRECTION: [Direction.OUTBOUND.value]})
        return (await self._reporter.analytics(question, account_id=None)).data


def _named(row: AnalyticsRow) -> str:
    network = row.network
    if network is not None and network.mcc:
        return name("network", f"{network.mcc}-{network.mnc}" if network.mnc else network.mcc)
    return name("country", row.country) if row.country else "not known"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else percent(rate)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s" if seconds < 60 else length(seconds)


def _spend(row: AnalyticsRow) -> str:
    return ", ".join(money(float(cost.amount), cost.currency) for cost in row.cost) or "-"
