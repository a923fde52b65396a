"""From the outbox of alerts to receivers: who gets what again, who waits, and who is told nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from landed.domain.alerting import TargetKind
from landed.services.alert_rules import RuleFields
from landed.services.alert_sending import Sender
from landed.services.alert_telling import payload
from landed.services.notifying import OF_ONE, Notifier
from landed.store import alerts
from landed.store.alert_targets import TargetRow
from landed.store.alerts import Told
from tests.alerting import ATT, House, opened_house

pytestmark = pytest.mark.anyio

ANA, BEN = "ana@example.com", "ben@example.com"
LATER = "450 4.2.0 greylisted"


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened:
        await opened.account()
        yield opened


async def mailed(house: House, name: str) -> UUID:
    """A target that gets mail; its id."""
    return UUID((await house.targets().add(name=name, kind=TargetKind.EMAIL, addresses=[ANA, BEN])).id)


async def tell(house: House, target_id: UUID | None, addresses: Sequence[str] = ()) -> None:
    content = payload("alert.test", {"text": "x", "url": "https://landed.example.com"}, house.now)
    async with house.pool.connection() as connection:
        await alerts.tell(
            connection, uuid4(), Told.SUMMARY, content, house.now, target_id=target_id, addresses=addresses
        )


async def deliver(house: House) -> list[tuple[str, str | None]]:
    """Deliver what is due a minute later; where all notifications stand, with what is noted."""
    house.now += timedelta(minutes=1)
    await house.notifier().deliver_due()
    rows = await house.rows("SELECT state, problem FROM alert_notifications ORDER BY number")
    return [(row["state"], row["problem"]) for row in rows]


@pytest.mark.parametrize("is_target", [True, False], ids=["target", "addresses of the setting"])
async def test_only_those_whom_the_server_put_off_get_it_again(house: House, is_target: bool) -> None:
    if is_target:
        await tell(house, await mailed(house, "team"))
    else:
        await tell(house, None, [ANA, BEN])
    house.box.answers = {BEN: LATER}

    assert await deliver(house) == [("waiting", "The mail server puts off 1 of the recipients.")]
    assert await deliver(house) == [("waiting", "The mail server refuses 1 of the recipients.")]
    house.box.answers = {}
    assert await deliver(house) == [("delivered", None)]

    assert house.box.recipients == [[ANA], [BEN]]
    assert len({str(mail["Message-ID"]) for mail in house.box.mails}) == 1


async def test_who_was_put_off_and_is_no_longer_in_the_target_gets_nothing(house: House) -> None:
    await tell(house, await mailed(house, "team"))
    house.box.answers = {BEN: LATER}
    await deliver(house)

    house.box.answers = {}
    await house.targets().change("team", addresses=[ANA])

    assert await deliver(house) == [("delivered", None)]
    assert house.box.recipients == [[ANA]]


async def test_where_nobody_has_it_those_get_it_who_are_in_the_target_by_then(house: House) -> None:
    await tell(house, await mailed(house, "team"))
    house.box.answers = {ANA: LATER, BEN: LATER}
    await deliver(house)

    await house.targets().change("team", addresses=["cleo@example.com"])

    assert await deliver(house) == [("delivered", None)]
    assert house.box.recipients == [["cleo@example.com"]]


class _Stuck(Sender):
    """One target does not answer until it is told to."""

    def __init__(self, target_id: UUID) -> None:
        self.target_id = target_id
        self.is_over = asyncio.Event()
        self.begun: list[UUID | None] = []

    async def send(
        self, target: TargetRow | None, addresses: Sequence[str], message_id: UUID, content: Mapping[str, Any],
        at: datetime,
    ) -> str | None:  # fmt: skip
        self.begun.append(target.id if target else None)
        if target is not None and target.id == self.target_id:
            await self.is_over.wait()
        return None


async def test_a_target_that_does_not_answer_takes_few_places_however_often_is_looked(house: House) -> None:
    stuck, other = await mailed(house, "stuck"), await mailed(house, "other")
    for _ in range(3 * OF_ONE):
        await tell(house, stuck)
    sender = _Stuck(stuck)
    notifier = Notifier(pool=house.pool, sender=sender, clock=house.clock)

    for _ in range(3):
        await notifier.start_due()
        await asyncio.sleep(0)
    await tell(house, other)
    await tell(house, None, [ANA])
    await notifier.start_due()
    await asyncio.sleep(0)

    assert sorted(sender.begun, key=str) == sorted([stuck] * OF_ONE + [other, None], key=str)
    sender.is_over.set()
    for _ in range(3):
        await notifier.deliver_due()
    assert sender.begun.count(stuck) == 3 * OF_ONE


async def test_a_target_that_was_switched_off_is_not_told_that_it_is_over(house: House) -> None:
    await mailed(house, "team")
    await mailed(house, "night")
    await house.track([house.told("m1", ATT, house.now, "bounced")], disturbed=False)
    house.now += timedelta(minutes=1)
    assert await house.watch().look() == 1

    await house.targets().change("night", enabled=False)
    await house.rules().change("Unknown statuses", RuleFields(enabled=False), account_id=None)

    told = await house.rows(
        "SELECT t.name FROM alert_notifications n JOIN alert_targets t ON t.id = n.target_id WHERE n.kind = 'recovered'"
    )
    assert [row["name"] for row in told] == ["team"]
