"""Telling of alerts: what is put into the outbox for every target, in the transaction that it tells of."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from landed.domain.accounts import AccountName
from landed.services import alert_shapes
from landed.store import alerts
from landed.store.alert_rules import RuleRow
from landed.store.alert_targets import TargetRow
from landed.store.alerts import AlertRow, EndedBy, Told

#: What the JSON that is told calls itself.
EVENTS: Final = {Told.FIRED: "alert.fired", Told.REPEATED: "alert.repeated", Told.RECOVERED: "alert.recovered"}


class Telling:
    """How to tell: to whom, under which address we are found, and now."""

    def __init__(
        self, targets: Sequence[TargetRow], accounts: Mapping[int, AccountName], public_url: str, now: datetime
    ) -> None:
        self._targets = targets
        self._accounts = accounts
        self._public_url = public_url
        self._now = now

    async def of(self, connection: AsyncConnection[Any], kind: Told, rule: RuleRow, row: AlertRow) -> AlertRow:
        """Tell all targets of the rule that it fired, or stands still. The alert as it is then."""
        told = replace(row, told_at=self._now)
        await alerts.was_told(connection, row.id, self._now)
        for target in self._targets:
            if target.enabled and (rule.target_ids is None or target.id in rule.target_ids):
                await self._tell(connection, kind, told, target.id)
        return told

    async def over(
        self, connection: AsyncConnection[Any], row: AlertRow, ended_by: EndedBy, last: float | None
    ) -> None:
        """End it, and tell all who were told that it fired, and are still to be told."""
        await alerts.end(connection, row.id, ended_by, self._now, last)
        ended = replace(row, ended_by=ended_by, ended_at=self._now, last=last)
        off = {target.id for target in self._targets if not target.enabled}
        for target_id in await alerts.told_targets(connection, row.id):
            if target_id not in off:
                await self._tell(connection, Told.RECOVERED, ended, target_id)

    async def _tell(self, connection: AsyncConnection[Any], kind: Told, row: AlertRow, target_id: UUID) -> None:
        account = self._accounts.get(row.account_id or 0)
        shape = alert_shapes.alert(row, account.name if account else None, self._public_url)
        content = payload(EVENTS[kind], shape.model_dump(mode="json"), self._now)
        await alerts.tell(connection, uuid4(), kind, content, self._now, alert_id=row.id, target_id=target_id)


def payload(event: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What webhooks get, and all else is written from."""
    return {"type": event, "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": dict(data)}
