"""The pages of callbacks: as they arrive, one whole, two compared, replayed, diagnosed; what viewers may not see."""

import asyncio
import html
import json
import re
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest

from landed.domain.accounts import Account
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.services import accounts as account_service
from landed.services.arrivals import AcceptedCounter
from landed.services.tracking import Tracker
from landed.store import oddities, partitions, refusals
from landed.store.callback_stream import REFUSED_AFTER
from landed.store.refusals import Refused
from landed.web.dashboard.live import STREAMS_OF_ONE_MAX
from tests.calling import plivo_post
from tests.dashboard import PUBLIC_URL, House, Visitor, dashboard
from tests.databases import Databases

TOKEN: Final = "a-token-0123456789"
NUMBER: Final = "4155550177"
OUR_NUMBER: Final = "4155550100"
SECRET_TEXT: Final = "meet me at noon"
HOSTILE: Final = "<script>alert(1)</script>\u202e"


@dataclass
class Filled:
    house: House
    account: Account
    message: str
    ids: dict[str, str] = field(default_factory=dict)  #: callbacks by what they are

    @property
    def url(self) -> str:
        return f"{PUBLIC_URL}/callbacks/{self.key}"

    @property
    def key(self) -> str:
        return self.account.paths[0].value

    def found(self, visitor: Visitor, **filters: str) -> list[str]:
        """Names of what the list shows, the latest first."""
        names = {number: name for name, number in self.ids.items()}
        page = visitor.page(f"/live?{urlencode(filters)}")
        return [names[each] for each in re.findall(r'<tr data-id="([^"]+)"', page) if each in names]

    def keep(self, *callbacks: Accepted) -> None:
        async def keep() -> None:
            journal = PostgresJournal(self.house.database_url, lanes=1)
            await journal.open()
            await journal.append(list(callbacks))
            await journal.close()

        self.house.run(keep())

    def status(self, word: str, **fields: str) -> Accepted:
        told = {"MessageUUID": self.message, "From": f"1{OUR_NUMBER}", "To": f"+1{NUMBER}", "Status": word} | fields
        return self.accepted(body=urlencode(told).encode())

    def accepted(self, method: str = "POST", path: str = "", headers: str = "", body: bytes = b"") -> Accepted:
        lines = f"content-type: application/x-www-form-urlencoded\nauthorization: ********\n{headers}"
        return Accepted(
            datetime.now(UTC), self.account.id, method, f"{self.url}{path}", None, None, lines.encode("latin-1"), body,
            "x-plivo-signature-v2",
        )  # fmt: skip


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[Filled]:
    with databases.fresh() as database, dashboard(database) as house:
        yield house.run(_fill(house))


async def _fill(house: House) -> Filled:
    account = await account_service.add(
        house.pool, house.sealer, house.providers, provider="plivo", name="shop", provider_account_id="MA1",
        auth_token=TOKEN, now=datetime.now(UTC),
    )  # fmt: skip
    filled = Filled(house, account, str(uuid4()))
    query = urlencode({"MessageUUID": str(uuid4()), "From": f"1{OUR_NUMBER}", "To": f"1{NUMBER}", "Status": "sent"})
    text = {"MessageUUID": str(uuid4()), "From": f"1{NUMBER}", "To": f"1{OUR_NUMBER}", "Type": "sms"}
    hostile = {"MessageUUID": "x", "Status": HOSTILE, NUMBER: "name", "Reason": f"to {NUMBER}"}
    parted = f"{NUMBER[:3]}-{NUMBER[3:6]}-{NUMBER[6:]}"
    calls = {
        "sent": filled.status("sent"),
        "delivered": filled.status("delivered"),
        "by GET": filled.accepted("GET", f"?{query}"),
        "inbound": filled.accepted(body=urlencode(text | {"Text": SECRET_TEXT}).encode()),
        "hostile": filled.accepted(
            headers=f"x-{NUMBER}: {NUMBER}\nuser-agent: {parted}\nreferer: x?to=1{NUMBER}\n",
            body=urlencode(hostile).encode(),
        ),
    }
    calls["strange"] = filled.accepted(body=f"hello={NUMBER}".encode())
    journal = PostgresJournal(house.database_url, lanes=1)
    await journal.open()
    async with house.pool.connection() as connection:
        await partitions.make(connection, datetime.now(UTC).date())
    for call in calls.values():
        await journal.append([call])
    tracker = Tracker(name="test", journal=journal, pool=house.pool, provider_of=lambda _: house.providers["plivo"])
    await tracker.drain(range(1))
    await journal.close()
    at = datetime.now(UTC) - 10 * REFUSED_AFTER  # long enough ago for no stream to tell of them again
    slashed = plivo_post(f"{filled.url}/", {"MessageUUID": "late", "Status": "failed", "To": f"+1{NUMBER}"}, TOKEN)
    lines = "".join(f"{name.lower()}: {value}\n" for name, value in slashed.headers.items())
    refused = Refused(
        account.id, "signature_mismatch", f"It does not hold for {NUMBER}.", at, "POST",
        f"{filled.url}/messages/{NUMBER}?n={NUMBER}", lines.encode(), slashed.body, len(slashed.body),
    )  # fmt: skip
    unslashed = refused._replace(url=filled.url, received_at=at + timedelta(milliseconds=1))
    cut = refused._replace(received_at=at + timedelta(milliseconds=2), reason="callback_too_large", body_bytes=10**6)
    await refusals.keep(house.pool, [refused, unslashed, cut])
    async with house.pool.connection() as connection:
        rows = await (await connection.execute("SELECT id FROM callbacks ORDER BY received_at")).fetchall()
    filled.ids = dict(zip(calls, (str(row[0]) for row in rows), strict=True))
    for slot, name in enumerate(("refused", "unslashed", "cut")):
        micros = round((at.timestamp() + slot / 1000) * 1_000_000)
        filled.ids[name] = f"refused-{account.id}-{slot}-{micros}"
    return filled


@pytest.fixture
def operator(filled: Filled) -> Visitor:
    return filled.house.visitor("operator")


@pytest.fixture
def viewer(filled: Filled) -> Visitor:
    return filled.house.visitor("viewer")


# --- the list ---------------------------------------------------------------------------------------------------


def stream_of(page: str) -> str:
    """Where a page's script hears of what arrives."""
    found = re.search(r'data-stream="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


def test_the_latest_are_listed_with_verdict_status_and_number(filled: Filled, operator: Visitor) -> None:
    page = operator.page("/live")

    assert set(filled.found(operator)) == set(filled.ids)
    assert f"+1{NUMBER}" in page
    assert re.search(r'data-stream="[^"]*/live/stream\?place=', page)
    assert all(word in page for word in ("set aside", "refused", "accepted", "delivered"))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"verdict": "refused"}, {"refused", "unslashed", "cut"}),
        ({"verdict": "set_aside"}, {"strange"}),
        ({"kind": "inbound"}, {"inbound"}),
        ({"kind": "messages", "status": "Delivered"}, {"delivered"}),
        ({"status": "sent"}, {"sent", "by GET"}),
        ({"method": "get"}, {"by GET"}),
        ({"verified_by": "x-plivo-signature-v3"}, set()),
        ({"reason": "callback_too_large"}, {"cut"}),
        ({"q": SECRET_TEXT}, {"inbound"}),
        ({"q": "(415) 555-0177", "status": "sent"}, {"sent", "by GET"}),
        ({"account": "shop", "until": "2020-01-01"}, set()),
    ],
)
def test_filters_of_the_address_hold(
    filled: Filled, operator: Visitor, filters: dict[str, str], found: set[str]
) -> None:
    assert set(filled.found(operator, **filters)) == found


def test_all_callbacks_of_one_message_are_found_by_either_id(filled: Filled, operator: Visitor) -> None:
    assert filled.found(operator, message=filled.message) == ["delivered", "sent"]
    assert filled.found(operator, message="nobody") == []


def test_pages_of_a_filtered_list_go_on_where_the_one_before_ended(
    filled: Filled, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landed.web.dashboard.live.PAGE", 1)
    seen: list[str] = []
    address = "/live?kind=messages"
    while address:
        page = operator.page(address)
        seen += re.findall(r'<tr data-id="(\d+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = f"/live{html.unescape(following[1])}" if following else ""

    names = {number: name for name, number in filled.ids.items()}
    assert [names[each] for each in seen if names.get(each) in ("sent", "delivered", "by GET")] == [
        "by GET",
        "delivered",
        "sent",
    ]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("query", ["verdict=maybe", "kind=things", "account=nobody", "since=yesterday-ish", "cursor=x"])
def test_what_cannot_be_asked_is_said(operator: Visitor, query: str) -> None:
    assert operator.get(f"/live?{query}").status_code == 422


# --- what viewers may not see -----------------------------------------------------------------------------------


def test_a_viewer_sees_no_number_no_text_and_no_key_anywhere(filled: Filled, viewer: Visitor) -> None:
    ids = list(filled.ids.values())
    pages = ["/live", "/live?doctor=yes", *(f"/live/{each}?doctor=yes" for each in ids)]
    pages += [f"/live/compare?a={a}&b={b}" for a, b in pairwise(ids)]
    for path in pages:
        shown = html.unescape(viewer.page(path))
        bare = re.sub(r"[ ().-]", "", shown)
        for hidden in (NUMBER, SECRET_TEXT, filled.key, TOKEN):
            assert hidden not in shown, f"{hidden} in {path}"
            assert hidden not in bare, f"{hidden} in {path}"
    assert "•" in viewer.page("/live")
    assert "curl" not in viewer.page(f"/live/{ids[0]}")


def test_a_viewer_cannot_find_numbers_out_by_searching(viewer: Visitor) -> None:
    assert viewer.get("/live?q=415").status_code == 422
    assert viewer.get(f"/live?status=1{NUMBER}").status_code == 422
    assert viewer.get("/live/stream?q=415").status_code == 422
    assert viewer.get(f"/live/stream?status={NUMBER}").status_code == 422


def test_the_key_of_the_account_is_shown_to_administrators_alone(filled: Filled, operator: Visitor) -> None:
    admin = filled.house.visitor("admin")
    path = f"/live/{filled.ids['sent']}"

    assert filled.key in admin.page(path)
    assert filled.key not in operator.page(path)
    assert f"+1{NUMBER}" in operator.page(path)


# --- one callback -----------------------------------------------------------------------------------------------


def test_one_callback_is_shown_whole_with_what_it_became(filled: Filled, operator: Visitor) -> None:
    page = operator.page(f"/live/{filled.ids['delivered']}")

    assert re.search(r'href="/messages/[0-9a-f-]{36}"', page)
    assert f"/live/{filled.ids['sent']}" in page  # told of the same
    assert "********" in page  # Authorization
    assert "curl -X POST" in page
    assert "x-plivo-signature-v2" in page
    assert re.search(r'href="/inbound/[0-9a-f-]{36}"', operator.page(f"/live/{filled.ids['inbound']}"))
    assert operator.get("/live/nobody").status_code == 404
    assert operator.get("/live/99999999").status_code == 404


def test_what_strangers_sent_is_text(filled: Filled, operator: Visitor) -> None:
    for path in (
        f"/live/{filled.ids['hostile']}",
        "/live",
        f"/live/compare?a={filled.ids['hostile']}&b={filled.ids['cut']}",
    ):
        assert "<script>alert" not in operator.page(path)
    assert "&lt;script&gt;alert(1)" in operator.page(f"/live/{filled.ids['hostile']}")


def test_two_are_compared_differences_first(filled: Filled, operator: Visitor) -> None:
    a, b = filled.ids["sent"], filled.ids["delivered"]
    chosen = operator.get(f"/live/compare?id={a}&id={b}")
    page = operator.page(chosen.headers["location"])
    differs = [
        " is-different" in row or "is-different" in row for row in re.findall(r"<tr([^>]*)><th scope=\"row\"", page)
    ]

    assert chosen.headers["location"] == f"/live/compare?a={a}&b={b}"
    assert any(differs)
    assert differs == sorted(differs, reverse=True)
    assert re.search(r"sent</td>.*delivered</td>", page)
    assert operator.get(f"/live/compare?id={a}").status_code == 422
    assert operator.get(f"/live/compare?a={a}&b=nobody").status_code == 404


def test_the_doctor_says_what_to_change(filled: Filled, operator: Visitor, viewer: Visitor) -> None:
    path = f"/live/{filled.ids['unslashed']}"

    assert "doctor=yes" in operator.page(path)
    assert "slash" in operator.page(f"{path}?doctor=yes").partition('class="doctor-sentence"')[2][:400]
    assert "doctor" not in viewer.page(f"{path}?doctor=yes")


# --- replay -----------------------------------------------------------------------------------------------------


def test_replays_to_landed_say_what_came_of_each_and_are_written_down(filled: Filled, operator: Visitor) -> None:
    ids = [filled.ids["sent"], filled.ids["refused"], filled.ids["cut"], NUMBER]
    page = operator.post("/live/replay", id=ids).text

    outcomes = re.findall(r'<span class="badge [a-z]+"><span[^>]*>[^<]*</span>([^<]+)</span>', page)
    assert outcomes == ["tracked", "refused", "failed", "failed"]
    assert "It is signed with another token." in page
    assert {entry[1:] for entry in filled.house.audit() if entry[1] == "callback.replayed"} == {
        ("callback.replayed", f"callback:{each}") for each in ids[:2]
    }
    filled.house.door = (200, b"")
    assert "it proved itself" in operator.post("/live/replay", id=filled.ids["refused"]).text


def test_replays_to_a_url_go_out_as_they_came(filled: Filled, operator: Visitor) -> None:
    with hook() as (url, got):
        page = operator.post("/live/replay", to="url", url=f"{url}/x?secret=1", id=[filled.ids["sent"]]).text

    (body,) = got
    assert body == filled.status("sent").body
    assert "200" in page
    assert "&lt;b&gt;thanks" in page
    assert ("callback.sent", f"callback:{filled.ids['sent']} to {url}") in {each[1:] for each in filled.house.audit()}


def test_only_administrators_send_callbacks_to_other_machines(filled: Filled, operator: Visitor) -> None:
    elsewhere = {"to": "url", "url": "http://192.0.2.1/hook", "id": filled.ids["sent"]}

    assert operator.post("/live/replay", **elsewhere).status_code == 422
    assert operator.post("/live/replay", anywhere="yes", **elsewhere).status_code == 403
    assert filled.house.visitor("admin").post("/live/replay", **elsewhere).status_code == 422


def test_replays_are_bounded_and_only_of_those_who_may(filled: Filled, operator: Visitor, viewer: Visitor) -> None:
    sent = filled.ids["sent"]

    assert operator.post("/live/replay").status_code == 422
    assert operator.post("/live/replay", id=[str(number) for number in range(51)]).status_code == 422
    assert operator.send("/live/replay", {"id": sent, "csrf_token": "forged"}).status_code == 403
    assert operator.send("/live/replay", {"id": sent}, headers={"Origin": "https://evil.test"}).status_code == 403
    assert viewer.post("/live/replay", id=sent).status_code == 403


# --- the stream -------------------------------------------------------------------------------------------------


def test_the_stream_goes_on_where_the_page_ended_and_where_it_broke(filled: Filled, operator: Visitor) -> None:
    page = operator.page("/live?status=undelivered")
    stream = stream_of(page)
    filled.keep(filled.status("undelivered"), filled.status("sent"))
    first = read(filled, operator, stream, rows=1)
    filled.keep(filled.status("undelivered", ErrorCode="30"))
    second = read(filled, operator, stream, rows=1, last_event_id=first.place)

    assert [each["status"] for each in first.rows + second.rows] == ["undelivered", "undelivered"]
    assert first.rows[0]["id"] != second.rows[0]["id"]
    assert first.rows[0]["number"] == f"+1{NUMBER}"
    assert first.rows[0]["href"] == f"/live/{first.rows[0]['id']}"


def test_viewers_get_a_masked_stream_and_strangers_none(filled: Filled, viewer: Visitor) -> None:
    stream = stream_of(viewer.page("/live"))
    filled.keep(filled.status("undelivered", ErrorCode="40"), filled.status(f"call {NUMBER}"))
    seen = read(filled, viewer, stream, rows=2)

    assert seen.rows[0]["number"] == "+1415•••••77"
    assert NUMBER not in json.dumps(seen.rows)
    assert filled.key not in json.dumps(seen.rows)
    answer = filled.house.visitor().get(stream, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 401


def test_refused_ones_arrive_in_the_stream(filled: Filled, operator: Visitor) -> None:
    stream = stream_of(operator.page("/live?verdict=refused"))
    filled.keep(filled.status("sent", ErrorCode="50"))
    refused = Refused(
        filled.account.id, "signature_missing", "It has none.", datetime.now(UTC), "POST", filled.url, b"", b"a=b", 3
    )
    filled.house.run(refusals.keep(filled.house.pool, [refused]))
    seen = read(filled, operator, stream, rows=1)

    assert [(each["verdict"], each["proof"]) for each in seen.rows] == [("refused", "signature missing")]


def test_nobody_takes_all_the_places_of_those_who_watch(filled: Filled, viewer: Visitor, operator: Visitor) -> None:
    stream = stream_of(viewer.page("/live"))
    statuses: list[int] = []

    async def watch(visitor: Visitor, gone: asyncio.Event) -> None:
        async def send(message: Mapping[str, Any]) -> None:
            if "status" in message:
                statuses.append(message["status"])

        async def receive() -> MutableMapping[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        await filled.house.app(scope_of(visitor, stream), receive, send)

    async def all_at_once() -> None:
        async with asyncio.timeout(20):
            gone = asyncio.Event()
            watching = [asyncio.create_task(watch(viewer, gone)) for _ in range(STREAMS_OF_ONE_MAX + 4)]
            while len(statuses) < len(watching):  # noqa: ASYNC110  several tell of it
                await asyncio.sleep(0.01)
            watching.append(asyncio.create_task(watch(operator, gone)))
            while len(statuses) < len(watching):  # noqa: ASYNC110  several tell of it
                await asyncio.sleep(0.01)
            gone.set()
            await asyncio.gather(*watching)

    filled.house.run(all_at_once())
    assert sorted(statuses[:-1]) == [200] * STREAMS_OF_ONE_MAX + [503] * 4
    assert statuses[-1] == 200
    statuses.clear()
    filled.house.run(all_at_once())  # their places are free again
    assert sorted(statuses[:-1]) == [200] * STREAMS_OF_ONE_MAX + [503] * 4


def test_a_place_that_is_none_of_ours_is_refused(operator: Visitor) -> None:
    assert operator.get("/live/stream?place=nonsense").status_code == 422


# --- rates ------------------------------------------------------------------------------------------------------


def test_rates_are_told_by_the_minute(filled: Filled, viewer: Visitor) -> None:
    house, accepted = filled.house, [0]

    async def count() -> None:
        before = datetime.now(UTC) - timedelta(minutes=1)
        await oddities.add_refused(house.pool, {(filled.account.id, "signature_mismatch"): 4}, before)
        counter = AcceptedCounter(lambda: accepted[0], house.pool, lambda: before)
        accepted[0] = 7
        await counter.flush()
        await counter.flush()

    house.run(count())
    told = viewer.get("/live/rates").json()

    # The minute may have turned in between.
    assert 7 in told["accepted"][-2:]
    assert 4 in told["refused"][-2:]
    assert len(told["accepted"]) == 30
    assert "Accepted per minute" in viewer.page("/live")


# --- helpers ----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    rows: list[dict[str, Any]]
    place: str


def read(filled: Filled, visitor: Visitor, url: str, *, rows: int, last_event_id: str | None = None) -> Seen:
    """Read a stream until so many rows came, and hang up."""

    async def read() -> Seen:
        seen, gone = Seen([], ""), asyncio.Event()

        async def receive() -> MutableMapping[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            assert message.get("status", 200) == 200
            for event in bytes(message.get("body", b"")).decode().split("\n\n"):
                told = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
                seen.place = told.get("id", seen.place)
                if "data" in told:
                    seen.rows += json.loads(told["data"])["rows"]
            if len(seen.rows) >= rows:
                gone.set()

        async with asyncio.timeout(20):
            await filled.house.app(scope_of(visitor, url, last_event_id), receive, send)
        return seen

    seen: Seen = filled.house.run(read())
    return seen


def scope_of(visitor: Visitor, url: str, last_event_id: str | None = None) -> dict[str, Any]:
    """What a server tells of a request for a stream."""
    parts = urlsplit(url)
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"host": urlsplit(PUBLIC_URL).netloc, "cookie": cookies, "accept": "text/event-stream"}
    headers |= {"last-event-id": last_event_id} if last_event_id else {}
    return {
        "type": "http", "method": "GET", "path": parts.path, "raw_path": parts.path.encode(), "scheme": "https",
        "query_string": parts.query.encode(), "client": ("127.0.0.1", 1), "server": ("landed.test", 443),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "root_path": "",
        "http_version": "1.1",
    }  # fmt: skip


@contextmanager
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """A program that takes callbacks."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<b>thanks</b>")

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
