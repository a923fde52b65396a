"""Alerts as people look at them: lists, one with what was told of it, acknowledged and muted.

Everything takes `account_id`, the account a key is bound to (None: all): alerts about more are not there for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from landed.domain.alerting import Severity, mute_end
from landed.domain.errors import Conflict, NotFound
from landed.services import alert_shapes, cursors
from landed.services.alert_shapes import AlertList, AlertWhole
from landed.store import alert_queries, alerts
from landed.store.alerts import AlertRow, Pool
from landed.store.connect import transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuestion:
    """Which alerts to list: those that stood at some time from `since` on, and began before `until`."""

    firing: bool | None = None
    rule: str | None = None  #: its name or id
    severities: Sequence[Severity] = ()
    since: datetime | None = None
    until: datetime | None = None


class Alerts:
    def __init__(
        self, *, pool: Pool, public_url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.pool = pool
        self._public_url = public_url
        self._clock = clock

    async def page(
        self, question: AlertQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> AlertList:
        """A page of them, the latest first.

        Raises:
            InputInvalid: the cursor is not ours.
        """
        behind = cursors.read_row(cursor)
        asked = {
            "account": account_id,
            "firing": question.firing,
            "rule": question.rule,
            "severities": [each.value for each in question.severities] or None,
            "since": question.since,
            "until": question.until,
            "at": behind[0] if behind else None,
            "id": behind[1] if behind else None,
            "limit": limit + 1,
        }
        rows = await alerts.page(self.pool, asked)
        async with transaction(self.pool) as connection:
            names = await alert_queries.account_names(connection)
        shown, more = rows[:limit], len(rows) > limit
        return AlertList(
            data=[
                alert_shapes.alert(
                    row, names[row.account_id].name if row.account_id in names else None, self._public_url
                )
                for row in shown
            ],
            next_cursor=cursors.write_row(shown[-1].fired_at, shown[-1].id) if more else None,
        )

    async def one(self, alert_id: str, *, account_id: int | None) -> AlertWhole:
        """One with what was told of it.

        Raises:
            NotFound: there is none, or none of this account.
        """
        async with transaction(self.pool) as connection:
            return await self._whole(connection, await _row(connection, alert_id, account_id))

    async def acknowledge(self, alert_id: str, *, by: str, account_id: int | None) -> AlertWhole:
        """Note that somebody looks after it: it is not told again. Acknowledging twice is once.

        Raises:
            NotFound: there is none, or none of this account.
            Conflict: it is over.
        """
        async with transaction(self.pool) as connection:
            row = await _standing(connection, alert_id, account_id)
            await alerts.acknowledge(connection, row.id, by, self._clock())
            return await self._whole(connection, await _row(connection, alert_id, account_id))

    async def mute(self, alert_id: str, *, until: datetime | None, account_id: int | None) -> AlertWhole:
        """Tell nobody of it before then, but for its end; None: no more muted.

        Raises:
            NotFound: there is none, or none of this account.
            Conflict: it is over.
            InputInvalid: that is over, or far away.
        """
        if until is not None:
            until = mute_end(until, self._clock(), "until")
        async with transaction(self.pool) as connection:
            row = await _standing(connection, alert_id, account_id)
            await alerts.mute(connection, row.id, until)
            return await self._whole(connection, await _row(connection, alert_id, account_id))

    async def _whole(self, connection: AsyncConnection[Any], row: AlertRow) -> AlertWhole:
        names = await alert_queries.account_names(connection)
        account = names[row.account_id].name if row.account_id in names else None
        return alert_shapes.alert_whole(row, account, self._public_url, await alerts.notifications(connection, row.id))


async def _standing(connection: AsyncConnection[Any], alert_id: str, account_id: int | None) -> AlertRow:
    row = await _row(connection, alert_id, account_id)
    if row.ended_by is not None:
        raise Conflict("This alert is over.")
    return row


async def _row(connection: AsyncConnection[Any], alert_id: str, account_id: int | None) -> AlertRow:
    try:
        row = await alerts.one(connection, UUID(alert_id), account_id)
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no alert with this id.")
    return row
