"""Why an alert fires: what, where, since when, and what to do. Worked out once, when it does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from landed.domain import explaining
from landed.domain.alerting import Filter, Kind, Rule
from landed.domain.counters import Resolution
from landed.domain.explaining import Cell, Where
from landed.domain.periods import Period, start_of
from landed.providers.base import Provider
from landed.services import alert_words, shapes
from landed.services.observing import Now, Observer, Seen

#: What is compared with the window, where nothing else is: the day before.
BEFORE: Final = timedelta(days=1)
#: How far back the beginning is looked for, besides the window.
BACK: Final = timedelta(hours=1)
WORDS_SHOWN: Final = 10

_FILTERS: Final = {each.value: each for each in Filter}


class Explainer:
    def __init__(self, observer: Observer, providers: Mapping[str, Provider]) -> None:
        self._observer = observer
        self._providers = providers

    async def explain(
        self, rule: Rule, now: Now, seen: Seen, since: datetime, connection: AsyncConnection[Any]
    ) -> tuple[dict[str, Any], datetime]:
        """What an alert says, as it is kept; and when the trouble began.

        Args:
            since: when it was first seen to be bad.
        """
        found: Where | None = None
        error: dict[str, Any] | None = None
        if rule.kind is Kind.SPEND:
            cells, usual = await self._observer.spent(rule, now, seen.period, seen.currency or "")
            found = explaining.of_amount(cells, usual)
        elif seen.words:
            found = _of_words(seen, now)
        elif rule.kind is not Kind.TRACKING_LAG:
            cells = await self._observer.cells(rule, now, seen.period, connection, apart=True)
            before = Period(seen.period.since - BEFORE, seen.period.since)
            found = explaining.of_share(cells, await self._observer.cells(rule, now, before, connection, apart=True))
            since = min(since, await self._began(rule, now, seen, found, connection))
            error = self._error(cells, found, now) if rule.kind is Kind.FAILURE_SHARE else None
        also = {found.dimension: found.value} if found else {}
        content = {
            "title": alert_words.title(rule, seen),
            "where": _where(rule, found, seen) if found else None,
            "error": error,
            "words": [
                {"account": _account(now, each.account_id), "word": each.word, "times": each.times}
                for each in seen.words[:WORDS_SHOWN]
            ],
            "path": alert_words.path(rule, seen, since, also),
        }
        return content, since

    async def _began(
        self, rule: Rule, now: Now, seen: Seen, found: Where | None, connection: AsyncConnection[Any]
    ) -> datetime:
        """When it began, at the place that explains it."""
        narrowed = rule if found is None else _narrowed(rule, found)
        resolution = Resolution.MINUTE if rule.window <= timedelta(hours=6) else Resolution.HOUR
        period = Period(start_of(resolution, seen.period.since - BACK), seen.period.until)
        series = await self._observer.series(narrowed, now, period, connection)
        if not series:
            return seen.period.since
        return series[explaining.began([counted for _, counted in series])][0]

    def _error(self, cells: Sequence[Cell], found: Where | None, now: Now) -> dict[str, Any] | None:
        """The commonest error code there, with its meaning."""
        counted: Counter[tuple[str, str]] = Counter()
        for cell in cells:
            if "error_code" in cell.values and (found is None or cell.values.get(found.dimension) == found.value):
                counted[cell.values["error_code"], cell.values.get("account", "")] += int(cell.bad)
        if not counted:
            return None
        (code, account), _ = counted.most_common(1)[0]
        of_code = sum(messages for (each, _), messages in counted.items() if each == code)
        named = next((each for each in now.accounts.values() if each.name == account), None)
        meaning = shapes.error_meaning(code, named, self._providers)
        return {"error_code": code, "messages": of_code, "meaning": meaning.model_dump() if meaning else None}


def _narrowed(rule: Rule, found: Where) -> Rule:
    return replace(rule, filters={**rule.filters, _FILTERS[found.dimension]: (found.value,)})


def _of_words(seen: Seen, now: Now) -> Where | None:
    """The account that most of it is about."""
    cells = [
        Cell({"account": account}, each.times, each.times)
        for each in seen.words
        if (account := _account(now, each.account_id))
    ]
    return explaining.of_amount(cells, [], ("account",))


def _where(rule: Rule, found: Where, seen: Seen) -> dict[str, Any]:
    words = rule.kind in (Kind.UNKNOWN_STATUSES, Kind.REFUSED_SIGNATURES)
    called = alert_words.name(found.dimension, found.value)
    times = f"{called}: {int(found.counted.bad):,} of {int(seen.counted.bad):,}"
    return {
        "dimension": found.dimension,
        "value": found.value,
        "name": called,
        "text": times if words else alert_words.where(rule, found, seen.currency),
        "bad": round(found.counted.bad, 4),
        "of": int(found.counted.of),
        "share": alert_words.share(rule, found.counted),
        "others_share": alert_words.share(rule, found.others),
        "usual_share": alert_words.share(rule, found.before),
    }


def _account(now: Now, account_id: int) -> str | None:
    account = now.accounts.get(account_id)
    return account.name if account else None
