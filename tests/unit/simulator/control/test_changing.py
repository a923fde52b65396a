"""How `/_sim` changes the world while it runs."""

import asyncio
from typing import Any

import pytest

from tests.unit.simulator.carrier.acme import Receiver
from tests.unit.simulator.control.asking import Asked, asking

pytestmark = pytest.mark.anyio

DELIVERED, UNDELIVERED, SILENT = "+15005550000", "+15005550030", "+15005559001"


async def put(sim: Asked, path: str, content: str) -> Any:
    answer = await sim.http.put(f"/_sim{path}", content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- people --------------------------------------------------------------------------------------------------------


async def test_somebody_writes_to_a_number_that_wants_it() -> None:
    async with asking() as sim:
        sim.acme.state.wanted.add("+14155550100")
        said = {"from": "+12125550101", "to": "+14155550100", "text": "Hello 👋"}

        assert await sim.post("/inbound", said) == {"id": "in-1", "provider": "acme"}
        (message,) = (await sim.get("/messages", direction="inbound"))["data"]

    assert (message["from"], message["text"], message["status"]) == ("+12125550101", "Hello 👋", "received")


@pytest.mark.parametrize(("said", "field"), [
    ({"from": "+12125550101", "to": "+14155550199", "text": "x"}, "to"),
    ({"from": "+12125550101", "to": "+14155550100"}, "text"),
    ({"from": "+12125550101", "to": "+14155550100", "text": "x", "provider": "plivo"}, "provider"),
    ({"from": "+12125550101", "to": "+14155550100", "text": "x", "options": {"smell": "roses"}}, "options"),
    ({"sender": "+12125550101", "to": "+14155550100", "text": "x", "colour": 1}, "colour"),
])  # fmt: skip
async def test_what_cannot_be_received_is_refused_by_name(said: dict[str, Any], field: str) -> None:
    async with asking() as sim:
        sim.acme.state.wanted.add("+14155550100")
        answer = await sim.http.post("/_sim/inbound", json=said)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_what_a_console_would_set_is_set() -> None:
    async with asking() as sim:
        done = await sim.http.patch("/_sim/accounts/acme/acme-1", json={"wants": "+14155550100"})
        nobody = await sim.http.patch("/_sim/accounts/acme/acme-2", json={"wants": "+14155550100"})
        strange = await sim.http.patch("/_sim/accounts/acme/acme-1", json={"smell": "roses"})
        nowhere = await sim.http.patch("/_sim/accounts/plivo/acme-1", json={})

    assert (done.status_code, nobody.status_code, strange.status_code, nowhere.status_code) == (204, 422, 422, 404)
    assert sim.acme.state.wanted == {"+14155550100"}


# --- scenario ------------------------------------------------------------------------------------------------------


async def test_a_scenario_is_taken_by_name_as_yaml_or_as_json() -> None:
    async with asking() as sim:
        assert (await put(sim, "/scenario", "name: storm"))["chaos"]["bursts"] == 0.6
        assert (await put(sim, "/scenario", '{"name": "calm"}'))["chaos"]["bursts"] == 0
        changed = await put(sim, "/scenario", "extends: storm\nname: mine\nchaos: {lost: 0.5}")
        assert (changed["name"], changed["chaos"]["bursts"], changed["chaos"]["lost"]) == ("mine", 0.6, 0.5)
        assert await sim.get("/scenario") == changed
        assert "storm" in [each["name"] for each in (await sim.get("/scenarios"))["data"]]


async def test_a_scenario_that_is_shown_may_be_put_back() -> None:
    async with asking() as sim:
        shown = await sim.get("/scenario")
        await put(sim, "/scenario", "name: storm")

        answer = await sim.http.put("/_sim/scenario", json=shown)

    assert answer.json() == shown


async def test_a_patch_changes_what_it_names_from_now_on() -> None:
    async with asking() as sim:
        await sim.http.patch("/_sim/scenario", content="magic: {'+12125550199': {error_code: 50}}")
        message_id = sim.acme.send("+12125550199")
        await sim.pass_time()

        assert (await sim.get(f"/messages/{message_id}"))["error_code"] == "50"
        assert (await sim.get("/scenario"))["name"] == "everyday"


@pytest.mark.parametrize("content", [
    "extends: /etc/passwd", "name: ../calm", "extends: {a: b}", "name: nobody", "countries: {XX: {silent: 2}}",
    "[1]", "a: [", '{"magic": {"\\ud800": {"error_code": 50}}}',
])  # fmt: skip
async def test_a_scenario_that_cannot_be_is_refused_and_changes_nothing(content: str) -> None:
    async with asking() as sim:
        before = await sim.get("/scenario")
        answer = await sim.http.put("/_sim/scenario", content=content)

        assert (answer.status_code, answer.json()["code"]) == (422, "input_invalid")
        assert await sim.get("/scenario") == before


@pytest.mark.parametrize(("path", "content", "sentence"), [
    ("/clock/advance", "{}", "The body: seconds is missing."),
    ("/clock/advance", "{second: 5}",
     "The body: seconds is missing. The body: there is no second; did you mean seconds?"),
    ("/clock/advance", "seconds: soon", "The body: seconds is 'soon'; give a number."),
    ("/reset", "{sed: 7}", "The body: there is no sed; did you mean seed?"),
    ("/reset", "{chaos: 7}", "the scenario: chaos is 7; give none, some, all, or shares by name"),
    ("/reset", "{chaos: {lost: 7}}", "the scenario: chaos.lost is 7; give a share from 0 to 1."),
    ("/reset", "{scenario: 7}", "Give one of the built-in scenarios: bad-day, calm,"),
    ("/snapshots", "{name: a b}", "The body: name is 'a b'; give 1 to 100 letters, digits, dots and dashes."),
    ("/expect", "{status: arrived}", "The body: status is 'arrived'; give "),
    ("/inbound", "{from: '+1', to: '', text: x}", "The body: to is ''; give at least 1 characters."),
    ("/inbound", "a: 1\na: 2", "The body is not YAML, line 2: 'a' is there twice."),
    ("/inbound", '{"\\ud800": 1}', "The body has half of a surrogate pair in it, which is no character."),
    ("/inbound", '{"text": ["\\ud800"]}', "The body has half of a surrogate pair in it, which is no character."),
])  # fmt: skip
async def test_a_mistake_is_answered_with_its_name_and_the_way_out(path: str, content: str, sentence: str) -> None:
    async with asking() as sim:
        answer = await sim.http.post(f"/_sim{path}", content=content)

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)


async def test_a_number_in_yaml_keeps_its_plus() -> None:
    async with asking() as sim:
        sim.acme.state.wanted.add("+14155550100")
        said = "from: +12125550101\nto: +14155550100\ntext: Hello"

        assert (await sim.http.post("/_sim/inbound", content=said)).status_code == 201


async def test_chaos_changes_by_share_upon_a_preset_or_what_there_is() -> None:
    async with asking() as sim:
        assert (await sim.post("/chaos", {"lost": 0.5}))["lost"] == 0.5
        assert (await sim.post("/chaos", {"late": 0.1}))["lost"] == 0.5
        some = await sim.post("/chaos", {"preset": "some", "late": 1})
        assert (some["lost"], some["late"], some["duplicates"]) == (0, 1, 0.04)
        assert await sim.get("/chaos") == some
        refused = await sim.http.post("/_sim/chaos", json={"preset": "lots"})
        assert refused.status_code == 422


# --- time ----------------------------------------------------------------------------------------------------------


async def test_time_set_ahead_is_over_when_it_is_answered() -> None:
    async with asking(Receiver(503)) as sim:
        sim.acme.send(DELIVERED)
        clock = await sim.post("/clock/advance", {"seconds": 1000})

        assert clock["now"] == "2026-03-02T12:16:40Z"
        assert (clock["planned"], clock["next_at"], clock["speed"]) == (0, None, 0)
        assert {each["state"] for each in (await sim.get("/callbacks"))["data"]} == {"given_up"}


async def test_the_clock_tells_what_comes_next_and_takes_another_speed() -> None:
    async with asking() as sim:
        sim.acme.send(DELIVERED)
        clock = await sim.get("/clock")
        assert clock["planned"] == 3
        assert clock["next_at"] == "2026-03-02T12:00:00.022975Z"

        assert (await put(sim, "/clock", '{"speed": 60}'))["speed"] == 60


@pytest.mark.parametrize(
    "content", ["{}", '{"seconds": -1}', '{"seconds": 1e12}', '{"seconds": "soon"}', '{"seconds": NaN}']
)
async def test_time_does_not_go_back_nor_out_of_sight(content: str) -> None:
    async with asking() as sim:
        answer = await sim.http.post("/_sim/clock/advance", content=content)

    assert (answer.status_code, answer.json()["field"]) == (422, "seconds")


# --- worlds --------------------------------------------------------------------------------------------------------


async def test_a_reset_begins_anew_with_another_seed_scenario_chaos_and_speed() -> None:
    async with asking() as sim:
        sim.acme.send(DELIVERED)
        await sim.pass_time(60)

        told = await sim.post("/reset", {"seed": 9, "scenario": "storm", "chaos": "none", "speed": 0})

        assert told == {"seed": 9, "scenario": "storm"}
        assert (await sim.get("/messages"))["data"] == (await sim.get("/callbacks"))["data"] == []
        assert (await sim.get("/chaos"))["bursts"] == 0
        assert (await sim.post("/reset"))["seed"] == 9


async def test_snapshots_are_taken_restored_listed_and_forgotten() -> None:
    async with asking() as sim:
        sim.acme.send(DELIVERED)
        await sim.pass_time(0.5)
        taken = await sim.post("/snapshots", {"name": "begun"})
        before = await sim.get("/messages")
        await sim.pass_time(60)
        assert await sim.get("/messages") != before

        await sim.post("/snapshots/begun/restore")

        assert await sim.get("/messages") == before
        assert (await sim.get("/clock"))["now"] == taken["at"]
        assert (await sim.get("/snapshots"))["data"] == [taken]
        assert (await sim.http.delete("/_sim/snapshots/begun")).status_code == 204
        assert (await sim.http.delete("/_sim/snapshots/begun")).status_code == 404


async def test_there_are_only_so_many_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landed.simulator.control.changing.SNAPSHOTS_MAX", 1)
    async with asking() as sim:
        await sim.post("/snapshots", {"name": "one"})
        await sim.post("/snapshots", {"name": "one"})

        answer = await sim.http.post("/_sim/snapshots", json={"name": "two"})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 101])
async def test_a_snapshot_has_a_plain_name(name: str) -> None:
    async with asking() as sim:
        assert (await sim.http.post("/_sim/snapshots", json={"name": name})).status_code == 422


# --- waiting -------------------------------------------------------------------------------------------------------


async def test_a_wait_ends_as_soon_as_it_is_so() -> None:
    async with asking(speed=50) as sim:
        running = asyncio.create_task(sim.carrier.run())
        message_id = sim.acme.send(UNDELIVERED)

        told = await sim.post("/expect", {"to": UNDELIVERED, "status": "undelivered", "told": True, "timeout_s": 20})
        quiet = await sim.post("/expect", {"count": 0, "quiet": True, "timeout_s": 20})

        running.cancel()
    assert (told["met"], quiet["met"]) == (True, True)
    assert [each["id"] for each in told["messages"]] == [message_id]


@pytest.mark.parametrize(("wanted", "met"), [
    ({}, True),
    ({"status": "delivered"}, False),
    ({"count": 2}, False),
    ({"to": "15005559001"}, True),
    ({"to": DELIVERED}, False),
    ({"told": True}, False),
    ({"quiet": True}, False),
    ({"quiet": True, "within_s": 0.01}, True),
    ({"from": "ACME", "direction": "outbound", "provider": "acme"}, True),
    ({"count": 0, "status": "delivered"}, True),
])  # fmt: skip
async def test_what_is_waited_for_is_met_or_not_when_the_time_is_over(wanted: dict[str, Any], met: bool) -> None:
    async with asking() as sim:
        sim.acme.send(SILENT)

        assert (await sim.post("/expect", {**wanted, "timeout_s": 0}))["met"] is met


async def test_nobody_waits_for_ever() -> None:
    async with asking() as sim:
        answer = await sim.http.post("/_sim/expect", json={"timeout_s": 1e9})

    assert (answer.status_code, answer.json()["field"]) == (422, "timeout_s")
