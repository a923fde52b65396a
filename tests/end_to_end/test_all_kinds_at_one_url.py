"""One account gets callbacks of every kind at one URL: each ends in its own table and only there, and is counted once.

The mixtures are adversarial: fields of the other kinds are put in, ids are shared between kinds, callbacks come in any
order, up to three times, by POST and by GET, signed in either way.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest

from tests.calling import Call, every, plivo_get, plivo_post, routee_post, send, whole
from tests.databases import Databases
from tests.serving import Served, eventually, served

TOKEN: Final = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
THINGS_OF_A_KIND: Final = 8
SEEDS: Final = (1, 2, 3)

#: The lists of the API, by what is in them; with the name of a thing's id there.
LISTS: Final = {
    "message": ("/v1/messages", "provider_message_id"),
    "inbound": ("/v1/inbound", "provider_message_id"),
    "session": ("/v1/verify/sessions", "provider_session_id"),
    "brand": ("/v1/10dlc/brands", "provider_brand_id"),
    "campaign": ("/v1/10dlc/campaigns", "provider_campaign_id"),
    "number": ("/v1/10dlc/numbers", "number"),
    "broadcast": ("/v1/broadcasts", "provider_broadcast_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A thing, the callbacks about it, and the status it ends in."""

    kind: str
    id: str
    callbacks: Sequence[Mapping[str, Any]]
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An account's one URL."""

    account: str
    url: str


@pytest.fixture(scope="module")
def server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    with (
        databases.fresh() as database,
        served(LANDED_DATABASE_URL=database, LANDED_DATA_DIR=str(data), LANDED_AUTH_TOKEN=TOKEN) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def plivo_door(server: Served, name: str) -> Door:
    added = server.landed("accounts", "add", "plivo", name, "--auth-id", "MAXXXXXXXXXXXXXXXXXX")
    return Door(account=name, url=added["callback_url"])


def routee_door(server: Served, name: str) -> Door:
    added = server.landed("accounts", "add", "routee", name, "--application-id", "5756a411e4b06a33d50517c7")
    return Door(account=name, url=added["callback_url"])


# --- what Plivo sends -----------------------------------------------------------------------------------------------


def plivo_message(id_: str, *words: str) -> list[dict[str, Any]]:
    numbers = {"From": "14155550100", "To": "447700900123", "Type": "sms", "Units": "1", "TotalAmount": "0.0055"}
    return [{"MessageUUID": id_, "Status": word, **numbers} for word in words]


def plivo_inbound(id_: str, text: str) -> dict[str, Any]:
    return {"MessageUUID": id_, "From": "447700900123", "To": "14155550100", "Text": text, "Type": "sms", "Units": "1"}


def plivo_session(id_: str, *words: tuple[str, str]) -> list[dict[str, Any]]:
    attempt = {"AttemptUUID": f"a-{id_}", "AttemptSequence": "1", "Channel": "sms", "Recipient": "447700900123"}
    return [
        {"SessionUUID": id_, "SessionStatus": session, "ChannelStatus": channel, "ChannelErrorCode": "", **attempt}
        for session, channel in words
    ]


def plivo_things(rng: random.Random) -> list[Thing]:
    """Of every kind some. Ids are shared: message, inbound message and session 0 are of the same UUID, and so on."""
    things: list[Thing] = []
    for number in range(THINGS_OF_A_KIND):
        uuid = str(UUID(int=rng.getrandbits(128)))
        end = rng.choice(["sent", "delivered", "undelivered", "failed", "read"])
        way = [word for word in ("queued", "sent", end) if word != "sent" or end != "failed"]
        things.append(Thing(kind="message", id=uuid, callbacks=plivo_message(uuid, *dict.fromkeys(way)), status=end))
        things.append(
            Thing(kind="inbound", id=uuid, callbacks=[plivo_inbound(uuid, f"Text {number}")], status="received")
        )
        verified = rng.random() < 0.5
        steps = [("in-progress", "sent"), ("in-progress", "delivered"), *([("verified", "delivered")] * verified)]
        status = "verified" if verified else "in_progress"
        things.append(Thing(kind="session", id=uuid, callbacks=plivo_session(uuid, *steps), status=status))
        things += plivo_registrations(rng, number)
    return things


def plivo_registrations(rng: random.Random, number: int) -> Iterator[Thing]:
    brand, campaign = f"B{number:02}{rng.randrange(16**4):04X}", f"C{number:02}{rng.randrange(16**4):04X}"
    phone = f"1415555{number:02}{rng.randrange(100):02}"
    for kind, event, ids, id_, ends in (
        ("brand", "brand", {"BrandID": brand}, brand, {"registered": "registered", "rejected": "rejected"}),
        ("campaign", "campaign", {"BrandID": brand, "CampaignID": campaign}, campaign, {"registered": "registered"}),
        ("number", "number_linking", {"CampaignID": campaign, "Number": phone}, f"+{phone}",
         {"success": "linked", "failed": "failed"}),
    ):  # fmt: skip
        word = rng.choice(list(ends))
        callbacks = [{"Event": event, "Status": status, **ids} for status in ("created", word)]
        yield Thing(kind=kind, id=id_, callbacks=callbacks, status=ends[word])


#: Fields of other kinds that may be found with each kind, on the URL as it was configured or in the body.
CONFUSING: Final[Mapping[str, Mapping[str, str]]] = {
    "message": {
        "Text": "Hi", "Body": "Hi", "MediaCount": "1", "Media0": "https://media.plivo.com/x", "MessageIntent": "optout",
        "SessionStatus": "verified", "AttemptUUID": "a-1", "ChannelStatus": "delivered", "Event": "brand",
        "BrandID": "BXXXXXX", "CampaignID": "CXXXXXX", "Number": "14155559999", "status": "created", "kind": "inbound",
    },
    "inbound": {
        "status": "delivered", "SessionStatus": "verified", "AttemptUUID": "a-1", "ChannelStatus": "delivered",
        "Event": "number_linking", "BrandID": "BXXXXXX", "CampaignID": "CXXXXXX", "Number": "14155559999",
        "registration_status": "COMPLETED", "kind": "messages",
    },
    "session": {
        "MessageUUID": "6b86290b-a5ac-d341-aca9-9fd0e2856ec6", "Status": "delivered", "Text": "1234", "Units": "1",
        "MediaCount": "1", "Event": "campaign", "BrandID": "BXXXXXX", "CampaignID": "CXXXXXX", "Number": "14155559999",
    },
    "brand": {
        "Text": "Hi", "MessageIntent": "help", "Units": "1", "SessionStatus": "verified", "ChannelStatus": "delivered",
        "AttemptUUID": "a-1", "Type": "sms", "From": "14155550100", "To": "447700900123", "kind": "inbound",
    },
}  # fmt: skip


def confusion(kind: str, rng: random.Random) -> dict[str, str]:
    fields = CONFUSING["brand" if kind in ("campaign", "number") else kind]
    return {name: fields[name] for name in rng.sample(sorted(fields), rng.randrange(4))}


def plivo_call(door: Door, fields: Mapping[str, str], extra: Mapping[str, str], rng: random.Random) -> Call:
    """One callback, with more fields on its URL or in its body."""
    families = rng.choice(["v2", "v3", "v2v3"])
    on_url, in_body = (extra, {}) if rng.random() < 0.5 else ({}, extra)
    url = f"{door.url}?{urlencode(on_url)}" if on_url else door.url
    told = list({**fields, **{name: value for name, value in in_body.items() if name not in fields}}.items())
    rng.shuffle(told)
    if rng.random() < 0.3:
        return plivo_get(url, urlencode(told), TOKEN, families=families)
    return plivo_post(url, told, TOKEN, families=families)


# --- what Routee sends ----------------------------------------------------------------------------------------------


def routee_things(rng: random.Random) -> list[Thing]:
    things: list[Thing] = []
    for number in range(THINGS_OF_A_KIND):
        uuid = str(UUID(int=rng.getrandbits(128)))
        end = rng.choice(["Sent", "Delivered", "Undelivered", "Failed"])
        words = dict.fromkeys(["Queued", end])
        messages = [routee_message(uuid, word) for word in words]
        things.append(Thing(kind="message", id=uuid, callbacks=messages, status=end.lower()))
        inbound = {
            "messageId": uuid, "from": "+306973359355", "to": "+306911111111", "message": f"Text {number}", "parts": 1,
            "originatingService": "Sms", "direction": "Inbound", "receivedDate": "2026-03-02T09:15:04Z",
        }  # fmt: skip
        things.append(Thing(kind="inbound", id=uuid, callbacks=[inbound], status="received"))
        word = rng.choice(["Verified", "Expired", "Cancelled", "Failed"])
        things.append(Thing(kind="session", id=uuid, callbacks=routee_session(uuid, word), status=word.lower()))
        campaigns = [routee_campaign(uuid, "Running", 40), routee_campaign(uuid, "Completed", 100)]
        things.append(Thing(kind="broadcast", id=uuid, callbacks=campaigns, status="Completed"))
    return things


def routee_message(id_: str, word: str) -> dict[str, Any]:
    return {
        "messageId": id_, "smsId": f"s-{id_}", "part": 1, "parts": 1, "to": "+306973359355", "from": "amdTelecom",
        "country": "GR", "status": {"name": word, "updatedDate": "2026-03-02T09:15:04Z"}, "price": 0.0421,
        "direction": "Outbound", "originatingService": "Sms",
    }  # fmt: skip


def routee_session(id_: str, word: str) -> list[dict[str, Any]]:
    return [
        {"applicationId": "5756a411e4b06a33d50517c7", "trackingId": id_, "recipient": "+306973359355",
         "status": status, "updatedAt": updated_at}
        for status, updated_at in (("Pending", "2026-03-02T09:15:00.000Z"), (word, "2026-03-02T09:16:00.000Z"))
    ]  # fmt: skip


def routee_campaign(id_: str, word: str, delivered: int) -> dict[str, Any]:
    counts = {"Queued": 100 - delivered, "Delivered": delivered}
    return {
        "trackingId": id_, "name": "Welcoming", "totalRecipients": 100, "campaignStatus": word,
        "messageStatuses": counts,
    }  # fmt: skip


ROUTEE_CONFUSING: Final[Mapping[str, Mapping[str, Any]]] = {
    "message": {
        "trackingId": "t-1", "receivedDate": "2026-03-02T09:15:04Z", "campaignStatus": "Running", "totalRecipients": 3,
        "recipient": "+306900000000", "updatedAt": "2026-03-02T09:15:04Z", "message": "Hi",
    },
    "inbound": {"trackingId": "t-1", "totalRecipients": 3, "campaignName": "Welcoming", "status": None, "smsId": "s-1"},
    "session": {"direction": "Inbound", "message": "Hi", "to": "+306911111111", "campaignName": "Welcoming"},
    "broadcast": {"status": "Verified", "recipient": "+306973359355", "direction": "Inbound", "message": "Hi"},
}  # fmt: skip


def routee_call(door: Door, fields: Mapping[str, Any], kind: str, rng: random.Random) -> Call:
    confusing = ROUTEE_CONFUSING[kind]
    extra = {name: confusing[name] for name in rng.sample(sorted(confusing), rng.randrange(3))}
    told = list({**extra, **fields}.items())
    rng.shuffle(told)
    return routee_post(door.url, dict(told))


# --- the mixtures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_plivos_kinds_end_in_their_own_tables_and_only_there(seed: int, server: Served, api: httpx.Client) -> None:
    rng = random.Random(seed)
    door, things = plivo_door(server, f"plivo-{seed}"), plivo_things(rng)

    calls = [
        plivo_call(door, fields, extra, rng)
        for thing in things
        for fields in thing.callbacks
        for extra in [confusion(thing.kind, rng)]
        for _ in range(rng.randint(1, 3))
    ]
    send_all(server, calls, rng)

    assert_all_in_place(api, door, things, sent=len(calls))


@pytest.mark.parametrize("seed", SEEDS)
def test_routees_kinds_end_in_their_own_tables_and_only_there(seed: int, server: Served, api: httpx.Client) -> None:
    rng = random.Random(seed)
    door, things = routee_door(server, f"routee-{seed}"), routee_things(rng)

    calls = [
        call
        for thing in things
        for fields in thing.callbacks
        for call in [routee_call(door, fields, thing.kind, rng)] * rng.randint(1, 3)
    ]
    send_all(server, calls, rng)

    assert_all_in_place(api, door, things, sent=len(calls))


def send_all(server: Served, calls: list[Call], rng: random.Random) -> None:
    """In any order; a retry has the same content under a nonce of its own."""
    rng.shuffle(calls)
    assert Counter(send(server, call) for call in calls) == {200: len(calls)}


def assert_all_in_place(api: httpx.Client, door: Door, things: Sequence[Thing], *, sent: int) -> None:
    eventually(lambda: tellings(api, door) + len(set_aside(api, door)) == sent, 30)
    assert set_aside(api, door) == []
    for kind, (path, id_) in LISTS.items():
        status = "provider_status" if kind == "broadcast" else "status"
        found = [(thing[id_], thing[status]) for thing in listed(api, path, door)]
        assert sorted(found) == sorted((thing.id, thing.status) for thing in things if thing.kind == kind), kind
    assert len(every(api, "/v1/callbacks", account=door.account, verdict="accepted")) == sent
    assert_counted(api, door, things)


def tellings(api: httpx.Client, door: Door) -> int:
    """How often all facts that are known were told."""
    wholes = [whole(api, f"{path}/{thing['id']}") for path, _ in LISTS.values() for thing in listed(api, path, door)]
    return sum(receipt["received_count"] for thing in wholes if thing for receipt in thing["receipts"])


def listed(api: httpx.Client, path: str, door: Door) -> list[dict[str, Any]]:
    """Inbound messages are messages, too; they are asked for by themselves."""
    filters = {"direction": "outbound"} if path == "/v1/messages" else {}
    return every(api, path, account=door.account, **filters)


def set_aside(api: httpx.Client, door: Door) -> list[dict[str, Any]]:
    return every(api, "/v1/callbacks", account=door.account, verdict="set_aside")


def assert_counted(api: httpx.Client, door: Door, things: Sequence[Thing]) -> None:
    """The counters say the same as the tables: of messages, inbound ones among them, and of sessions."""
    period = {"account": door.account, "since": "2000-01-01", "until": "2100-01-01"}
    messages = api.get("/v1/analytics/messages", params={**period, "group_by": "status"}).json()["data"]
    statuses = Counter(thing.status for thing in things if thing.kind in ("message", "inbound"))
    assert {row["status"]: row["messages"] for row in messages} == statuses
    (funnel,) = api.get("/v1/analytics/verify", params=period).json()["data"]
    ends = Counter(thing.status for thing in things if thing.kind == "session")
    assert (funnel["started"], funnel["verified"]) == (THINGS_OF_A_KIND, ends["verified"])
    assert (funnel["expired"], funnel["pending"]) == (ends["expired"], ends["in_progress"])


# --- received 3 times -----------------------------------------------------------------------------------------------

THREE_TIMES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "/v1/messages": ("m-1", plivo_message("m-1", "delivered")[0]),
    "/v1/inbound": ("i-1", plivo_inbound("i-1", "Hello")),
    "/v1/verify/sessions": ("s-1", plivo_session("s-1", ("in-progress", "sent"))[0]),
    "/v1/10dlc/brands": ("B1", {"Event": "brand", "Status": "rejected", "BrandID": "B1", "Reason": "EIN"}),
    "/v1/10dlc/campaigns": ("C1", {"Event": "campaign", "Status": "registered", "CampaignID": "C1", "BrandID": "B1"}),
    "/v1/10dlc/numbers": (
        "+14155550101",
        {"Event": "number_linking", "Status": "success", "CampaignID": "C1", "Number": "14155550101"},
    ),
}
ROUTEE_THREE_TIMES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "/v1/messages": ("rm-1", routee_message("rm-1", "Delivered")),
    "/v1/inbound": (
        "ri-1",
        {"messageId": "ri-1", "from": "+306973359355", "to": "+306911111111", "message": "Hi", "direction": "Inbound"},
    ),
    "/v1/verify/sessions": ("rs-1", routee_session("rs-1", "Verified")[1]),
    "/v1/broadcasts": ("rb-1", routee_campaign("rb-1", "Running", 40)),
}


@pytest.fixture(scope="module")
def plivo(server: Served) -> Door:
    return plivo_door(server, "plivo-again")


@pytest.fixture(scope="module")
def routee(server: Served) -> Door:
    return routee_door(server, "routee-again")


@pytest.mark.parametrize("path", THREE_TIMES)
def test_what_plivo_repeats_is_one_fact_received_three_times(
    path: str, plivo: Door, server: Served, api: httpx.Client
) -> None:
    name, fields = THREE_TIMES[path]

    for _ in range(3):
        assert send(server, plivo_post(plivo.url, fields, TOKEN)) == 200

    assert_received_three_times(api, f"{path}/{name}")


@pytest.mark.parametrize("path", ROUTEE_THREE_TIMES)
def test_what_routee_repeats_is_one_fact_received_three_times(
    path: str, routee: Door, server: Served, api: httpx.Client
) -> None:
    name, content = ROUTEE_THREE_TIMES[path]

    for _ in range(3):
        assert send(server, routee_post(routee.url, content)) == 200

    assert_received_three_times(api, f"{path}/{name}")


def assert_received_three_times(api: httpx.Client, path: str) -> None:
    def received() -> list[int]:
        thing = whole(api, path)
        return [receipt["received_count"] for receipt in thing["receipts"]] if thing else []

    eventually(lambda: sum(received()) >= 3)
    assert received() == [3]


def test_a_status_and_an_inbound_message_of_one_uuid_stay_apart(plivo: Door, server: Served, api: httpx.Client) -> None:
    uuid = "0f9b1c9e-5b0f-4b39-8f0e-6f2f8d1f0a11"
    calls = [
        plivo_message(uuid, "delivered")[0],
        plivo_inbound(uuid, "Thanks"),
        plivo_session(uuid, ("verified", "delivered"))[0],
    ]
    for fields in calls:
        assert send(server, plivo_post(plivo.url, fields, TOKEN)) == 200

    (message,) = eventually(lambda: every(api, "/v1/messages", q=uuid, direction="outbound"))
    (inbound,) = eventually(lambda: every(api, "/v1/inbound", q=uuid))
    (session,) = eventually(lambda: every(api, "/v1/verify/sessions", q=uuid))
    assert (message["status"], message["to"]) == ("delivered", "+447700900123")
    assert (inbound["text"], inbound["from"]) == ("Thanks", "+447700900123")
    assert session["status"] == "verified"
