"""The stream of callbacks: each one once, in the order in which they were kept, to whoever may see it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import ApiKey, Scope
from landed.domain.callbacks import CallbackKind
from landed.domain.errors import InputInvalid
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services import streaming
from landed.services.streaming import CallbackStream, Step, StreamedCallback, StreamQuestion, Wanted
from landed.store import connect, reading, refusals
from landed.store.refusals import Refused
from landed.web import problems
from landed.web.api import streaming as over_http
from landed.web.api.streaming import EventStream

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC).replace(microsecond=0)
EVERYTHING = StreamQuestion()
SHOP, BANK = 1, 2
URL = "https://sms.example.com/callbacks/the-key-of-shop"


@dataclass
class House:
    database: str
    engine: AsyncEngine
    journal: PostgresJournal
    stream: CallbackStream

    async def keep(self, *callbacks: Accepted) -> None:
        """Each in a transaction and, in turn, in a lane of its own."""
        for callback in callbacks:
            await self.journal.append([callback])

    async def read(
        self,
        place: str,
        question: StreamQuestion = EVERYTHING,
        *,
        account_id: int | None = None,
        keys_shown: bool = True,
    ) -> list[Step]:
        """All that there is behind the place now."""
        steps = self.stream.steps(question, place, account_id=account_id, keys_shown=keys_shown)
        found: list[Step] = []
        async with asyncio.timeout(20):
            while (step := await anext(steps)) is not None:
                found.append(step)
        await steps.aclose()
        return found

    async def told(self, question: StreamQuestion = EVERYTHING, **options: Any) -> list[str]:
        """The ids of the messages of all that was ever kept."""
        return ids(await self.read(await self.stream.start(NOW - timedelta(days=1)), question, **options))


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    with psycopg.connect(database, autocommit=True) as connection:
        for name, provider in (("shop", "plivo"), ("bank", "plivo"), ("post", "routee")):
            connection.execute(
                "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES (%s, %s, 'x', 'x')",
                [name, provider],
            )
    engine, journal = reading.engine(database), PostgresJournal(database, lanes=3)
    await journal.open()
    yield House(database, engine, journal, CallbackStream(engine, registry.load(), lanes=3))
    await journal.close()
    await engine.dispose()


def status(message_id: str, word: str = "sent", *, account_id: int = SHOP, **fields: Any) -> Accepted:
    return callback({"MessageUUID": message_id, "Status": word}, account_id=account_id, **fields)


def callback(form: dict[str, str], *, account_id: int = SHOP, **fields: Any) -> Accepted:
    plain: dict[str, Any] = {
        "received_at": NOW,
        "account_id": account_id,
        "method": "POST",
        "url": URL,
        "kind": None,
        "our_id": None,
        "headers": b"X-One: 1\nx-two: a\nx-two: b\nAuthorization: ********\n",
        "body": urlencode(form).encode(),
        "verified_by": "x-plivo-signature-v2",
    }
    return Accepted(**{**plain, **fields})


def callbacks(steps: Sequence[Step]) -> list[StreamedCallback]:
    return [step.callback for step in steps if step.callback is not None]


def ids(steps: Sequence[Step]) -> list[str]:
    return [str(each.told[0].provider_id) if each.told else each.id for each in callbacks(steps)]


async def test_over_all_lanes_each_comes_once_and_in_the_order_it_was_kept(house: House) -> None:
    names = [f"m-{number}" for number in range(20)]
    await house.keep(*map(status, names))

    assert await house.told() == names


async def test_from_any_place_the_rest_comes_and_nothing_else(house: House) -> None:
    names = [f"m-{number}" for number in range(7)]
    await house.keep(*map(status, names))
    steps = await house.read(await house.stream.start(NOW - timedelta(days=1)))

    for number, step in enumerate(steps, start=1):
        assert ids(await house.read(step.place)) == names[number:]


async def test_what_is_committed_late_holds_up_the_others_and_is_not_skipped(house: House) -> None:
    place = await house.stream.start(None)
    with psycopg.connect(house.database) as slow:
        slow.execute(
            "INSERT INTO callbacks (received_at, lane, epoch, account_id, method, url, headers, body, verified_by)"
            " SELECT now(), 0, max(epoch), 1, 'POST', 'https://x/', '', 'MessageUUID=slow&Status=sent', ''"
            " FROM journal_epochs"
        )
        await house.keep(status("quick"))

        assert await house.read(place) == []

    assert ids(await house.read(place)) == ["slow", "quick"]


async def test_a_stream_begins_now_or_then(house: House) -> None:
    old = NOW - timedelta(hours=2)
    await house.keep(status("old", received_at=old), status("new", received_at=NOW - timedelta(minutes=5)))

    now, then = await house.stream.start(None), await house.stream.start(NOW - timedelta(hours=1))
    await house.keep(status("next"))

    assert ids(await house.read(now)) == ["next"]
    assert ids(await house.read(then, StreamQuestion(since=NOW - timedelta(hours=1)))) == ["new", "next"]
    for ever in (datetime.min.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)):
        assert ids(await house.read(await house.stream.start(ever))) == ["old", "new", "next"]


async def test_filters_leave_out_and_move_the_place(house: House) -> None:
    await house.keep(
        status("a", "sent"),
        status("b", "delivered", account_id=BANK),
        callback({"MessageUUID": "c", "From": "1", "To": "2", "Text": "Hello"}),
        callback(
            {"SessionUUID": "d", "SessionStatus": "in-progress", "AttemptUUID": "x", "ChannelStatus": "delivered"}
        ),
        callback({"Event": "brand", "Status": "rejected", "BrandID": "e"}),
        callback({"Event": "number_linking", "Status": "success", "CampaignID": "C", "Number": "14155550100"}),
        callback({"nothing": "known"}),
    )

    assert await house.told(StreamQuestion(accounts=["bank"])) == ["b"]
    assert await house.told(StreamQuestion(kinds=[CallbackKind.INBOUND, CallbackKind.VERIFY])) == ["c", "d"]
    assert await house.told(StreamQuestion(statuses=["delivered"])) == ["b", "d"], "of an attempt as well"
    assert await house.told(StreamQuestion(statuses=["success"])) == ["+14155550100"], "the provider's word"
    assert len(await house.told()) == 7
    steps = await house.read(await house.stream.start(NOW - timedelta(days=1)), StreamQuestion(accounts=["bank"]))
    assert await house.read(steps[-1].place) == [], "behind all that was left out"


async def test_a_callback_comes_byte_for_byte(house: House) -> None:
    body = b"\xff\x00MessageUUID=raw"
    await house.keep(status("m-1", url=f"{URL}?a=%2F&b=+", method="GET", body=b""), status("x", body=body))

    text, raw = callbacks(await house.read(await house.stream.start(NOW - timedelta(days=1))))

    assert (text.method, text.url, text.body) == ("GET", f"{URL}?a=%2F&b=+", "")
    assert text.header_lines[:3] == [("X-One", "1"), ("x-two", "a"), ("x-two", "b")]
    assert (raw.body, raw.body_base64, raw.told) == (None, "/wBNZXNzYWdlVVVJRD1yYXc=", [])


async def test_a_key_bound_to_an_account_sees_its_own_alone(house: House) -> None:
    await house.keep(status("a"), status("b", account_id=BANK))

    assert await house.told(account_id=BANK) == ["b"]
    with pytest.raises(InputInvalid, match="no account 'shop'"):
        await house.told(StreamQuestion(accounts=["shop"]), account_id=BANK)


async def test_the_accounts_key_is_for_admins(house: House) -> None:
    content = json.dumps({"messageId": "m-1", "status": {"name": "Sent"}, "callback": {"url": URL}}).encode()
    await house.keep(status("m-1", account_id=3, body=content))
    place = await house.stream.start(NOW - timedelta(days=1))

    (masked,) = callbacks(await house.read(place, keys_shown=False))
    (whole,) = callbacks(await house.read(place, keys_shown=True))

    assert "the-key-of-shop" not in masked.model_dump_json()
    assert (masked.body_masked, whole.body_masked, whole.body) == (True, False, content.decode())


async def test_refused_ones_come_only_where_they_are_asked_for(house: House) -> None:
    place = await house.stream.start(NOW - timedelta(days=1))
    refused = Refused(
        account_id=SHOP,
        reason="signature_mismatch",
        detail="No match.",
        received_at=NOW - timedelta(seconds=30),
        method="POST",
        url=URL,
        headers=b"",
        body=b"MessageUUID=forged&Status=delivered",
        body_bytes=70_000,
    )
    async with connect.pool(house.database, connections_max=1) as pool:
        await refusals.keep(pool, [refused, refused._replace(received_at=datetime.now(UTC))])
    await house.keep(status("genuine"))

    assert ids(await house.read(place)) == ["genuine"]
    (steps_of_refused,) = await house.read(place, StreamQuestion(wanted=Wanted.REFUSED))
    streamed = steps_of_refused.callback
    assert streamed is not None
    assert (streamed.verdict, streamed.reason, streamed.told) == ("refused", "signature_mismatch", [])
    assert streamed.body_truncated
    both = await house.read(place, StreamQuestion(wanted=Wanted.ALL))
    assert [each.verdict for each in callbacks(both)] == ["accepted", "refused"], "that of this moment is still to come"
    assert await house.read(both[-1].place, StreamQuestion(wanted=Wanted.ALL)) == []


async def test_much_comes_in_bounded_steps(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BODIES_BYTES_MAX", 300)
    monkeypatch.setattr(streaming, "LOADED_MAX", 4)
    names = [f"m-{number}" for number in range(11)]
    await house.keep(
        *(status(name, body=f"MessageUUID={name}&Status=sent&x={'x' * 200}".encode()) for name in names[:5])
    )
    await house.keep(*(status(name, body=f"MessageUUID={name}&Status=sent".encode()) for name in names[5:]))

    assert await house.told() == names


@pytest.mark.parametrize(
    "place", ["", "x", "é", "WzEsMiwzXQ", "WzEsMiwzLC00XQ", "e30", "WzEsMiwzLDk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"]
)
async def test_a_place_that_is_none_of_ours_is_refused(house: House, place: str) -> None:
    with pytest.raises(InputInvalid, match="no place in our stream"):
        await house.read(place)


async def test_a_place_of_another_database_is_refused(house: House) -> None:
    ahead = streaming.read(await house.stream.start(None))._replace(xid=10**12)

    with pytest.raises(InputInvalid, match="another database"):
        await house.read(streaming.written(ahead))


# --- over HTTP: who gets one, and what ends it -------------------------------------------------------------------


async def test_errors_are_answers_and_there_is_an_end_to_streams(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def key_of() -> ApiKey:
        return ApiKey(id=1, name="k", hint="", scope=Scope.READ, account_id=None, created_at=NOW)

    api = FastAPI()
    api.include_router(over_http.router(house.stream, asyncio.Event(), key_of))
    problems.install(api)
    assert over_http.MEDIA_TYPE in str(api.openapi()["paths"]["/v1/callbacks/stream"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://test") as client:
        ask = partial(client.get, "/v1/callbacks/stream")
        answers = [
            await ask(headers={"Last-Event-ID": "x"}),
            await ask(params={"account": "nobody"}),
            await ask(params={"kind": "nothing"}),
            await ask(params={"since": "never"}),
        ]
        monkeypatch.setattr(over_http, "STREAMS_MAX", 0)
        crowded = await ask()

    assert [answer.status_code for answer in answers] == [422] * 4
    assert (crowded.status_code, crowded.json()["code"]) == (503, "overloaded")
    assert int(crowded.headers["retry-after"]) > 0


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b": x\n\n"
        await asyncio.sleep(0.001)


class Reader:
    """The other end of a stream. `is_slow`: takes the head, and no event."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.is_slow = is_slow
        self.sent: list[dict[str, Any]] = []
        self.has_begun, self.is_gone = asyncio.Event(), asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.has_begun.set()
            if self.is_slow:
                await asyncio.Event().wait()
        self.sent.append(message)

    async def receive(self) -> Any:
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def read(self, stopping: asyncio.Event, among: set[object]) -> None:
        async with asyncio.timeout(10):
            await EventStream(endless(), stopping, among)({"type": "http"}, self.receive, self.send)


async def test_a_stream_ends_properly_when_the_process_is_to_stop() -> None:
    reader, stopping, among = Reader(), asyncio.Event(), set[object]()
    task = asyncio.create_task(reader.read(stopping, among))
    await reader.has_begun.wait()
    assert len(among) == 1

    stopping.set()
    await task

    assert reader.sent[0]["status"] == 200
    assert reader.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert among == set()


async def test_a_stream_ends_when_its_reader_is_gone() -> None:
    reader = Reader()
    reader.is_gone.set()

    await reader.read(asyncio.Event(), set())


async def test_a_slow_reader_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "SEND_S_MAX", 0.05)

    await Reader(is_slow=True).read(asyncio.Event(), set())


async def test_a_stream_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "STREAM_S_MAX", 0.05)

    await Reader().read(asyncio.Event(), set())
