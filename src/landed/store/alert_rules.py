"""The rules of alerts, each with where the watch of it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from landed.domain.alerting import Filter, Kind, Rule, Severity, Standing, State
from landed.domain.errors import InputInvalid

_TERMS: Final = (
    "name", "kind", "threshold", "recovery", "floor", "currency", "against_usual", "severity", "enabled"
)  # fmt: skip
_LENGTHS: Final = ("window", "hold", "recovery_hold", "after", "repeat_after")
_STANDING: Final = ("state", "since", "good_since", "quiet_since", "observed_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule as it is kept. `target_ids` None: all targets there are, those to come included."""

    id: UUID
    rule: Rule
    account_id: int | None
    target_ids: Sequence[UUID] | None
    muted_until: datetime | None
    standing: Standing
    value: float | None
    observed_of: int
    created_at: datetime
    updated_at: datetime


_SELECT: Final = """
SELECT id, name, kind, filters, account_id, threshold, recovery, floor, window_s, hold_s, recovery_hold_s, after_s,
       currency, against_usual, severity, enabled, target_ids, repeat_after_s, muted_until, state, since, good_since,
       quiet_since, observed_at, value, observed_of, created_at, updated_at
  FROM alert_rules
"""
_ENABLED: Final = f"{_SELECT} WHERE enabled ORDER BY id FOR NO KEY UPDATE"
_EVERY: Final = f"{_SELECT} WHERE %(account)s::int IS NULL OR account_id = %(account)s ORDER BY name"
_LOCK: Final = (
    f"{_SELECT} WHERE (id::text = %(rule)s OR name = %(rule)s) ORDER BY id::text = %(rule)s DESC LIMIT 1 FOR UPDATE"
)
_ADD: Final = """
INSERT INTO alert_rules (id, name, kind, filters, account_id, threshold, recovery, floor, window_s, hold_s,
                         recovery_hold_s, after_s, currency, against_usual, severity, enabled, target_ids,
                         repeat_after_s, muted_until, created_at, updated_at)
VALUES (%(id)s, %(name)s, %(kind)s, %(filters)s, %(account_id)s, %(threshold)s, %(recovery)s, %(floor)s, %(window_s)s,
        %(hold_s)s, %(recovery_hold_s)s, %(after_s)s, %(currency)s, %(against_usual)s, %(severity)s, %(enabled)s,
        %(target_ids)s, %(repeat_after_s)s, %(muted_until)s, %(now)s, %(now)s)
"""
_CHANGE: Final = """
UPDATE alert_rules
   SET name = %(name)s, filters = %(filters)s, account_id = %(account_id)s, threshold = %(threshold)s,
       recovery = %(recovery)s, floor = %(floor)s, window_s = %(window_s)s, hold_s = %(hold_s)s,
       recovery_hold_s = %(recovery_hold_s)s, after_s = %(after_s)s, currency = %(currency)s,
       against_usual = %(against_usual)s, severity = %(severity)s, enabled = %(enabled)s, target_ids = %(target_ids)s,
       repeat_after_s = %(repeat_after_s)s, muted_until = %(muted_until)s, updated_at = %(now)s
 WHERE id = %(id)s
"""
_STAND: Final = """
UPDATE alert_rules
   SET state = %(state)s, since = %(since)s, good_since = %(good_since)s, quiet_since = %(quiet_since)s,
       observed_at = %(observed_at)s, value = %(value)s, observed_of = %(of)s
 WHERE id = %(id)s
"""


async def enabled(connection: AsyncConnection[Any]) -> list[RuleRow]:
    """Those that are watched. Nobody else changes them until the transaction ends."""
    return await _rows(connection, _ENABLED, {})


async def every(connection: AsyncConnection[Any], account_id: int | None) -> list[RuleRow]:
    """All of them by name; those that look at one account alone, where it is named."""
    return await _rows(connection, _EVERY, {"account": account_id})


async def lock(connection: AsyncConnection[Any], name_or_id: str) -> RuleRow | None:
    """One, which nobody else changes until the transaction ends."""
    return next(iter(await _rows(connection, _LOCK, {"rule": name_or_id})), None)


async def add(connection: AsyncConnection[Any], row: RuleRow) -> None:
    """Keep a new one.

    Raises:
        InputInvalid: the name is taken.
    """
    await _write(connection, _ADD, row, row.created_at)


async def change(connection: AsyncConnection[Any], row: RuleRow, now: datetime) -> None:
    """Keep it as it is now, but for its kind and its standing.

    Raises:
        InputInvalid: the name is taken.
    """
    await _write(connection, _CHANGE, row, now)


async def stand(
    connection: AsyncConnection[Any], rule_id: UUID, standing: Standing, *, value: float | None, of: int
) -> None:
    """Note where the watch of it stands now."""
    written = {name: getattr(standing, name) for name in _STANDING}
    await connection.execute(_STAND, {"id": rule_id, **written, "value": value, "of": of})


async def remove(connection: AsyncConnection[Any], rule_id: UUID) -> None:
    await connection.execute("DELETE FROM alert_rules WHERE id = %s", [rule_id])


async def _write(connection: AsyncConnection[Any], statement: str, row: RuleRow, now: datetime) -> None:
    rule = row.rule
    lengths = {name: getattr(rule, name) for name in _LENGTHS}
    written = {
        "id": row.id,
        **{name: getattr(rule, name) for name in _TERMS},
        **{f"{name}_s": None if length is None else int(length.total_seconds()) for name, length in lengths.items()},
        "filters": Jsonb({name.value: list(values) for name, values in rule.filters.items()}),
        "account_id": row.account_id,
        "target_ids": None if row.target_ids is None else list(row.target_ids),
        "muted_until": row.muted_until,
        "now": now,
    }
    try:
        async with connection.transaction():
            await connection.execute(statement, written)
    except psycopg.errors.UniqueViolation as error:
        raise InputInvalid(f"There is a rule {rule.name!r} already; choose another name.", field="name") from error


async def _rows(connection: AsyncConnection[Any], statement: str, asked: dict[str, Any]) -> list[RuleRow]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, asked)
        return [_row(row) for row in await cursor.fetchall()]


def _row(row: dict[str, Any]) -> RuleRow:
    lengths = {name: row[f"{name}_s"] for name in _LENGTHS}
    rule = Rule(
        **{name: row[name] for name in _TERMS}
        | {name: None if seconds is None else timedelta(seconds=seconds) for name, seconds in lengths.items()}
        | {
            "kind": Kind(row["kind"]),
            "severity": Severity(row["severity"]),
            "filters": {Filter(name): tuple(values) for name, values in row["filters"].items()},
        }
    )
    return RuleRow(
        id=row["id"],
        rule=rule,
        account_id=row["account_id"],
        target_ids=row["target_ids"],
        muted_until=row["muted_until"],
        standing=Standing(**{name: row[name] for name in _STANDING} | {"state": State(row["state"])}),
        value=row["value"],
        observed_of=row["observed_of"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
