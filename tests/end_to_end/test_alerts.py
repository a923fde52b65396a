"""Alerts from receipt to mail: they name the place, fire once and are over once, whatever dies in between."""

import asyncio
import base64
import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

import pytest

from landed.domain.alerting import TargetKind
from landed.services.alert_rules import RuleFields
from landed.services.alerts import AlertQuestion
from tests.alerting import ATT, MORNING, T_MOBILE, VODAFONE, House, opened_house

pytestmark = pytest.mark.anyio

WELL = {T_MOBILE: (20, 0), ATT: (15, 0), VODAFONE: (15, 1)}
OUTAGE = {T_MOBILE: (20, 16), ATT: (15, 0), VODAFONE: (15, 1)}


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened:
        await opened.account()
        yield opened


def body_of(mail: EmailMessage, kind: str) -> str:
    """`plain` or `html`."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


async def told_all(house: House) -> dict[str, str]:
    """Three targets, one of each kind; the secret of the webhook."""
    targets = house.targets()
    await targets.add(name="team", kind=TargetKind.EMAIL, addresses=["ana@example.com", "ben@example.com"])
    await targets.add(name="chat", kind=TargetKind.SLACK, url=f"{house.hook.url}/services/T0/B0/s3cr3t")
    made = await targets.add(name="desk", kind=TargetKind.WEBHOOK, url=f"{house.hook.url}/hook")
    assert made.secret is not None
    return {"secret": made.secret}


async def test_an_outage_of_one_network_is_named_told_once_and_over_once(house: House) -> None:
    secret = (await told_all(house))["secret"]
    watch = house.watch()
    assert await house.live(20, WELL, watch) == 0
    broke_at = house.now

    assert await house.live(20, OUTAGE, watch) == 1
    # Killed between firing and delivering: what is left to do is in the database, for whoever comes next.
    assert house.box.mails == []
    assert house.hook.requests == []
    watch, notifier = house.watch(), house.notifier()
    while await notifier.deliver_due():
        pass
    assert await house.live(10, OUTAGE, watch) == 0
    (alert,) = (await house.alerts().page(AlertQuestion(), account_id=None, cursor=None, limit=9)).data
    assert (alert.state, alert.rule, alert.severity) == ("firing", "Messages fail", "critical")
    assert alert.where is not None
    assert (alert.where.dimension, alert.where.value) == ("network", "310-260")
    assert re.fullmatch(r"T-Mobile, US \(310-260\): [5-8]\d % of \d+ failed, all others 3\.\d %", alert.where.text)
    assert abs(alert.since - broke_at) <= timedelta(minutes=2)
    assert alert.error is not None
    assert alert.error.error_code == "30"
    assert alert.error.meaning is not None
    query = parse_qs(urlsplit(alert.url).query)
    assert query["network"] == ["310-260"]
    assert set(query) == {"since", "until", "network"}

    assert await house.live(40, WELL, watch) == 1
    while await notifier.deliver_due():
        pass
    (alert,) = (await house.alerts().page(AlertQuestion(), account_id=None, cursor=None, limit=9)).data
    assert (alert.state, alert.ended_by) == ("over", "recovered")

    subjects = [str(mail["Subject"]) for mail in house.box.mails]
    assert [subject.split("]")[0] for subject in subjects] == ["[Critical", "[Over"]
    assert house.box.recipients == [["ana@example.com", "ben@example.com"]] * 2
    mail = house.box.mails[0]
    text = body_of(mail, "plain")
    assert "T-Mobile, US (310-260)" in text
    assert "What to do:" in text
    assert "network=310-260" in text
    assert "T-Mobile" in body_of(mail, "html")
    assert [body["type"] for body in house.hook.bodies("/hook")] == ["alert.fired", "alert.recovered"]
    chat = house.hook.bodies("/services/T0/B0/s3cr3t")
    assert len(chat) == 2
    assert "T-Mobile" in json.dumps(chat[0]["blocks"])
    for path, headers, body in house.hook.requests:
        if path == "/hook":
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
            assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    whole = await house.alerts().one(alert.id, account_id=None)
    assert [(each.kind, each.state) for each in whole.notifications].count(("fired", "delivered")) == 3
    assert [(each.kind, each.state) for each in whole.notifications].count(("recovered", "delivered")) == 3


async def test_a_dead_receiver_holds_up_nobody_and_gets_it_later_in_order(house: House) -> None:
    await told_all(house)
    house.hook.answer = 503
    watch, notifier = house.watch(), house.notifier()
    await house.live(20, OUTAGE, watch)
    await notifier.deliver_due()
    assert len(house.box.mails) == 1
    await house.live(40, WELL, watch)
    for _ in range(30):
        house.now += timedelta(minutes=1)
        await notifier.deliver_due()
    assert len(house.box.mails) == 2
    assert {body["type"] for body in house.hook.bodies("/hook")} == {"alert.fired"}

    house.hook.answer = 200
    house.hook.requests.clear()
    for _ in range(200):
        house.now += timedelta(minutes=1)
        await notifier.deliver_due()

    assert [body["type"] for body in house.hook.bodies("/hook")] == ["alert.fired", "alert.recovered"]
    assert len({headers["webhook-id"] for path, headers, _ in house.hook.requests if path == "/hook"}) == 2


async def test_two_workers_and_one_that_dies_amid_a_look_tell_it_once(house: House) -> None:
    await told_all(house)
    watches = [house.watch(), house.watch()]
    for _ in range(20):
        callbacks = house.minute(OUTAGE)
        house.now += timedelta(minutes=1)
        await house.track(callbacks)
        dying = asyncio.create_task(house.watch().look())
        await asyncio.sleep(house.chance.random() * 0.05)
        dying.cancel()
        await asyncio.gather(dying, *(watch.look() for watch in watches), return_exceptions=True)

    assert len(await house.rows("SELECT 1 FROM alerts WHERE rule_name = 'Messages fail'")) == 1
    told = await house.rows("SELECT target_id FROM alert_notifications WHERE kind = 'fired'")
    assert len(told) == 3


async def test_muted_means_silent_until_it_is_over_and_acknowledged_means_not_again(house: House) -> None:
    await told_all(house)
    rules, watch = house.rules(), house.watch()
    await rules.change("Messages fail", RuleFields(repeat_after_s=600), account_id=None)
    await rules.change("Messages fail", RuleFields(muted_until=house.now + timedelta(minutes=25)), account_id=None)

    async def told() -> list[str]:
        return [row["kind"] for row in await house.rows("SELECT kind FROM alert_notifications ORDER BY number")]

    await house.live(20, OUTAGE, watch)
    (alert,) = (await house.alerts().page(AlertQuestion(firing=True), account_id=None, cursor=None, limit=9)).data
    assert await told() == []
    assert alert.told_at is None
    await house.live(8, OUTAGE, watch)
    assert await told() == ["fired"] * 3
    await house.live(12, OUTAGE, watch)
    assert await told() == ["fired"] * 3 + ["repeated"] * 3
    await house.alerts().acknowledge(alert.id, by="ana", account_id=None)
    await house.live(15, OUTAGE, watch)
    assert await told() == ["fired"] * 3 + ["repeated"] * 3

    await rules.change("Messages fail", RuleFields(enabled=False), account_id=None)

    assert (await told())[6:] == ["recovered"] * 3
    whole = await house.alerts().one(alert.id, account_id=None)
    assert (whole.ended_by, whole.acknowledged_by) == ("disabled", "ana")


async def test_a_worker_that_was_down_neither_fires_for_what_it_did_not_see_nor_tells_again(house: House) -> None:
    watch = house.watch()
    await house.live(3, OUTAGE, watch)
    assert (await house.rows("SELECT state FROM alert_rules WHERE name = 'Messages fail'"))[0]["state"] == "pending"
    house.now += timedelta(hours=2)
    assert await watch.look() == 0
    assert await house.rows("SELECT 1 FROM alerts") == []


async def test_default_rules_are_there_once_and_a_deleted_one_does_not_return(house: House) -> None:
    kinds = [rule.kind for rule in (await house.rules().every(account_id=None)).data]
    assert sorted(kinds) == sorted(set(kinds))
    assert len(kinds) == 8

    await house.rules().remove("Messages are slow", account_id=None)
    await house.watch().look()

    assert len((await house.rules().every(account_id=None)).data) == 7
    assert house.now >= MORNING
