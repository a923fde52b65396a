"""What the API tells of messages, callbacks and accounts: its shapes, its pages, and who may see what."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest

from landed.domain.accounts import Account, ApiKey, CallbackPath, PathRole, Scope
from landed.domain.callbacks import Callback, CallbackRequest
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services.tracking import Tracker
from landed.store import connect, lanes, reading
from landed.web.api.application import create_api

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(hours=3)
ACCOUNTS = {1: "shop", 2: "bank"}
PUBLIC_URL = "https://sms.example.com"
KEYS = {
    "reads-all": (Scope.READ, None),
    "reads-shop": (Scope.READ, 1),
    "reads-bank": (Scope.READ, 2),
    "admin": (Scope.ADMIN, None),
}
MESSAGE_FIELDS = [
    "id", "account", "provider", "provider_message_id", "direction", "channel", "from", "to", "country", "network",
    "status", "provider_status", "final", "contradictory", "error_code", "provider_reason", "error", "parts", "units",
    "cost", "tags", "queued_at", "sent_at", "delivered_at", "final_at", "latency_s", "latency_clock", "converted",
    "receipt_missing", "receipts_count", "unknown_statuses", "created_at", "updated_at",
]  # fmt: skip


class House:
    """A database with two accounts, a tracker to fill it, and the API over it."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self._runner = asyncio.Runner()
        self.run(self._open())

    async def _open(self) -> None:
        providers = registry.load()
        self.engine = reading.engine(self.database_url)
        self.pool = connect.pool(self.database_url, connections_max=4)
        await self.pool.open()
        self.journal = PostgresJournal(self.database_url, lanes=2)
        await self.journal.open()
        await lanes.make(self.pool, 2)
        async with self.pool.connection() as connection:
            for name in ACCOUNTS.values():
                await connection.execute(
                    "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES (%s, 'plivo', %s, 'x')",
                    [name, f"MA{name}"],
                )
        self.tracker = Tracker(
            name="test", journal=self.journal, pool=self.pool, provider_of=lambda account_id: providers["plivo"]
        )
        api = create_api(
            engine=self.engine,
            providers=providers,
            authenticate=self._authenticate,
            accounts=self._accounts,
            public_url=PUBLIC_URL,
            health=self._health,
            metrics=self._metrics,
        )
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://landed.test")

    def close(self) -> None:
        async def close() -> None:
            await self.client.aclose()
            await self.journal.close()
            await self.pool.close()
            await self.engine.dispose()

        self.run(close())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    async def _authenticate(self, key: str) -> ApiKey | None:
        if key not in KEYS:
            return None
        scope, account_id = KEYS[key]
        return ApiKey(id=1, name=key, hint="", scope=scope, account_id=account_id, created_at=NOW)

    async def _accounts(self) -> Sequence[Account]:
        paths = (CallbackPath(id=1, role=PathRole.KEY, value="unguessable"),)
        return [
            Account(
                id=number, name=name, provider="plivo", provider_account_id=f"MA{name}", policy="strict", tokens=(),
                paths=paths, created_at=NOW, disabled_at=NOW if name == "bank" else None,
            )
            for number, name in ACCOUNTS.items()
        ]  # fmt: skip

    async def _health(self) -> Mapping[str, Any]:
        return {"database": "ok"}

    async def _metrics(self) -> bytes:
        return b"landed_up 1\n"

    def get(self, path: str, key: str = "reads-all", **query: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        response: httpx.Response = self.run(self.client.get(path, params=query, headers=headers))
        return response

    def data(self, path: str, key: str = "reads-all", **query: Any) -> Any:
        response = self.get(path, key, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def ids(self, key: str = "reads-all", **query: Any) -> list[str]:
        return [each["provider_message_id"] for each in self.data("/v1/messages", key, **query)["data"]]

    def track(self, *callbacks: Callback) -> None:
        self.run(self.tracker.replay(callbacks))


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def told(
    message_id: str, status: str, *, at: datetime = START, account_id: int = 1, number: int = 1, **fields: str
) -> Callback:
    """A callback of Plivo about a message that was submitted at `at`."""
    body = {
        "MessageUUID": message_id, "Status": status, "From": "14155550100", "To": "14155550123", "Type": "sms",
        "MessageTime": f"{at:%Y-%m-%d %H:%M:%S.%f}", "QueuedTime": f"{at:%Y-%m-%d %H:%M:%S.%f}", "Units": "1", **fields,
    }  # fmt: skip
    return Callback(
        id=number,
        account_id=account_id,
        received_at=at + timedelta(seconds=number),
        request=CallbackRequest(
            method="POST",
            url=f"{PUBLIC_URL}/callbacks/unguessable",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(body).encode(),
        ),
    )


def delivered(message_id: str, *, at: datetime = START, after_s: float = 4, **more: Any) -> Callback:
    report = at + timedelta(seconds=after_s)
    told_at = f"{report:%Y-%m-%d %H:%M:%S.%f}"
    fields = {"DeliveryReportTime": told_at, "TotalAmount": "0.0055", "MCC": "310", "MNC": "260"}
    return told(message_id, "delivered", at=at, **fields | more)


def test_a_message_reads_as_the_design_says(house: House) -> None:
    house.track(told("m1", "queued"), delivered("m1", number=2))
    (message,) = house.data("/v1/messages")["data"]
    assert list(message) == MESSAGE_FIELDS
    assert message["account"] == "shop"
    assert message["provider"] == "plivo"
    assert (message["from"], message["to"], message["country"]) == ("+14155550100", "+14155550123", "US")
    assert message["network"] == {"mcc": "310", "mnc": "260", "name": "T-Mobile"}
    assert (message["status"], message["provider_status"], message["final"]) == ("delivered", "delivered", True)
    assert message["parts"] == [{"provider_message_id": "m1", "number": 1, "of": 1, "status": "delivered"}]
    assert message["cost"] == {"amount": "0.0055", "currency": "USD"}
    assert message["error"] is None
    assert message["queued_at"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    assert message["delivered_at"] == f"{START + timedelta(seconds=4):%Y-%m-%dT%H:%M:%SZ}"
    assert message["latency_s"] == 4.0
    assert message["receipts_count"] == 2


def test_a_failure_says_what_it_means_and_what_to_do(house: House) -> None:
    house.track(told("m1", "failed", ErrorCode="30"))
    (message,) = house.data("/v1/messages")["data"]
    assert message["error_code"] == "30"
    assert set(message["error"]) == {"title", "advice", "fault", "retryable"}
    assert message["error"]["retryable"] is False
    assert message["cost"] is None
    assert message["network"] == {"mcc": None, "mnc": None, "name": None}


def test_one_message_has_its_receipts_and_a_timeline_in_order_of_time(house: House) -> None:
    first = told("m1", "queued")
    last = delivered("m1", number=3, SentTime=f"{START + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}", Powerpack="p1")
    house.track(last, first, told("m1", "lost in space", number=9))
    (listed,) = house.data("/v1/messages")["data"]
    whole = house.data(f"/v1/messages/{listed['id']}")
    assert whole == house.data("/v1/messages/m1")
    assert {name: whole[name] for name in listed} == listed
    assert [receipt["status"] for receipt in whole["receipts"]] == ["queued", "delivered", None]
    assert whole["unknown_statuses"] == ["lost in space"]
    assert whole["receipts"][1] == {
        "source": "callback", "status": "delivered", "provider_status": "delivered",
        "occurred_at": f"{START + timedelta(seconds=4):%Y-%m-%dT%H:%M:%SZ}",
        "received_at": f"{START + timedelta(seconds=3):%Y-%m-%dT%H:%M:%SZ}",
        "received_count": 1, "callback_id": "3", "error_code": None, "provider_reason": None, "part": None,
        "sequence": None, "extra": {"Powerpack": "p1"},
    }  # fmt: skip
    assert [entry["at"] for entry in whole["timeline"]] == sorted(entry["at"] for entry in whole["timeline"])
    assert [entry["status"] for entry in whole["timeline"]] == ["queued", "sent", "delivered", None]


def test_a_repeated_callback_is_one_receipt_that_was_received_twice(house: House) -> None:
    house.track(delivered("m1", number=1), delivered("m1", number=2))
    (receipt,) = house.data("/v1/messages/m1")["receipts"]
    assert (receipt["received_count"], receipt["callback_id"]) == (2, "1")


def test_parts_are_shown_as_told(house: House) -> None:
    house.track(
        told("p2", "delivered", ParentMessageUUID="m1", PartInfo="2 of 2"),
        told("p1", "sent", ParentMessageUUID="m1", PartInfo="1 of 2", number=2),
    )
    message = house.data("/v1/messages/m1")
    assert [(part["provider_message_id"], part["number"], part["status"]) for part in message["parts"]] == [
        ("p1", 1, "sent"),
        ("p2", 2, "delivered"),
    ]
    assert message["receipts"][0]["part"] == {"provider_message_id": "p2", "number": 2, "of": 2}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "failed"}, ["b"]),
        ({"status": ["failed", "delivered"]}, ["b", "a"]),
        ({"to": "+44 7700 900-123"}, ["b"]),
        ({"to": "447700900123"}, ["b"]),
        ({"from": "14155550100"}, ["c", "b", "a"]),
        ({"account": "bank"}, ["c"]),
        ({"country": "gb"}, ["b"]),
        ({"country": "none"}, []),
        ({"error_code": "30"}, ["b"]),
        ({"error_code": "none"}, ["c", "a"]),
        ({"channel": "mms"}, ["c"]),
        ({"direction": "inbound"}, []),
        ({"tag": "campaign"}, ["a"]),
        ({"since": f"{START + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"}, ["c", "b"]),
        ({"until": f"{START + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}+00:00"}, ["a"]),
        ({"since": "1h"}, []),
        ({"q": "b"}, ["b"]),
        ({"q": "+14155550123"}, ["c", "a"]),
        ({"q": "+14155550123", "status": "delivered"}, ["a"]),
        ({"q": "nothing"}, []),
    ],
)
def test_filters_select(house: House, query: dict[str, Any], found: list[str]) -> None:
    house.track(
        delivered("a"),
        told("b", "failed", at=START + timedelta(minutes=1), ErrorCode="30", To="447700900123"),
        told("c", "sent", at=START + timedelta(minutes=2), account_id=2, Type="mms"),
    )
    with psycopg.connect(house.database_url) as connection:
        connection.execute("UPDATE messages SET tags = '{campaign}' WHERE provider_message_id = 'a'")
    assert house.ids(**query) == found


def test_a_message_is_found_by_our_id_too(house: House) -> None:
    house.track(delivered("a"), delivered("b"))
    wanted = house.data("/v1/messages/b")
    assert house.ids(q=wanted["id"]) == ["b"]


def test_pages_neither_repeat_nor_skip_while_messages_come_in(house: House) -> None:
    house.track(*(told(f"m{n}", "sent", at=START + timedelta(seconds=n // 3)) for n in range(10)))
    everything = house.ids()
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for page in range(4):
        answer = house.data("/v1/messages", limit=3, **cursor)
        seen += [each["provider_message_id"] for each in answer["data"]]
        cursor = {"cursor": answer["next_cursor"]}
        house.track(told(f"new{page}", "sent", at=NOW))
    assert seen == everything
    assert cursor == {"cursor": None}


def test_a_key_of_one_account_sees_nothing_of_another(house: House) -> None:
    house.track(delivered("a", account_id=1), delivered("b", account_id=2, number=2))
    other = house.data("/v1/messages/b")["id"]
    assert house.ids("reads-shop") == ["a"]
    assert house.ids("reads-shop", q="b") == []
    assert house.get("/v1/messages/b", "reads-shop").status_code == 404
    assert house.get(f"/v1/messages/{other}", "reads-shop").status_code == 404
    assert house.get("/v1/messages", "reads-shop", account="bank").status_code == 422
    assert [each["name"] for each in house.data("/v1/accounts", "reads-shop")["data"]] == ["shop"]
    (row,) = house.data("/v1/analytics/messages", "reads-shop", group_by="account")["data"]
    assert (row["account"], row["messages"]) == ("shop", 1)


def test_accounts_show_where_to_call_back_to_admins_only(house: House) -> None:
    (shop, bank) = house.data("/v1/accounts")["data"]
    assert bank["disabled_at"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert shop == {
        "name": "shop", "provider": "plivo", "provider_account_id": "MAshop", "policy": "strict",
        "allowed_addresses": [], "created_at": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "disabled_at": None, "callback_urls": None,
    }  # fmt: skip
    (shop, _) = house.data("/v1/accounts", "admin")["data"]
    assert shop["callback_urls"] == [f"{PUBLIC_URL}/callbacks/unguessable"]


# --- callbacks ---------------------------------------------------------------------------------------------------


def accepted(body: bytes, *, account_id: int = 1, at: datetime = NOW) -> Accepted:
    url = f"{PUBLIC_URL}/callbacks/unguessable?a=1"
    headers = b"content-type: application/x-www-form-urlencoded\nauthorization: Basic c2VjcmV0\nx-tag: 1\n"
    return Accepted(at, account_id, "POST", url, None, None, headers, body, "x-plivo-signature-v3")


def refuse(house: House, *, account_id: int = 1, at: datetime = NOW, slot: int = 0) -> None:
    with psycopg.connect(house.database_url) as connection:
        connection.execute(
            "INSERT INTO refused_callbacks (account_id, slot, reason, detail, received_at, method, url, headers, body,"
            " body_bytes) VALUES (%s, %s, 'signature_mismatch', 'No token fits.', %s, 'POST', %s, 'a: 1\n', %s, 4000)",
            [account_id, slot, at, f"{PUBLIC_URL}/callbacks/unguessable", b"\xff\x00"],
        )


def track_journal(house: House) -> None:
    async def track() -> None:
        for lane in await lanes.all_lanes(house.pool):
            batch = await house.journal.read(lane.lane, lane.position, 100)
            await house.tracker.replay(batch.callbacks)
            async with house.pool.connection() as connection:
                await connection.execute("UPDATE lanes SET position = %s WHERE lane = %s", [batch.position, lane.lane])

    house.run(track())


def test_callbacks_tell_their_outcome_newest_first(house: House) -> None:
    append = house.journal.append
    house.run(append([accepted(b"MessageUUID=a&Status=sent", at=NOW - timedelta(hours=20)), accepted(b"junk", at=NOW)]))
    track_journal(house)
    house.run(append([accepted(b"MessageUUID=b&Status=sent", at=NOW + timedelta(seconds=2))]))
    refuse(house, at=NOW + timedelta(seconds=1))
    listed = house.data("/v1/callbacks")["data"]
    assert [(each["verdict"], each["outcome"], each["reason"]) for each in listed] == [
        ("accepted", "waiting", None),
        ("refused", None, "signature_mismatch"),
        ("accepted", "set_aside", "callback_not_understood"),
        ("accepted", "tracked", None),
    ]
    assert listed[0]["url"] == f"{PUBLIC_URL}/callbacks/********?a=1"
    assert listed[0]["verified_by"] == ["x-plivo-signature-v3"]
    assert listed[0]["body_bytes"] == 25
    assert house.data("/v1/callbacks", "admin")["data"][0]["url"].endswith("/callbacks/unguessable?a=1")


@pytest.mark.parametrize(("verdict", "outcomes"), [
    ("accepted", ["set_aside", "tracked"]), ("refused", [None]), ("set_aside", ["set_aside"]),
])  # fmt: skip
def test_callbacks_are_selected_by_verdict(house: House, verdict: str, outcomes: list[str | None]) -> None:
    house.run(house.journal.append([accepted(b"MessageUUID=a&Status=sent"), accepted(b"junk")]))
    track_journal(house)
    refuse(house)
    listed = house.data("/v1/callbacks", verdict=verdict)["data"]
    assert [each["outcome"] for each in listed] == outcomes
    assert house.data("/v1/callbacks", verdict=verdict, since=NOW + timedelta(seconds=1))["data"] == []
    assert len(house.data("/v1/callbacks", verdict=verdict, since="2d", until="2100-01-01")["data"]) == len(outcomes)
    assert house.data("/v1/callbacks", "reads-bank", verdict=verdict)["data"] == []


def test_pages_of_callbacks_neither_repeat_nor_skip(house: House) -> None:
    house.run(house.journal.append([accepted(b"x=%d" % n, at=NOW - timedelta(hours=n // 2)) for n in range(6)]))
    for slot in range(3):
        refuse(house, slot=slot, at=NOW - timedelta(hours=slot))
    everything = [each["id"] for each in house.data("/v1/callbacks")["data"]]
    assert len(everything) == 9
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        answer = house.data("/v1/callbacks", limit=2, **cursor)
        seen += [each["id"] for each in answer["data"]]
        cursor = {"cursor": answer["next_cursor"]}
        house.run(house.journal.append([accepted(b"new=1", at=NOW + timedelta(minutes=1))]))
    assert seen == everything
    assert cursor == {"cursor": None}


def test_one_callback_is_shown_whole_but_for_secrets(house: House) -> None:
    house.run(house.journal.append([accepted("MessageUUID=a&Text=ü".encode())]))
    refuse(house)
    kept, refused = (house.data(f"/v1/callbacks/{each['id']}") for each in house.data("/v1/callbacks")["data"])
    assert kept["headers"] == {
        "content-type": "application/x-www-form-urlencoded", "authorization": "********", "x-tag": "1"
    }  # fmt: skip
    assert (kept["body"], kept["body_base64"], kept["body_truncated"]) == ("MessageUUID=a&Text=ü", None, False)
    assert "unguessable" not in kept["url"]
    assert (refused["body"], refused["body_base64"], refused["body_truncated"]) == (None, "/wA=", True)
    assert house.get(f"/v1/callbacks/{kept['id']}", "reads-bank").status_code == 404
    assert house.get(f"/v1/callbacks/{refused['id']}", "reads-bank").status_code == 404


# --- analytics ---------------------------------------------------------------------------------------------------


def some_traffic(house: House) -> None:
    house.track(
        *(delivered(f"d{n}", after_s=n + 1, number=n + 1) for n in range(100)),
        *(told(f"f{n}", "failed", ErrorCode="30", To="447700900123", number=n + 1) for n in range(20)),
        *(told(f"u{n}", "undelivered", ErrorCode="80", number=n + 1) for n in range(5)),
        *(told(f"s{n}", "sent", at=START - timedelta(days=1), number=n + 1) for n in range(4)),
    )


def test_one_row_sums_up_all_there_is(house: House) -> None:
    some_traffic(house)
    answer = house.data("/v1/analytics/messages", since="2d")
    (row,) = answer["data"]
    assert answer["next_cursor"] is None
    assert (row["messages"], row["parts"], row["units"], row["pending"]) == (129, 129, 129, 4)
    assert (row["delivered"], row["failed"], row["undelivered"], row["sent"], row["read"]) == (100, 20, 5, 4, 0)
    assert row["delivery_rate"] == 0.8
    assert row["failure_rate"] == 0.2
    assert row["cost"] == [{"amount": "0.5500", "currency": "USD"}]
    assert row["latency_s"] == {
        "p50": pytest.approx(50, rel=0.06), "p90": pytest.approx(90, rel=0.06),
        "p95": pytest.approx(95, rel=0.06), "p99": pytest.approx(99, rel=0.06),
    }  # fmt: skip
    assert "country" not in row


def test_rows_are_of_what_was_grouped_by_most_messages_first(house: House) -> None:
    some_traffic(house)
    rows = house.data("/v1/analytics/messages", since="2d", group_by="country,status")["data"]
    assert [(row["country"], row["status"], row["messages"]) for row in rows] == [
        ("US", "delivered", 100), ("GB", "failed", 20), ("US", "undelivered", 5), ("US", "sent", 4)
    ]  # fmt: skip
    (row, _) = house.data("/v1/analytics/messages", group_by=["network"])["data"]
    assert row["network"] == {"mcc": "310", "mnc": "260", "name": "T-Mobile"}


@pytest.mark.parametrize("bucket", ["minute", "hour", "day"])
def test_buckets_split_the_period_and_add_up(house: House, bucket: str) -> None:
    some_traffic(house)
    rows = house.data("/v1/analytics/messages", since="2d", bucket=bucket)["data"]
    filled = [row for row in rows if row["messages"]]
    assert [row["messages"] for row in filled] == [4, 125]
    format_ = {"minute": "%Y-%m-%dT%H:%M:00Z", "hour": "%Y-%m-%dT%H:00:00Z", "day": "%Y-%m-%dT00:00:00Z"}[bucket]
    assert [row["bucket_at"] for row in filled] == [
        (START - timedelta(days=1)).strftime(format_), START.strftime(format_)
    ]  # fmt: skip
    length = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}[bucket]
    starts = [datetime.fromisoformat(row["bucket_at"]) for row in rows]
    assert {after - before for before, after in pairwise(starts)} == {length}


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"country": "gb"}, 20),
        ({"country": ["GB", "US"]}, 129),
        ({"network": "310-260"}, 100),
        ({"network": "310"}, 100),
        ({"network": "none"}, 29),
        ({"sender": "1 415 555 0100"}, 129),
        ({"status": "failed"}, 20),
        ({"error_code": "80"}, 5),
        ({"error_code": "none"}, 104),
        ({"currency": "usd"}, 100),
        ({"account": "shop", "direction": "outbound", "channel": "sms"}, 129),
        ({"account": "bank"}, 0),
        ({"tag": "x"}, 0),
    ],
)
def test_analytics_filters_select(house: House, query: dict[str, Any], messages: int) -> None:
    some_traffic(house)
    (row,) = house.data("/v1/analytics/messages", since="2d", **query)["data"]
    assert row["messages"] == messages


def test_tags_count_a_message_under_each_and_never_twice_in_the_total(house: House) -> None:
    async def tagged() -> None:
        async with house.pool.connection() as connection:
            await connection.execute("UPDATE messages SET tags = '{x,y}' WHERE id = (SELECT id FROM messages LIMIT 1)")
        await house.tracker.replay([delivered("d", number=2)])

    house.track(told("d", "sent"))
    house.run(tagged())
    rows = house.data("/v1/analytics/messages", group_by="tag")["data"]
    assert [(row["tag"], row["messages"], row["delivered"]) for row in rows if row["delivered"]] == [
        ("x", 1, 1), ("y", 1, 1)
    ]  # fmt: skip
    assert house.data("/v1/analytics/messages")["data"][0]["messages"] == 1
    assert house.get("/v1/analytics/messages", tag=["x", "y"]).status_code == 422


def test_what_is_older_than_minutes_is_rounded_to_hours_and_says_so(house: House) -> None:
    long_ago = (NOW - timedelta(days=10)).replace(minute=30)
    house.track(told("a", "sent", at=long_ago.replace(minute=10)))
    answer = house.data("/v1/analytics/messages", since=long_ago.isoformat(), until=f"{NOW:%Y-%m-%dT%H:%M:00Z}")
    assert answer["data"][0]["messages"] == 1
    assert answer["meta"] == {
        "since": f"{long_ago:%Y-%m-%dT%H:00:00Z}", "until": f"{NOW:%Y-%m-%dT%H:%M:00Z}", "group_by": [],
        "bucket": "none", "time_zone": "UTC", "rounded": True, "approximated": None, "previous": None,
    }  # fmt: skip


def test_nothing_to_count_is_a_row_of_zeros(house: House) -> None:
    (row,) = house.data("/v1/analytics/messages")["data"]
    assert (row["messages"], row["delivery_rate"], row["cost"]) == (0, None, [])
    assert house.data("/v1/analytics/messages", group_by="country")["data"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"group_by": "planet"}, "group_by"),
        ({"bucket": "year"}, "bucket"),
        ({"bucket": "minute", "since": "30d"}, "bucket"),
        ({"since": "1h", "until": "2h"}, "since"),
        ({"network": "T-Mobile"}, "network"),
        ({"status": "gone"}, "status"),
        ({"account": "nobody"}, "account"),
    ],
)
def test_a_question_that_cannot_be_answered_names_its_field(house: House, query: dict[str, Any], field: str) -> None:
    response = house.get("/v1/analytics/messages", **query)
    assert response.status_code == 422
    assert response.json()["field"] == field


def test_operations_need_no_key(house: House) -> None:
    def open_get(path: str) -> httpx.Response:
        response: httpx.Response = house.run(house.client.get(path))
        return response

    assert open_get("/health/live").json() == {"status": "live"}
    assert open_get("/health/ready").json()["status"] == "ready"
    assert open_get("/metrics").text == "landed_up 1\n"
    assert open_get("/openapi.json").json()["info"]["title"] == "Landed"
    page = open_get("/docs")
    assert "/v1/messages/{message_id}" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
