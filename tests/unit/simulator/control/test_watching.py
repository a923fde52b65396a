"""What `/_sim` tells of the world: messages, codes, callbacks, the ledger."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from landed.simulator.carrier.views import SessionView
from tests.unit.simulator.carrier.acme import NOON, Receiver
from tests.unit.simulator.control.asking import Asked, asking

pytestmark = pytest.mark.anyio

DELIVERED, UNDELIVERED, SILENT, LOST = "+15005550000", "+15005550030", "+15005559001", "+15005559008"


def ids(page: dict[str, Any]) -> list[str]:
    return [each["id"] for each in page["data"]]


async def test_a_message_tells_what_the_carrier_knows_what_it_told_and_how() -> None:
    async with asking(Receiver(503, 200)) as sim:
        message_id = sim.acme.send(UNDELIVERED, "Hello")
        await sim.pass_time()

        message = await sim.get(f"/messages/{message_id}")

    names = ("id", "provider", "account", "direction", "channel", "from", "to", "text")
    assert {name: message[name] for name in names} == {
        "id": message_id,
        "provider": "acme",
        "account": "acme-1",
        "direction": "outbound",
        "channel": "sms",
        "from": "ACME",
        "to": UNDELIVERED,
        "text": "Hello",
    }
    assert (message["status"], message["error_code"]) == ("undelivered", "30")
    assert message["told"] == {"status": "undelivered", "error_code": "30"}
    assert message["callback_states"] == {"taken": 3}
    assert message["created_at"] == "2026-03-02T12:00:00Z"
    first = message["callbacks"][0]
    assert (first["name"], first["state"]) == ("acme.message.queued", "taken")
    assert [(attempt["status"], attempt["flaw"]) for attempt in first["attempts"]] == [(503, "none"), (200, "none")]


async def test_what_the_carrier_knows_and_what_it_told_are_two_things() -> None:
    async with asking() as sim:
        message_id = sim.acme.send(LOST)
        await sim.pass_time()
        message = await sim.get(f"/messages/{message_id}")

    assert (message["status"], message["told"], message["callback_states"]) == ("delivered", None, {"lost": 3})


async def test_messages_are_listed_latest_first_and_filtered() -> None:
    async with asking() as sim:
        sent = []
        for recipient in (DELIVERED, UNDELIVERED, SILENT):
            sent.append(sim.acme.send(recipient, sender=f"from {recipient[-3:]}"))
            await sim.pass_time(60)

        assert ids(await sim.get("/messages")) == sent[::-1]
        assert ids(await sim.get("/messages", to=UNDELIVERED)) == [sent[1]]
        assert ids(await sim.get("/messages", to=UNDELIVERED.removeprefix("+"))) == [sent[1]]
        assert ids(await sim.get("/messages", status="sent")) == [sent[2]]
        assert ids(await sim.get("/messages", **{"from": "from 000"})) == [sent[0]]
        assert ids(await sim.get("/messages", id=sent[0], provider="acme", direction="outbound")) == [sent[0]]
        assert ids(await sim.get("/messages", direction="inbound")) == []


@pytest.mark.parametrize(("number", "written"), [
    ("+14155550100", ["+14155550100", "14155550100", " 14155550100"]),
    ("12345", ["12345"]),
    ("ACME", ["ACME"]),
])  # fmt: skip
async def test_numbers_are_found_with_their_plus_and_without(number: str, written: list[str]) -> None:
    async with asking() as sim:
        sent, taken = sim.acme.send(DELIVERED, sender=number), sim.acme.send(number, sender="nobody")
        sim.acme.send(UNDELIVERED, sender="other")

        for text in written:
            assert ids(await sim.get("/messages", **{"from": text})) == [sent]
            assert ids(await sim.get("/messages", to=text)) == [taken]
            for name, message_id in (("from", sent), ("to", taken)):
                answer = await sim.post("/expect", {name: text, "timeout_s": 0})
                assert [answer["met"], *(each["id"] for each in answer["messages"])] == [True, message_id]


async def test_what_is_waited_for_comes_in_the_order_of_time() -> None:
    async with asking() as sim:
        sent = [sim.acme.send(DELIVERED) for _ in range(3)]
        earliest = replace(sim.acme.state.messages[sent[2]], created_at=NOON - timedelta(days=1))
        sim.acme.state.messages[sent[2]] = earliest

        answer = await sim.post("/expect", {"to": DELIVERED})

    assert [each["id"] for each in answer["messages"]] == [sent[2], sent[0], sent[1]]


async def test_pages_lead_through_all_of_it_once() -> None:
    async with asking() as sim:
        sent = [sim.acme.send(DELIVERED) for _ in range(25)]
        found, cursor = list[str](), dict[str, str]()
        while True:
            page = await sim.get("/messages", limit="10", **cursor)
            found += ids(page)
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
            sim.acme.send(SILENT)
            sim.carrier.clock.advance(timedelta(seconds=1))

    assert len(found) == len(set(found))
    assert set(sent) <= set(found)


@pytest.mark.parametrize(("path", "params", "field"), [
    ("/messages", {"status": "arrived"}, "status"),
    ("/messages", {"provider": "plivo"}, "provider"),
    ("/messages", {"direction": "up"}, "direction"),
    ("/messages", {"colour": "red"}, "colour"),
    ("/messages", {"limit": "0"}, "limit"),
    ("/messages", {"limit": "5000"}, "limit"),
    ("/messages", {"limit": "9" * 5000}, "limit"),
    ("/messages", {"cursor": "x"}, "cursor"),
    ("/callbacks", {"state": "lost?"}, "state"),
    ("/callbacks", {"flaw": "ugly"}, "flaw"),
    ("/otp/latest", {}, "to"),
    ("/otp/latest", {"to": "+1", "timeout_s": "forever"}, "timeout_s"),
    ("/otp/latest", {"to": "+1", "timeout_s": "nan"}, "timeout_s"),
    ("/ledger", {"x": "y"}, "x"),
])  # fmt: skip
async def test_what_means_nothing_is_refused_by_name(path: str, params: dict[str, str], field: str) -> None:
    async with asking() as sim:
        answer = await sim.http.get(f"/_sim{path}", params=params)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["code"], answer.json()["field"]) == ("input_invalid", field)


@pytest.mark.parametrize(
    "path",
    [
        "/messages/nobody",
        "/callbacks/17",
        f"/callbacks/{'9' * 5000}",
        "/callbacks/x",
        "/nothing",
        "/snapshots/x/restore",
    ],
)
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with asking() as sim:
        answer = await (sim.http.post if "restore" in path else sim.http.get)(f"/_sim{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_index_names_all_there_is() -> None:
    async with asking() as sim:
        offers = (await sim.get(""))["data"]

    assert "GET /_sim/messages" in offers
    assert "POST /_sim/clock/advance" in offers


# --- codes ---------------------------------------------------------------------------------------------------------


async def _code(sim: Asked, to: str = DELIVERED) -> Any:
    return (await sim.get("/otp/latest", to=to))["code"]


@pytest.mark.parametrize(("text", "code"), [
    ("123456 is your code", "123456"), ("Your code: 0042.", "0042"), ("Code 123-456!", "123456"), ("987 654", "987654"),
    ("Order 12: code 77777777", "77777777"), ("Call +14155550100, code 4711", "4711"),
])  # fmt: skip
async def test_a_code_is_found_in_a_text(text: str, code: str) -> None:
    async with asking() as sim:
        sim.acme.send(DELIVERED, text)

        assert await _code(sim) == code


async def test_the_newest_code_counts_wherever_it_was_sent() -> None:
    async with asking() as sim:
        sim.acme.send(DELIVERED, "Your code is 1111")
        sim.acme.state.sessions.append(_session("2222", NOON + timedelta(seconds=1)))
        assert await _code(sim) == "2222"
        await sim.pass_time(60)
        sim.acme.send(DELIVERED, "Your code is 3333")
        sim.acme.send(DELIVERED, "No code here")
        sim.acme.send(UNDELIVERED, "For another: 4444")

        assert await _code(sim) == "3333"


async def test_nobody_was_sent_a_code() -> None:
    async with asking() as sim:
        sim.acme.send(DELIVERED, "Hello 123")
        answer = await sim.http.get("/_sim/otp/latest", params={"to": DELIVERED})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_sessions_are_listed_by_whom_they_are_for() -> None:
    async with asking() as sim:
        sim.acme.state.sessions.append(_session("2222", NOON))

        (session,) = (await sim.get("/sessions", to=DELIVERED))["data"]
        assert (session["to"], session["code"], session["created_at"]) == (DELIVERED, "2222", "2026-03-02T12:00:00Z")
        assert (await sim.get("/sessions", to=UNDELIVERED))["data"] == []
        assert (await sim.get("/registrations", kind="brand"))["data"] == []


def _session(code: str, at: Any) -> SessionView:
    return SessionView(
        provider="acme",
        account="acme-1",
        id=f"session-{code}",
        recipient=DELIVERED,
        code=code,
        status="in-progress",
        tries=0,
        created_at=at,
    )


# --- callbacks, the ledger -----------------------------------------------------------------------------------------


async def test_callbacks_are_filtered_and_shown_as_they_are_made() -> None:
    receiver = Receiver()
    async with asking(receiver, chaos={"duplicates": 1.0}) as sim:
        message_id, other = sim.acme.send(UNDELIVERED), sim.acme.send(LOST)
        await sim.pass_time()

        every = (await sim.get("/callbacks"))["data"]
        of_one = (await sim.get("/callbacks", thing_id=message_id))["data"]
        lost = (await sim.get("/callbacks", state="lost"))["data"]
        named = (await sim.get("/callbacks", name="acme.message.undelivered", provider="acme", flaw="none"))["data"]
        shown = await sim.get(f"/callbacks/{named[-1]['id']}")

    assert len(every) == 9
    assert {each["thing_id"] for each in of_one} == {message_id}
    assert {each["thing_id"] for each in lost} == {other}
    assert [each["is_repeat"] for each in named] == [True, False]
    assert shown["request"]["method"] == "POST"
    assert shown["request"]["body"] == f"id={message_id}&status=undelivered"
    assert shown["request"]["headers"]["X-Signature"] in {each.headers["x-signature"] for each in receiver.requests}


async def test_the_ledger_has_the_figures_and_where_each_message_ended() -> None:
    async with asking(Receiver(200), chaos={"missing_signatures": 1.0}) as sim:
        message_id = sim.acme.send(UNDELIVERED)
        await sim.pass_time()
        ledger, told = await sim.get("/ledger"), await sim.get("/ledger/messages")

    assert (ledger["messages"], ledger["by_status"]) == (1, {"undelivered": 1})
    assert ledger["cost"] == {"amount": "0.0055", "currency": "USD"}
    assert (ledger["forged"]["unsigned"], ledger["let_in"], ledger["callback_states"]) == (3, 3, {"taken": 3})
    assert told["data"] == [
        {
            "id": message_id,
            "status": "undelivered",
            "country": "US",
            "error_code": "30",
            "units": 1,
            "cost": {"amount": "0.0055", "currency": "USD"},
        }
    ]


async def test_health_says_whether_it_is_quiet() -> None:
    async with asking(seed=42) as sim:
        before = await sim.get("/health")
        sim.acme.send(DELIVERED)
        during = await sim.get("/health")
        await sim.pass_time()
        after = await sim.get("/health")

    assert (before["quiet"], during["quiet"], after["quiet"]) == (True, False, True)
    assert (before["seed"], before["scenario"], before["providers"]) == (42, "everyday", ["acme"])
