"""Rules of alerts as people put them in: checked, kept, changed, switched off and deleted.

Everything takes `account_id`, the account a key is bound to (None: all): rules that look at more are not there for it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from landed.domain.accounts import AccountName
from landed.domain.alerting import (
    AFTER,
    BELOW,
    FILTERS,
    SHARES,
    Filter,
    Kind,
    Rule,
    Severity,
    Standing,
    State,
    mute_end,
)
from landed.domain.errors import InputInvalid, NotFound
from landed.domain.receipts import AttemptChannel, Channel
from landed.services import alert_shapes
from landed.services.alert_shapes import RuleList, RuleShape
from landed.services.alert_telling import Telling
from landed.services.reading import NONE, network_codes, number
from landed.store import alert_queries, alert_rules, alert_targets, alerts
from landed.store.alert_rules import RuleRow
from landed.store.alert_targets import TargetRow
from landed.store.alerts import EndedBy, Pool
from landed.store.connect import transaction

NAME_CHARACTERS_MAX: Final = 80
VALUES_MAX: Final = 50
VALUE_CHARACTERS_MAX: Final = 64
DAY_S: Final = 86_400
WINDOW_S_MAX: Final = 7 * DAY_S
REPEAT_S_LEAST: Final = 300

#: What a new rule has where nothing else is said.
_GIVEN: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.FAILURE_SHARE: {"threshold": 0.2, "floor": 50, "window_s": 900, "hold_s": 120, "recovery_hold_s": 300},
    Kind.SLOW_SHARE: {
        "threshold": 0.3, "floor": 50, "window_s": 900, "hold_s": 120, "recovery_hold_s": 300, "after_s": 120
    },
    Kind.MISSING_SHARE: {
        "threshold": 0.2, "floor": 50, "window_s": 1800, "hold_s": 120, "recovery_hold_s": 300, "after_s": 1800
    },
    Kind.UNKNOWN_STATUSES: {"threshold": 1.0, "window_s": 3600},
    Kind.REFUSED_SIGNATURES: {"threshold": 50.0, "window_s": 900, "recovery_hold_s": 300},
    Kind.TRACKING_LAG: {"threshold": 60.0, "window_s": 60, "hold_s": 300, "recovery_hold_s": 60},
    Kind.SPEND: {"threshold": 100.0, "window_s": 3600, "recovery_hold_s": 900},
    Kind.OTP_CONVERSION: {"threshold": 0.3, "floor": 50, "window_s": 10_800},
}  # fmt: skip
#: And which part of its threshold is its recovery; of those not named half of it.
_RECOVERY: Final = {
    Kind.UNKNOWN_STATUSES: 0.0, Kind.REFUSED_SIGNATURES: 0.1, Kind.TRACKING_LAG: 1 / 6, Kind.OTP_CONVERSION: 4 / 3
}  # fmt: skip


class RuleFields(BaseModel):
    """What can be said of a rule; what is left out keeps its value, or gets that of its kind."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, examples=["Messages to the US fail"])
    filters: dict[Filter, list[str]] | None = Field(default=None, description="as those of analytics, in lists")
    threshold: float | None = Field(default=None, description="shares are from 0 to 1")
    recovery: float | None = Field(default=None, description="where it has to come back to, to be over")
    floor: int | None = Field(default=None, description="fewer messages (or sessions) in the window say nothing")
    window_s: int | None = None
    hold_s: int | None = Field(default=None, description="how long it has to be bad to fire")
    recovery_hold_s: int | None = Field(default=None, description="how long it has to be good again to be over")
    after_s: int | None = Field(default=None, description="after how long a message is slow, or its receipt missing")
    currency: str | None = Field(default=None, description="of spend; null: whichever is worst")
    against_usual: bool | None = Field(default=None, description="of spend: the threshold is how many times the usual")
    severity: Severity | None = None
    enabled: bool | None = None
    targets: list[str] | None = Field(default=None, description="names of those who are told; null: all there are")
    repeat_after_s: int | None = Field(default=None, description="tell again while it stands, so often; null: once")
    muted_until: AwareDatetime | None = Field(default=None, description="tell nobody before; null: not muted")


class NewRule(RuleFields):
    kind: Kind


class Rules:
    def __init__(
        self, *, pool: Pool, public_url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.pool = pool
        self._public_url = public_url
        self._clock = clock

    async def every(self, *, account_id: int | None) -> RuleList:
        """All of them by name, each with how it stands."""
        async with transaction(self.pool) as connection:
            rows = await alert_rules.every(connection, account_id)
            around = await self._around(connection)
        return RuleList(data=[around.shape(row) for row in rows], next_cursor=None)

    async def one(self, name_or_id: str, *, account_id: int | None) -> RuleShape:
        """One, by its name or id, with how it stands.

        Raises:
            NotFound: there is none, or none of this account.
        """
        async with transaction(self.pool) as connection:
            row = await _row(connection, name_or_id, account_id)
            return (await self._around(connection)).shape(row)

    async def add(self, new: NewRule, *, account_id: int | None) -> RuleShape:
        """Keep a new one; it is looked at from now on.

        Raises:
            InputInvalid: names the field.
        """
        now = self._clock()
        async with transaction(self.pool) as connection:
            around = await self._around(connection)
            given = {**_GIVEN[new.kind], **_said(new, now)}
            if new.kind is Kind.SPEND and given.get("against_usual") and new.threshold is None:
                given["threshold"] = 3.0
            given.setdefault("recovery", given["threshold"] * _RECOVERY.get(new.kind, 0.5))
            if new.kind in BELOW:
                given["recovery"] = min(1.0, given["recovery"])
            blank = Rule(
                name="", kind=new.kind, threshold=0, recovery=0, window=timedelta(0), enabled=True, currency=None
            )
            row = RuleRow(
                id=uuid4(),
                rule=blank,
                account_id=None,
                target_ids=None,
                muted_until=None,
                standing=Standing(),
                value=None,
                observed_of=0,
                created_at=now,
                updated_at=now,
            )
            row = around.changed(row, given, account_id)
            await alert_rules.add(connection, row)
        return around.shape(row)

    async def change(self, name_or_id: str, fields: RuleFields, *, account_id: int | None) -> RuleShape:
        """Change what is said of it. One that is switched off ends its alert.

        Raises:
            NotFound: there is none, or none of this account.
            InputInvalid: names the field.
        """
        now = self._clock()
        async with transaction(self.pool) as connection:
            around = await self._around(connection)
            row = around.changed(await _row(connection, name_or_id, account_id), _said(fields, now), account_id)
            row = replace(row, updated_at=now)
            await alert_rules.change(connection, row, now)
            if not row.rule.enabled and row.standing.state is not State.OK:
                row = replace(row, standing=Standing(), value=None)
                await self._end(connection, row, EndedBy.DISABLED, around)
                await alert_rules.stand(connection, row.id, row.standing, value=None, of=0)
        return around.shape(row)

    async def remove(self, name_or_id: str, *, account_id: int | None) -> None:
        """Forget it; what it told of stays, and its alert is over.

        Raises:
            NotFound: there is none, or none of this account.
        """
        async with transaction(self.pool) as connection:
            row = await _row(connection, name_or_id, account_id)
            await self._end(connection, row, EndedBy.DELETED, await self._around(connection))
            await alert_rules.remove(connection, row.id)

    async def _end(self, connection: AsyncConnection[Any], row: RuleRow, ended_by: EndedBy, around: "_Around") -> None:
        alert = await alerts.standing_of(connection, row.id)
        if alert is not None:
            telling = Telling(around.targets, around.accounts, self._public_url, self._clock())
            await telling.over(connection, alert, ended_by, alert.last)

    async def _around(self, connection: AsyncConnection[Any]) -> "_Around":
        return _Around(await alert_targets.every(connection), await alert_queries.account_names(connection))


class _Around:
    """What rules name: targets and accounts."""

    def __init__(self, targets: Sequence[TargetRow], names: Mapping[int, AccountName]) -> None:
        self.targets = targets
        self.accounts = names

    def shape(self, row: RuleRow) -> RuleShape:
        name_of = {target.id: target.name for target in self.targets}
        told = None if row.target_ids is None else [name_of[each] for each in row.target_ids if each in name_of]
        account = self.accounts.get(row.account_id or 0)
        return alert_shapes.rule(row, account.name if account else None, told)

    def changed(self, row: RuleRow, said: Mapping[str, Any], account_id: int | None) -> RuleRow:
        """The rule with what was said of it.

        Raises:
            InputInvalid: it cannot be said of a rule of this kind; names the field.
        """
        rule = _changed(row.rule, said)
        if account_id is not None:
            own = self.accounts[account_id].name
            if rule.filters.get(Filter.ACCOUNT, (own,)) != (own,):
                raise InputInvalid("This key may only have rules of its own account.", field="filters")
            if Filter.ACCOUNT not in FILTERS[rule.kind]:
                raise InputInvalid("A rule of this kind looks at all accounts, which this key may not.", field="kind")
            rule = replace(rule, filters={**rule.filters, Filter.ACCOUNT: (own,)})
        rule = replace(rule, filters=_filters(rule, self.accounts))
        _check(rule)
        return replace(
            row,
            rule=rule,
            account_id=self._only_account(rule),
            target_ids=self._target_ids(said["targets"]) if "targets" in said else row.target_ids,
            muted_until=said.get("muted_until", row.muted_until),
        )

    def _only_account(self, rule: Rule) -> int | None:
        named = rule.filters.get(Filter.ACCOUNT, ())
        return next((each.id for each in self.accounts.values() if named == (each.name,)), None)

    def _target_ids(self, names: Sequence[str] | None) -> list[UUID] | None:
        if names is None:
            return None
        id_of = {target.name: target.id for target in self.targets}
        for name in names:
            if name not in id_of:
                raise InputInvalid(f"There is no alert target {name[:60]!r}.", field="targets")
        return [id_of[name] for name in dict.fromkeys(names)]


async def _row(connection: AsyncConnection[Any], name_or_id: str, account_id: int | None) -> RuleRow:
    row = await alert_rules.lock(connection, name_or_id)
    if row is None or account_id not in (None, row.account_id):
        raise NotFound(f"There is no alert rule {name_or_id[:60]!r}; `landed alerts rules list` shows them.")
    return row


def _said(fields: RuleFields, now: datetime) -> dict[str, Any]:
    """What was said: nothing can be taken away but what a rule may be without."""
    said = {name: getattr(fields, name) for name in fields.model_fields_set if name != "kind"}
    for name, value in said.items():
        if value is None and name not in ("after_s", "currency", "targets", "repeat_after_s", "muted_until"):
            raise InputInvalid(f"`{name}` cannot be null; leave it out to keep it as it is.", field=name)
    if until := said.get("muted_until"):
        said["muted_until"] = mute_end(until, now, "muted_until")
    return said


def _changed(rule: Rule, said: Mapping[str, Any]) -> Rule:
    plain = {name: said[name] for name in (
        "name", "threshold", "recovery", "floor", "currency", "against_usual", "severity", "enabled"
    ) if name in said}  # fmt: skip
    for name in ("window", "hold", "recovery_hold", "after", "repeat_after"):
        if f"{name}_s" in said:
            seconds = said[f"{name}_s"]
            if seconds is not None:
                _between(seconds, 0, 30 * DAY_S, f"{name}_s")
            plain[name] = None if seconds is None else timedelta(seconds=seconds)
    if "filters" in said:
        plain["filters"] = {name: tuple(values) for name, values in said["filters"].items() if values}
    if plain.get("currency"):
        plain["currency"] = plain["currency"].upper()
    return replace(rule, **plain)


def _filters(rule: Rule, names: Mapping[int, AccountName]) -> dict[Filter, tuple[str, ...]]:
    known = {account.name for account in names.values()}
    for name, values in rule.filters.items():
        if name not in FILTERS[rule.kind]:
            raise InputInvalid(f"A rule of the kind {rule.kind} cannot be narrowed by {name}.", field="filters")
        most = 1 if name is Filter.TAG else VALUES_MAX  # a message with two of them would count twice
        if len(values) > most or not all(0 < len(each) <= VALUE_CHARACTERS_MAX and "\0" not in each for each in values):
            raise InputInvalid(f"Give up to {most} values of {name}, each up to {VALUE_CHARACTERS_MAX} characters.",
                               field="filters")  # fmt: skip
        for value in values:
            if name is Filter.NETWORK:
                network_codes(value)
            if name is Filter.ACCOUNT and value not in known:
                raise InputInvalid(f"There is no account {value[:60]!r} that this key may see.", field="filters")
            if name is Filter.COUNTRY and value != NONE and not _is_letters(value, 2):
                raise InputInvalid(f"{value!r} is no country; give two letters, such as US.", field="filters")
            if name is Filter.CHANNEL and value not in (channels := _channels(rule.kind)):
                raise InputInvalid(f"{value!r} is no channel; there are: {', '.join(channels)}.", field="filters")
    return {name: tuple(_as_kept(name, value) for value in values) for name, values in rule.filters.items()}


def _channels(kind: Kind) -> list[str]:
    return [*AttemptChannel, NONE] if kind is Kind.OTP_CONVERSION else [*Channel]


def _as_kept(name: Filter, value: str) -> str:
    if name is Filter.SENDER:
        return number(value) or value
    return value.upper() if name is Filter.COUNTRY and value != NONE else value


def _check(rule: Rule) -> None:
    """See that the rule makes sense.

    Raises:
        InputInvalid: it does not; names the field.
    """
    name = rule.name.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable() or name != rule.name:
        raise InputInvalid(f"A rule needs a name of up to {NAME_CHARACTERS_MAX} characters.", field="name")
    most = 1.0 if rule.kind in SHARES else 1e12
    _between(rule.threshold, 0, most, "threshold", is_above=True)
    if rule.kind in BELOW:
        _between(rule.recovery, rule.threshold, most, "recovery")
    else:
        _between(rule.recovery, 0, rule.threshold, "recovery")
    _between(rule.floor, 0, 1_000_000_000, "floor")
    step = 3600 if rule.kind is Kind.OTP_CONVERSION else 60
    window_s = int(rule.window.total_seconds())
    _between(window_s, step, DAY_S if rule.against_usual else WINDOW_S_MAX, "window_s")
    if window_s % step:
        raise InputInvalid(f"The window has to be a multiple of {step} seconds.", field="window_s")
    _between(rule.hold.total_seconds(), 0, DAY_S, "hold_s")
    _between(rule.recovery_hold.total_seconds(), 0, DAY_S, "recovery_hold_s")
    if (rule.after is None) == (rule.kind in AFTER):
        raise InputInvalid("`after_s` belongs to slow_share and missing_share, which need it.", field="after_s")
    if rule.after is not None:
        _between(rule.after.total_seconds(), 1, WINDOW_S_MAX, "after_s")
    if rule.kind is not Kind.SPEND and (rule.currency is not None or rule.against_usual):
        raise InputInvalid("Only spend has a currency, or is held against what is usual.", field="currency")
    if rule.currency is not None and not _is_letters(rule.currency, 3):
        raise InputInvalid(f"{rule.currency[:10]!r} is no currency; give three letters, such as USD.", field="currency")
    if rule.repeat_after is not None:
        _between(rule.repeat_after.total_seconds(), REPEAT_S_LEAST, 30 * DAY_S, "repeat_after_s")


def _is_letters(text: str, number: int) -> bool:
    return len(text) == number and text.isascii() and text.isalpha()


def _between(value: float, least: float, most: float, field: str, *, is_above: bool = False) -> None:
    if not math.isfinite(value) or not least <= value <= most or (is_above and value == least):
        word = "above" if is_above else "from"
        raise InputInvalid(f"`{field}` has to be {word} {least:g}, up to {most:g}.", field=field)
