"""/alerts: what is wrong and was, what is looked at, and who is told."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.alerting import AFTER, FILTERS, SHARES, Filter, Kind, Severity, TargetKind
from landed.domain.errors import InputInvalid
from landed.services.alert_rules import NewRule, RuleFields
from landed.services.alert_shapes import RuleShape
from landed.services.alerts import AlertQuestion
from landed.web.api.alerts import Alerting
from landed.web.dashboard.forms import Form
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View
from landed.web.dashboard.words import words

PAGE: Final = 50
_HERE: Final = "/alerts"
#: What an alert can be muted for.
MUTES: Final = (("1", "1 hour"), ("8", "8 hours"), ("24", "1 day"), ("168", "7 days"))
_MUTE_H_MAX: Final = 24 * 31
_FIGURE_MAX: Final = 1e9
#: Fields of a rule that forms have in minutes, and the API in seconds.
_MINUTES: Final = ("window_s", "hold_s", "recovery_hold_s", "after_s", "repeat_after_s")


def router(pages: Pages, alerting: Alerting) -> APIRouter:
    routes = APIRouter(prefix=_HERE)
    _add_alerts(routes, pages, alerting)
    _add_rules(routes, pages, alerting)
    _add_targets(routes, pages, alerting)
    _add_one(routes, pages, alerting)  # last: its path takes any word
    return routes


def _add_alerts(routes: APIRouter, pages: Pages, alerting: Alerting) -> None:
    Operators = Annotated[Page, Depends(pages.operators)]  # noqa: N806  a type

    @routes.get("")
    async def found(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        asked = question(page.view)
        alerts = await alerting.alerts.page(asked, account_id=None, cursor=page.view.value("cursor"), limit=PAGE)
        rules = await alerting.rules.every(account_id=None)
        return page.render("alerts.html", found=alerts, rules=rules.data, mutes=MUTES)

    @routes.post("/{alert_id}/acknowledge")
    async def acknowledge(page: Operators, alert_id: str) -> Response:
        await alerting.alerts.acknowledge(alert_id, by=page.user.name, account_id=None)
        await page.record("alert.acknowledged", f"alert:{alert_id}")
        return page.go(f"{_HERE}/{alert_id}", said="Acknowledged.")

    @routes.post("/{alert_id}/mute")
    async def mute(page: Operators, alert_id: str) -> Response:
        hours = _hours(page.form)
        until = None if hours is None else pages.clock() + timedelta(hours=hours)
        await alerting.alerts.mute(alert_id, until=until, account_id=None)
        await page.record("alert.muted" if until else "alert.unmuted", f"alert:{alert_id}")
        return page.go(f"{_HERE}/{alert_id}", said="Muted." if until else "No more muted.")


def _add_one(routes: APIRouter, pages: Pages, alerting: Alerting) -> None:
    @routes.get("/{alert_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], alert_id: str) -> Response:
        return page.render("alert.html", alert=await alerting.alerts.one(alert_id, account_id=None), mutes=MUTES)


def _add_rules(routes: APIRouter, pages: Pages, alerting: Alerting) -> None:
    Admins = Annotated[Page, Depends(pages.admins)]  # noqa: N806  a type
    words_of_rules: dict[str, Any] = {
        "kinds": list(Kind), "severities": list(Severity), "shares": SHARES, "after": AFTER, "filters_of": FILTERS
    }  # fmt: skip

    @routes.get("/rules")
    async def rules(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        every = await alerting.rules.every(account_id=None)
        return page.render("alert_rules.html", rules=every.data, **words_of_rules)

    @routes.post("/rules")
    async def add(page: Admins) -> Response:
        form = page.form
        kind = _kind(form.text("kind"))
        rule = await alerting.rules.add(
            NewRule(kind=kind, name=form.text("name"), filters=_filters(form), **_fields(form, kind)), account_id=None
        )
        await page.record("alert_rule.added", f"rule:{rule.name}")
        return page.go(f"{_HERE}/rules/{rule.id}", said=f"{rule.name} is looked at from now on.")

    @routes.get("/rules/{rule_id}")
    async def rule(page: Annotated[Page, Depends(pages.viewers)], rule_id: str) -> Response:
        shown = await alerting.rules.one(rule_id, account_id=None)
        return page.render("alert_rule.html", rule=shown, **words_of_rules)

    @routes.post("/rules/{rule_id}")
    async def change(page: Admins, rule_id: str) -> Response:
        shown: RuleShape = await alerting.rules.one(rule_id, account_id=None)
        changed = await alerting.rules.change(
            rule_id,
            RuleFields(
                name=page.form.text("name"),
                filters=_filters(page.form),
                enabled=page.form.flag("enabled"),
                **_fields(page.form, Kind(shown.kind)),
            ),
            account_id=None,
        )
        await page.record("alert_rule.changed", f"rule:{changed.name}")
        return page.go(f"{_HERE}/rules/{rule_id}", said=f"{changed.name} is changed.")

    @routes.post("/rules/{rule_id}/remove")
    async def remove(page: Admins, rule_id: str) -> Response:
        await alerting.rules.remove(rule_id, account_id=None)
        await page.record("alert_rule.removed", f"rule:{rule_id}")
        return page.go(f"{_HERE}/rules", said="The rule is gone.")


def _add_targets(routes: APIRouter, pages: Pages, alerting: Alerting) -> None:
    Admins = Annotated[Page, Depends(pages.admins)]  # noqa: N806  a type

    async def render(page: Page, made: Any = None) -> Response:
        every = await alerting.targets.every()
        return page.render("alert_targets.html", targets=every.data, made=made, kinds=list(TargetKind))

    @routes.get("/targets")
    async def targets(page: Admins) -> Response:
        return await render(page)

    @routes.post("/targets")
    async def add(page: Admins) -> Response:
        form = page.form
        kind = form.text("kind")
        if kind not in TargetKind.__members__.values():
            raise InputInvalid(f"There is no kind {kind[:40]!r}; there are {', '.join(TargetKind)}.", field="kind")
        made = await alerting.targets.add(
            name=form.text("name"),
            kind=TargetKind(kind),
            addresses=[each for each in (form.get("addresses") or "").replace(",", " ").split() if each],
            url=form.get("url"),
            secret=None,
            weekly_summary=form.flag("weekly_summary"),
        )
        await page.record("alert_target.added", f"target:{made.name}")
        return await render(page, made)

    @routes.post("/targets/{name}/test")
    async def test(page: Admins, name: str) -> Response:
        tried = await alerting.targets.test(name, f"{alerting.public_url}{_HERE}")
        await page.record("alert_target.tested", f"target:{tried.target}")
        said = f"{tried.target} was told." if tried.delivered else f"{tried.target} was not told: {tried.problem}"
        return page.go(f"{_HERE}/targets", said=said)

    @routes.post("/targets/{name}/remove")
    async def remove(page: Admins, name: str) -> Response:
        await alerting.targets.remove(name)
        await page.record("alert_target.removed", f"target:{name}")
        return page.go(f"{_HERE}/targets", said=f"{name} is told nothing more.")


def question(view: View) -> AlertQuestion:
    """Which alerts the address asks for: those that stand and those that are over, unless it says.

    Raises:
        InputInvalid: something in it cannot be asked.
    """
    state = view.value("state")
    if state not in (None, "firing", "over"):
        raise InputInvalid("state is firing or over.", field="state")
    return AlertQuestion(
        firing=None if state is None else state == "firing",
        rule=view.value("rule"),
        severities=words(view, "severity", Severity),
        since=view.period.since if view.value("since") else None,
        until=view.period.until if view.value("until") else None,
    )


def _kind(word: str) -> Kind:
    if word not in Kind.__members__.values():
        raise InputInvalid(f"There is no kind {word[:40]!r}; there are {', '.join(Kind)}.", field="kind")
    return Kind(word)


def _hours(form: Form) -> int | None:
    """None: no more muted."""
    text = form.get("hours")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= _MUTE_H_MAX:
        raise InputInvalid(f"Mute for 1 to {_MUTE_H_MAX} hours.", field="hours")
    return int(text)


def _filters(form: Form) -> dict[Filter, list[str]]:
    """Each field holds values by commas."""
    given = {each: [part.strip() for part in (form.get(each.value) or "").split(",")] for each in Filter}
    return {each: values for each, parts in given.items() if (values := [part for part in parts if part])}


def _fields(form: Form, kind: Kind) -> dict[str, Any]:
    """What is filled in: shares in percent, lengths in minutes."""
    fields: dict[str, Any] = {}
    for name in ("threshold", "recovery"):
        if (value := _figure(form, name)) is not None:
            fields[name] = value / 100 if kind in SHARES else value
    if (floor := _figure(form, "floor")) is not None:
        fields["floor"] = int(floor)
    for name in _MINUTES:
        if (value := _figure(form, name)) is not None:
            fields[name] = round(value * 60)
    if (severity := form.get("severity")) is not None:
        if severity not in Severity.__members__.values():
            raise InputInvalid(f"There is no severity {severity[:40]!r}.", field="severity")
        fields["severity"] = Severity(severity)
    return fields


def _figure(form: Form, name: str) -> float | None:
    text = form.get(name)
    if text is None:
        return None
    meaning = name.removesuffix("_s").replace("_", " ")
    try:
        value = float(text)
    except ValueError as error:
        raise InputInvalid(f"{meaning} is no figure: {text[:40]!r}.", field=name) from error
    if not 0 <= value < _FIGURE_MAX:
        raise InputInvalid(f"{meaning} is out of range: {text[:40]}.", field=name)
    return value
