"""The weekly summary: last week against the week before, written once whoever restarts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from landed.domain.alerting import TargetKind
from landed.domain.weeks import last_due
from landed.services.summaries import Summaries
from tests.alerting import ATT, MORNING, PROVIDERS, PUBLIC_URL, T_MOBILE, House, opened_house

pytestmark = pytest.mark.anyio

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened:
        await opened.account()
        yield opened


def summaries(house: House, *recipients: str) -> Summaries:
    return Summaries(
        pool=house.pool,
        engine=house.engine,
        providers=PROVIDERS,
        public_url=PUBLIC_URL,
        zone=BERLIN,
        recipients=recipients,
        clock=house.clock,
    )


async def test_it_is_told_once_on_monday_over_restarts_and_not_for_the_weeks_before_it_was_switched_on(
    house: House,
) -> None:
    await house.targets().add(name="chat", kind=TargetKind.SLACK, url=house.hook.url, weekly_summary=True)
    await house.targets().add(name="other", kind=TargetKind.SLACK, url=house.hook.url)
    due = last_due(MORNING, BERLIN) + timedelta(days=7)
    assert await summaries(house, "ana@example.com").tell_due() is False

    for hours in (-1, 0, 0, 1, 30):
        house.now = due + timedelta(hours=hours, minutes=1)
        await summaries(house, "ana@example.com").tell_due()

    told = await house.rows("SELECT kind, target_id IS NULL AS by_mail FROM alert_notifications ORDER BY number")
    assert [(row["kind"], row["by_mail"]) for row in told] == [("summary", False), ("summary", True)]
    await house.notifier().deliver_due()
    assert [str(mail["Subject"])[:13] for mail in house.box.mails] == ["Messages from"]
    assert len(house.hook.requests) == 1

    house.now = due + timedelta(days=7 + 4)  # nobody was there on the next Monday, nor two days later
    assert await summaries(house, "ana@example.com").tell_due() is True
    house.now = due + timedelta(days=14, minutes=1)
    await summaries(house, "ana@example.com").tell_due()
    assert len(await house.rows("SELECT 1 FROM alert_notifications")) == 4


async def test_it_has_the_figures_of_both_weeks_and_where_and_why_it_failed(house: House) -> None:
    due = last_due(MORNING, BERLIN)
    for days, good, bad in ((3, 60, 40), (10, 95, 5)):
        at = due - timedelta(days=days)
        told = []
        for number in range(good + bad):
            network = T_MOBILE if number < bad else ATT
            word = "undelivered" if number < bad else "delivered"
            done = f"{at + timedelta(seconds=4):%Y-%m-%d %H:%M:%S}"
            told.append(
                house.told(
                    f"w{days}-{number}", network, at, word, DeliveryReportTime=done, TotalAmount="0.01",
                    **({"ErrorCode": "30"} if number < bad else {}),
                )._replace(received_at=MORNING)
            )  # fmt: skip
        await house.track(told, disturbed=False)

    week = await summaries(house).latest()

    sections = {section.heading: section for section in week.sections}
    figures = {row[0]: row[1:] for row in sections["In figures"].table}
    assert figures["messages sent"] == ["100", "100"]
    assert figures["delivery rate"] == ["60 %", "95 %"]
    assert figures["spend"] == ["1.00 USD", "1.00 USD"]
    assert figures["95 % delivered within"][0].startswith(("3.", "4."))
    assert sections["Networks with most failures"].table[0] == ["T-Mobile, US (310-260)", "100 % failed", "of 40"]
    assert sections["Commonest error codes"].table[0][:2] == ["30", "40"]
    assert sections["Alerts"].lines == ["None."]
    assert week.until - week.since == timedelta(days=7)
    assert await summaries(house).tell_now() == 0
