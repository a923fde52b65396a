"""Watching: a worker looks at every rule again and again, notes where its watch stands, and writes down what to tell.

What is seen, the alert, and what is told of it change in one transaction: killed anywhere, nothing is told twice, and
nothing is left out. One worker at a time looks; notifying.py delivers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import psycopg
import structlog
from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.alerting import BELOW, Transition, advance, is_muted, repeat_is_due
from landed.domain.errors import StoreUnavailable
from landed.providers.base import Provider
from landed.services.alert_explaining import Explainer
from landed.services.alert_telling import Telling
from landed.services.observing import Now, Observer, Seen
from landed.store import alert_rules, alert_targets, alerts, oddities, walks
from landed.store.alert_rules import RuleRow
from landed.store.alerts import AlertRow, EndedBy, Pool, Told
from landed.store.connect import transaction
from landed.store.reading import account_names

EVERY_S: Final = 15.0
_AWAY_S: Final = 5.0
_WALK: Final = "alerts"
_ENDED_BY: Final[Mapping[Transition | None, EndedBy]] = {
    Transition.RECOVERED: EndedBy.RECOVERED,
    Transition.QUIET: EndedBy.QUIET,
}

#: How many callbacks are not tracked yet, and the age of the oldest in seconds.
Lag = Callable[[datetime], Awaitable[tuple[int, float]]]

_log = structlog.get_logger()


class Watch:
    def __init__(
        self,
        *,
        pool: Pool,
        engine: AsyncEngine,
        lag: Lag,
        providers: Mapping[str, Provider],
        public_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._lag = lag
        self._public_url = public_url
        self._clock = clock
        self._observer = Observer(engine)
        self._explainer = Explainer(self._observer, providers)

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            try:
                await self.look()
                await asyncio.sleep(EVERY_S)
            except (StoreUnavailable, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                await asyncio.sleep(_AWAY_S)

    async def look(self) -> int:
        """Look at every rule once, unless another worker does or just did; how many alerts began or ended.

        Raises:
            StoreUnavailable: nothing was noted.
        """
        at = self._clock()
        # Before the transaction: who holds one connection does not wait for a second.
        lag_rows, lag_s = await self._lag(at)
        now = Now(at, lag_s, lag_rows, await account_names(self._engine))
        changed = 0
        async with transaction(self._pool) as connection:
            taken = await walks.take(connection, _WALK, at)
            if taken is None:
                return 0
            targets = await alert_targets.every(connection)
            telling = Telling(targets, now.accounts, self._public_url, at)
            rules = await alert_rules.enabled(connection)  # rules before alerts, as whoever changes a rule locks them
            standing = await alerts.standing(connection)
            for row in rules:
                try:
                    async with connection.transaction():
                        changed += await self._look_at(row, now, standing.get(row.id), telling, connection)
                except (StoreUnavailable, psycopg.OperationalError):
                    raise
                except Exception:
                    # One rule that cannot be told must not silence the others.
                    _log.exception("rule_not_evaluated", rule=str(row.id), kind=row.rule.kind)
            await oddities.forget(connection, at - oddities.KEPT)
            await walks.move(connection, taken, None, at, rest_s=EVERY_S / 2)
        return changed

    async def _look_at(
        self, row: RuleRow, now: Now, alert: AlertRow | None, telling: Telling, connection: AsyncConnection[Any]
    ) -> bool:
        """Whether an alert of this rule began or ended."""
        seen = await self._observer.see(row.rule, now, connection)
        standing, transition = advance(row.standing, seen.observation, row.rule.terms)
        value, of = seen.observation.value, seen.observation.of
        if value is not None and of < row.rule.floor:
            value = None
        await alert_rules.stand(connection, row.id, standing, value=value, of=of)
        if transition in _ENDED_BY:
            if alert is not None:
                await telling.over(connection, alert, _ENDED_BY[transition], value)
                _log.info("alert_over", alert=str(alert.id), kind=row.rule.kind, ended_by=transition)
            return alert is not None
        if alert is None:
            if transition is Transition.FIRED:
                alert = await self._fire(row, now, seen, standing.since or now.at, connection)
        elif value is not None:
            worst = min if row.rule.kind in BELOW else max
            await alerts.seen(connection, alert.id, last=value, worst=worst(alert.worst, value))
        if alert is not None:
            await self._tell(row, alert, now.at, telling, connection)
        return transition is not None

    async def _fire(
        self, row: RuleRow, now: Now, seen: Seen, since: datetime, connection: AsyncConnection[Any]
    ) -> AlertRow:
        content, began_at = await self._explainer.explain(row.rule, now, seen, since, connection)
        value = seen.observation.value or 0.0
        alert = AlertRow(
            id=uuid4(),
            rule_id=row.id,
            rule_name=row.rule.name,
            kind=row.rule.kind,
            severity=row.rule.severity,
            account_id=row.account_id,
            ended_by=None,
            since=began_at,
            fired_at=now.at,
            ended_at=None,
            value=value,
            worst=value,
            last=value,
            threshold=row.rule.threshold,
            content=content,
            told_at=None,
            acknowledged_at=None,
            acknowledged_by=None,
            muted_until=None,
        )
        await alerts.add(connection, alert)
        _log.warning("alert_fired", alert=str(alert.id), rule=str(row.id), kind=row.rule.kind, value=round(value, 4))
        return alert

    async def _tell(
        self, row: RuleRow, alert: AlertRow, now: datetime, telling: Telling, connection: AsyncConnection[Any]
    ) -> None:
        """Tell that it fired, once nobody mutes it; or that it still stands, where that is asked for."""
        muted_until = max(filter(None, (row.muted_until, alert.muted_until)), default=None)
        if alert.told_at is None:
            if not is_muted(muted_until, now):
                await telling.of(connection, Told.FIRED, row, alert)
            return
        if repeat_is_due(
            row.rule,
            told_at=alert.told_at,
            acknowledged=alert.acknowledged_at is not None,
            muted_until=muted_until,
            now=now,
        ):
            await telling.of(connection, Told.REPEATED, row, alert)
