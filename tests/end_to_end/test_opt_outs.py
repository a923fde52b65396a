"""Who does not want to hear from us: out of messages, refusals and by hand, into rows, the API and the command line."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from landed.cli import app
from landed.domain.accounts import ApiKey, Scope
from landed.domain.errors import InputInvalid, NotFound
from landed.domain.opt_outs import OptOutKey
from landed.journal.base import Accepted
from landed.providers import registry
from landed.services.opt_outs import OptOutChanger
from landed.store import opt_outs
from landed.web.api.application import create_api
from tests.end_to_end.test_inbound import OURS, THEIRS, inbound, received, told
from tests.end_to_end.test_reading_api import NOW, PUBLIC_URL, House
from tests.end_to_end.test_tracking import LANES, NOON, Desk, callback, desk_on, on_account, track_together

OPT_OUT_FIELDS = [
    "id", "account", "provider", "sender", "recipient", "opted_out", "changed_at", "source", "keyword",
    "provider_message_id", "created_at", "updated_at",
]  # fmt: skip

#: With a plus, and yet nobody's number.
NO_NUMBERS = [
    "+1415555O123", "+hello", "+1", "+14155550123456789", "+0014155550123",
    "+\u0661\u0664\u0661\u0665\u0665\u0665\u0665\u0660\u0661\u0662\u0663",
]  # fmt: skip

# --- tracking ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with desk_on(database) as desk:
        yield desk


def traffic(seed: int, account_id: int) -> list[Accepted]:
    """Some hundred messages between a few numbers, in and out, of clocks that go differently."""
    chance = random.Random(seed)
    callbacks = []
    for number in range(150):
        after_s = chance.randrange(600)
        at = NOON + timedelta(seconds=after_s)
        ours, theirs = chance.choice(["14155550100", "12345", "ACME"]), f"1415555012{chance.randrange(4)}"
        time = {"MessageTime": chance.choice(["", f"{at - timedelta(seconds=chance.randrange(90)):%Y-%m-%d %H:%M:%S}"])}
        if chance.random() < 0.2:
            fields = {"From": ours, "To": theirs, "Status": "failed", "ErrorCode": chance.choice(["200", "30"]), **time}
            callbacks.append(callback(account_id, number, after_s=after_s, MessageUUID=f"o{number}", **fields))
            continue
        fields = {
            "From": theirs, "To": ours, "MessageIntent": chance.choice(["", "", "optout", "optin", "help"]), **time,
        }  # fmt: skip
        text = chance.choice(["STOP", "stop.", "START", "unstop", "HELP", "Hello", "Stopp"])
        callbacks.append(inbound(account_id, number, after_s=after_s, message_id=f"m{number}", text=text, **fields))
    return callbacks


def disturbed(seed: int, callbacks: Sequence[Accepted]) -> list[list[Accepted]]:
    """The same in another order, some of them again and later, in batches of any size."""
    chance = random.Random(seed)
    mixed = [*callbacks, *(each._replace(received_at=each.received_at + timedelta(hours=1)) for each in callbacks[::3])]
    chance.shuffle(mixed)
    batches = []
    while mixed:
        size = chance.choice([1, 5, 40])
        batches.append(mixed[:size])
        mixed = mixed[size:]
    return batches


async def state(desk: Desk, account_id: int) -> list[dict[str, Any]]:
    """All that is known of an account's opt-outs, but for what names the account or the moment of writing."""
    found = await desk.rows("SELECT * FROM opt_outs WHERE account_id = %s ORDER BY sender, recipient", account_id)
    for row in found:
        row["facts"] = {fact: heard.received_at for fact, heard in opt_outs.facts_of(row["facts"]).items()}
        for name in ("id", "account_id", "created_at", "updated_at"):
            del row[name]
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(2))
async def test_any_order_repetition_and_batching_over_any_number_of_trackers_ends_in_the_same_opt_outs(
    desk: Desk, seed: int
) -> None:
    straight = await desk.account()
    callbacks = traffic(seed, straight)
    await desk.track(*callbacks)
    expected = await state(desk, straight)
    assert len(expected) == 12
    assert {row["opted_out"] for row in expected} == {True, False}
    assert {row["source"] for row in expected} >= {"keyword", "provider"}

    for batch_max, trackers in ((5_000, 1), (7, 1), (40, 2), (3, 3)):
        crooked = await desk.account()
        await track_together(desk, disturbed(seed + batch_max, on_account(callbacks, crooked)), trackers, batch_max)

        assert await state(desk, crooked) == expected
    assert await desk.set_aside() == []


@pytest.mark.anyio
async def test_two_trackers_that_hear_of_the_same_person_both_count(desk: Desk) -> None:
    account = await desk.account()
    for number, word in enumerate(("STOP", "START", "QUIT", "UNSTOP")):  # one batch each, so one lane each
        texts = ({"message_id": f"m{number}-{n}", "From": f"141555502{n:02}", "text": word} for n in range(60))
        await desk.append(*(inbound(account, 0, after_s=number, **fields) for fields in texts))
    team = await desk.team(2, batch_max=30)
    assert await asyncio.gather(*(tracker.drain(range(LANES)) for tracker in team)) == [120, 120]

    rows = await state(desk, account)
    assert len(rows) == 60
    assert {(row["opted_out"], row["keyword"], len(row["facts"])) for row in rows} == {(False, "UNSTOP", 4)}


@pytest.mark.anyio
async def test_events_tell_when_a_person_opts_out_and_in_again(desk: Desk) -> None:
    account = await desk.account()
    for number, word in enumerate(("START", "STOP", "STOP", "Hello", "HELP", "START", "QUIT")):
        await desk.track(inbound(account, number, after_s=number, message_id=f"m{number}", text=word))

    events = await desk.rows("SELECT type, subject_id FROM events WHERE starts_with(type, 'opt_out') ORDER BY id")
    assert [event["type"] for event in events] == ["opt_out.added", "opt_out.removed", "opt_out.added"]
    (row,) = await desk.rows("SELECT id FROM opt_outs")
    assert {event["subject_id"] for event in events} == {str(row["id"])}


@pytest.mark.anyio
async def test_it_holds_for_the_number_it_was_sent_to_and_no_other(desk: Desk) -> None:
    first, second = await desk.account(), await desk.account()
    await desk.track(
        inbound(first, text="STOP"), inbound(first, message_id="w", text="STOP", To="ACME", Type="whatsapp")
    )
    ours, theirs = f"+{OURS}", f"+{THEIRS}"
    asked = [
        OptOutKey(first, ours, theirs), OptOutKey(first, "ACME", theirs), OptOutKey(first, "+14155550101", theirs),
        OptOutKey(first, ours, "+14155550199"), OptOutKey(second, ours, theirs),
    ]  # fmt: skip

    async with desk.pools[0].connection() as connection:
        assert await opt_outs.opted_out(connection, asked) == set(asked[:2])
        assert await opt_outs.opted_out(connection, []) == set()
        assert await opt_outs.is_opted_out(connection, first, ours, theirs)
        await desk.track(inbound(first, message_id="again", text="START", after_s=9))
        assert not await opt_outs.is_opted_out(connection, first, ours, theirs)


@pytest.mark.anyio
async def test_a_refusal_since_the_person_opted_out_is_one_and_another_failure_is_none(desk: Desk) -> None:
    account = await desk.account()
    await desk.track(
        callback(account, MessageUUID="o1", Status="failed", ErrorCode="200", From=OURS, To=THEIRS),
        callback(account, MessageUUID="o2", Status="failed", ErrorCode="30", From=OURS, To="447700900123"),
    )

    (row,) = await state(desk, account)
    assert (row["sender"], row["recipient"], row["opted_out"]) == (f"+{OURS}", f"+{THEIRS}", True)
    assert (row["source"], row["provider_message_id"]) == ("error_code", "o1")


@pytest.mark.anyio
async def test_by_hand_and_by_message_meet_in_one_fold(desk: Desk) -> None:
    account = await desk.account()
    await desk.track(inbound(account, text="STOP"))
    (row,) = await desk.rows("SELECT * FROM opt_outs")
    key = OptOutKey(account, row["sender"], row["recipient"])
    later = row["changed_at"] + timedelta(hours=1)

    removed = await OptOutChanger(desk.pools[0], clock=lambda: later).change(key, opted_out=False)
    await desk.track(inbound(account, 2, message_id="late", text="QUIT", after_s=60))

    (after,) = await desk.rows("SELECT * FROM opt_outs")
    assert (str(after["id"]), after["opted_out"], after["source"]) == (removed, False, "manual")
    assert after["changed_at"] == later
    assert len(opt_outs.facts_of(after["facts"])) == 3


@pytest.mark.anyio
async def test_an_id_is_by_chance_and_stays_with_its_opt_out(desk: Desk) -> None:
    """From one that is made of account, sender and recipient whoever sees it could find the recipient."""
    account = await desk.account()
    await desk.track(inbound(account, text="Hello"))
    key = OptOutKey(account, f"+{OURS}", f"+{THEIRS}")
    changer = OptOutChanger(desk.pools[0])

    added = await changer.change(key, opted_out=True)
    taken_back = await changer.change(key, opted_out=False)
    (kept,) = await desk.rows("SELECT id FROM opt_outs")
    await desk.rows("DELETE FROM opt_outs RETURNING id")
    anew = await changer.change(key, opted_out=True)

    assert added == taken_back == str(kept["id"])
    assert anew != added


# --- the API -------------------------------------------------------------------------------------------------------

KEYS = {
    "reads": (Scope.READ, None),
    "sends": (Scope.SEND, None),
    "sends-shop": (Scope.SEND, 1),
    "admin": (Scope.ADMIN, None),
    "admin-bank": (Scope.ADMIN, 2),
}


class Front:
    """The API of a house in which opt-outs can be changed."""

    def __init__(self, house: House) -> None:
        self.house = house
        api = create_api(
            engine=house.engine,
            providers=registry.load(),
            authenticate=self._authenticate,
            accounts=house._accounts,
            public_url=PUBLIC_URL,
            health=house._health,
            metrics=house._metrics,
            opt_outs=OptOutChanger(house.pool),
        )
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(api, raise_app_exceptions=False), base_url="http://landed.test"
        )

    async def _authenticate(self, key: str) -> ApiKey | None:
        if key not in KEYS:
            return None
        scope, account_id = KEYS[key]
        return ApiKey(id=1, name=key, hint="", scope=scope, account_id=account_id, created_at=NOW)

    def ask(self, method: str, path: str = "", key: str = "reads", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        asked = self._client.request(method, f"/v1/opt-outs{path}", headers=headers, **options)
        response: httpx.Response = self.house.run(asked)
        return response

    def data(self, path: str = "", key: str = "reads", **query: Any) -> Any:
        response = self.ask("GET", path, key, params=query)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


@pytest.fixture
def front(house: House) -> Front:
    return Front(house)


def recipients(found: Any) -> list[str]:
    return [each["recipient"][-2:] for each in found["data"]]


def test_an_opt_out_reads_with_what_said_so(house: House, front: Front) -> None:
    first = told(1, **received(text="Stop"))
    house.track(first, told(2, **received("in-2", "QUIT")), told(3, **received("in-3", "Hello")))

    (shown,) = front.data()["data"]

    assert list(shown) == OPT_OUT_FIELDS
    assert (shown["account"], shown["provider"]) == ("shop", "plivo")
    assert (shown["sender"], shown["recipient"], shown["opted_out"]) == (f"+{OURS}", f"+{THEIRS}", True)
    assert (shown["source"], shown["keyword"], shown["provider_message_id"]) == ("keyword", "STOP", "in-1")
    whole = front.data(f"/{shown['id']}")
    assert list(whole) == [*OPT_OUT_FIELDS, "history"]
    assert [(each["keyword"], each["opted_out"], each["callback_ids"]) for each in whole["history"]] == [
        ("STOP", True, ["1"]), ("QUIT", True, ["2"]),
    ]  # fmt: skip


def test_opt_outs_are_found_by_each_filter(house: House, front: Front) -> None:
    house.track(
        told(1, **received("a", "STOP", From="14155550101")),
        told(2, **received("b", "STOP", From="14155550102", To="ACME")),
        told(3, **received("c", "STOP", From="14155550103")),
        told(4, **received("d", "START", From="14155550103")),
        told(5, account_id=2, **received("e", "leave me", From="14155550104", MessageIntent="optout")),
    )

    assert recipients(front.data()) == ["04", "03", "02", "01"]
    assert recipients(front.data(opted_out=True)) == ["04", "02", "01"]
    assert recipients(front.data(opted_out=False)) == ["03"]
    assert recipients(front.data(sender="ACME")) == ["02"]
    assert recipients(front.data(recipient="+1 (415) 555-0101")) == ["01"]
    assert recipients(front.data(account="bank")) == ["04"]
    assert recipients(front.data(source="provider")) == ["04"]
    assert recipients(front.data("", "sends-shop")) == ["03", "02", "01"]
    changed_at = front.data(recipient="14155550103")["data"][0]["changed_at"]
    assert recipients(front.data(since=changed_at)) == ["04", "03"]
    assert recipients(front.data(until=changed_at)) == ["02", "01"]
    page = front.data(limit=3)
    assert recipients(front.data(limit=3, cursor=page["next_cursor"])) == ["01"]
    for query in ({"account": "nobody"}, {"cursor": "W10"}, {"source": "rumour"}, {"opted_out": "perhaps"}):
        assert front.ask("GET", params=query).status_code == 422, query


def test_whether_anything_may_be_sent_is_told_for_numbers_in_any_writing(house: House, front: Front) -> None:
    house.track(told(1, **received(text="STOP")))

    def check(key: str = "reads", **query: Any) -> Any:
        return front.data("/check", key, **query)

    found = check(sender="1 415 555-0100", recipient=f"+{THEIRS}")
    assert (found["sender"], found["recipient"], found["opted_out"]) == (f"+{OURS}", f"+{THEIRS}", True)
    assert [each["account"] for each in found["data"]] == ["shop"]
    assert check(sender=OURS, recipient="14155550199")["opted_out"] is False
    assert check(sender=OURS, recipient=THEIRS, account="bank") == {
        "sender": f"+{OURS}", "recipient": f"+{THEIRS}", "opted_out": False, "data": [],
    }  # fmt: skip
    assert check("admin-bank", sender=OURS, recipient=THEIRS)["opted_out"] is False
    assert front.ask("GET", "/check", params={"sender": OURS}).status_code == 422
    refused = front.ask("GET", "/check", params={"sender": OURS, "recipient": "0171 12"})
    assert (refused.status_code, refused.json()["field"]) == (422, "recipient")


def test_a_person_is_opted_out_by_hand_and_in_again(front: Front) -> None:
    new = {"account": "shop", "sender": OURS, "recipient": "+1 415 555-0123"}

    added = front.ask("POST", "", "sends", json=new)

    assert added.status_code == 201, added.text
    assert (added.json()["opted_out"], added.json()["source"]) == (True, "manual")
    assert front.data("/check", sender=OURS, recipient=THEIRS)["opted_out"] is True
    removed = front.ask("DELETE", f"/{added.json()['id']}", "admin")
    assert removed.status_code == 200, removed.text
    assert removed.json()["opted_out"] is False
    assert [each["opted_out"] for each in removed.json()["history"]] == [True, False]
    assert front.data("/check", sender=OURS, recipient=THEIRS)["opted_out"] is False


def test_what_a_key_may_change_depends_on_its_scope_and_account(front: Front) -> None:
    new = {"account": "shop", "sender": OURS, "recipient": THEIRS}

    assert front.ask("POST", "", "reads", json=new).status_code == 403
    assert front.ask("POST", "", "nobody", json=new).status_code == 401
    assert front.ask("POST", "", "admin-bank", json=new).json()["field"] == "account"
    assert front.ask("POST", "", "sends", json={**new, "account": None}).json()["field"] == "account"
    added = front.ask("POST", "", "sends-shop", json={"sender": OURS, "recipient": THEIRS})
    assert (added.status_code, added.json()["account"]) == (201, "shop")
    path = f"/{added.json()['id']}"
    assert [front.ask("DELETE", path, key).status_code for key in ("reads", "sends", "admin-bank", "admin")] == [
        403, 403, 404, 200,
    ]  # fmt: skip
    assert [front.ask("DELETE", path, "admin").status_code for path in ("/junk", f"/{'0' * 32}")] == [404, 404]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipient": "ACME"}, "recipient"),
        ({"recipient": "12345"}, "recipient"),
        ({"recipient": "+" + "1" * 80}, "recipient"),
        *(({"recipient": recipient}, "recipient") for recipient in NO_NUMBERS),
        ({"recipient": "\0"}, "recipient"),
        ({"sender": " "}, "sender"),
        ({"sender": "x" * 65}, "sender"),
        ({"sender": 7}, "sender"),
        ({"account": "nobody"}, "account"),
    ],
)
def test_an_opt_out_of_nobody_is_refused(front: Front, change: dict[str, Any], field: str) -> None:
    refused = front.ask("POST", "", "admin", json={"account": "shop", "sender": OURS, "recipient": THEIRS, **change})

    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "input_invalid", field)


def test_a_body_over_the_limit_is_refused_without_being_read(front: Front) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 64 * 1024

    refused = front.ask("POST", "", "nobody", content=endless())

    assert (refused.status_code, refused.json()["code"]) == (413, "request_too_large")
    assert read < 8


@pytest.mark.parametrize("body", ["", "[]", "null", "{", '{"sender": 1e999}'])
def test_a_body_that_is_no_opt_out_is_refused(front: Front, body: str) -> None:
    refused = front.ask("POST", "", "admin", content=body, headers={"Content-Type": "application/json"})

    assert (refused.status_code, refused.json()["code"]) == (422, "input_invalid")


# --- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def landed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LANDED_DATABASE_URL", house.database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def landed(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return landed


def test_the_command_line_lists_checks_adds_and_removes(front: Front, landed: Any) -> None:
    assert "No opt-outs" in landed("opt-outs", "list").stderr
    assert "did not opt out" in landed("opt-outs", "check", OURS, THEIRS).stderr

    added = json.loads(landed("opt-outs", "add", "shop", OURS, THEIRS, "--json").stdout)

    assert added == front.data(f"/{added['id']}")
    assert f"+{THEIRS} opted out of +{OURS}" in landed("opt-outs", "check", OURS, THEIRS).stderr
    assert json.loads(landed("opt-outs", "check", OURS, THEIRS, "--json").stdout)["opted_out"] is True
    (_, row) = landed("opt-outs", "list", "--opted-out", "--source", "manual").stdout.splitlines()
    assert f"+{OURS}" in row
    assert "in again" in landed("opt-outs", "remove", "shop", OURS, THEIRS).stdout
    assert json.loads(landed("opt-outs", "list", "--json").stdout) == front.data()
    with pytest.raises(NotFound):
        landed("opt-outs", "remove", "shop", OURS, "14155550199")
    with pytest.raises(InputInvalid):
        landed("opt-outs", "add", "nobody", OURS, THEIRS)


def test_the_command_line_says_when_something_later_stands(house: House, front: Front, landed: Any) -> None:
    house.track(told(1, at=datetime.now(UTC) + timedelta(hours=1), **received(text="STOP")))

    result = landed("opt-outs", "remove", "shop", OURS, THEIRS)

    assert " out " in result.stdout
    assert "stands" in result.stderr
