"""No message stays silent: what is not final is asked for, and in the end is expired."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from landed.domain.outbound import Outbound
from landed.domain.receipts import Channel, Receipt, SessionReceipt, SessionStatus, Source
from landed.domain.statuses import Status
from landed.providers.clients import SendsMessages
from landed.services.reconciling import LEASE_S
from landed.store import lookups
from landed.store.lookups import Kind
from tests.asking import AFTER_S, EXPIRE_AFTER_S, Desk, opened_desk
from tests.doubles.api import ERROR_BEFORE, HANG_UP_BEFORE, THROTTLED
from tests.doubles.plivo import VerifySession
from tests.doubles.routee import RouteeDouble

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with opened_desk(database) as opened:
        yield opened


async def waiting(desk: Desk) -> list[dict[str, Any]]:
    return await desk.rows("SELECT * FROM lookups ORDER BY entered_at, thing_id")


async def test_a_message_without_a_final_status_is_asked_for_and_comes_to_its_end(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=2 * HOUR, state="delivered")
    await desk.told_of(shop, message, Status.SENT)

    assert await desk.reconcile() == 1

    row = await desk.message(message.uuid)
    assert (row["status"], row["final"], row["receipt_missing"]) == ("delivered", True, True)
    assert row["latency_ms"] == 4_000, "on the provider's clock, not by when we asked"
    assert await waiting(desk) == []
    assert await desk.differences() == []
    assert len(await desk.rows("SELECT id FROM events WHERE type = 'message.delivered'")) == 1
    assert await desk.reconcile() == 0


async def test_a_young_or_a_final_message_is_not_asked_for(desk: Desk) -> None:
    shop = await desk.account()
    await desk.told_of(shop, desk.sent(age=timedelta(minutes=59)), Status.SENT)
    await desk.told_of(shop, desk.sent(age=2 * HOUR), Status.DELIVERED)
    await desk.told_of(shop, desk.sent(age=2 * HOUR), Status.FAILED)

    assert await desk.reconcile() == 0
    assert desk.plivo.arrived == []


async def test_the_same_answer_again_adds_nothing_and_is_waited_for_ever_longer(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=HOUR + timedelta(seconds=1), state="sent")
    await desk.told_of(shop, message, Status.SENT)
    began = desk.now
    distances = []
    reconciler = desk.reconciler()
    while not (await desk.message(message.uuid))["final"]:
        assert await desk.reconcile(reconciler) == 1
        assert (await desk.message(message.uuid))["facts_count"] <= 3
        for row in await waiting(desk):
            distances.append((row["next_at"] - desk.now) / HOUR)
            desk.now = row["next_at"]

    assert distances == pytest.approx([1, 2, 4, 8, 16, 32, 8], abs=0.01)
    assert desk.now - began == pytest.approx(timedelta(hours=71), abs=timedelta(seconds=2))
    row = await desk.message(message.uuid)
    assert (row["status"], row["provider_status"], row["receipt_missing"]) == ("expired", "sent", True)
    assert row["contradictory"] is False
    assert '["answers","8"],["last_answer","sent"]' in row["facts"]
    assert await desk.differences() == []


async def test_a_true_answer_still_corrects_what_expired(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=80 * HOUR, state="sent")
    await desk.told_of(shop, message, Status.SENT)
    await desk.reconcile()
    assert (await desk.message(message.uuid))["status"] == "expired"

    await desk.told_of(shop, message, Status.DELIVERED)

    row = await desk.message(message.uuid)
    assert (row["status"], row["contradictory"], row["receipt_missing"]) == ("delivered", False, False)
    assert await desk.differences() == []


async def test_what_the_provider_does_not_know_counts_as_an_answer_and_expires(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=2 * HOUR)
    await desk.told_of(shop, message, Status.QUEUED)
    del desk.plivo.messages[message.uuid]

    await desk.reconcile()
    (row,) = await waiting(desk)
    assert (row["attempts"], row["answer"]) == (1, "not_found")
    desk.now += timedelta(seconds=EXPIRE_AFTER_S)
    await desk.reconcile()

    assert (await desk.message(message.uuid))["status"] == "expired"


async def test_without_a_secret_a_message_only_expires(desk: Desk) -> None:
    shop = await desk.account(secret="")
    message = desk.sent(age=2 * HOUR, state="delivered")
    await desk.told_of(shop, message, Status.SENT)

    await desk.reconcile()
    (row,) = await waiting(desk)
    assert row["next_at"] == message.at + timedelta(seconds=EXPIRE_AFTER_S)
    desk.now = row["next_at"]
    await desk.reconcile()

    assert (await desk.message(message.uuid))["status"] == "expired"
    assert desk.plivo.arrived == []


async def test_a_failure_is_no_answer_and_keeps_the_message_open(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=80 * HOUR, state="delivered")
    await desk.told_of(shop, message, Status.SENT)
    desk.plivo.fail(ERROR_BEFORE, HANG_UP_BEFORE)
    reconciler = desk.reconciler()

    for _ in range(2):
        await desk.reconcile(reconciler)
        (row,) = await waiting(desk)
        assert (row["attempts"], row["answer"]) == (0, "provider_failed")
        desk.now = row["next_at"]
    await desk.reconcile(reconciler)

    assert (await desk.message(message.uuid))["status"] == "delivered"


async def test_a_provider_that_never_answers_does_not_keep_a_message_open_for_ever(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=timedelta(seconds=EXPIRE_AFTER_S) + 25 * HOUR)
    await desk.told_of(shop, message, Status.SENT)
    desk.plivo.choose = lambda arrived: ERROR_BEFORE

    await desk.reconcile()

    assert (await desk.message(message.uuid))["status"] == "expired"


async def test_a_throttled_account_is_let_alone_for_as_long_as_the_provider_says(desk: Desk) -> None:
    shop = await desk.account()
    for _ in range(3):
        await desk.told_of(shop, desk.sent(age=2 * HOUR, state="delivered"), Status.SENT)
    desk.plivo.fail(THROTTLED)
    reconciler = desk.reconciler(lookups_per_s=1)
    await reconciler.find()

    assert await reconciler.ask_due() == 1
    assert await reconciler.ask_due() == 0
    desk.now += timedelta(seconds=61)
    assert await desk.reconcile(reconciler) == 3
    assert await waiting(desk) == []


async def test_no_more_is_asked_for_at_once_than_is_set(desk: Desk) -> None:
    shop, other = await desk.account(), await desk.account("other")
    for account_id in [shop] * 7 + [other] * 2:
        await desk.told_of(account_id, desk.sent(age=2 * HOUR, state="delivered"), Status.SENT)
    reconciler = desk.reconciler(lookups_per_s=3)
    await reconciler.find()

    assert [await reconciler.ask_due() for _ in range(4)] == [5, 3, 1, 0]


async def test_several_workers_ask_for_each_message_once(desk: Desk) -> None:
    shop = await desk.account()
    for _ in range(40):
        await desk.told_of(shop, desk.sent(age=2 * HOUR, state="delivered"), Status.SENT)
    workers = [desk.reconciler(lookups_per_s=5) for _ in range(3)]

    await asyncio.gather(*(desk.reconcile(worker) for worker in workers))

    assert len(desk.plivo.arrived) == 40
    assert await waiting(desk) == []
    assert await desk.differences() == []


async def test_what_a_killed_worker_had_claimed_is_due_again_after_the_lease(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=2 * HOUR, state="delivered")
    await desk.told_of(shop, message, Status.SENT)
    await desk.reconciler().find()
    await lookups.claim(desk.pool, [shop], desk.now, limit=10, lease_s=LEASE_S)

    assert await desk.reconcile() == 0
    desk.now += timedelta(seconds=LEASE_S)
    assert await desk.reconcile() == 1


async def test_what_comes_in_late_is_found_behind_the_walk(desk: Desk) -> None:
    shop = await desk.account()
    reconciler = desk.reconciler()
    await desk.told_of(shop, desk.sent(age=2 * HOUR, state="delivered"), Status.SENT)
    assert await desk.reconcile(reconciler) == 1

    late = desk.sent(age=50 * HOUR, state="undelivered")
    await desk.told_of(shop, late, Status.SENT)
    desk.now += timedelta(minutes=2)
    assert await desk.reconcile(reconciler) == 1
    assert (await desk.message(late.uuid))["status"] == "undelivered"


async def test_a_walk_goes_on_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "PAGE", 2)
    shop = await desk.account()
    for number in range(7):
        await desk.told_of(shop, desk.sent(age=(9 - number) * HOUR, state="delivered"), Status.SENT)
    until = desk.now - HOUR

    read = [await lookups.walk(desk.pool, Kind.MESSAGE, until, desk.now, rest_s=15) for _ in range(5)]

    assert read == [2, 2, 2, 1, 0], "it rests at its end"
    assert len(await waiting(desk)) == 7


async def test_what_waits_to_be_sent_is_left_to_the_outbox(desk: Desk) -> None:
    shop = await desk.account()
    for status in (Status.SCHEDULED, Status.SENDING):
        fact = Receipt(
            provider_message_id="", provider_status="", status=status, source=Source.OURS, our_id=str(uuid4())
        )
        await desk.told(shop, fact, at=desk.now - 99 * HOUR)

    assert await desk.reconcile() == 0


async def test_a_lost_outcome_without_an_id_expires_unasked(desk: Desk) -> None:
    shop = await desk.account()
    ours = str(uuid4())
    fact = Receipt(
        provider_message_id="", provider_status="", status=Status.UNKNOWN_OUTCOME, source=Source.OURS, our_id=ours
    )
    await desk.told(shop, fact, at=desk.now - 73 * HOUR)

    await desk.reconcile()

    (row,) = await desk.rows("SELECT status FROM messages WHERE id = %s", ours)
    assert row["status"] == "expired"
    assert await desk.differences() == []


async def test_every_part_of_a_message_is_asked_for_at_routee(desk: Desk) -> None:
    async with RouteeDouble() as routee:
        desk.accounts.clear()
        shop = await desk.account("r", "routee", secret=routee.secret, double=routee)
        client = (await desk.clients(routee=routee.base_url).named("r")).client
        assert isinstance(client, SendsMessages)
        outbound = Outbound(
            id=uuid4(), channel=Channel.SMS, sender="Shop", recipient="+306912345678", text="x" * 200,
            callback_url="https://hooks.example.com/callbacks/k/messages/1",
        )  # fmt: skip
        receipt = await client.send(outbound)
        await desk.told(shop, receipt)
        for message in routee.messages.values():
            message.statuses = ["Delivered"] * len(message.statuses)
        desk.now += 2 * HOUR

        assert await desk.reconcile(desk.reconciler(routee=routee.base_url)) == 1

        row = await desk.message(receipt.provider_message_id)
        assert (row["status"], row["final"], row["parts_of"], row["id"]) == ("delivered", True, 2, outbound.id)
        assert await desk.differences() == []


# --- verify sessions ---------------------------------------------------------------------------------------------


def session_of(desk: Desk, *, age: timedelta, status: str) -> VerifySession:
    session = VerifySession(
        uuid=f"session-{len(desk.plivo.sessions)}",
        body={"recipient": "+14155550123"},
        code="123456",
        at=desk.now - age,
        status=status,
    )
    desk.plivo.sessions[session.uuid] = session
    return session


async def start(desk: Desk, account_id: int, session: VerifySession) -> None:
    receipt = SessionReceipt(
        provider_session_id=session.uuid,
        provider_status="in-progress",
        status=SessionStatus.IN_PROGRESS,
        recipient="+14155550123",
        started_at=session.at,
    )
    await desk.told(account_id, receipt, at=session.at)


@pytest.mark.parametrize(
    ("told", "status"), [("verified", "verified"), ("Expired", "expired"), ("in-progress", "expired")]
)
async def test_a_session_that_stays_open_is_asked_for_and_ends(desk: Desk, told: str, status: str) -> None:
    shop = await desk.account()
    session = session_of(desk, age=timedelta(seconds=AFTER_S + 1), status=told)
    await start(desk, shop, session)

    assert await desk.reconcile() == 1

    (row,) = await desk.rows("SELECT status, contradictory FROM sessions")
    assert row == {"status": status, "contradictory": False}
    assert await waiting(desk) == []


async def test_a_session_that_cannot_be_asked_for_expires_when_it_is_over(desk: Desk) -> None:
    shop = await desk.account(secret="")
    await start(desk, shop, session_of(desk, age=timedelta(seconds=AFTER_S + 1), status="verified"))

    await desk.reconcile()

    (row,) = await desk.rows("SELECT status FROM sessions")
    assert row["status"] == "expired"
