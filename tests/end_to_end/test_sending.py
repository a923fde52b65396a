"""Sending from the request to the provider and back: what is accepted, what is refused, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from landed.domain.opt_outs import OptOutKey
from landed.services.opt_outs import OptOutChanger
from landed.services.outgoing import Rates
from landed.store.connect import transaction
from tests.acting import House, opened_house
from tests.doubles.api import ERROR_AFTER, HANG_BEFORE, Arrived, Reply
from tests.outgoing import PATIENCE, TIMING, Worker, send, statuses, until, until_settled, working

pytestmark = pytest.mark.anyio

SENDER = "+14155550100"
ANN, BOB, CARL = "+14155550123", "+14155550199", "+14155550144"
ASKED: dict[str, Any] = {"account": "shop", "from": SENDER, "to": ANN, "text": "hello"}


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened:
        await opened.add("shop", "plivo")
        yield opened


async def ask(house: House, key: str = "sends", idempotency_key: str | None = None, **changes: Any) -> Any:
    body = {name: value for name, value in (ASKED | changes).items() if value is not None}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return await house.ask("POST", "/v1/messages", key, json=body, headers=headers)


async def only(house: House, answer: dict[str, Any]) -> dict[str, Any]:
    """The one message that was accepted, as it stands now."""
    (message,) = answer["data"]
    return dict(await house.get(f"/v1/messages/{message['id']}"))


# --- accepting -----------------------------------------------------------------------------------------------------


async def test_a_message_is_kept_before_the_answer_and_sent_by_a_worker(house: House) -> None:
    accepted = await send(house, to="(415) 555-0123", region="US", tags=["spring"])

    (message,) = accepted["data"]
    before = await only(house, accepted)
    async with working(house):
        await until_settled(house)
    after = await only(house, accepted)

    assert (message["to"], message["status"], message["segments"]["parts"]) == (ANN, "scheduled", 1)
    assert (before["status"], before["provider_message_id"], before["tags"]) == ("scheduled", None, ["spring"])
    assert before["outbox"]["state"] == "waiting"
    (sent,) = house.plivo.sent_to(ANN)
    assert (after["status"], after["provider_message_id"], after["outbox"]) == ("queued", sent.uuid, None)
    assert sent.body["url"].endswith(f"/messages/{message['id']}")
    assert [entry["status"] for entry in after["timeline"]] == ["scheduled", "sending", "queued"]


async def test_tags_are_counted_from_the_first_moment(house: House) -> None:
    await send(house, tags=["spring", "sale", "spring"])

    rows = await house.rows(
        "SELECT tag, sum(messages)::int AS messages FROM counters_hour JOIN dimensions ON id = dimension_id"
        " WHERE grain = 'full' GROUP BY tag ORDER BY tag"
    )

    assert {row["tag"]: row["messages"] for row in rows} == {"": 1, "sale": 1, "spring": 1}


async def test_asking_again_with_the_same_key_gives_the_same_answer_and_sends_once(house: House) -> None:
    first = await ask(house, idempotency_key="k1")
    again = await ask(house, idempotency_key="k1")
    async with working(house):
        await until_settled(house)
    after = await ask(house, idempotency_key="k1")

    assert [answer.status_code for answer in (first, again, after)] == [202, 202, 202]
    assert first.json() == again.json() == after.json()
    assert [answer.headers.get("Idempotent-Replayed") for answer in (first, again, after)] == [None, "true", "true"]
    assert len(house.plivo.messages) == 1


async def test_many_at_once_with_the_same_key_send_once(house: House) -> None:
    answers = await asyncio.gather(*[ask(house, idempotency_key="k1") for _ in range(5)])
    async with working(house):
        await until_settled(house)

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["data"][0]["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(house.plivo.messages) == 1


async def test_another_request_with_the_same_key_is_refused(house: House) -> None:
    await ask(house, idempotency_key="k1")

    refused = await ask(house, idempotency_key="k1", text="something else")
    of_another = await ask(house, "sends-too", idempotency_key="k1", text="something else")

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert of_another.status_code == 202  # keys are each API key's own


async def test_a_refused_request_leaves_its_key_free(house: House) -> None:
    refused = await ask(house, idempotency_key="k1", to="nobody")
    mended = await ask(house, idempotency_key="k1")

    assert (refused.status_code, mended.status_code) == (422, 202)


async def test_each_recipient_gets_a_message_of_its_own_once(house: House) -> None:
    answer = await send(house, to=[ANN, "+1 (415) 555-0123", BOB, "5"])
    async with working(house):
        await until_settled(house)

    assert [message["to"] for message in answer["data"]] == [ANN, BOB]
    assert [(refused["to"], refused["code"]) for refused in answer["refused"]] == [("5", "input_invalid")]
    assert answer["warnings"] == ["Recipients given more than once get one message: 1 left out."]
    assert sorted(sent.to for sent in house.plivo.messages.values()) == [ANN, BOB]
    assert len({sent.body["url"] for sent in house.plivo.messages.values()}) == 2


async def opt_out(house: House, number: str, *, opted_out: bool = True) -> None:
    key = OptOutKey(house.accounts["shop"].id, SENDER, number)
    await OptOutChanger(house.pool).change(key, opted_out=opted_out)


async def test_nothing_is_sent_to_who_opted_out(house: House) -> None:
    await opt_out(house, CARL)

    some = await send(house, to=[CARL, BOB])
    none = await ask(house, to=[CARL, "5"])

    assert [message["to"] for message in some["data"]] == [BOB]
    assert [(refused["to"], refused["code"]) for refused in some["refused"]] == [(CARL, "opted_out")]
    problem = none.json()
    assert (none.status_code, problem["code"], problem["field"]) == (422, "recipients_refused", "to")
    assert len(problem["errors"]) == 2
    assert CARL not in none.text


async def test_who_opts_out_while_a_message_waits_does_not_get_it(house: House) -> None:
    answer = await send(house)
    await opt_out(house, ANN)
    async with working(house):
        await until_settled(house)

    message = await only(house, answer)
    assert (message["status"], message["error_code"], message["error"]["fault"]) == ("failed", "opted_out", "opt_out")
    assert house.plivo.acted == []


async def test_an_expensive_character_is_named(house: House) -> None:
    answer = await send(house, text="It’s ready. " + "x" * 100)

    assert answer["data"][0]["segments"] == {"encoding": "ucs2", "characters": 112, "units": 112, "parts": 2}
    assert "U+2019" in answer["warnings"][0]


async def test_units_that_differ_from_what_was_expected_show(house: House) -> None:
    answer = await send(house)
    async with working(house):
        await until_settled(house)
    (sent,) = house.plivo.messages
    call = house.plivo.status_call(sent, "delivered")
    await house.track("shop", call.__class__(
        method=call.method, url=call.url, headers=call.headers, body=call.body.replace(b"Units=1", b"Units=2")
    ))  # fmt: skip

    message = await only(house, answer)
    assert (message["status"], message["units"], message["segments_estimated"]) == ("delivered", 2, 1)


async def test_pictures_templates_and_expiry_reach_the_provider(house: House) -> None:
    template = {"name": "ready", "language": "en_US"}
    await send(house, channel="mms", media_urls=["https://example.com/a.png"], expires_after_s=600, trackable=True)
    await send(house, to=BOB, channel="whatsapp", text=None, template=template, callback_method="GET")
    async with working(house):
        await until_settled(house)

    (mms,), (whatsapp,) = house.plivo.sent_to(ANN), house.plivo.sent_to(BOB)
    assert (mms.body["type"], mms.body["media_urls"]) == ("mms", ["https://example.com/a.png"])
    assert (mms.body["trackable"], 590 < mms.body["message_expiry"] <= 600) == (True, True)
    assert (whatsapp.body["type"], whatsapp.body["template"], whatsapp.body["method"]) == ("whatsapp", template, "GET")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("text", {"text": None}),
        ("text", {"text": "x" * 1601}),
        ("media_urls", {"media_urls": ["https://example.com/a.png"]}),
        ("media_urls", {"channel": "mms", "media_urls": ["ftp://example.com/a.png"]}),
        ("media_urls.1", {"channel": "mms", "media_urls": ["https://example.com/a.png", "https://example.com/a b"]}),
        ("template", {"template": {"name": "ready"}}),
        ("template", {"text": None, "channel": "whatsapp", "template": {"name": "\0"}}),
        ("template", {"text": None, "channel": "whatsapp", "template": {"name": 2**70}}),
        ("template", {"channel": "whatsapp", "template": {"name": "ready"}}),
        ("tags", {"tags": ["a,b"]}),
        ("tags.1", {"tags": ["a", ""]}),
        ("send_at", {"send_at": "9999-12-31T23:59:59-12:00"}),
        ("expires_after_s", {"expires_after_s": 2**70}),
        ("send_at", {"send_at": "tomorrow"}),
        ("send_at", {"send_at": "2020-01-01T00:00:00Z"}),
        ("expires_after_s", {"expires_after_s": 1}),
        ("from", {"from": "a name that is too long"}),
        ("to", {"to": []}),
        ("region", {"region": "XX", "to": "4155550123"}),
        ("account", {"account": "nobody"}),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_the_field(house: House, field: str, changes: dict[str, Any]) -> None:
    refused = await ask(house, **changes)

    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "input_invalid", field)
    assert await house.rows("SELECT 1 FROM outbox UNION ALL SELECT 1 FROM messages") == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"text": "a\0b"}, "`text`: It has a NUL character in it, which no text can hold; leave it out."),
        ({"tags": ["\0"]}, "`tags.0`: It has a NUL character in it, which no text can hold; leave it out."),
        *(
            (
                {"channel": "mms", "media_urls": [f"https://example.com/{blank}.png"]},
                "`media_urls.0`: It has a blank or a control character in it; write a blank as %20.",
            )
            for blank in (" ", "\n", "\0")
        ),
    ],
    ids=repr,
)
async def test_a_character_that_cannot_be_there_is_told_in_a_sentence(
    house: House, changes: dict[str, Any], sentence: str
) -> None:
    refused = await ask(house, **changes)

    assert (refused.status_code, refused.json()["detail"]) == (422, sentence)


async def test_the_only_account_that_can_send_is_taken(house: House) -> None:
    await house.add("mute", "routee", secret="")

    taken = await ask(house, account=None)
    await house.add("bank", "routee")
    unsaid = await ask(house, account=None)
    bound = await ask(house, "sends-shop", account=None)
    mute = await ask(house, account="mute")

    assert [answer.status_code for answer in (taken, unsaid, bound, mute)] == [202, 422, 202, 422]
    assert "bank, shop" in unsaid.json()["detail"]
    assert "no secret" in mute.json()["detail"]


async def test_sending_takes_a_key_of_that_scope_and_account(house: House) -> None:
    await house.add("bank", "routee")

    assert (await ask(house, "reads")).status_code == 403
    assert (await ask(house, "sends-bank")).status_code == 422


# --- sending -------------------------------------------------------------------------------------------------------


async def test_what_the_provider_refuses_fails_with_its_code(house: House) -> None:
    house.plivo.has_credit = False
    answer = await send(house)
    async with working(house):
        await until_settled(house)

    message = await only(house, answer)
    assert (message["status"], message["error_code"], message["error"]["fault"]) == ("failed", "900", "account")
    refused = next(receipt for receipt in message["receipts"] if receipt["source"] == "send")
    assert refused["extra"]["http_status"] == "400"
    assert "Insufficient Credit" in refused["extra"]["detail"]


async def test_what_the_provider_refuses_without_a_code_fails_with_ours(house: House) -> None:
    answer = await send(house, to=SENDER.replace("0100", "0101"))
    house.plivo.act = lambda arrived: Reply(status=400, content={"error": "no such luck"})  # type: ignore[method-assign]
    async with working(house):
        await until_settled(house)

    message = await only(house, answer)
    assert (message["error_code"], message["error"]["title"]) == ("refused_by_provider", "Refused by the provider")


async def test_wrong_credentials_hold_messages_up_until_they_are_mended(house: House) -> None:
    right, house.plivo.auth_token = house.plivo.auth_token, "another"
    answer = await send(house)

    async def problem() -> Any:
        return ((await only(house, answer))["outbox"] or {}).get("problem")

    async with working(house):
        assert "401" in await until(problem)
        house.plivo.auth_token = right
        await until_settled(house)

    assert (await only(house, answer))["status"] == "queued"


async def test_an_account_without_a_provider_in_reach_rests(house: House) -> None:
    for number in range(10, 50):
        await send(house, to=f"+141555501{number}")
    await house.plivo.stop()
    async with working(house):

        async def is_retried() -> Any:
            return await house.rows("SELECT 1 FROM outbox_counts WHERE outcome = 'retried' AND messages > 3")

        await until(is_retried)
        (rates,) = await house.rows("SELECT paused_until > 0 AS paused FROM send_rates WHERE sender = ''")
        await house.plivo.start(house.plivo.port)
        await until_settled(house)

    assert rates["paused"]
    assert await statuses(house) == {"queued": 40}


async def test_a_callback_before_the_answer_gives_the_same_row_as_after_it(house: House) -> None:
    early, late = await send(house), await send(house, to=BOB)

    async def call_back(arrived: Arrived, reply: Reply) -> None:
        if b"0123" in arrived.body:
            await house.track("shop", house.plivo.status_call(reply.content["message_uuid"][0], "delivered"))

    house.plivo.before_answer = call_back
    async with working(house):
        await until_settled(house)
    (sent,) = house.plivo.sent_to(BOB)
    await house.track("shop", house.plivo.status_call(sent.uuid, "delivered"))

    messages = [await only(house, answer) for answer in (early, late)]
    shown = ("status", "final", "error_code", "units", "cost", "receipts_count", "provider_status", "contradictory")
    assert [{name: message[name] for name in shown} for message in messages] == [
        {name: messages[0][name] for name in shown}
    ] * 2
    assert {message["status"] for message in messages} == {"delivered"}
    assert len(await house.rows("SELECT 1 FROM messages")) == 2


async def test_a_message_without_an_answer_is_looked_up_and_found(house: House) -> None:
    house.plivo.fail(ERROR_AFTER, on="POST /Message/")
    answer = await send(house)
    async with working(house):
        await until_settled(house)

    message = await only(house, answer)
    (sent,) = house.plivo.messages
    assert (message["status"], message["provider_message_id"]) == ("queued", sent)
    assert [receipt["source"] for receipt in message["receipts"]] == ["ours", "ours", "ours", "lookup"]
    assert "unknown_outcome" in [receipt["status"] for receipt in message["receipts"]]


async def test_a_callback_resolves_an_unknown_outcome_before_the_look_up(house: House) -> None:
    house.plivo.fail(ERROR_AFTER, on="POST /Message/")
    answer = await send(house)
    async with working(house, patience=replace(PATIENCE, looks_s=(8.0, 8.0))):

        async def is_unknown() -> bool:
            return bool((await only(house, answer))["status"] == "unknown_outcome")

        await until(is_unknown)
        (sent,) = house.plivo.messages
        await house.track("shop", house.plivo.status_call(sent, "sent"))
        await until_settled(house)

    assert (await only(house, answer))["status"] == "sent"
    assert [each for each in house.plivo.arrived if each.method == "GET"] == []


async def test_what_the_provider_does_not_have_is_sent_again(house: House) -> None:
    house.plivo.fail(HANG_BEFORE, on="POST /Message/")
    answer = await send(house)
    async with working(house):
        await until_settled(house)

    looks = [each for each in house.plivo.arrived if each.method == "GET"]
    assert (await only(house, answer))["status"] == "queued"
    assert len(house.plivo.messages) == 1
    assert len(looks) == len(PATIENCE.looks_s)


async def test_an_answer_with_the_id_of_another_message_is_told_in_a_sentence(house: House) -> None:
    await send(house)
    async with working(house):
        await until_settled(house)
    (another,) = house.plivo.messages

    async def answer_with_that(arrived: Arrived, reply: Reply) -> None:
        if arrived.method == "POST":
            reply.content["message_uuid"] = [another]

    house.plivo.before_answer = answer_with_that
    answer = await send(house, to=BOB)

    async def problem() -> Any:
        return ((await only(house, answer))["outbox"] or {}).get("problem")

    async with working(house, patience=replace(PATIENCE, looks_s=(1.0, 1.0))):
        told = await until(problem)
        await until_settled(house)

    assert told == "The provider answered with the id of another message, so its answer cannot be kept."
    (own,) = house.plivo.sent_to(BOB)
    assert (await only(house, answer))["provider_message_id"] == own.uuid


async def test_two_texts_to_one_person_go_one_after_the_other(house: House) -> None:
    house.plivo.fail(ERROR_AFTER, ERROR_AFTER, on="POST /Message/")
    for text in ("first", "second", "third"):
        await send(house, text=text)
    async with working(house):
        await until_settled(house)

    assert [sent.body["text"] for sent in house.plivo.sent_to(ANN)] == ["first", "second", "third"]


async def test_what_a_dead_worker_was_sending_is_looked_up_by_another(house: House) -> None:
    answered = asyncio.Event()

    async def hold(arrived: Arrived, reply: Reply) -> None:
        answered.set()
        await asyncio.sleep(5)

    house.plivo.before_answer = hold
    answer = await send(house)
    first = Worker(house)
    await answered.wait()
    await first.kill()
    house.plivo.before_answer = None
    async with working(house):
        await until_settled(house)

    assert (await only(house, answer))["provider_message_id"] in house.plivo.messages
    assert len(house.plivo.messages) == 1


async def test_a_worker_that_is_told_to_stop_waits_for_its_answers(house: House) -> None:
    answered = asyncio.Event()

    async def hold(arrived: Arrived, reply: Reply) -> None:
        answered.set()
        await asyncio.sleep(0.3)

    house.plivo.before_answer = hold
    answer = await send(house)
    worker = Worker(house)
    await answered.wait()
    await worker.stop()

    assert (await only(house, answer))["status"] == "queued"
    assert await house.rows("SELECT 1 FROM outbox UNION ALL SELECT 1 FROM outbox_workers") == []


# --- later, never, and how fast ------------------------------------------------------------------------------------


async def test_a_message_for_later_waits(house: House) -> None:
    at = datetime.now(UTC) + timedelta(seconds=5)
    answer = await send(house, send_at=at.isoformat())
    await send(house, to=BOB)
    async with working(house):
        await until_settled(house)

    assert answer["data"][0]["send_at"] is not None
    (late,), (soon,) = house.plivo.sent_to(ANN), house.plivo.sent_to(BOB)
    assert soon.at < at <= late.at


async def test_what_cannot_be_sent_in_time_expires(house: House) -> None:
    answer = await send(house, expires_after_s=60)
    async with transaction(house.pool) as connection:
        await connection.execute("UPDATE outbox SET expires_at = now() - interval '1 second'")
    async with working(house):
        await until_settled(house)

    message = await only(house, answer)
    assert (message["status"], message["error_code"]) == ("failed", "expired_before_sending")
    assert house.plivo.acted == []


async def test_a_message_that_waits_can_be_cancelled(house: House) -> None:
    answer = await send(house, send_at="+1h")
    path = f"/v1/messages/{answer['data'][0]['id']}/cancel"

    cancelled = await house.ask("POST", path)
    again = await house.ask("POST", path)

    assert cancelled.status_code == 200
    assert (cancelled.json()["status"], cancelled.json()["error_code"]) == ("failed", "cancelled")
    assert (again.status_code, again.json()["code"]) == (409, "not_cancellable")
    assert await house.rows("SELECT 1 FROM outbox") == []


async def test_what_is_sent_cannot_be_cancelled(house: House) -> None:
    await house.add("bank", "routee")
    answer = await send(house)
    path = f"/v1/messages/{answer['data'][0]['id']}/cancel"
    async with working(house):
        await until_settled(house)

    refused = await house.ask("POST", path)
    stranger = await house.ask("POST", path, "sends-bank")
    nothing = await house.ask("POST", "/v1/messages/none/cancel")

    assert (refused.status_code, refused.json()["code"]) == (409, "not_cancellable")
    assert "queued already" in refused.json()["detail"]
    assert (stranger.status_code, nothing.status_code) == (404, 404)


async def test_several_workers_together_keep_the_rate_fairly_between_senders(house: House) -> None:
    other, per_sender, rate = "+14155550200", 30, 20.0
    for number in range(per_sender):
        await send(house, to=f"+141555502{number:02}")
    for number in range(per_sender):
        await send(house, to=f"+141555503{number:02}", **{"from": other})
    async with working(house, default_rates=Rates(1000, rate)), working(house, default_rates=Rates(1000, rate)):
        await until_settled(house)

    for sender in (SENDER, other):
        times = sorted(sent.at for sent in house.plivo.messages.values() if sent.body["src"] == sender)
        assert len(times) == per_sender
        took_s = (times[-1] - times[0]).total_seconds()
        # A burst may go at the start; what comes after keeps to the rate.
        assert took_s >= (per_sender - 10) / rate * 0.95
        assert took_s <= per_sender / rate + 2 * TIMING.lease_s
    halfway = sorted(house.plivo.messages.values(), key=lambda sent: sent.at)[:per_sender]
    assert abs(sum(sent.body["src"] == other for sent in halfway) - per_sender / 2) <= per_sender * 0.2


async def test_a_disabled_account_keeps_its_messages_waiting(house: House) -> None:
    answer = await send(house)
    async with transaction(house.pool) as connection:
        await connection.execute("UPDATE accounts SET disabled_at = now()")
    async with working(house):
        await send_other(house)
        await until_only(house, answer)

    assert house.plivo.sent_to(ANN) == []


async def send_other(house: House) -> None:
    """Something that is sent all the same, so that it is known that the worker had its turn."""
    await house.add("other", "plivo")
    await send(house, account="other", to=BOB)


async def until_only(house: House, answer: dict[str, Any]) -> None:
    async def is_only() -> bool:
        rows = await house.rows("SELECT id::text FROM outbox")
        return [row["id"] for row in rows] == [answer["data"][0]["id"]]

    await until(is_only)
