"""What a dashboard asks, at 100 thousand and at 10 million messages: the same, because it is answered from counters.

The reporting service is asked in this process, on the loop and with the collector that the web server has, one
question at a time; a question's time is the median of several, and the figure is the slowest question's.
"""

import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Final

import uvloop

from benchmarks import filling, harness
from benchmarks.harness import MeasurementFailed, Missing, Session
from benchmarks.report import Figure
from landed.domain.buckets import Bucket
from landed.domain.periods import Period
from landed.providers import registry
from landed.services.framing import Compare
from landed.services.overview import Overviewer, OverviewQuestion
from landed.services.questions import Group, Question
from landed.services.reporting import Reporter
from landed.store import migrate, reading
from landed.web.protocol import freeze_what_is_there

SIZES: Final = (100_000, 10_000_000)
SIZES_QUICK: Final = (100_000, 1_000_000)
QUESTION_MS_MAX: Final = 100.0
REPEATS: Final = 9
#: A message takes about 450 bytes here, and its counters a third of that.
_BYTES_PER_MESSAGE: Final = 600


def run(session: Session) -> list[Figure]:
    figures = []
    for size in SIZES_QUICK if session.quick else SIZES:
        if shutil.disk_usage(tempfile.gettempdir()).free < 2 * size * _BYTES_PER_MESSAGE:
            raise Missing(f"{size:,} messages need {2 * size * _BYTES_PER_MESSAGE / 1e9:.0f} GB free in TMPDIR.")
        with harness.database() as database_url:
            migrate.upgrade(database_url)
            figures.append(uvloop.run(_measure(session, database_url, size)))
    return figures


async def _measure(session: Session, database_url: str, size: int) -> Figure:
    now = datetime.now(UTC)
    began = time.monotonic()
    await filling.fill(database_url, size, now)
    session.say(f"{size:,} messages made in {time.monotonic() - began:.0f} s")
    engine = reading.engine(database_url)
    try:
        providers = registry.load()
        reporter = Reporter(engine, providers, clock=lambda: now)
        overviewer = Overviewer(engine, providers, clock=lambda: now)
        await _see_all_counted(reporter, now, size)
        freeze_what_is_there()
        times = {
            name: await _time(partial(reporter.analytics, question, account_id=None))
            for name, question in questions(now).items()
        }
        for name, asked in overviews(now).items():
            times[name] = await _time(partial(overviewer.overview, asked, account_id=None))
    finally:
        await engine.dispose()
    for name, milliseconds in sorted(times.items(), key=lambda item: -item[1]):
        session.say(f"{milliseconds:6.1f} ms  {name}")
    return Figure(
        name=f"question_ms_at_{size}",
        meaning=f"slowest dashboard question over {size:,} messages",
        value=max(times.values()),
        unit="ms",
        at_most=QUESTION_MS_MAX,
        details=times,
    )


def questions(now: datetime) -> Mapping[str, Question]:
    def of(
        days: float,
        *group_by: Group,
        bucket: Bucket = Bucket.NONE,
        time_zone: str = "UTC",
        compare: Compare = Compare.NONE,
        **filters: str,
    ) -> Question:
        return Question(
            period=Period(now - timedelta(days=days), now),
            group_by=group_by,
            bucket=bucket,
            filters={Group(name): [value] for name, value in filters.items()},
            time_zone=time_zone,
            compare=compare,
        )

    return {
        "totals of 24 hours": of(1),
        "countries of 24 hours": of(1, Group.COUNTRY),
        "the last 3 hours by minute": of(1 / 8, bucket=Bucket.MINUTE),
        "7 days by hour": of(7, bucket=Bucket.HOUR),
        "one country's networks, 7 days": of(7, Group.NETWORK, country="US"),
        "totals of 30 days": of(30),
        "30 days by day and status": of(30, Group.STATUS, bucket=Bucket.DAY),
        "countries of 30 days": of(30, Group.COUNTRY),
        "networks of 30 days": of(30, Group.COUNTRY, Group.NETWORK),
        "error codes by country, 30 days": of(30, Group.COUNTRY, Group.ERROR_CODE),
        "senders of 30 days": of(30, Group.SENDER),
        "faults of 30 days": of(30, Group.FAULT),
        "24 hours by 15 minutes": of(1, bucket=Bucket.QUARTER),
        "30 days by day of Los Angeles": of(30, bucket=Bucket.DAY, time_zone="America/Los_Angeles"),
        "30 days by week of Berlin": of(30, bucket=Bucket.WEEK, time_zone="Europe/Berlin"),
        "countries of 7 days and of the 7 before": of(7, Group.COUNTRY, compare=Compare.PREVIOUS),
        "networks of 7 days by day, and the 7 before": of(
            7, Group.NETWORK, bucket=Bucket.DAY, compare=Compare.PREVIOUS, country="US"
        ),
    }


def overviews(now: datetime) -> Mapping[str, OverviewQuestion]:
    def of(days: float, time_zone: str = "UTC", **filters: str) -> OverviewQuestion:
        return OverviewQuestion(
            period=Period(now - timedelta(days=days), now),
            filters={Group(name): [value] for name, value in filters.items()},
            time_zone=time_zone,
            compare=Compare.PREVIOUS,
        )

    return {
        "overview of 3 hours": of(1 / 8),
        "overview of 24 hours": of(1),
        "overview of 24 hours, one country": of(1, country="US"),
        "overview of 7 days": of(7),
        "overview of 7 days, in Berlin": of(7, "Europe/Berlin"),
        "overview of 7 days, one network": of(7, network="310-260"),
        "overview of 30 days": of(30),
        "overview of 30 days, in Los Angeles": of(30, "America/Los_Angeles"),
        "overview of 30 days, in Kolkata": of(30, "Asia/Kolkata"),
    }


async def _time(ask: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds; the first answer, which warms up plans and pages, does not count."""
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    return median(times[1:])


async def _see_all_counted(reporter: Reporter, now: datetime, size: int) -> None:
    period = Period(now - timedelta(days=filling.DAYS + 1), now + timedelta(hours=1))
    answer = await reporter.analytics(Question(period=period), account_id=None)
    counted = answer.data[0].messages
    if counted != size:
        raise MeasurementFailed(f"There are {size:,} messages, and the counters say {counted:,}.")
