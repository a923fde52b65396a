"""The shapes in which alerts, their rules and their targets are shown: for the API, `--json`, and who is told."""

from datetime import timedelta
from typing import Any

from pydantic import Field

from landed.domain.alerting import Filter, Kind, Severity, State, TargetKind
from landed.services.shapes import ErrorMeaning, Moment, Shape
from landed.store.alert_rules import RuleRow
from landed.store.alert_targets import TargetRow
from landed.store.alerts import AlertRow, Delivery, EndedBy, NotificationRow, Told


class AlertWhere(Shape):
    """The value that explains most of it, with its own figures and those of all others."""

    dimension: str = Field(description="what kind of value it is", examples=["network", "country", "sender", "account"])
    value: str = Field(description="as filters take it", examples=["310-260"])
    name: str = Field(description="as people say it", examples=["T-Mobile, US (310-260)"])
    text: str = Field(examples=["T-Mobile, US (310-260): 62 % of 412 failed, all others 3 %"])
    bad: float = Field(description="how many messages (or sessions) went wrong there; of spend, the amount")
    of: int = Field(description="of how many")
    share: float | None = Field(description="bad, over of; null for spend")
    others_share: float | None = Field(description="the same for all others; null where there are no others")
    usual_share: float | None = Field(description="the same there, in the day before; null where nothing was sent then")


class AlertError(Shape):
    """The commonest error code of the failures there."""

    error_code: str
    messages: int
    meaning: ErrorMeaning | None


class AlertWord(Shape):
    """A word of a provider without mapping, or a reason why callbacks are refused."""

    account: str | None
    word: str
    times: int


class AlertShape(Shape):
    """One incident: fired once, and over once."""

    id: str
    rule: str
    rule_id: str | None = Field(description="null: the rule was deleted")
    kind: str = Field(examples=list(Kind))
    severity: str = Field(examples=list(Severity))
    state: str = Field(examples=["firing", "over"])
    ended_by: str | None = Field(description="why it is over", examples=list(EndedBy))
    account: str | None = Field(description="the only one that its rule looks at; null: more")
    title: str = Field(examples=["Messages fail: 23 % of 1,204 failed, the limit is 20 %"])
    where: AlertWhere | None = Field(description="null where no single value explains half of it")
    error: AlertError | None
    words: list[AlertWord]
    since: Moment = Field(description="when the trouble began, as far as counters tell")
    fired_at: Moment
    ended_at: Moment | None
    value: float = Field(description="when it fired; shares are from 0 to 1")
    worst: float
    last: float | None
    threshold: float
    url: str = Field(description="the overview, filtered to what it is about")
    told_at: Moment | None = Field(description="when targets were last told; null: not yet, it is muted")
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    muted_until: Moment | None


class NotificationShape(Shape):
    """What was told to one target, and how far that is."""

    id: str
    target: str | None
    kind: str = Field(examples=list(Told))
    state: str = Field(examples=list(Delivery))
    attempts: int
    next_attempt_at: Moment | None = Field(description="null once it is delivered or given up")
    problem: str | None
    created_at: Moment
    settled_at: Moment | None


class AlertWhole(AlertShape):
    notifications: list[NotificationShape]


class AlertList(Shape):
    data: list[AlertShape]
    next_cursor: str | None


class RuleShape(Shape):
    """What is looked at, when it speaks, and how it stands now."""

    id: str
    name: str
    kind: str = Field(examples=list(Kind))
    filters: dict[str, list[str]] = Field(description="as those of analytics", examples=[{"country": ["US"]}])
    account: str | None = Field(description="the only one it looks at; null: more")
    threshold: float
    recovery: float = Field(description="where it has to come back to")
    floor: int = Field(description="fewer messages (or sessions) in the window say nothing")
    window_s: int
    hold_s: int = Field(description="how long it has to be bad to fire")
    recovery_hold_s: int = Field(description="how long it has to be good again to be over")
    after_s: int | None = Field(description="after how long a message is slow, or its receipt missing")
    currency: str | None = Field(description="of spend; null: whichever is worst")
    against_usual: bool = Field(description="of spend: the threshold is how many times what is usual")
    severity: str = Field(examples=list(Severity))
    enabled: bool
    targets: list[str] | None = Field(description="names of those who are told; null: all there are")
    repeat_after_s: int | None = Field(description="tell again while it stands, so often; null: once")
    muted_until: Moment | None
    state: str = Field(examples=list(State))
    state_since: Moment | None
    value: float | None = Field(description="as last seen; null: too little to tell it from, or never looked at")
    observed_of: int = Field(description="how many it was told from")
    observed_at: Moment | None
    created_at: Moment
    updated_at: Moment


class RuleList(Shape):
    data: list[RuleShape]
    next_cursor: str | None


class TargetShape(Shape):
    """Who is told. Addresses of hooks and their secrets are never shown again."""

    id: str
    name: str
    kind: str = Field(examples=list(TargetKind))
    addresses: list[str] = Field(description="of mail")
    host: str | None = Field(description="where a hook leads")
    weekly_summary: bool
    enabled: bool
    created_at: Moment
    updated_at: Moment


class TargetMade(TargetShape):
    secret: str | None = Field(description="what a webhook's requests are signed with: shown this once")


class TargetList(Shape):
    data: list[TargetShape]
    next_cursor: str | None


class Tried(Shape):
    """What came of a test."""

    target: str
    delivered: bool
    problem: str | None


def alert(row: AlertRow, account: str | None, public_url: str) -> AlertShape:
    return AlertShape(**_alert(row, account, public_url))


def alert_whole(
    row: AlertRow, account: str | None, public_url: str, notifications: list[NotificationRow]
) -> AlertWhole:
    told = [
        NotificationShape(
            id=str(each.id),
            target=each.target,
            kind=each.kind,
            state=each.state,
            attempts=each.attempts,
            next_attempt_at=each.next_attempt_at if each.state == Delivery.WAITING else None,
            problem=each.problem,
            created_at=each.created_at,
            settled_at=each.settled_at,
        )
        for each in notifications
    ]
    return AlertWhole(**_alert(row, account, public_url), notifications=told)


def _alert(row: AlertRow, account: str | None, public_url: str) -> dict[str, Any]:
    content = row.content
    return {
        "id": str(row.id),
        "rule": row.rule_name,
        "rule_id": str(row.rule_id) if row.rule_id else None,
        "kind": row.kind,
        "severity": row.severity,
        "state": "over" if row.ended_by else "firing",
        "ended_by": row.ended_by,
        "account": account,
        "title": content["title"],
        "where": content["where"],
        "error": content["error"],
        "words": content["words"],
        "url": f"{public_url}{content['path']}",
        **{
            name: getattr(row, name)
            for name in (
                "since", "fired_at", "ended_at", "value", "worst", "last", "threshold", "told_at", "acknowledged_at",
                "acknowledged_by", "muted_until",
            )
        },
    }  # fmt: skip


def rule(row: RuleRow, account: str | None, targets: list[str] | None) -> RuleShape:
    kept, standing = row.rule, row.standing
    return RuleShape(
        id=str(row.id),
        name=kept.name,
        kind=kept.kind,
        filters={name.value: list(kept.filters[name]) for name in Filter if name in kept.filters},
        account=account,
        threshold=kept.threshold,
        recovery=kept.recovery,
        floor=kept.floor,
        window_s=_seconds(kept.window),
        hold_s=_seconds(kept.hold),
        recovery_hold_s=_seconds(kept.recovery_hold),
        after_s=None if kept.after is None else _seconds(kept.after),
        currency=kept.currency,
        against_usual=kept.against_usual,
        severity=kept.severity,
        enabled=kept.enabled,
        targets=targets,
        repeat_after_s=None if kept.repeat_after is None else _seconds(kept.repeat_after),
        muted_until=row.muted_until,
        state=standing.state,
        state_since=standing.good_since if standing.state is State.RECOVERING else standing.since,
        value=row.value,
        observed_of=row.observed_of,
        observed_at=standing.observed_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def target(row: TargetRow) -> TargetShape:
    return TargetShape(**_target(row))


def target_made(row: TargetRow, secret: str | None) -> TargetMade:
    return TargetMade(**_target(row), secret=secret)


def _target(row: TargetRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "kind": row.kind,
        "addresses": list(row.addresses),
        "host": row.host,
        "weekly_summary": row.weekly_summary,
        "enabled": row.enabled,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
