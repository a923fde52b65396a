"""What analytics should answer, counted anew from the messages, sessions and registrations themselves.

Everything here is plain counting over rows: no counters, no histograms, nothing of how the answers are made. An answer
is given as the API's JSON; what comes back is where it is wrong.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import class_row

from landed.domain import our_codes
from landed.providers import registry

QUANTILES: Final = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
STATUSES: Final = ("scheduled", "sending", "unknown_outcome", "queued", "sent", "expired", "failed", "undelivered",
                   "delivered", "read", "received")  # fmt: skip
FINAL: Final = ("expired", "failed", "undelivered", "delivered", "read", "received")
RATES: Final = ("delivery_rate", "failure_rate", "missing_rate", "conversion_rate")
CHANGING: Final = (
    "messages", "parts", "units", "pending", "delivery_rate", "failure_rate", "receipts_missing", "missing_rate",
    "converted", "conversion_rate", "parts_per_message", "units_per_message",
)  # fmt: skip
#: The analytics promise quantiles that are at most 5 % off; they are shown to a tenth of a millisecond.
OFF_MAX: Final = 0.05
OFF_S_MAX: Final = 0.001
_PROVIDERS: Final = registry.load()


class Seen(NamedTuple):
    """A row of `messages`, as far as anyone can see it."""

    account: str
    provider: str
    direction: str
    channel: str
    country: str | None
    mcc: str | None
    mnc: str | None
    sender: str | None  #: our side
    status: str
    error_code: str | None
    currency: str | None
    tags: tuple[str, ...]
    submitted_at: datetime
    parts: int
    units: int
    cost_nanos: int
    latency_ms: int | None
    missing: bool
    converted: bool | None


_MESSAGES: Final = """
SELECT a.name AS account, a.provider, direction, channel, country, mcc, mnc,
       CASE direction WHEN 'outbound' THEN sender ELSE recipient END AS sender, status, error_code, currency, tags,
       submitted_at, parts_of AS parts, coalesce(units, 0) AS units, coalesce(cost_nanos, 0) AS cost_nanos, latency_ms,
       receipt_missing AS missing, converted
  FROM messages JOIN accounts a ON a.id = account_id
"""


async def messages(connection: AsyncConnection[Any]) -> list[Seen]:
    async with connection.cursor(row_factory=class_row(Seen)) as cursor:
        await cursor.execute(_MESSAGES)
        return await cursor.fetchall()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question, in the API's words. `since` and `until` are what the counters can tell: on whole hours, or on whole
    minutes that are kept, the period before included."""

    since: datetime
    until: datetime
    group_by: Sequence[str] = ()
    bucket: str = "none"
    time_zone: str = "UTC"
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    compare: bool = False
    bars: bool = False
    top: int = 10

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def whole_days(self) -> timedelta | None:
        ends = [at.astimezone(self.zone) for at in (self.since, self.until)]
        if any((end.hour, end.minute) != (0, 0) for end in ends):
            return None
        return ends[1].date() - ends[0].date()

    def moved(self, at: datetime, sign: int) -> datetime:
        """A moment in the period before or, with 1, from there into this one."""
        days = self.whole_days
        if days is None:
            return at + sign * (self.until - self.since)
        local = at.astimezone(self.zone).replace(tzinfo=None) + sign * days
        # An hour that comes twice now came once then: it is compared with the second.
        return local.replace(tzinfo=self.zone, fold=int(sign > 0)).astimezone(UTC)

    def place(self, at: datetime) -> tuple[str, datetime] | None:
        """Whether a moment counts now or before, and the start of its bucket."""
        if self.since <= at < self.until:
            return "now", self.start(at)
        if self.compare and self.moved(self.since, -1) <= at < self.since:
            return "before", self.start(self.moved(at, 1))
        return None

    def start(self, at: datetime) -> datetime:
        if self.bucket == "none":
            return self.since
        local = at.astimezone(self.zone)
        step = {"minute": 1, "5_minutes": 5, "15_minutes": 15, "hour": 60}.get(self.bucket)
        if step:
            return at - timedelta(minutes=local.minute % step, seconds=at.second, microseconds=at.microsecond)
        day = local.date()
        if self.bucket == "week":
            day -= timedelta(days=day.weekday())
        if self.bucket == "month":
            day = day.replace(day=1)
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def starts(self) -> list[datetime]:
        step = timedelta(minutes=1 if self.bucket == "minute" else 5)
        number = (self.until - self.since - timedelta(microseconds=1)) // step
        moments = [*(self.since + each * step for each in range(number + 1)), self.until - timedelta(microseconds=1)]
        return list(dict.fromkeys(map(self.start, moments)))


# --- counting ----------------------------------------------------------------------------------------------------


class Near(NamedTuple):
    """The true value of something that may be a little off."""

    value: float


def rate(some: int, of_all: int) -> float | None:
    return round(some / of_all, 6) if of_all else None


def counts(rows: Sequence[Seen]) -> dict[str, Any]:
    statuses = Counter(row.status for row in rows)
    ours = Counter(row.status for row in rows if row.direction == "outbound")
    final = sum(ours[status] for status in FINAL)
    converted, unconverted = (sum(row.converted is each for row in rows) for each in (True, False))
    missing = sum(row.missing for row in rows)
    parts, units = sum(row.parts for row in rows), sum(row.units for row in rows)
    cost: Counter[str | None] = Counter()
    for row in rows:
        cost[row.currency] += row.cost_nanos
    took = sorted(row.latency_ms for row in rows if row.latency_ms is not None)
    return {
        "messages": len(rows),
        "parts": parts,
        "units": units,
        **{status: statuses[status] for status in STATUSES},
        "pending": sum(ours.values()) - final,
        "delivery_rate": rate(ours["delivered"] + ours["read"], final),
        "failure_rate": rate(ours["failed"] + ours["undelivered"], final),
        "receipts_missing": missing,
        "missing_rate": rate(missing, final),
        "converted": converted,
        "unconverted": unconverted,
        "conversion_rate": rate(converted, converted + unconverted),
        "parts_per_message": rate(parts, len(rows)),
        "units_per_message": rate(units, len(rows)),
        "latency_s": quantiles(took),
        "cost": [
            {"amount": Decimal(nanos).scaleb(-9), "currency": currency}
            for currency, nanos in sorted(cost.items(), key=lambda each: each[0] or "")
            if nanos
        ],
    }


def quantiles(took_ms: Sequence[int]) -> dict[str, Near | None]:
    return {
        name: Near(took_ms[math.floor(q * (len(took_ms) - 1))] / 1000) if took_ms else None
        for name, q in QUANTILES.items()
    }


def bars(rows: Iterable[Seen], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The bars that were told, filled again. Every message has to be in one of them."""
    took = [row.latency_ms for row in rows if row.latency_ms is not None]
    filled = [
        {
            **bar,
            "messages": sum(round(bar["from_s"] * 1000) < max(each, 1) <= round(bar["to_s"] * 1000) for each in took),
        }
        for bar in told
    ]
    assert sum(bar["messages"] for bar in filled) == len(took)
    assert not filled or (filled[0]["messages"] and filled[-1]["messages"])
    assert all(one["to_s"] == other["from_s"] for one, other in pairwise(filled))
    return filled


def changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Of figures as they were told, which are compared on their own."""
    cost_now, cost_before = (
        {each["currency"]: Decimal(each["amount"]) for each in told["cost"]} for told in (now, before)
    )
    return {
        **{name: change(now[name], before[name], is_rate=name in RATES) for name in CHANGING},
        "latency_s": {name: change(now["latency_s"][name], before["latency_s"][name]) for name in QUANTILES},
        "cost": [
            {
                "currency": currency,
                "absolute": cost_now.get(currency, Decimal()) - cost_before.get(currency, Decimal()),
                "relative": round(float((cost_now.get(currency, Decimal()) - was) / was), 6)
                if (was := cost_before.get(currency, Decimal()))
                else None,
            }
            for currency in sorted({*cost_now, *cost_before}, key=str)
        ],
    }


def change(now: float | None, before: float | None, *, is_rate: bool = False) -> dict[str, float | None]:
    if now is None or before is None:
        return {"absolute": None, "relative": None}
    if is_rate:
        return {"absolute": round(100 * (now - before), 4), "relative": None}
    return {"absolute": round(now - before, 6), "relative": round((now - before) / before, 6) if before else None}


def differences(told: Any, should: Any, path: str = "") -> list[str]:
    """Where two answers differ, as sentences."""
    if isinstance(should, Near):
        is_near = isinstance(told, float) and abs(told - should.value) <= OFF_MAX * should.value + OFF_S_MAX
        return [] if is_near else [f"{path}: {told!r}, not about {should.value!r}"]
    if isinstance(should, Decimal):
        return [] if isinstance(told, str) and Decimal(told) == should else [f"{path}: {told!r}, not {should}"]
    if isinstance(should, Mapping) and isinstance(told, Mapping):
        names = [*dict.fromkeys([*should, *told])]
        nothing = object()
        return [
            each
            for name in names
            for each in differences(told.get(name, nothing), should.get(name, nothing), f"{path}.{name}")
        ]
    if isinstance(should, list) and isinstance(told, list) and len(should) == len(told):
        return [
            each
            for number, (one, other) in enumerate(zip(told, should, strict=True))
            for each in differences(one, other, f"{path}[{number}]")
        ]
    if isinstance(should, float) and isinstance(told, float | int) and not isinstance(told, bool):
        # Rounding of the last digit may fall to either side.
        return [] if math.isclose(told, should, abs_tol=2e-6, rel_tol=1e-9) else [f"{path}: {told!r}, not {should!r}"]
    return [] if told == should else [f"{path}: {str(told)[:300]}, not {str(should)[:300]}"]


# --- messages ----------------------------------------------------------------------------------------------------


def _matches(row: Seen, filters: Mapping[str, Sequence[str]]) -> bool:
    return all(any(_holds(row, name, value) for value in values) for name, values in filters.items())


def _holds(row: Seen, name: str, value: str) -> bool:
    if name == "network":
        if value == "none":
            return not row.mcc
        mcc, _, mnc = value.partition("-")
        return row.mcc == mcc and (not mnc or row.mnc == mnc)
    if name == "tag":
        return value in row.tags
    return bool(getattr(row, name) == (None if value == "none" else value))


def meaning(code: str, provider: str) -> dict[str, Any]:
    said = our_codes.explain(code) or _PROVIDERS[provider].explain(code)
    return {"title": said.title, "advice": said.advice, "fault": said.fault.value, "retryable": said.retryable}


def _keys(row: Seen, asked: Asked) -> list[tuple[Any, ...]]:
    """The groups a message is in: more than one where it has several tags."""
    tags: Sequence[str | None] = [None]
    if "tag" in asked.group_by or "tag" in asked.filters:
        tags = [tag for tag in row.tags if tag in asked.filters.get("tag", row.tags)]
    return [tuple(_value(row, name, tag) for name in asked.group_by) for tag in tags]


def _value(row: Seen, name: str, tag: str | None) -> Any:
    if name == "network":
        return row.mcc, row.mnc
    if name == "fault":
        return meaning(row.error_code, row.provider)["fault"] if row.error_code else None
    return tag if name == "tag" else getattr(row, name) or None


def analytics(answer: Mapping[str, Any], seen: Sequence[Seen], asked: Asked) -> list[str]:
    """Where an answer about messages is wrong."""
    cells: defaultdict[tuple[Any, ...], list[Seen]] = defaultdict(list)
    groups: dict[tuple[Any, ...], None] = {} if asked.group_by else {(): None}
    for row in seen:
        place = asked.place(row.submitted_at)
        if place and _matches(row, asked.filters):
            for key in _keys(row, asked):
                cells[*key, *place].append(row)
                groups[key] = None
    should = []
    starts = asked.starts()
    told = {_key_told(row, asked, starts): row for row in answer["data"]}
    for at in starts:
        for key in groups:
            row = told.get((*key, at), {})
            should.append((*key, at))
            wrong = _row(row, cells[*key, "now", at], cells[*key, "before", at], asked, key, at)
            if wrong:
                return [f"{key} at {at}: {each}" for each in wrong]
    if sorted(map(str, told)) != sorted(map(str, should)) or len(told) != len(answer["data"]):
        return [f"rows: {sorted(map(str, told))}, not {sorted(map(str, should))}"]
    order = [(row.get("bucket_at", ""), -row["messages"]) for row in answer["data"]]
    return [] if order == sorted(order) else ["rows are out of order"]


def _key_told(row: Mapping[str, Any], asked: Asked, starts: Sequence[datetime]) -> tuple[Any, ...]:
    at = datetime.fromisoformat(row["bucket_at"]) if asked.bucket != "none" else starts[0]
    values = [(row[name]["mcc"], row[name]["mnc"]) if name == "network" else row[name] for name in asked.group_by]
    return (*values, at)


def _row(
    told: Mapping[str, Any], now: Sequence[Seen], before: Sequence[Seen], asked: Asked, key: Sequence[Any], at: datetime
) -> list[str]:
    if not told:
        return ["it is not there"]
    should = counts(now)
    wrong = differences({name: told[name] for name in should}, should)
    known = {*should, *asked.group_by, "bucket_at" if asked.bucket != "none" else "", ""}
    if "error_code" in asked.group_by:
        known.add("error")
        codes = Counter((row.error_code, row.provider) for row in [*now, *before] if row.error_code)
        if asked.bucket == "none":
            meanings = [meaning(code, provider) for (code, provider), times in codes.items()
                        if times == max(codes.values())]  # fmt: skip
            wrong += [] if told["error"] in meanings or not (meanings or told["error"]) else ["error"]
    if asked.bars:
        known.add("latency_bars")
        wrong += differences(told["latency_bars"], bars(now, told["latency_bars"]), "latency_bars")
    if asked.compare:
        known |= {"previous", "change"}
        wrong += differences(told["previous"], counts(before), "previous")
        wrong += differences(told["change"], changes(told, told["previous"]), "change")
    return wrong + ([f"there is also {sorted({*told} - known)}"] if {*told} - known else [])


# --- overview ----------------------------------------------------------------------------------------------------


def overview(
    answer: Mapping[str, Any], seen: Sequence[Seen], sessions: "Sequence[Mapping[str, Any]]", asked: Asked
) -> list[str]:
    """Where an overview is wrong. `asked.bucket` is that of its series."""
    filters = {"direction": ["outbound"], **asked.filters}
    now: list[Seen] = []
    before: list[Seen] = []
    series: defaultdict[datetime, list[Seen]] = defaultdict(list)
    for row in seen:
        place = asked.place(row.submitted_at)
        if place and _matches(row, filters):
            (now if place[0] == "now" else before).append(row)
            if place[0] == "now":
                series[place[1]].append(row)
    wrong = _compared(answer, now, before, asked, "totals", whole=answer["totals"])
    wrong += differences(
        answer["series"], [{**counts(series[at]), "bucket_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"} for at in asked.starts()],
        "series",
    )  # fmt: skip
    wrong += differences(answer["latency_bars"], bars(now, answer["latency_bars"]), "latency_bars")
    for name, key in _TABLES.items():
        wrong += _table(answer[f"by_{name}"], name, key, now, before, asked)
    wrong += _errors(answer["errors"], now, before, asked) + _faults(answer["by_fault"], now, before, asked)
    if {*asked.filters} - {"account", "country", "network", "channel"}:
        return wrong + ([] if answer["funnel"] is None else ["funnel: it is there"])
    hour = timedelta(hours=1)
    since = asked.since.replace(minute=0)
    until = -(-(asked.until - since) // hour) * hour + since
    told = [datetime.fromisoformat(answer["funnel_meta"][name]) for name in ("since", "until")]
    wrong += [] if told == [since, until] else [f"the funnel's period is {told}"]
    totals = Asked(
        since=since, until=until, filters=asked.filters, compare=asked.compare, time_zone=asked.time_zone
    )  # fmt: skip
    return wrong + [f"funnel: {each}" for each in funnel({"data": [answer["funnel"]]}, sessions, totals)]


_TABLES: Final[Mapping[str, Callable[[Seen], Any]]] = {
    "country": lambda row: row.country,
    "network": lambda row: (row.mcc, row.mnc),
    "sender": lambda row: row.sender,
    "account": lambda row: row.account,
    "channel": lambda row: row.channel,
}


def _compared(
    told: Mapping[str, Any], now: Sequence[Seen], before: Sequence[Seen], asked: Asked, path: str,
    whole: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    """Counts now (in `whole`), before, and the change."""
    should = counts(now)
    wrong = differences({name: whole[name] for name in should}, should, path)
    if not asked.compare:
        return wrong + ([f"{path}: compared"] if told.get("previous") or told.get("change") else [])
    wrong += differences(told["previous"], counts(before), f"{path}.previous")
    return wrong + differences(told["change"], changes(whole, told["previous"]), f"{path}.change")


def _table(
    told: Mapping[str, Any],
    name: str,
    key: Callable[[Seen], Any],
    now: Sequence[Seen],
    before: Sequence[Seen],
    asked: Asked,
) -> list[str]:
    of_now: defaultdict[Any, list[Seen]] = defaultdict(list)
    of_before: defaultdict[Any, list[Seen]] = defaultdict(list)
    for row in now:
        of_now[key(row)].append(row)
    for row in before:
        of_before[key(row)].append(row)
    groups = {*of_now, *of_before}
    shown = [_named(row[name]) for row in told["rows"]]
    wrong = [] if told["groups"] == len(groups) else [f"by_{name}.groups: {told['groups']}, not {len(groups)}"]
    sizes = sorted((len(of_now[group]) for group in groups), reverse=True)[: asked.top]
    if [row["messages"] for row in told["rows"]] != sizes or len({*shown}) != len(shown) or not {*shown} <= groups:
        return [*wrong, f"by_{name}: rows of {shown}, not the largest"]
    left = [group for group in groups if group not in shown]
    both = [*zip(told["rows"], [[group] for group in shown], strict=True), *([(told["rest"], left)] if left else [])]
    for row, those in both:
        path = f"by_{name}[{those}]"
        current = [each for group in those for each in of_now[group]]
        previous = [each for group in those for each in of_before[group]]
        wrong += _compared(row, current, previous, asked, path, whole=row)
        wrong += differences(row["share"], rate(len(current), len(now)) or 0.0, f"{path}.share")
    if left:
        wrong += differences(told["rest"]["groups"], len(left), f"by_{name}.rest.groups")
    return wrong + ([] if left or told["rest"] is None else [f"by_{name}: a rest of nothing"])


def _named(told: Any) -> Any:
    return (told["mcc"], told["mnc"]) if isinstance(told, Mapping) else told


def _counted(now: int, before: int, of_all: int, asked: Asked) -> dict[str, Any]:
    should: dict[str, Any] = {"messages": now, "share": rate(now, of_all) or 0.0}
    return should | ({"previous": before, "change": change(now, before)} if asked.compare else {})


def _errors(told: Mapping[str, Any], now: Sequence[Seen], before: Sequence[Seen], asked: Asked) -> list[str]:
    codes, earlier = (
        Counter((row.error_code, row.provider) for row in rows if row.error_code) for rows in (now, before)
    )
    groups = {*codes, *earlier}
    wrong = differences(told["groups"], len(groups), "errors.groups")
    wrong += differences(told["messages"], codes.total(), "errors.messages")
    if [row["messages"] for row in told["rows"]] != sorted((codes[each] for each in groups), reverse=True)[: asked.top]:
        wrong.append("errors: not the commonest")
    for row in told["rows"]:
        code = row["error_code"], row["provider"]
        places = Counter(each.country for each in now if (each.error_code, each.provider) == code)
        most = max(places.values(), default=0)
        should = _counted(codes[code], earlier[code], len(now), asked) | {
            "error": meaning(*code), "country_share": rate(most, codes[code]) or 0.0
        }  # fmt: skip
        wrong += differences({name: row.get(name) for name in should}, should, f"errors[{code}]")
        wrong += [] if places[row["country"]] == most else [f"errors[{code}].country: {row['country']}"]
    left = groups - {(row["error_code"], row["provider"]) for row in told["rows"]}
    if not left:
        return wrong + ([] if told["rest"] is None else ["errors: a rest of nothing"])
    rest = _counted(sum(codes[each] for each in left), sum(earlier[each] for each in left), len(now), asked)
    return wrong + differences(told["rest"], {"groups": len(left), **rest}, "errors.rest")


def _faults(told: Sequence[Mapping[str, Any]], now: Sequence[Seen], before: Sequence[Seen], asked: Asked) -> list[str]:
    faults, earlier = (
        Counter(meaning(row.error_code, row.provider)["fault"] for row in rows if row.error_code)
        for rows in (now, before)
    )
    codes: defaultdict[str, set[str]] = defaultdict(set)
    for row in [*now, *before]:
        if row.error_code:
            codes[meaning(row.error_code, row.provider)["fault"]].add(row.error_code)
    should = [
        {
            "fault": fault,
            "error_codes": sorted(codes[fault]),
            **_counted(faults[fault], earlier[fault], len(now), asked),
        }
        for fault in sorted(codes, key=lambda fault: (-faults[fault], fault))
    ]
    return differences(list(told), should, "by_fault")


# --- verify sessions ---------------------------------------------------------------------------------------------

STAGES: Final = ("started", "sent", "delivered", "verified", "expired", "ended", "attempts", "attempts_sent",
                 "attempts_delivered")  # fmt: skip
STAGE_RATES: Final = ("sent_rate", "delivery_rate", "verification_rate", "conversion_rate", "expiry_rate")
STAGES_CHANGING: Final = ("started", "sent", "delivered", "verified", "expired", "ended", "pending", "attempts",
                          "sent_rate", "delivery_rate", "verification_rate", "conversion_rate", "expiry_rate",
                          "attempts_per_session")  # fmt: skip

SESSIONS: Final = "SELECT s.*, a.name AS account FROM sessions s JOIN accounts a ON a.id = account_id"
#: What a session or an attempt adds, and where: its channel is the only thing in which the two differ.
_Addition = tuple[Mapping[str, Any], str | None, Mapping[str, Any]]


def _additions(session: Mapping[str, Any]) -> Iterable[_Addition]:
    attempts = session["attempts"]
    verified = session["status"] == "verified"
    delivered = verified or any(each["delivered_at"] for each in attempts)
    sent = delivered or any(each["sent_at"] for each in attempts)
    took = session["time_to_verify_ms"]
    yield session, session["channel"], {
        "started": 1, "sent": sent, "delivered": delivered, "verified": verified,
        "expired": session["status"] == "expired", "ended": session["status"] in ("failed", "cancelled"),
        "took": [] if took is None else [took],
    }  # fmt: skip
    for each in attempts:
        told = {"attempts_sent": bool(each["sent_at"]), "attempts_delivered": bool(each["delivered_at"])}
        yield session, each["channel"], {"attempts": 1, **told}


def stages(additions: Sequence[_Addition]) -> dict[str, Any]:
    sums = {name: sum(int(added.get(name, 0)) for _, _, added in additions) for name in STAGES}
    return {
        **sums,
        "pending": sums["started"] - sums["verified"] - sums["expired"] - sums["ended"],
        "sent_rate": rate(sums["sent"], sums["started"]),
        "delivery_rate": rate(sums["delivered"], sums["sent"]),
        "verification_rate": rate(sums["verified"], sums["delivered"]),
        "conversion_rate": rate(sums["verified"], sums["started"]),
        "expiry_rate": rate(sums["expired"], sums["started"]),
        "attempts_per_session": rate(sums["attempts"], sums["started"]),
        "time_to_verify_s": quantiles(sorted(each for _, _, added in additions for each in added.get("took", []))),
    }


def funnel(answer: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]], asked: Asked) -> list[str]:
    """Where an answer about sessions is wrong."""
    cells: defaultdict[tuple[Any, ...], list[_Addition]] = defaultdict(list)
    groups: dict[tuple[Any, ...], None] = {} if asked.group_by else {(): None}
    for session in sessions:
        place = asked.place(session["started_at"])
        for addition in _additions(session) if place else ():
            if place and _session_matches(addition, asked.filters):
                key = tuple(_session_value(addition, name) for name in asked.group_by)
                cells[*key, *place].append(addition)
                groups[key] = None
    starts = asked.starts()
    told = {_key_told(row, asked, starts): row for row in answer["data"]}
    wrong = []
    for at in starts:
        for key in groups:
            row = told.pop((*key, at), None)
            if row is None:
                return [f"{key} at {at} is not there"]
            should = stages(cells[*key, "now", at])
            wrong += differences({name: row[name] for name in should}, should, f"{key} at {at}")
            if asked.compare:
                wrong += differences(row["previous"], stages(cells[*key, "before", at]), f"{key} at {at}, before")
                wrong += differences(row["change"], _stage_changes(row, row["previous"]), f"{key} at {at}, change")
    return wrong + [f"{key} is there" for key in told]


def _stage_changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: change(now[name], before[name], is_rate=name in STAGE_RATES) for name in STAGES_CHANGING},
        "time_to_verify_s": {
            name: change(now["time_to_verify_s"][name], before["time_to_verify_s"][name]) for name in QUANTILES
        },
    }


def _session_value(addition: _Addition, name: str) -> Any:
    session, channel, _ = addition
    if name == "network":
        return session["mcc"], session["mnc"]
    return channel if name == "channel" else session[name]


def _session_matches(addition: _Addition, filters: Mapping[str, Sequence[str]]) -> bool:
    session, channel, _ = addition
    plain = {"account": session["account"], "country": session["country"], "channel": channel}

    def holds(name: str, value: str) -> bool:
        if name == "network":
            mcc, _, mnc = value.partition("-")
            return not session["mcc"] if value == "none" else session["mcc"] == mcc and mnc in ("", session["mnc"])
        return bool(plain[name] == (None if value == "none" else value))

    return all(any(holds(name, value) for value in values) for name, values in filters.items())


# --- registrations -----------------------------------------------------------------------------------------------

KINDS: Final = {"brand": "brands", "campaign": "campaigns", "number": "number_links"}
_BOUNDS_D: Final = (0, 1, 3, 7, 14, math.inf)
_CLASSES: Final = ("under_1_d", "from_1_to_3_d", "from_3_to_7_d", "from_7_to_14_d", "over_14_d")


def registrations(answer: Mapping[str, Any], things: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Where an answer about registrations by age is wrong. `things` are rows of their tables, by kind."""
    at = datetime.fromisoformat(answer["meta"]["at"])
    wrong = []
    for row in answer["data"]:
        those = [thing for thing in things[row["kind"]] if thing["status"] == row["status"]]
        ages_d = [(at - thing["status_since"]) / timedelta(days=1) for thing in those]
        took = sorted(
            (thing["status_since"] - thing["first_heard_at"]).total_seconds()
            for thing in those
            if row["status"] in ("registered", "linked") and thing["status_since"] > thing["first_heard_at"]
        )
        oldest = min((thing["status_since"] for thing in those), default=None)
        should = {
            "count": len(those),
            "ages": {
                name: sum(low <= max(age, 0) < high for age in ages_d)
                for name, low, high in zip(_CLASSES, _BOUNDS_D, _BOUNDS_D[1:], strict=False)
            },
            "oldest_since": oldest,
            "time_to_register_s": {
                "count": len(took),
                **{
                    name: took[math.ceil(q * len(took)) - 1] if took else None
                    for name, q in (("p50", 0.5), ("p90", 0.9))
                },
            },
        }
        told = {**row, "oldest_since": row["oldest_since"] and datetime.fromisoformat(row["oldest_since"])}
        wrong += differences({name: told[name] for name in should}, should, f"{row['kind']} {row['status']}")
    counted = Counter({kind: sum(row["count"] for row in answer["data"] if row["kind"] == kind) for kind in KINDS})
    return wrong + (
        [] if counted == Counter({kind: len(rows) for kind, rows in things.items()}) else ["some are missing"]
    )
