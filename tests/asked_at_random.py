"""Questions to analytics, drawn at random, and whether the answers are what the rows say."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.buckets import Bucket
from landed.domain.periods import Period
from landed.providers import registry
from landed.services import funnel
from landed.services.framing import Compare
from landed.services.overview import Overviewer, OverviewQuestion
from landed.services.questions import Group, Question
from landed.services.registration_ages import RegistrationAging
from landed.services.reporting import Reporter
from tests import recounted
from tests.recounted import Asked, Seen

#: So many buckets at most: recounting looks at each.
_BUCKETS_MAX: Final = 400
_LENGTHS_MIN: Final = {
    "minute": 1,
    "5_minutes": 5,
    "15_minutes": 15,
    "hour": 60,
    "day": 1380,
    "week": 9000,
    "month": 30000,
}
_ZONES: Final = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo", "Pacific/Fiji")
#: Off the whole hour: only where minutes are kept is what they count exact.
_ODD_ZONES: Final = ("Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham")


class Recount:
    """The rows, and the services whose answers are compared with them. Rows must not change meanwhile."""

    def __init__(self, engine: AsyncEngine, now: datetime) -> None:
        self.now = now
        providers = registry.load()
        self._reporter = Reporter(engine, providers, lambda: now)
        self._overviewer = Overviewer(engine, providers, lambda: now)
        self._funnel = funnel.FunnelReporter(engine)
        self._aging = RegistrationAging(engine)
        self.messages: Sequence[Seen] = ()
        self.sessions: Sequence[Mapping[str, Any]] = ()
        self._things: Mapping[str, Sequence[Mapping[str, Any]]] = {}

    async def load(self, connection: AsyncConnection[Any]) -> None:
        async def rows(query: Any) -> list[dict[str, Any]]:
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(query)
                return await cursor.fetchall()

        self.messages = await recounted.messages(connection)
        self.sessions = await rows(recounted.SESSIONS)
        self._things = {
            kind: await rows(f"SELECT status, status_since, first_heard_at FROM {table}")
            for kind, table in recounted.KINDS.items()
        }

    async def analytics(self, asked: Asked) -> list[str]:
        question = Question(
            period=Period(asked.since, asked.until),
            group_by=[Group(name) for name in asked.group_by],
            bucket=Bucket(asked.bucket),
            filters={Group(name): values for name, values in asked.filters.items()},
            time_zone=asked.time_zone,
            compare=_compare(asked),
            bars=asked.bars,
        )
        answer = _json(await self._reporter.analytics(question, account_id=None))
        return _period(answer, asked) + recounted.analytics(answer, self.messages, asked)

    async def overview(self, asked: Asked) -> list[str]:
        if len(asked.filters.get("tag", ())) > 1:  # as nothing is grouped by here
            asked = replace(asked, filters={**asked.filters, "tag": asked.filters["tag"][:1]})
        question = OverviewQuestion(
            period=Period(asked.since, asked.until),
            bucket=Bucket(asked.bucket),
            filters={Group(name): values for name, values in asked.filters.items()},
            time_zone=asked.time_zone,
            compare=_compare(asked),
            top=asked.top,
        )
        answer = _json(await self._overviewer.overview(question, account_id=None))
        return _period(answer, asked) + recounted.overview(answer, self.messages, self.sessions, asked)

    async def funnel(self, asked: Asked) -> list[str]:
        question = funnel.Question(
            period=Period(asked.since, asked.until),
            group_by=[funnel.Group(name) for name in asked.group_by],
            bucket=Bucket(asked.bucket),
            filters={funnel.Group(name): values for name, values in asked.filters.items()},
            time_zone=asked.time_zone,
            compare=_compare(asked),
        )
        answer = _json(await self._funnel.funnel(question, account_id=None))
        return _period(answer, asked) + recounted.funnel(answer, self.sessions, asked)

    async def registrations(self) -> list[str]:
        return recounted.registrations(_json(await self._aging.ages(account_id=None)), self._things)


def _compare(asked: Asked) -> Compare:
    return Compare.PREVIOUS if asked.compare else Compare.NONE


def _json(answer: Any) -> dict[str, Any]:
    told: dict[str, Any] = answer.model_dump(mode="json", exclude_unset=True)
    return told


def _period(answer: Mapping[str, Any], asked: Asked) -> list[str]:
    told = [datetime.fromisoformat(answer["meta"][name]) for name in ("since", "until")]
    return [] if told == [asked.since, asked.until] else [f"the period is {told}"]


# --- questions ---------------------------------------------------------------------------------------------------


def questions(random: Random, seen: Sequence[Seen], now: datetime, days: int) -> Iterator[Asked]:
    """Questions about messages without end."""
    while True:
        asked = _question(random, now, days)
        group_by = random.sample([*Group], random.choice([0, 0, 1, 1, 2, 3])) if asked.bucket != "minute" else []
        filters = _filters(random, seen, group_by)
        yield Asked(
            since=asked.since,
            until=asked.until,
            bucket=asked.bucket,
            time_zone=asked.time_zone,
            group_by=[group.value for group in group_by],
            filters=filters,
            compare=random.random() < 0.5,
            bars=random.random() < 0.3,
            top=random.choice([1, 3, 10]),
        )


def _question(random: Random, now: datetime, days: int) -> Asked:
    """A period on whole hours, or on whole minutes so young that those of the period before are kept, too."""
    is_young = random.random() < 0.4
    if is_young:
        until = now.replace(second=0, microsecond=0) - timedelta(minutes=random.randrange(120))
        since = until - timedelta(minutes=random.randrange(1, 24 * 60))
        zone = random.choice([*_ZONES, *_ODD_ZONES])
    else:
        until = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=random.randrange(-1, 24 * days // 2))
        since = until - timedelta(hours=random.randrange(1, 24 * days))
        zone = random.choice(_ZONES)
        if random.random() < 0.4:
            since, until = (_midnight(at, zone) for at in (since - timedelta(days=1), until))
    length_min = (until - since) / timedelta(minutes=1)
    buckets = [
        bucket
        for bucket, minutes in _LENGTHS_MIN.items()
        if (is_young or minutes >= 60) and length_min / minutes < _BUCKETS_MAX
    ]
    return Asked(since=since, until=until, bucket=random.choice(["none", *buckets]), time_zone=zone)


def _midnight(at: datetime, zone: str) -> datetime:
    local = at.astimezone(ZoneInfo(zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _filters(random: Random, seen: Sequence[Seen], group_by: Sequence[Group]) -> dict[str, list[str]]:
    """Of a message that is there, so that there is something to find; now and then of two."""
    filters: dict[str, list[str]] = {}
    for name in random.sample(_FILTERS, random.choice([0, 0, 1, 1, 2, 3])):
        tagless = name == "tag" and Group.TAG not in group_by
        rows = random.choices(seen, k=1 if tagless else random.choice([1, 1, 2]))
        values = [value for row in rows for value in _values(name, row)]
        if values:
            filters[name] = list(dict.fromkeys(values))[: 1 if tagless else None]
    return filters


_FILTERS: Final = (
    "account", "provider", "channel", "direction", "country", "network", "sender", "status", "error_code", "tag",
    "currency",
)  # fmt: skip


def _values(name: str, row: Seen) -> Sequence[str]:
    if name == "tag":
        return row.tags
    if name == "network":
        return ["-".join(filter(None, (row.mcc, row.mnc))) or "none"]
    return [getattr(row, name) or "none"]


#: What overviews can be asked besides.
OF_SESSIONS: Final = ("account", "channel", "country", "network")


def funnel_questions(
    random: Random, sessions: Sequence[Mapping[str, Any]], now: datetime, days: int
) -> Iterator[Asked]:
    """Questions about sessions without end: by the hour, since their counters go by it."""
    countries = [*Counter(session["country"] for session in sessions if session["country"])]
    while True:
        asked = _question(random, now, days)
        is_hourly = asked.since.minute == asked.until.minute == 0 and asked.time_zone in _ZONES
        if not is_hourly or asked.bucket in ("minute", "5_minutes", "15_minutes"):
            continue
        choice = {"country": random.choices(countries, k=2), "channel": ["sms"], "account": ["shop"]}
        yield Asked(
            since=asked.since,
            until=asked.until,
            bucket=asked.bucket,
            time_zone=asked.time_zone,
            group_by=random.sample(OF_SESSIONS, random.randrange(3)),
            filters={name: choice[name] for name in random.sample([*choice], random.randrange(3))},
            compare=random.random() < 0.5,
        )
