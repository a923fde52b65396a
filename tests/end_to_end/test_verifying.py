"""Verifying people through Plivo and Routee: started, checked, sent again, called off, and limited against abuse."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from landed.domain.limits import ShareLimit, read
from landed.store.verify_starts import Side
from tests.acting import NO_LIMITS, House, opened_house
from tests.doubles.api import (
    EMPTY_ANSWER,
    ERROR_AFTER,
    HALF_ANSWER,
    HANG_AFTER,
    RESET_BEFORE,
    THROTTLED,
    WRONG_JSON,
    Arrived,
    Reply,
)

pytestmark = pytest.mark.anyio
TO = "+14155550123"
STARTS = "/v1/verify/sessions"


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as house:
        await house.add("shop", "plivo")
        yield house


async def started(house: House, key: str = "sends", **asked: Any) -> dict[str, Any]:
    response = await house.ask("POST", STARTS, key, json={"to": TO, **asked})
    assert response.status_code == 201, response.text
    session: dict[str, Any] = response.json()
    return session


async def check(house: House, session_id: str, code: str) -> httpx.Response:
    return await house.ask("POST", f"{STARTS}/{session_id}/check", json={"code": code})


async def checked(house: House, session_id: str, code: str) -> Any:
    response = await check(house, session_id, code)
    assert response.status_code == 200, response.text
    return response.json()


def problem(response: httpx.Response, status: int, code: str) -> Any:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


# --- starting ------------------------------------------------------------------------------------------------------


async def test_a_started_session_shows_at_once_and_meets_its_callbacks_in_one_row(house: House) -> None:
    session = await started(house, to="(415) 555-0123", region="US", channel="voice", locale="en", code_length=5)
    ((uuid, at_plivo),) = house.plivo.sessions.items()
    key = house.accounts["shop"].paths[0].value

    assert (session["status"], session["to"], session["country"]) == ("in_progress", TO, "US")
    assert (session["account"], session["provider_session_id"]) == ("shop", uuid)
    assert at_plivo.body == {
        "recipient": TO, "channel": "voice", "locale": "en", "code_length": 5, "method": "POST",
        "url": f"https://hooks.example.com/callbacks/{key}/verify/{session['our_id']}",
    }  # fmt: skip

    await house.track("shop", house.plivo.session_call(uuid, channel_status="completed"))

    for name in (session["id"], session["our_id"], uuid):
        shown = await house.get(f"{STARTS}/{name}")
        assert (shown["id"], shown["receipts_count"], shown["attempts"][0]["status"]) == (session["id"], 2, "delivered")
    assert len((await house.get(STARTS))["data"]) == 1


async def test_a_callback_that_beats_the_answer_gives_the_same_row(house: House) -> None:
    async def call(arrived: Arrived, reply: Reply) -> None:
        if reply.content and "session_uuid" in reply.content:
            await house.track("shop", house.plivo.session_call(reply.content["session_uuid"]))

    usual = await started(house)
    await house.track("shop", house.plivo.session_call(usual["provider_session_id"]))
    house.plivo.before_answer = call
    crossed = await started(house, to="+14155550124")

    def facts(session: dict[str, Any]) -> set[tuple[Any, ...]]:
        return {(each["source"], each["status"], each["provider_status"]) for each in session["receipts"]}

    usual = await house.get(f"{STARTS}/{usual['id']}")
    assert facts(crossed) == facts(usual)
    assert (crossed["status"], crossed["channel"], crossed["attempts"][0]["status"]) == (
        usual["status"], usual["channel"], usual["attempts"][0]["status"],
    )  # fmt: skip
    assert len((await house.get(STARTS))["data"]) == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"to": "12"}, "to"),
        ({"to": "0171 1234567"}, "to"),
        ({"to": "+1415", "region": "US"}, "to"),
        ({"channel": "whatsapp"}, "channel"),
        ({"channel": "pigeon"}, "channel"),
        ({"text": "Your code"}, "text"),
        ({"code_length": 3}, "code_length"),
        ({"lifetime_s": 1}, "lifetime_s"),
        ({"locale": "x!"}, "locale"),
        ({"account": "nobody"}, "account"),
        ({"color": "red"}, "color"),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_for_is_refused_before_anything_is_sent(
    house: House, asked: dict[str, Any], field: str
) -> None:
    response = await house.ask("POST", STARTS, json={"to": TO, **asked})

    assert problem(response, 422, "input_invalid")["field"] == field
    assert house.plivo.arrived == []
    assert await house.rows("SELECT 1 FROM verify_starts") == []


async def test_channels_that_there_are_not_are_told_with_those_that_there_are(house: House) -> None:
    session = await started(house)

    for path in (STARTS, f"{STARTS}/{session['id']}/resend"):
        asked = {"channel": "pigeon"} | ({"to": TO} if path == STARTS else {})
        told = problem(await house.ask("POST", path, json=asked), 422, "input_invalid")
        assert told["detail"] == "`channel`: Input should be 'sms' or 'voice'."


async def test_whose_account_it_is(house: House) -> None:
    for key, options, says in (
        ("sends-bank", {}, None),
        ("sends", {}, "of: bank, shop"),
        ("sends-bank", {"account": "shop"}, "'shop'"),
        ("sends", {"account": "mute"}, "no secret"),
    ):
        if "bank" not in house.accounts:
            await house.add("bank", "routee")
            await house.add("mute", "routee", secret="")
        response = await house.ask("POST", STARTS, key, json={"to": TO, **options})
        if says is None:
            assert response.json()["provider"] == "routee"
        else:
            assert says in problem(response, 422, "input_invalid")["detail"]
    problem(await house.ask("POST", STARTS, "reads", json={"to": TO}), 403, "not_allowed")


async def test_what_a_provider_has_no_words_for_is_its_refusal_and_leaves_no_session(house: House) -> None:
    told = problem(
        await house.ask("POST", STARTS, json={"to": TO, "text": "Your code: {code}"}), 422, "request_refused"
    )

    assert "Plivo" in told["detail"]
    assert (await house.get(STARTS))["data"] == []
    assert [row["state"] for row in await house.rows("SELECT state FROM verify_starts")] == ["refused"]


async def test_a_provider_says_no_with_its_code_and_our_secret_stays_ours(house: House) -> None:
    house.plivo.barred_prefixes = ("14",)

    told = problem(await house.ask("POST", STARTS, json={"to": TO}), 422, "request_refused")

    assert told["provider_code"] == "450"
    assert "4155550123" not in told["detail"]


@pytest.mark.parametrize(
    ("fault", "status", "code", "after"),
    [(THROTTLED, 503, "provider_throttled", "2"), (ERROR_AFTER._replace(status=408), 502, "provider_failed", None)],
)
async def test_nothing_was_sent_and_it_says_when_to_try_again(
    house: House, fault: Any, status: int, code: str, after: str | None
) -> None:
    house.plivo.fail(fault, on="POST /Verify/Session/")

    response = await house.ask("POST", STARTS, json={"to": TO}, headers={"Idempotency-Key": "k"})
    problem(response, status, code)
    assert response.headers.get("retry-after") == after

    again = await house.ask("POST", STARTS, json={"to": TO}, headers={"Idempotency-Key": "k"})
    assert again.status_code == 201


async def test_the_same_key_starts_once_and_answers_twice(house: House) -> None:
    asked: dict[str, Any] = {"json": {"to": TO}, "headers": {"Idempotency-Key": "order-7"}}
    first, second = await house.ask("POST", STARTS, **asked), await house.ask("POST", STARTS, **asked)
    other = await house.ask("POST", STARTS, json={"to": "+14155550124"}, headers={"Idempotency-Key": "order-7"})

    assert (first.status_code, second.status_code, second.json()) == (201, 201, first.json())
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")
    assert len(house.plivo.sessions) == 1
    problem(other, 422, "idempotency_key_reused")


# --- unknown outcomes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [HANG_AFTER, HALF_ANSWER, WRONG_JSON, EMPTY_ANSWER, ERROR_AFTER], ids=str)
async def test_a_start_without_a_readable_answer_is_found_in_the_providers_list(house: House, fault: Any) -> None:
    house.plivo.fail(fault, on="POST /Verify/Session/")

    session = await started(house)

    ((uuid, _),) = house.plivo.sessions.items()
    assert (session["provider_session_id"], session["status"]) == (uuid, "in_progress")
    assert (await house.rows("SELECT state FROM verify_starts"))[0]["state"] == "started"


async def test_one_that_is_not_found_has_an_unknown_outcome_until_a_callback_tells(house: House) -> None:
    house.plivo.fail(HANG_AFTER, on="POST /Verify/Session/")
    house.plivo.fail(THROTTLED, on="GET /Verify/Session/")
    told = problem(await house.ask("POST", STARTS, json={"to": TO}), 502, "outcome_unknown")
    assert (await house.ask("GET", f"{STARTS}/{told['our_id']}")).status_code == 404
    ((uuid, at_plivo),) = house.plivo.sessions.items()
    assert told["our_id"] in at_plivo.body["url"]

    await house.track("shop", house.plivo.session_call(uuid))

    assert (await house.get(f"{STARTS}/{told['our_id']}"))["provider_session_id"] == uuid
    assert (await checked(house, told["our_id"], at_plivo.code))["verified"] is True


async def test_what_nobody_told_of_is_looked_up_later_and_given_up_in_the_end(house: House) -> None:
    house.plivo.fail(HANG_AFTER, RESET_BEFORE, on="POST /Verify/Session/")
    house.plivo.fail(THROTTLED, on="GET /Verify/Session/")
    known = problem(await house.ask("POST", STARTS, json={"to": TO}), 502, "outcome_unknown")["our_id"]
    lost = problem(await house.ask("POST", STARTS, json={"to": "+14155550124"}), 502, "outcome_unknown")["our_id"]
    assert await house.verifier.find_out_all() == 0, "too early"
    house.ahead = timedelta(minutes=2)

    assert await house.verifier.find_out_all() == 2
    assert await house.verifier.find_out_all() == 0, "looked for just now"
    house.ahead = timedelta(minutes=20)
    assert await house.verifier.find_out_all() == 1

    states = {str(row["id"]): row["state"] for row in await house.rows("SELECT id, state FROM verify_starts")}
    assert states == {known: "started", lost: "lost"}
    assert (await house.get(f"{STARTS}/{known}"))["status"] == "in_progress"
    detail = problem(await check(house, lost, "1234"), 404, "not_found")["detail"]
    assert "not known" in detail


async def test_a_start_that_died_with_its_process_is_found_out_by_another(house: House) -> None:
    acted = asyncio.Event()

    async def hang(arrived: Arrived, reply: Reply) -> None:
        acted.set()
        await asyncio.sleep(60)

    house.plivo.before_answer = hang
    task = asyncio.create_task(house.ask("POST", STARTS, json={"to": TO}))
    async with asyncio.timeout(20):
        await acted.wait()
    task.cancel()
    await asyncio.wait([task])
    house.plivo.before_answer = None
    house.ahead = timedelta(minutes=2)

    assert await house.verifier.find_out_all() == 1

    (row,) = (await house.get(STARTS))["data"]
    assert row["provider_session_id"] in house.plivo.sessions


async def test_a_session_that_may_be_one_of_two_is_not_guessed(house: House) -> None:
    house.plivo.fail(HANG_AFTER, HANG_AFTER, on="POST /Verify/Session/")
    house.plivo.fail(THROTTLED, on="GET /Verify/Session/")
    for _ in range(2):
        problem(await house.ask("POST", STARTS, json={"to": TO}), 502, "outcome_unknown")

    assert (await house.get(STARTS))["data"] == []


async def test_a_session_of_a_provider_without_a_list_is_found_by_its_callback(house: House) -> None:
    await house.add("bank", "routee")
    house.routee.fail(HANG_AFTER, on="POST /2step")
    told = problem(await house.ask("POST", STARTS, "sends-bank", json={"to": TO}), 502, "outcome_unknown")
    ((tracking_id, at_routee),) = house.routee.sessions.items()
    url = f"https://hooks.example.com/callbacks/{house.accounts['bank'].paths[0].value}"

    await house.track("bank", house.routee.session_call(tracking_id, url))

    assert (await checked(house, told["our_id"], at_routee.code))["verified"] is True
    assert (await house.get(f"{STARTS}/{tracking_id}"))["our_id"] == told["our_id"]


# --- codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["plivo", "routee"])
async def test_the_right_code_verifies_at_once_and_counts_once(house: House, provider: str) -> None:
    account = await house.add(provider, provider)
    session = await started(house, account=provider)
    at_provider = (house.plivo.sessions | house.routee.sessions)[session["provider_session_id"]]
    code = at_provider.code

    missed = await checked(house, session["id"], wrong(code))
    hit = await checked(house, session["our_id"], f" {code[:3]}-{code[3:]}")

    assert (missed["verified"], missed["tries_left"], missed["session"]["status"]) == (False, 2, "in_progress")
    assert (hit["verified"], hit["tries_left"], hit["session"]["status"]) == (True, None, "verified")
    call = (
        house.plivo.session_call(session["provider_session_id"])
        if provider == "plivo"
        else house.routee.session_call(
            session["provider_session_id"], f"https://hooks.example.com/callbacks/{account.paths[0].value}"
        )
    )
    await house.track(provider, call)
    (row,) = await house.rows("SELECT sum(started) AS started, sum(verified) AS verified FROM session_counters_hour")
    assert (row["started"], row["verified"]) == (1, 1)
    events = [row["type"] for row in await house.rows("SELECT type FROM events ORDER BY id")]
    assert events == ["session.started", "session.verified"]
    again = problem(await check(house, session["id"], code), 409, "session_ended")
    assert again["session_status"] == "verified"


async def test_after_the_last_wrong_code_it_has_failed(house: House) -> None:
    session = await started(house)
    code = house.plivo.sessions[session["provider_session_id"]].code

    answers = [await checked(house, session["id"], wrong(code)) for _ in range(3)]

    assert [answer["tries_left"] for answer in answers] == [2, 1, 0]
    assert [answer["session"]["status"] for answer in answers] == ["in_progress", "in_progress", "failed"]
    ended = await check(house, session["id"], code)
    assert problem(ended, 409, "session_ended")["session_status"] == "failed"


async def test_codes_tried_at_the_same_moment_are_all_counted(house: House) -> None:
    session = await started(house)
    code = wrong(house.plivo.sessions[session["provider_session_id"]].code)

    asked = [check(house, session["id"], code) for _ in range(8)]
    statuses = sorted(response.status_code for response in await asyncio.gather(*asked))

    assert statuses == [200] * 3 + [409] * 5
    assert house.plivo.sessions[session["provider_session_id"]].tries == 3


async def test_a_code_that_could_not_be_checked_is_no_try(house: House) -> None:
    session = await started(house)
    house.plivo.choose = lambda arrived: THROTTLED
    for _ in range(5):
        problem(
            await check(house, session["id"], "123456"),
            503,
            "provider_throttled",
        )
    house.plivo.choose = lambda arrived: None

    code = house.plivo.sessions[session["provider_session_id"]].code
    assert (await checked(house, session["id"], code))["verified"] is True


async def test_what_the_provider_says_has_ended_has_ended(house: House) -> None:
    await house.add("bank", "routee")
    for account, sessions in (("shop", house.plivo.sessions), ("bank", house.routee.sessions)):
        session = await started(house, account=account)
        at_provider: Any = sessions[session["provider_session_id"]]
        at_provider.status = "expired" if account == "shop" else "Expired"

        ended = await check(house, session["id"], at_provider.code)

        assert problem(ended, 409, "session_ended")["session_status"] == "expired"
        assert (await house.get(f"{STARTS}/{session['id']}"))["status"] == "expired"


@pytest.mark.parametrize("code", ["", "12", "12345678901234", "12;34", "\uff11\uff12\uff13\uff14"])
async def test_what_can_be_no_code_is_not_asked_for(house: House, code: str) -> None:
    session = await started(house)
    asked = len(house.plivo.arrived)

    problem(await check(house, session["id"], code), 422, "input_invalid")

    assert len(house.plivo.arrived) == asked


async def test_a_session_of_another_account_is_not_there(house: House) -> None:
    await house.add("bank", "routee")
    session = await started(house, account="shop")
    for name in (session["id"], session["our_id"], session["provider_session_id"], "nothing"):
        for act, body in (("check", {"code": "1234"}), ("resend", {}), ("cancel", {})):
            response = await house.ask("POST", f"{STARTS}/{name}/{act}", "sends-bank", json=body)
            problem(response, 404, "not_found")


# --- again, and no more --------------------------------------------------------------------------------------------


async def test_a_code_is_sent_again_by_the_other_channel_and_the_latest_counts(house: House) -> None:
    first = await started(house, brand_name="Acme", code_length=6)
    code = house.plivo.sessions[first["provider_session_id"]].code

    response = await house.ask("POST", f"{STARTS}/{first['id']}/resend")

    second = response.json()
    assert (response.status_code, second["resent_from"], second["resent_as"]) == (201, first["our_id"], [])
    asked = house.plivo.sessions[second["provider_session_id"]]
    assert {name: asked.body[name] for name in ("recipient", "channel", "brand_name", "code_length")} == {
        "recipient": TO, "channel": "voice", "brand_name": "Acme", "code_length": 6,
    }  # fmt: skip
    assert (await house.get(f"{STARTS}/{first['id']}"))["resent_as"] == [second["our_id"]]
    old = await checked(house, first["id"], code)
    assert (old["verified"], old["session"]["id"]) == (code == asked.code, second["id"])
    assert (await checked(house, first["id"], asked.code))["verified"] is True


async def test_at_routee_the_code_before_is_called_off(house: House) -> None:
    await house.add("bank", "routee")
    first = await started(house, account="bank", text="Acme: {code}", sender="Acme", lifetime_s=120)

    second = (await house.ask("POST", f"{STARTS}/{first['id']}/resend", json={"channel": "sms"})).json()

    assert house.routee.sessions[first["provider_session_id"]].status == "Cancelled"
    assert (await house.get(f"{STARTS}/{first['id']}"))["status"] == "cancelled"
    body = house.routee.sessions[second["provider_session_id"]].body
    assert (body["method"], body["template"], body["originator"], body["lifetimeInSeconds"]) == (
        "sms", "Acme: @@pin", "Acme", 120,
    )  # fmt: skip


async def test_a_session_that_is_over_is_not_sent_again(house: House) -> None:
    session = await started(house)
    await checked(house, session["id"], house.plivo.sessions[session["provider_session_id"]].code)

    problem(await house.ask("POST", f"{STARTS}/{session['id']}/resend"), 409, "session_ended")
    assert len(house.plivo.sessions) == 1


async def test_a_provider_that_goes_on_with_the_same_session_has_one_row(house: House) -> None:
    first = await started(house)
    uuid = first["provider_session_id"]
    act = house.plivo.act

    def same(arrived: Arrived) -> Reply:
        if arrived.method == "POST" and arrived.path.endswith("/Verify/Session/"):
            return Reply(status=202, content={"api_id": "x", "message": "Session initiated", "session_uuid": uuid})
        return act(arrived)

    house.plivo.act = same  # type: ignore[method-assign]
    second = (await house.ask("POST", f"{STARTS}/{first['our_id']}/resend")).json()

    assert (second["id"], second["resent_from"], second["resent_as"]) == (first["id"], None, [])
    starts = [str(row["id"]) for row in await house.rows("SELECT id FROM verify_starts ORDER BY asked_at")]
    assert [(await house.get(f"{STARTS}/{each}"))["id"] for each in starts] == [first["id"]] * 2
    assert (await checked(house, starts[1], house.plivo.sessions[uuid].code))["verified"] is True


async def test_a_session_is_called_off_where_the_provider_can(house: House) -> None:
    await house.add("bank", "routee")
    session = await started(house, account="bank")
    cancelled = await house.ask("POST", f"{STARTS}/{session['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    problem(await house.ask("POST", f"{STARTS}/{session['id']}/cancel"), 409, "session_ended")

    at_plivo = await started(house, account="shop")
    told = problem(await house.ask("POST", f"{STARTS}/{at_plivo['id']}/cancel"), 422, "input_invalid")
    assert "plivo does not offer it" in told["detail"]


# --- limits against abuse ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "same", "other"),
    [
        (Side.RECIPIENT, {"to": TO}, {"to": "+14155550199"}),
        (Side.COUNTRY, {"to": "+447700900123"}, {"to": TO}),
        (Side.CALLER, {}, {"key": "sends-too"}),
    ],
    ids=str,
)
async def test_a_limit_holds_for_its_own_and_for_nobody_else(
    house: House, side: Side, same: dict[str, Any], other: dict[str, Any]
) -> None:
    house.rules = replace(NO_LIMITS, limits={side: read("2/10m,9/1d")})
    for _ in range(2):
        await started(house, **same)

    response = await house.ask("POST", STARTS, json={"to": TO, **same})

    told = problem(response, 429, "verify_limit")
    assert told["limit"] == f"{side} 2/10m"
    assert 590 <= int(response.headers["retry-after"]) <= 600
    assert "10 minutes" in told["detail"]
    assert len(house.plivo.sessions) == 2
    await started(house, **other)
    house.ahead = timedelta(minutes=10)
    await started(house, **same)


async def test_starts_at_the_same_moment_cannot_both_slip_through(house: House) -> None:
    house.rules = replace(NO_LIMITS, limits={side: read("3/10m") for side in Side})

    asked = [house.ask("POST", STARTS, json={"to": TO}) for _ in range(12)]
    statuses = sorted(response.status_code for response in await asyncio.gather(*asked))

    assert statuses == [201] * 3 + [429] * 9
    assert len(house.plivo.sessions) == 3


async def test_what_was_not_sent_does_not_count_and_what_is_sent_again_does(house: House) -> None:
    house.rules = replace(NO_LIMITS, limits={Side.RECIPIENT: read("2/10m")})
    house.plivo.fail(THROTTLED, THROTTLED, on="POST /Verify/Session/")
    for _ in range(2):
        assert (await house.ask("POST", STARTS, json={"to": TO})).status_code == 503

    session = await started(house)
    assert (await house.ask("POST", f"{STARTS}/{session['id']}/resend")).status_code == 201
    problem(await house.ask("POST", f"{STARTS}/{session['id']}/resend"), 429, "verify_limit")


@pytest.mark.parametrize(("side", "key"), [(Side.COUNTRY, "sends-too"), (Side.CALLER, "sends")])
async def test_where_too_few_come_to_anything_no_more_are_started(house: House, side: Side, key: str) -> None:
    def number(n: int) -> str:
        return f"+1415555{n:04}" if side is Side.COUNTRY else f"+{['44770090', '1415555'][n % 2]}{n:04}"

    sessions = [await started(house, to=number(n)) for n in range(10)]
    await checked(house, sessions[0]["id"], house.plivo.sessions[sessions[0]["provider_session_id"]].code)
    house.rules = replace(NO_LIMITS, share=ShareLimit(20, 10, timedelta(hours=6)))
    await started(house, key, to=number(20))  # only one of them has ended so far
    house.ahead = timedelta(minutes=16)

    response = await house.ask("POST", STARTS, key, json={"to": number(21)})

    told = problem(response, 429, "verify_limit")
    assert told["limit"] == f"{side} share"
    assert "only 1 " in told["detail"]
    assert 5 * 3600 < int(response.headers["retry-after"]) < 6 * 3600
    house.ahead = timedelta(hours=6, minutes=1)
    await started(house, key, to=number(22))


async def test_where_enough_are_verified_more_are_started(house: House) -> None:
    for n in range(10):
        session = await started(house, to=f"+1415555{n:04}")
        if n < 2:
            await checked(house, session["id"], house.plivo.sessions[session["provider_session_id"]].code)
    house.rules = replace(NO_LIMITS, share=ShareLimit(20, 10, timedelta(hours=6)))
    house.ahead = timedelta(minutes=16)

    await started(house, to="+14155550021")


async def test_what_was_sent_again_is_judged_by_its_last_session(house: House) -> None:
    for n in range(3):
        session = await started(house, to=f"+1415555{n:04}")
        again = (await house.ask("POST", f"{STARTS}/{session['id']}/resend")).json()
        await checked(house, again["id"], house.plivo.sessions[again["provider_session_id"]].code)
    house.rules = replace(NO_LIMITS, share=ShareLimit(100, 3, timedelta(hours=6)))
    house.ahead = timedelta(minutes=16)

    await started(house, to="+14155550021")
