"""The alert pages: what fired is shown and acknowledged, rules and targets are changed by those who may."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from landed.domain.alerting import Kind, Observation, Rule
from landed.domain.explaining import Counted
from landed.domain.periods import Period
from landed.services import alert_words
from landed.services.alerts import AlertQuestion
from landed.services.observing import Seen
from landed.store.oddities import OddityCount
from tests.alerting import ATT, T_MOBILE, opened_house
from tests.dashboard import dashboard

WELL = {T_MOBILE: (20, 0), ATT: (15, 0)}
OUTAGE = {T_MOBILE: (20, 16), ATT: (15, 0)}


async def _outage(database_url: str) -> str:
    """The id of an alert that fires."""
    async with opened_house(database_url) as house:
        await house.account()
        watch = house.watch()
        await house.live(20, WELL, watch)
        assert await house.live(20, OUTAGE, watch) == 1
        (alert,) = (await house.alerts().page(AlertQuestion(), account_id=None, cursor=None, limit=9)).data
        return alert.id


def test_a_firing_alert_names_the_network_and_is_acknowledged_and_muted_by_operators(database: str) -> None:
    alert_id = asyncio.run(_outage(database))
    with dashboard(database) as house:
        viewer, operator = house.visitor("viewer"), house.visitor("operator")
        listed = viewer.page("/alerts")
        assert "T-Mobile, US (310-260)" in listed
        assert "network=310-260" in listed
        assert "Acknowledge" not in listed
        assert viewer.post(f"/alerts/{alert_id}/acknowledge").status_code == 403

        assert operator.post(f"/alerts/{alert_id}/acknowledge").status_code == 303
        assert "Acknowledged by" in viewer.page(f"/alerts/{alert_id}")
        assert operator.post(f"/alerts/{alert_id}/mute", hours="8").status_code == 303
        assert "Muted until" in viewer.page(f"/alerts/{alert_id}")
        assert operator.post(f"/alerts/{alert_id}/mute", hours="many").status_code == 422
        assert operator.post(f"/alerts/{alert_id}/mute", hours="00000199999999999").status_code == 422
        assert operator.post(f"/alerts/{alert_id}/mute").status_code == 303
        assert "Muted until" not in viewer.page(f"/alerts/{alert_id}")
        assert "alert.acknowledged" in house.visitor("admin").page("/settings/audit")


def test_admins_add_change_and_delete_rules(database: str) -> None:
    with dashboard(database) as house:
        admin = house.visitor("admin")
        assert "Messages fail" in admin.page("/alerts/rules")  # those that are there from the first start
        added = admin.post("/alerts/rules", kind="failure_share", name="India fails", threshold="12.5", country="IN")
        page = added.headers["location"]
        shown = admin.page(page)
        assert 'value="12.5"' in shown
        assert 'value="IN"' in shown

        fields = dict(re.findall(r'name="(\w+)" type="text" value="([^"]*)"', shown))
        assert admin.post(page, **{**fields, "threshold": "15", "severity": "critical"}).status_code == 303
        changed = admin.page(page)
        assert 'value="15"' in changed
        assert "off" in changed  # the box was not ticked

        for bad in ({"threshold": "-1"}, {"threshold": "much"}, {"window_s": "1e12"}, {"severity": "loud"}):
            assert admin.post(page, **{**fields, **bad}).status_code == 422, bad
        assert house.visitor("operator").post(page, **fields).status_code == 403
        assert admin.post(f"{page}/remove").status_code == 303
        assert admin.get(page).status_code == 404


def test_admins_say_who_is_told_and_addresses_of_hooks_are_never_shown(database: str) -> None:
    with dashboard(database) as house:
        admin = house.visitor("admin")
        assert house.visitor("operator").get("/alerts/targets").status_code == 403
        made = admin.post("/alerts/targets", name="desk", kind="webhook", url="http://127.0.0.1:9/hook?secret=abc")
        assert "whsec_" in made.text
        listed = admin.page("/alerts/targets")
        assert "127.0.0.1" in listed
        assert "secret=abc" not in listed
        assert "whsec_" not in listed
        assert admin.post("/alerts/targets", name="x", kind="pigeon").status_code == 422
        assert admin.post("/alerts/targets/desk/remove").status_code == 303
        admin.page("/alerts/targets")  # says once what was done
        assert "desk" not in admin.page("/alerts/targets")


def test_every_kind_of_alert_leads_to_a_page_that_viewers_may_see(database: str) -> None:
    until = datetime.now(UTC)
    seen = Seen(
        Observation(until, 1, 1),
        Period(until - timedelta(hours=3), until),
        Counted(1, 1),
        words=[OddityCount(1, "bounced", 1)],
    )
    with dashboard(database) as house:
        viewer = house.visitor("viewer")
        for kind in Kind:
            rule = Rule(name="x", kind=kind, threshold=1, recovery=1, window=timedelta(hours=3))
            viewer.page(alert_words.path(rule, seen, seen.period.since, {"country": "US"}))


@pytest.mark.parametrize("path", ["/alerts?state=odd", "/alerts?severity=loud", "/alerts?cursor=x"])
def test_an_address_that_cannot_be_asked_is_refused(database: str, path: str) -> None:
    with dashboard(database) as house:
        assert house.visitor("viewer").get(path).status_code == 422
