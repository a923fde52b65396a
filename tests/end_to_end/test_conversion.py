"""Whether people did what messages were for: kept once, counted, and told to the provider until it knows."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from typer.testing import CliRunner

from landed.cli import app
from landed.domain.accounts import ApiKey, Scope
from landed.domain.errors import InputInvalid, NotFound
from landed.domain.outbox import accepted
from landed.domain.periods import Period
from landed.domain.receipts import AttemptReport, Channel, Direction, Receipt, SessionReceipt, SessionStatus, Source
from landed.domain.statuses import Status
from landed.services.converting import ATTEMPTS_MAX, Converter, SessionConverter, Teller
from landed.services.questions import Group, Question
from landed.services.reporting import Reporter
from landed.store import reading
from landed.web.api.application import create_api
from tests.asking import NOW, PROVIDERS, Desk, opened_desk
from tests.databases import until_nothing_hides
from tests.doubles.api import ERROR_BEFORE, HALF_ANSWER, THROTTLED
from tests.doubles.plivo import SentMessage
from tests.doubles.routee import RouteeDouble

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with opened_desk(database) as opened:
        yield opened


async def delivered(desk: Desk, account_id: int, **known: Any) -> SentMessage:
    message = desk.sent(age=HOUR, state="delivered", **known)
    await desk.told_of(account_id, message, Status.DELIVERED)
    return message


async def report(desk: Desk, message_id: str, converted: bool = True, account_id: int | None = None) -> Any:
    converter = Converter(desk.pool, desk.clock)
    return await converter.report(message_id, converted=converted, at=desk.now, account_id=account_id)


async def tell(desk: Desk, **base_urls: str) -> int:
    return await Teller(pool=desk.pool, clients=desk.clients(**base_urls), clock=desk.clock).tell_due()


async def state(desk: Desk) -> tuple[str, str | None]:
    (row,) = await desk.rows("SELECT state, problem FROM conversions")
    return row["state"], row["problem"]


async def test_a_conversion_is_kept_and_told_and_lifts_nothing(desk: Desk) -> None:
    shop = await desk.account()
    message = await delivered(desk, shop)
    before = await desk.message(message.uuid)

    shape = await report(desk, message.uuid)

    assert (shape.converted, shape.state, UUID(shape.message_id)) == (True, "waiting", before["id"])
    after = await desk.message(message.uuid)
    assert after["converted"] is True
    for name in ("status", "provider_status", "final_at", "latency_ms", "submitted_at", "queued_at", "sent_at"):
        assert after[name] == before[name]
    assert await desk.differences() == []
    assert await tell(desk) == 1
    assert desk.plivo.conversions == [
        (message.uuid, {"status": "CONVERTED", "timestamp": desk.now.strftime("%Y-%m-%dT%H:%M:%S.000Z")})
    ]
    assert await state(desk) == ("told", None)
    assert await tell(desk) == 0


async def test_reporting_again_changes_nothing_and_true_stays_true(desk: Desk) -> None:
    shop = await desk.account()
    message = await delivered(desk, shop)
    for converted, expected in ((False, False), (False, False), (True, True), (False, True), (True, True)):
        desk.now += timedelta(minutes=1)
        assert (await report(desk, message.uuid, converted)).converted is expected
        while await tell(desk):
            pass

    assert [body["status"] for _, body in desk.plivo.conversions] == ["NOT_CONVERTED", "CONVERTED"]
    assert (await desk.message(message.uuid))["facts_count"] == 3
    assert await desk.differences() == []


async def test_a_provider_that_fails_is_told_again(desk: Desk) -> None:
    shop = await desk.account()
    message = await delivered(desk, shop)
    await report(desk, message.uuid)
    desk.plivo.fail(ERROR_BEFORE, THROTTLED, HALF_ANSWER)

    for _ in range(3):
        assert await tell(desk) == 1
        assert (await state(desk))[0] == "waiting"
        assert await tell(desk) == 0, "not before its time"
        desk.now += HOUR
    await tell(desk)

    assert (await state(desk))[0] == "told"


async def test_a_provider_that_never_takes_it_is_given_up(desk: Desk) -> None:
    shop = await desk.account()
    await report(desk, (await delivered(desk, shop)).uuid)
    desk.plivo.choose = lambda arrived: ERROR_BEFORE

    for _ in range(ATTEMPTS_MAX):
        assert await tell(desk) == 1
        desk.now += HOUR

    assert await tell(desk) == 0
    told, problem = await state(desk)
    assert told == "refused"
    assert problem


async def test_what_the_provider_refuses_is_not_told_again(desk: Desk) -> None:
    shop = await desk.account()
    message = await delivered(desk, shop)
    del desk.plivo.messages[message.uuid]
    await report(desk, message.uuid)

    await tell(desk)

    assert (await state(desk))[0] == "refused"
    assert (await desk.message(message.uuid))["converted"] is True, "we keep it all the same"


async def test_where_nobody_takes_conversions_it_is_kept_by_us(desk: Desk) -> None:
    async with RouteeDouble() as routee:
        shop = await desk.account("r", "routee", secret=routee.secret, double=routee)
        await report(desk, (await delivered(desk, shop)).uuid)

        await tell(desk, routee=routee.base_url)

        assert (await state(desk))[0] == "refused"


async def test_what_was_sent_without_being_trackable_is_not_told(desk: Desk) -> None:
    shop = await desk.account()
    ours = str(uuid4())
    fact = accepted(UUID(ours), Channel.SMS, "+14155550100", "+14155550123", 1, trackable=False)
    sent = Receipt("m1", "queued", Status.QUEUED, Source.SEND, our_id=ours)
    await desk.told(shop, fact, sent)

    shape = await report(desk, ours)

    assert (shape.state, shape.converted) == ("refused", True)
    assert await tell(desk) == 0


async def test_what_has_no_id_at_the_provider_yet_waits_for_it(desk: Desk) -> None:
    shop = await desk.account()
    ours = str(uuid4())
    await desk.told(shop, Receipt("", "", Status.SENDING, Source.OURS, our_id=ours))
    await report(desk, ours)
    assert await tell(desk) == 0

    message = desk.sent(age=timedelta(0))
    await desk.told(shop, Receipt(message.uuid, "queued", Status.QUEUED, Source.SEND, our_id=ours))
    desk.now += HOUR
    assert await tell(desk) == 1
    assert (await state(desk))[0] == "told"


async def test_what_cannot_convert_is_refused(desk: Desk) -> None:
    shop, other = await desk.account(), await desk.account("other")
    message = await delivered(desk, shop)
    inbound = Receipt("in", "received", Status.RECEIVED, direction=Direction.INBOUND)
    await desk.told(shop, inbound)

    with pytest.raises(NotFound):
        await report(desk, str(uuid4()))
    with pytest.raises(NotFound):
        await report(desk, message.uuid, account_id=other)
    with pytest.raises(InputInvalid, match="came in"):
        await report(desk, "in")
    with pytest.raises(InputInvalid, match="future"):
        await Converter(desk.pool, desk.clock).report(message.uuid, converted=True, at=desk.now + HOUR, account_id=None)
    assert await desk.rows("SELECT * FROM conversions") == []


async def test_conversions_and_missing_receipts_are_counted_by_country_network_sender_and_provider(
    desk: Desk, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await desk.account()
    for number in range(4):
        message = await delivered(desk, shop)
        if number < 3:
            await report(desk, message.uuid, number < 2)
    await desk.told_of(shop, desk.sent(age=2 * HOUR, state="delivered"), Status.SENT)
    await desk.reconcile()
    assert await desk.differences() == []

    engine = reading.engine(database)
    try:
        for group in (Group.COUNTRY, Group.SENDER, Group.PROVIDER, Group.NETWORK, Group.ACCOUNT):
            question = Question(period=Period(NOW - 24 * HOUR, NOW + HOUR), group_by=[group])
            rows = (await Reporter(engine, PROVIDERS).analytics(question, account_id=None)).data
            assert sum(row.converted for row in rows) == 2
            assert sum(row.unconverted for row in rows) == 1
            assert sum(row.receipts_missing for row in rows) == 1
            if group is not Group.NETWORK:  # the one that was looked up has another
                (row,) = rows
                assert row.conversion_rate == pytest.approx(2 / 3, abs=1e-5)
                assert row.missing_rate == 0.2
        assert row.account == "shop"
        by_provider = Question(
            period=Period(NOW - 24 * HOUR, NOW + HOUR),
            group_by=[Group.COUNTRY, Group.PROVIDER],
            filters={Group.PROVIDER: ["plivo"]},
        )
        (row,) = (await Reporter(engine, PROVIDERS).analytics(by_provider, account_id=None)).data
        assert (row.country, row.provider, row.messages) == ("US", "plivo", 5)
        with pytest.raises(InputInvalid, match="no account at"):
            await Reporter(engine, PROVIDERS).analytics(
                Question(period=by_provider.period, filters={Group.PROVIDER: ["acme"]}), account_id=None
            )
    finally:
        await engine.dispose()
    monkeypatch.setenv("LANDED_DATABASE_URL", database)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    report_page = (await asyncio.to_thread(CliRunner().invoke, app, ["report"])).stdout
    for words in ("receipts missing", "missing", "20.0 %", "converted", "66.7 %"):
        assert words in report_page


# --- verified sessions -------------------------------------------------------------------------------------------


async def verify(desk: Desk, account_id: int, attempt_id: str, *, session_id: str = "s1") -> None:
    await desk.told(
        account_id,
        SessionReceipt(
            provider_session_id=session_id,
            provider_status="verified",
            status=SessionStatus.VERIFIED,
            attempt=AttemptReport(attempt_id, "delivered", Status.DELIVERED),
            recipient="+14155550123",
            started_at=desk.now - timedelta(minutes=5),
            updated_at=desk.now,
        ),
    )


async def test_a_verified_session_converts_the_messages_that_belong_to_it(desk: Desk) -> None:
    shop = await desk.account()
    converter = SessionConverter(pool=desk.pool, clock=desk.clock)
    await converter.follow()  # from now on
    attempt, tagged, other = [await delivered(desk, shop) for _ in range(3)]
    async with desk.pool.connection() as connection:
        await connection.execute(
            "UPDATE messages SET tags = ARRAY['session:s1'] WHERE provider_message_id = %s", [tagged.uuid]
        )
        # What it counts for by tag is the sender's business, and not this test's.
    await verify(desk, shop, attempt.uuid)

    async with desk.pool.connection() as connection:
        await until_nothing_hides(connection)
    assert await converter.follow() == 1
    assert await converter.follow() == 0

    assert (await desk.message(attempt.uuid))["converted"] is True
    assert (await desk.message(tagged.uuid))["converted"] is True
    assert (await desk.message(other.uuid))["converted"] is None
    while await tell(desk):
        pass
    assert {uuid for uuid, _ in desk.plivo.conversions} == {attempt.uuid, tagged.uuid}


async def test_sessions_of_before_it_was_enabled_report_nothing(desk: Desk) -> None:
    shop = await desk.account()
    attempt = await delivered(desk, shop)
    await verify(desk, shop, attempt.uuid)
    converter = SessionConverter(pool=desk.pool, clock=desk.clock)

    assert [await converter.follow() for _ in range(3)] == [0, 0, 0]
    assert (await desk.message(attempt.uuid))["converted"] is None


# --- ways in -----------------------------------------------------------------------------------------------------


async def test_the_api_takes_a_conversion_from_keys_that_may_send(desk: Desk, database: str) -> None:
    shop, _ = await desk.account(), await desk.account("other")
    message = await delivered(desk, shop)
    keys = {
        "send": ApiKey(id=1, name="s", hint="", scope=Scope.SEND, account_id=None, created_at=NOW),
        "read": ApiKey(id=2, name="r", hint="", scope=Scope.READ, account_id=None, created_at=NOW),
    }

    async def authenticate(key: str) -> ApiKey | None:
        return keys.get(key)

    async def nothing() -> Any:
        return {}

    engine = reading.engine(database)
    api = create_api(
        engine=engine, providers=PROVIDERS, authenticate=authenticate, accounts=nothing,
        public_url="https://x.test", health=nothing, metrics=nothing, converter=Converter(desk.pool, desk.clock),
    )  # fmt: skip
    path = f"/v1/messages/{message.uuid}/conversion"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x") as client:

        async def post(key: str, body: Any) -> httpx.Response:
            return await client.post(path, json=body, headers={"Authorization": f"Bearer {key}"})

        assert (await post("read", {"converted": True})).status_code == 403
        for wrong in (
            {},
            {"converted": "perhaps"},
            {"converted": True, "at": "yesterday"},
            {"converted": True, "x": 1},
        ):
            assert (await post("send", wrong)).status_code == 422
        first = await post("send", {"converted": True, "at": "2026-01-02T03:04:05Z"})
        second = await post("send", {"converted": True})
        shown = await client.get(f"/v1/messages/{message.uuid}", headers={"Authorization": "Bearer read"})
    await engine.dispose()
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()["at"] == "2026-01-02T03:04:05Z"
    told = shown.json()
    assert told["converted"] is True
    (entry,) = [each for each in told["timeline"] if each["provider_status"] == "converted"]
    assert (entry["status"], entry["source"]) == (None, "ours")
    assert told["unknown_statuses"] == []


async def test_the_command_reports_a_conversion(
    desk: Desk, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await desk.account()
    message = await delivered(desk, shop)
    for name in [name for name in os.environ if name.startswith("LANDED_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANDED_DATABASE_URL", database)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def landed(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["messages", *arguments])

    told = await asyncio.to_thread(landed, "conversion", message.uuid, "--not", "--json")
    assert json.loads(told.stdout)["converted"] is False
    said = await asyncio.to_thread(landed, "conversion", message.uuid, "--converted", "--at", "5m")
    assert (said.exit_code, said.stdout) == (0, "")
    assert "waiting" in said.stderr
    shown = (await asyncio.to_thread(landed, "show", message.uuid)).stdout
    assert "not converted" in shown
    assert "unknown word" not in shown
    assert (await asyncio.to_thread(landed, "conversion", message.uuid)).exit_code == 2
