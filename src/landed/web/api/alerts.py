"""/v1/alerts, /v1/alert-rules, /v1/alert-targets: what is wrong, what is looked at, and who is told.

All who read see alerts and rules; admins change them. A key that is bound to an account has its account's only, and
has nothing to do with targets.
"""

from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from landed.domain.accounts import ApiKey
from landed.domain.alerting import Severity, TargetKind
from landed.domain.errors import NotAllowed
from landed.services.alert_rules import NewRule, RuleFields, Rules
from landed.services.alert_shapes import (
    AlertList,
    AlertWhole,
    RuleList,
    RuleShape,
    TargetList,
    TargetMade,
    TargetShape,
    Tried,
)
from landed.services.alert_targets import Targets
from landed.services.alerts import AlertQuestion, Alerts
from landed.web.api.fields import LIMIT, Cursor, Limit, Many, Since, Text, Until
from landed.web.api.keys import Permitted

AlertId = Annotated[Text, Path(description="our id of the alert")]
RuleName = Annotated[Text, Path(description="the rule's id, or its name")]
TargetName = Annotated[Text, Path(description="the target's id, or its name")]


class Alerting(NamedTuple):
    """What these routes call."""

    alerts: Alerts
    rules: Rules
    targets: Targets
    public_url: str


class Muting(BaseModel):
    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime | None = Field(description="tell nobody before then, but of its end; null: no more muted")


class NewTarget(BaseModel):
    """Who is to be told."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    kind: TargetKind
    addresses: list[Text] = Field(default=[], description="of mail")
    url: Annotated[str | None, Field(max_length=2_000)] = Field(
        default=None, description="of a hook; never shown again"
    )
    secret: Text | None = Field(
        default=None, description="what a webhook's requests are signed with, whsec_…; left out: one is made"
    )
    weekly_summary: bool = False


class TargetFields(BaseModel):
    """What is to be changed."""

    model_config = ConfigDict(extra="forbid")

    addresses: list[Text] | None = None
    url: Annotated[str | None, Field(max_length=2_000)] = None
    weekly_summary: bool | None = None
    enabled: bool | None = None


def router(alerting: Alerting, readers: Permitted, admins: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["alerts"])
    _add_alerts(routes, alerting.alerts, readers, admins)
    _add_rules(routes, alerting.rules, readers, admins)
    _add_targets(routes, alerting, readers, admins)
    return routes


def _add_alerts(routes: APIRouter, alerts: Alerts, readers: Permitted, admins: Permitted) -> None:
    @routes.get("/alerts", summary="List alerts, the latest first")
    async def list_alerts(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        state: Annotated[
            Literal["firing", "over"] | None, Query(description="only those that stand, or are over")
        ] = None,
        rule: Annotated[Text | None, Query(description="id or name of the rule")] = None,
        severity: Annotated[list[Severity], Many("how bad it is")] = [],
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> AlertList:
        """`since` gives those that stood at some time from then on, `until` those that began before."""
        question = AlertQuestion(
            firing=None if state is None else state == "firing",
            rule=rule,
            severities=severity,
            since=since,
            until=until,
        )
        return await alerts.page(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/alerts/{alert_id}", summary="One alert with what was told of it")
    async def show_alert(key: Annotated[ApiKey, Depends(readers)], alert_id: AlertId) -> AlertWhole:
        return await alerts.one(alert_id, account_id=key.account_id)

    @routes.post("/alerts/{alert_id}/acknowledge", summary="Say that somebody looks after it")
    async def acknowledge_alert(key: Annotated[ApiKey, Depends(admins)], alert_id: AlertId) -> AlertWhole:
        """It is not told again; that it is over is still told."""
        return await alerts.acknowledge(alert_id, by=f"key:{key.name}", account_id=key.account_id)

    @routes.post("/alerts/{alert_id}/mute", summary="Tell nobody of it for a while")
    async def mute_alert(key: Annotated[ApiKey, Depends(admins)], alert_id: AlertId, muting: Muting) -> AlertWhole:
        return await alerts.mute(alert_id, until=muting.until, account_id=key.account_id)


def _add_rules(routes: APIRouter, rules: Rules, readers: Permitted, admins: Permitted) -> None:
    @routes.get("/alert-rules", summary="List the rules, each with how it stands")
    async def list_alert_rules(key: Annotated[ApiKey, Depends(readers)]) -> RuleList:
        return await rules.every(account_id=key.account_id)

    @routes.post("/alert-rules", summary="Look at something more", status_code=201)
    async def add_alert_rule(key: Annotated[ApiKey, Depends(admins)], new: NewRule) -> RuleShape:
        """What is left out is as usual for the kind."""
        return await rules.add(new, account_id=key.account_id)

    @routes.get("/alert-rules/{rule}", summary="One rule")
    async def show_alert_rule(key: Annotated[ApiKey, Depends(readers)], rule: RuleName) -> RuleShape:
        return await rules.one(rule, account_id=key.account_id)

    @routes.patch("/alert-rules/{rule}", summary="Change a rule")
    async def change_alert_rule(
        key: Annotated[ApiKey, Depends(admins)], rule: RuleName, fields: RuleFields
    ) -> RuleShape:
        """What is left out stays. One that is switched off ends its alert."""
        return await rules.change(rule, fields, account_id=key.account_id)

    @routes.delete("/alert-rules/{rule}", summary="Delete a rule", status_code=204)
    async def remove_alert_rule(key: Annotated[ApiKey, Depends(admins)], rule: RuleName) -> Response:
        """Its alerts stay in the list; one that stands is over."""
        await rules.remove(rule, account_id=key.account_id)
        return Response(status_code=204)


def _add_targets(routes: APIRouter, alerting: Alerting, readers: Permitted, admins: Permitted) -> None:
    targets = alerting.targets

    @routes.get("/alert-targets", summary="List who is told, without secrets")
    async def list_alert_targets(key: Annotated[ApiKey, Depends(readers)]) -> TargetList:
        _unbound(key)
        return await targets.every()

    @routes.post("/alert-targets", summary="Tell somebody more", status_code=201)
    async def add_alert_target(key: Annotated[ApiKey, Depends(admins)], new: NewTarget) -> TargetMade:
        """The answer holds what a webhook's requests are signed with, this once."""
        _unbound(key)
        return await targets.add(
            name=new.name,
            kind=new.kind,
            addresses=new.addresses,
            url=new.url,
            secret=new.secret,
            weekly_summary=new.weekly_summary,
        )

    @routes.get("/alert-targets/{target}", summary="One target, without its secrets")
    async def show_alert_target(key: Annotated[ApiKey, Depends(readers)], target: TargetName) -> TargetShape:
        _unbound(key)
        return await targets.one(target)

    @routes.patch("/alert-targets/{target}", summary="Change a target")
    async def change_alert_target(
        key: Annotated[ApiKey, Depends(admins)], target: TargetName, fields: TargetFields
    ) -> TargetShape:
        _unbound(key)
        return await targets.change(
            target,
            addresses=fields.addresses,
            url=fields.url,
            weekly_summary=fields.weekly_summary,
            enabled=fields.enabled,
        )

    @routes.delete("/alert-targets/{target}", summary="Tell somebody no more", status_code=204)
    async def remove_alert_target(key: Annotated[ApiKey, Depends(admins)], target: TargetName) -> Response:
        _unbound(key)
        await targets.remove(target)
        return Response(status_code=204)

    @routes.post("/alert-targets/{target}/test", summary="Tell a target that this is a test")
    async def test_alert_target(key: Annotated[ApiKey, Depends(admins)], target: TargetName) -> Tried:
        _unbound(key)
        return await targets.test(target, alerting.public_url)


def _unbound(key: ApiKey) -> None:
    if key.account_id is not None:
        raise NotAllowed("This key is bound to an account, and targets belong to no account.", known=True)
