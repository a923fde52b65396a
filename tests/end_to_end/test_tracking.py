"""From the journal to rows and counters, with a real PostgreSQL: whatever the order, counted once."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from landed.domain.callbacks import CallbackRequest
from landed.domain.receipts import AnyReceipt, PartOf, Receipt
from landed.domain.statuses import Status
from landed.journal.base import Accepted, Batch, Journal
from landed.journal.postgres import PostgresJournal
from landed.providers.base import Provider
from landed.providers.plivo.provider import Plivo
from landed.services.tracking import Tracker
from landed.store import callback_queries, connect, lanes, partitions
from landed.store.messages import facts_from_json
from tests.databases import until_nothing_hides
from tests.recount import recount

pytestmark = pytest.mark.anyio

#: Today, so that minutes are counted too; a fixed time of day, so that a message's hour does not depend on ours.
NOON = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LANES = 4
LEASE_S = 60.0

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def callback(
    account_id: int, number: int = 0, *, after_s: float = 0, nonce: str | None = None, **fields: str
) -> Accepted:
    """A Plivo callback with these form fields, verified by V2 where it has a nonce, else by V3."""
    body = urlencode({"MessageUUID": "m1", "From": "14155550100", "To": "447700900123", **fields}).encode()
    return raw_callback(account_id, body, number, after_s=after_s, nonce=nonce)


def raw_callback(
    account_id: int, body: bytes, number: int = 0, *, after_s: float = 0, nonce: str | None = None, **fields: Any
) -> Accepted:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-number": str(number)}
    if body.startswith(b"{"):
        headers["content-type"] = "application/json"
    if nonce is not None:
        headers["x-plivo-signature-v2-nonce"] = nonce
    given: dict[str, Any] = {
        "received_at": NOON + timedelta(seconds=after_s),
        "account_id": account_id,
        "method": "POST",
        "url": "https://hooks.example.com/callbacks/k",
        "kind": None,
        "our_id": None,
        "headers": "".join(f"{name}: {value}\n" for name, value in headers.items()).encode(),
        "body": body,
        "verified_by": "x-plivo-signature-v2" if nonce is not None else "x-plivo-signature-v3",
    }
    return Accepted(**{**given, **fields})


@dataclass
class Desk:
    """A database with a journal, accounts, and as many trackers as a test asks for."""

    database: str
    journal: PostgresJournal
    connection: AsyncConnection[Any]
    provider: Provider = field(default_factory=Plivo)
    pools: list[Pool] = field(default_factory=list)

    async def account(self) -> int:
        cursor = await self.connection.execute(
            "INSERT INTO accounts (name, provider, provider_account_id, policy)"
            " SELECT 'a' || count(*), 'plivo', 'MA', 'v3-preferred' FROM accounts RETURNING id"
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def tracker(
        self, name: str = "one", *, journal: Journal | None = None, batch_max: int = 5_000, now: datetime | None = None
    ) -> Tracker:
        """With connections of its own, as a process has."""
        pool = connect.pool(self.database, connections_max=4)
        await pool.open(wait=True)
        self.pools.append(pool)
        return Tracker(
            name=name,
            journal=journal or self.journal,
            pool=pool,
            provider_of=lambda account_id: self.provider if account_id < 1_000_000 else None,
            clock=lambda: now or datetime.now(UTC),
            batch_max=batch_max,
        )

    async def team(self, trackers: int, batch_max: int) -> list[Tracker]:
        """Trackers that each hold their share of the lanes."""
        team = [await self.tracker(f"t{number}", batch_max=batch_max) for number in range(trackers)]
        await lanes.make(self.pools[-1], LANES)
        for _ in range(trackers):
            for number in range(trackers):
                await lanes.lease(self.pools[-1], f"t{number}", LEASE_S)
        return team

    async def append(self, *callbacks: Accepted) -> None:
        """Append them as one batch, which any tracker sees afterwards."""
        await self.journal.append(callbacks)
        await until_nothing_hides(self.connection)

    async def track(self, *callbacks: Accepted) -> None:
        """Append them as one batch, and track them with a tracker that then goes home."""
        if callbacks:
            await self.append(*callbacks)
        tracker = await self.tracker()
        await tracker.drain(range(LANES))
        await tracker.stop()

    async def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def message(self, account_id: int, provider_message_id: str = "m1") -> dict[str, Any]:
        query = "SELECT * FROM messages WHERE account_id = %s AND provider_message_id = %s"
        (row,) = await self.rows(query, account_id, provider_message_id)
        return row

    async def messages(self, account_id: int) -> list[dict[str, Any]]:
        """All that is known of an account's messages, but for what names the account or the moment of writing.
        Callbacks are given by the number in their headers, so that copies count as one."""
        numbers = {
            row["id"]: int(row["headers"].decode().partition("x-number: ")[2].split("\n")[0])
            for row in await self.rows("SELECT id, headers FROM callbacks WHERE account_id = %s", account_id)
        }
        found = await self.rows("SELECT * FROM messages WHERE account_id = %s ORDER BY provider_message_id", account_id)
        for row in found:
            facts = facts_from_json(row["provider_message_id"], json.loads(row["facts"]))
            row["facts"] = {
                receipt: (heard.received_at, {numbers[callback_id] for callback_id in heard.callback_ids})
                for receipt, heard in facts.items()
            }
            for name in ("id", "account_id", "dimension_ids", "created_at", "updated_at"):
                del row[name]
        return found

    async def counters(self, account_id: int) -> dict[str, list[dict[str, Any]]]:
        """The counters of an account that are not zero."""
        key = "bucket_at, grain, direction, channel, country, mcc, mnc, sender, status, error_code, currency, tag"
        where = "JOIN dimensions ON dimensions.id = dimension_id WHERE account_id = %s"
        found = {}
        for resolution in ("minute", "hour", "day"):
            found[f"counters_{resolution}"] = await self.rows(
                f"SELECT {key}, messages, parts, units, cost_nanos FROM counters_{resolution} {where}"
                f"   AND (messages, parts, units, cost_nanos) <> (0, 0, 0, 0) ORDER BY {key}",
                account_id,
            )
            found[f"latencies_{resolution}"] = await self.rows(
                f"SELECT {key}, histogram FROM latencies_{resolution} {where} AND histogram <> '' ORDER BY {key}",
                account_id,
            )
        return found

    async def state(self, account_id: int) -> dict[str, Any]:
        """Everything that must not depend on order, repeats, batches or workers."""
        words = "SELECT provider_status, facts FROM unknown_statuses WHERE account_id = %s ORDER BY provider_status"
        return {
            "messages": await self.messages(account_id),
            "unknown_statuses": await self.rows(words, account_id),
            **await self.counters(account_id),
        }

    async def set_aside(self) -> list[str]:
        """The reasons, in the order of the callbacks."""
        return [row["reason"] for row in await self.rows("SELECT reason FROM set_aside ORDER BY callback_id")]

    async def everything(self) -> dict[str, Any]:
        """All rows that tracking writes, as they stand."""
        tables = ["messages", "set_aside", "unknown_statuses", "lanes"]
        for resolution in ("minute", "hour", "day"):
            tables += [f"counters_{resolution}", f"latencies_{resolution}"]
        return {name: await self.rows(f"SELECT * FROM {name} ORDER BY {name}") for name in tables}


@asynccontextmanager
async def desk_on(database: str) -> AsyncIterator[Desk]:
    journal = PostgresJournal(database, lanes=LANES)
    await journal.open()
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        desk = Desk(database, journal, connection)
        yield desk
        for pool in desk.pools:
            await pool.close()
        await journal.close()


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with desk_on(database) as desk:
        yield desk


@pytest.fixture
async def account(desk: Desk) -> int:
    return await desk.account()


# --- whatever the order --------------------------------------------------------------------------------------------


def traffic(seed: int, account_id: int) -> list[Accepted]:
    """Some hundred callbacks about fifty messages: whole and in parts, contradictory, strange, of broken clocks."""
    chance = random.Random(seed)
    numbers = count()
    callbacks = []
    for message in range(50):
        parts = chance.choice([1, 1, 1, 2, 3])
        common = {
            "From": chance.choice(["14155550100", "ACME", "12345", ""]),
            "To": chance.choice(["447700900123", "14155550123", "4915112345678"]),
            "MCC": chance.choice(["", "310", "234"]),
            "MNC": chance.choice(["", "260", "015"]),
            "Type": chance.choice(["sms", "mms", "whatsapp"]),
        }
        submitted = NOON + timedelta(seconds=chance.randrange(7200), milliseconds=chance.randrange(1000))
        for _ in range(chance.randint(1, 7)):
            word = chance.choice(
                [
                    "queued",
                    "sent",
                    "sent",
                    "delivered",
                    "delivered",
                    "undelivered",
                    "failed",
                    "read",
                    "bounced",
                    "Teleported\t\\",
                ]
            )
            part = chance.randint(1, parts)
            fields = {
                **common,
                "Status": word,
                "MessageUUID": f"m{message}" if parts == 1 else f"m{message}-{part}",
                "ParentMessageUUID": f"m{message}",
                "PartInfo": f"{part} of {parts}",
                "ErrorCode": chance.choice(["", "", "000", "30", "450", "odd\\code"]),
                "Units": chance.choice(["", "1", "2"]),
                "TotalAmount": chance.choice(["", "0.00550", "0.01100"]),
                "Sequence": chance.choice(["", "1", "2", "3"]),
                "MessageTime": chance.choice(["", f"{submitted:%Y-%m-%d %H:%M:%S.%f}", "1970-01-01 00:00:00"]),
                "SentTime": chance.choice(["", f"{submitted + timedelta(seconds=1):%Y-%m-%d %H:%M:%S.%f}"]),
                "DeliveryReportTime": chance.choice(
                    ["", f"{submitted + timedelta(seconds=chance.randint(2, 900)):%Y-%m-%d %H:%M:%S.%f}"]
                ),
                "tenant": chance.choice(["", 'a"b\\c\t{d}\r\n', "é😀"]),
            }
            callbacks.append(callback(account_id, next(numbers), after_s=chance.randint(0, 3 * 3600), **fields))
    return callbacks


def on_account(callbacks: Iterable[Accepted], account_id: int) -> list[Accepted]:
    return [each._replace(account_id=account_id) for each in callbacks]


def disturbed(seed: int, callbacks: Sequence[Accepted]) -> list[list[Accepted]]:
    """The same in another order, some of them again and later, in batches of any size."""
    chance = random.Random(seed)
    copies = [
        each._replace(received_at=each.received_at + timedelta(minutes=5)) for each in chance.choices(callbacks, k=60)
    ]
    mixed = [*callbacks, *copies]
    chance.shuffle(mixed)
    batches = []
    while mixed:
        size = chance.choice([1, 5, 40, 200])
        batches.append(mixed[:size])
        mixed = mixed[size:]
    return batches


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_repetition_and_batching_over_any_number_of_trackers_ends_in_the_same_state(
    desk: Desk, seed: int
) -> None:
    straight = await desk.account()
    callbacks = traffic(seed, straight)
    await desk.track(*callbacks)
    expected = await desk.state(straight)
    assert len(expected["messages"]) == 50

    for batch_max, trackers in ((5_000, 1), (7, 1), (60, 2), (5_000, 2), (3, 3)):
        crooked = await desk.account()
        await track_together(desk, disturbed(seed + batch_max, on_account(callbacks, crooked)), trackers, batch_max)

        assert await desk.state(crooked) == expected
    assert await recount(desk.connection) == []
    assert await desk.set_aside() == []


async def track_together(desk: Desk, batches: Sequence[Sequence[Accepted]], trackers: int, batch_max: int) -> None:
    """Append the batches in two halves, and after each let all trackers track at once, each its share of the lanes."""
    team = await desk.team(trackers, batch_max)
    for half in (batches[: len(batches) // 2], batches[len(batches) // 2 :]):
        for batch in half:
            await desk.append(*batch)
        tracked = await asyncio.gather(*(tracker.drain(range(LANES)) for tracker in team))
        assert sum(tracked) == sum(map(len, half))
    for tracker in team:
        await tracker.stop()


async def test_tracking_while_callbacks_still_come_misses_none(desk: Desk) -> None:
    straight, live = await desk.account(), await desk.account()
    callbacks = traffic(7, straight)
    await desk.track(*callbacks)
    team = [await desk.tracker(f"t{number}", batch_max=20) for number in range(2)]
    running = [asyncio.create_task(tracker.run()) for tracker in team]
    for batch in disturbed(7, on_account(callbacks, live)):
        await desk.journal.append(batch)
    await until(lambda: nothing_waits(desk))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert await desk.state(live) == await desk.state(straight)
    assert await recount(desk.connection) == []


async def nothing_waits(desk: Desk) -> bool:
    positions = {row["lane"]: row["position"] for row in await desk.rows("SELECT lane, position FROM lanes")}
    behind = [(await desk.journal.backlog(lane, position)).rows for lane, position in positions.items()]
    return not any(behind)


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Ask again and again until it holds; fail after that time."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  the database sets no Event
            await asyncio.sleep(0.02)


async def test_two_trackers_that_contradict_each_other_on_the_same_messages_both_count(
    desk: Desk, account: int
) -> None:
    for word in ("delivered", "undelivered", "sent", "failed"):  # one batch each, so one lane each
        await desk.append(*(callback(account, Status=word, MessageUUID=f"m{number}") for number in range(200)))
    team = await desk.team(2, batch_max=50)
    assert await asyncio.gather(*(tracker.drain(range(LANES)) for tracker in team)) == [400, 400]

    rows = await desk.messages(account)
    assert {(row["status"], row["contradictory"], row["facts_count"]) for row in rows} == {("delivered", True, 4)}
    assert await recount(desk.connection) == []


async def test_a_tracker_whose_transaction_is_chosen_to_end_a_deadlock_tries_again(desk: Desk, account: int) -> None:
    await desk.track(*(callback(account, Status="sent", MessageUUID=name) for name in ("a", "b")))
    await desk.append(*(callback(account, Status="delivered", MessageUUID=name) for name in ("a", "b")))
    tracker = await desk.tracker("two")
    hold = "SELECT 1 FROM messages WHERE provider_message_id = %s FOR UPDATE"
    async with await AsyncConnection.connect(desk.database, autocommit=True) as other, other.transaction():
        await other.execute(hold, ["b"])
        draining = asyncio.create_task(tracker.drain(range(LANES)))
        await until(lambda: somebody_waits_for_a_lock(desk))
        await other.execute(hold, ["a"])  # the tracker has a and waits for b: whoever waited first is ended
    await draining

    assert {row["status"] for row in await desk.messages(account)} == {"delivered"}
    assert await recount(desk.connection) == []


async def somebody_waits_for_a_lock(desk: Desk) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await desk.rows(waiting))


# --- poison --------------------------------------------------------------------------------------------------------

POISON = [
    pytest.param(b"", "callback_not_understood", id="empty"),
    pytest.param(b"hello", "callback_not_understood", id="no fields"),
    pytest.param(b"MessageUUID=m2", "callback_not_understood", id="no status"),
    pytest.param(b"Status=sent&MessageUUID=%zz", "callback_malformed", id="broken escape"),
    pytest.param(b"Status=sent&MessageUUID=%00", "callback_malformed", id="NUL"),
    pytest.param(b"Status=sent&MessageUUID=%ff", "callback_malformed", id="not UTF-8"),
    pytest.param(b"Status=sent&MessageUUID=" + b"x" * 300, "callback_not_understood", id="gigantic id"),
    pytest.param(b"{", "callback_malformed", id="half a JSON"),
    pytest.param(b'{"Status": "sent", "MessageUUID": "a\\u0000b"}', "callback_malformed", id="NUL in JSON"),
    pytest.param(b'{"Status": "sent", "MessageUUID": "m2", "From": "\\u0000"}', "callback_malformed", id="NUL sender"),
    pytest.param(
        b'{"Status": "sent", "MessageUUID": "m2", "x": "\\ud800"}', "callback_malformed", id="half a character"
    ),
    pytest.param(b'{"Status": "sent", "MessageUUID": "\\ud800"}', "callback_malformed", id="half a character as id"),
]


@pytest.mark.parametrize(("body", "reason"), POISON)
async def test_poison_is_set_aside_with_the_reason_and_the_rest_goes_on(
    desk: Desk, account: int, body: bytes, reason: str
) -> None:
    for lane in range(LANES):  # in every lane something good before and behind it
        good = [callback(account, Status="delivered", MessageUUID=f"good{lane}{number}") for number in range(20)]
        await desk.append(*good[:10], *([raw_callback(account, body)] if lane == 1 else []), *good[10:])
    async with asyncio.timeout(10):
        await desk.track()

    assert await desk.set_aside() == [reason]
    assert {row["provider_message_id"][:4] for row in await desk.messages(account)} == {"good"}
    assert len(await desk.messages(account)) == 20 * LANES
    assert await recount(desk.connection) == []
    assert await nothing_waits(desk)


class Odd(Plivo):
    """A provider that says of a message with an odd id something that nobody can keep."""

    def __init__(self, odd: Callable[[Receipt], list[Receipt]]) -> None:
        self.odd = odd

    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        (receipt,) = super().parse(request)
        assert isinstance(receipt, Receipt)
        return [*self.odd(receipt)] if receipt.provider_message_id == "odd" else [receipt]


def fails(_: Receipt) -> list[Receipt]:
    raise RuntimeError("a mistake of the provider's file")


REFUSED_BY_THE_DATABASE = {
    "units over an integer": lambda receipt: [receipt._replace(units=2**40)],
    "units over 64 bits": lambda receipt: [receipt._replace(units=2**70)],
    "cost over 64 bits": lambda receipt: [receipt._replace(cost_nanos=2**63)],
    "NUL in an error code": lambda receipt: [receipt._replace(error_code="\0")],
    "NUL in a word nobody knows": lambda receipt: [receipt._replace(provider_status="\0", status=None)],
    "an id too long for an index": lambda receipt: [
        receipt._replace(provider_message_id=random.Random(1).randbytes(9000).hex())
    ],
    "a sender too long for an index": lambda receipt: [receipt._replace(sender=random.Random(1).randbytes(9000).hex())],
    "a part of a trillion": lambda receipt: [receipt._replace(part=PartOf("p", 1, 2**40))],
    "a number where text belongs": lambda receipt: [receipt._replace(error_code=7)],
    "no receipt at all": lambda receipt: [None],
    "an error while parsing": fails,
}


#: Signs that mean something to a way of writing rows down, and in what order they come.
SIGNS = "null\n\\.\n\"\\n\t\r\b\f\v\x01\x7f\u2028é👍,{}[['\\u0041\\"


@pytest.mark.parametrize("column", ["sender", "provider_status", "error_code"])
async def test_any_text_is_kept_as_it_is(desk: Desk, account: int, column: str) -> None:
    odd: dict[str, Any] = {column: SIGNS, "extra": (("note", SIGNS),)}
    desk.provider = Odd(lambda receipt: [receipt._replace(**odd)])

    first = callback(account, 1, MessageUUID="odd", Status="sent")
    again = callback(account, 2, MessageUUID="odd", Status="sent", after_s=60)

    await desk.track(first)
    await desk.track(again)  # found as the same fact again

    message = await desk.message(account, "odd")
    assert message[column] == SIGNS
    ((receipt, heard),) = facts_from_json("odd", json.loads(message["facts"])).items()
    assert (getattr(receipt, column), receipt.extra) == (SIGNS, (("note", SIGNS),))
    assert len(heard.callback_ids) == 2


@pytest.mark.parametrize("odd", REFUSED_BY_THE_DATABASE.values(), ids=REFUSED_BY_THE_DATABASE)
async def test_what_the_database_refuses_is_set_aside_and_the_rest_goes_on(
    desk: Desk, account: int, odd: Callable[[Receipt], list[Receipt]]
) -> None:
    desk.provider = Odd(odd)
    for lane in range(LANES):
        good = [callback(account, Status="delivered", MessageUUID=f"good{lane}{number}") for number in range(10)]
        await desk.append(*good, *([callback(account, Status="sent", MessageUUID="odd")] if lane == 2 else []))
    async with asyncio.timeout(10):
        await desk.track()

    assert await desk.set_aside() == ["callback_not_trackable"]
    assert len(await desk.messages(account)) == 10 * LANES
    assert await recount(desk.connection) == []
    assert await nothing_waits(desk)


async def test_several_poisons_side_by_side_are_each_set_aside(desk: Desk, account: int) -> None:
    desk.provider = Odd(lambda receipt: [receipt._replace(units=2**40)])
    odd = callback(account, Status="sent", MessageUUID="odd")
    await desk.append(*[odd] * 5, callback(account, Status="sent"), *[odd] * 5)
    await desk.track()

    assert await desk.set_aside() == ["callback_not_trackable"] * 10
    assert (await desk.message(account))["status"] == "sent"


async def test_a_fact_that_overflows_a_sum_is_set_aside_and_what_was_known_stands(desk: Desk, account: int) -> None:
    desk.provider = Odd(lambda receipt: [receipt._replace(units=999_999_999)])
    for part in range(1, 4):
        info = f"{part} of 3"
        await desk.track(
            callback(account, Status="sent", MessageUUID=f"p{part}", ParentMessageUUID="odd", PartInfo=info)
        )

    assert await desk.set_aside() == ["callback_not_trackable"]
    assert (await desk.message(account, "odd"))["units"] == 2 * 999_999_999
    assert await recount(desk.connection) == []


async def test_a_callback_of_an_account_that_is_gone_is_set_aside(desk: Desk) -> None:
    await desk.track(callback(1_000_000, Status="sent"))

    assert await desk.set_aside() == ["account_unknown"]


async def test_an_account_that_was_removed_from_the_database_is_no_trouble_for_others(desk: Desk, account: int) -> None:
    await desk.track(callback(account + 1, Status="sent"), callback(account, Status="sent"))

    assert await desk.set_aside() == ["callback_not_trackable"]
    assert (await desk.message(account))["status"] == "sent"


async def test_words_without_a_mapping_are_counted_once_for_each_fact(desk: Desk, account: int) -> None:
    strange = [callback(account, MessageUUID=f"m{number}", Status="teleported") for number in range(3)]
    await desk.track(*strange, *strange)
    await desk.track(*strange, callback(account, MessageUUID="m9", Status="Teleported"))

    words = await desk.rows("SELECT account_id, provider_status, facts FROM unknown_statuses ORDER BY provider_status")
    assert [tuple(word.values()) for word in words] == [(account, "Teleported", 1), (account, "teleported", 3)]
    assert {row["status"] for row in await desk.messages(account)} == {"queued"}


# --- counters ------------------------------------------------------------------------------------------------------


async def test_a_message_with_tags_is_counted_once_for_each_and_moves_with_them(desk: Desk, account: int) -> None:
    await desk.track(callback(account, Status="sent", TotalAmount="0.0055"))
    await desk.connection.execute("UPDATE messages SET tags = '{spring,otp}'")
    await desk.track(callback(account, Status="delivered", TotalAmount="0.0055"))

    counted = (await desk.counters(account))["counters_day"]
    assert {(row["tag"], row["status"], row["messages"]) for row in counted} == {
        ("", "delivered", 1), ("otp", "delivered", 1), ("spring", "delivered", 1),
    }  # fmt: skip
    assert await recount(desk.connection) == []


async def test_a_message_older_than_the_minutes_kept_is_counted_by_the_hour_and_day(desk: Desk, account: int) -> None:
    week_ago = f"{NOON - timedelta(days=7):%Y-%m-%d %H:%M:%S}"
    await desk.track(callback(account, Status="sent", MessageTime=week_ago))
    await desk.track(callback(account, Status="delivered", MessageTime=week_ago))

    counted = await desk.counters(account)
    assert counted["counters_minute"] == []
    assert {row["status"] for row in counted["counters_hour"] + counted["counters_day"]} == {"delivered"}
    assert await recount(desk.connection) == []


async def test_an_event_is_written_for_each_step_and_for_no_repetition(desk: Desk, account: int) -> None:
    for word in ("queued", "sent", "sent", "delivered", "sent", "delivered"):
        await desk.track(callback(account, Status=word))

    told = await desk.rows("SELECT type, subject_id FROM events ORDER BY xid, id")
    assert [event["type"] for event in told] == ["message.queued", "message.sent", "message.delivered"]
    assert {event["subject_id"] for event in told} == {str((await desk.message(account))["id"])}


# --- replay --------------------------------------------------------------------------------------------------------


async def replay(desk: Desk, since: datetime = NOON - timedelta(days=400)) -> int:
    """All callbacks received since then, as `landed callbacks replay` does. How many are set aside."""
    tracker = await desk.tracker("replay")
    callbacks = await callback_queries.between(desk.pools[-1], since, NOON + timedelta(days=2), 0, 5_000)
    return await tracker.replay(callbacks)


async def test_replaying_any_range_changes_nothing_that_was_counted(desk: Desk, account: int) -> None:
    await desk.track(*traffic(11, account))
    before = await desk.everything()
    events = await desk.rows("SELECT count(*) FROM events")

    assert await replay(desk) == 0
    assert await replay(desk, NOON + timedelta(hours=1)) == 0

    assert await desk.everything() == before
    assert await desk.rows("SELECT count(*) FROM events") == events


async def test_a_replay_ahead_of_the_tracker_is_not_counted_again_by_it(desk: Desk, account: int) -> None:
    await desk.append(*traffic(12, account))
    await replay(desk)
    before = await desk.state(account)
    await desk.track()

    assert await desk.state(account) == before
    assert await recount(desk.connection) == []


async def test_a_callback_that_can_be_parsed_after_all_is_not_set_aside_any_more(desk: Desk, account: int) -> None:
    desk.provider = Odd(fails)
    await desk.track(callback(account, Status="sent", MessageUUID="odd"))
    assert await desk.set_aside() == ["callback_not_trackable"]
    desk.provider = Plivo()

    assert await replay(desk) == 0

    assert await desk.set_aside() == []
    assert (await desk.message(account, "odd"))["status"] == "sent"
    assert await recount(desk.connection) == []


async def test_a_replay_with_poison_in_it_sets_that_aside_and_tracks_the_rest(desk: Desk, account: int) -> None:
    desk.provider = Odd(lambda receipt: [receipt._replace(units=2**40)])
    good = [callback(account, Status="sent", MessageUUID=f"m{number}") for number in range(10)]
    await desk.append(
        *good[:5], callback(account, Status="sent", MessageUUID="odd"), raw_callback(account, b"x"), *good[5:]
    )

    assert await replay(desk) == 2

    assert sorted(await desk.set_aside()) == ["callback_not_trackable", "callback_not_understood"]
    assert len(await desk.messages(account)) == 10
    assert await recount(desk.connection) == []


async def test_a_replay_beside_a_running_tracker_counts_nothing_twice(desk: Desk, account: int) -> None:
    await desk.append(*traffic(13, account))
    tracker = await desk.tracker("one", batch_max=10)
    await asyncio.gather(tracker.drain(range(LANES)), replay(desk), replay(desk))

    assert await recount(desk.connection) == []
    assert len(await desk.messages(account)) == 50


# --- the ledger of nonces ------------------------------------------------------------------------------------------


async def test_the_same_nonce_with_the_same_content_is_a_retry(desk: Desk, account: int) -> None:
    once = callback(account, Status="sent", nonce="n1")
    await desk.track(once, once)
    await desk.track(once._replace(received_at=once.received_at + timedelta(hours=1)))

    assert await desk.set_aside() == []
    assert (await desk.message(account))["status"] == "sent"


@pytest.mark.parametrize("batches", ["one batch", "two batches", "one lane each"])
async def test_a_nonce_with_other_content_is_a_forgery_and_changes_no_state(
    desk: Desk, account: int, batches: str
) -> None:
    first, forged = callback(account, Status="sent", nonce="n1"), callback(account, Status="delivered", nonce="n1")
    if batches == "one batch":
        await desk.track(first, forged)
    elif batches == "two batches":
        await desk.track(first)
        await desk.track(forged)
    else:
        await desk.append(first)
        await desk.append(forged)
        await desk.track()

    assert await desk.set_aside() == ["nonce_reused"]
    message = await desk.message(account)
    assert (message["status"], message["facts_count"]) == ("sent", 1)
    assert await recount(desk.connection) == []


@pytest.mark.parametrize("days_between", [1, 6, 7, 13])
async def test_a_nonce_is_remembered_across_weeks(desk: Desk, account: int, days_between: int) -> None:
    earlier = NOON - timedelta(days=days_between)
    for day in (earlier, NOON):
        await partitions.make(desk.connection, day.date())
    await desk.track(callback(account, Status="sent", nonce="n1")._replace(received_at=earlier))
    await desk.track(callback(account, Status="delivered", nonce="n1"))

    assert await desk.set_aside() == ["nonce_reused"]
    assert (await desk.message(account))["status"] == "sent"


async def test_a_nonce_of_two_weeks_in_one_batch_is_told_apart(desk: Desk, account: int) -> None:
    earlier = NOON - timedelta(days=7)
    await partitions.make(desk.connection, earlier.date())
    first = callback(account, Status="sent", nonce="n1")._replace(received_at=earlier)
    await desk.track(first, callback(account, Status="delivered", nonce="n1"))

    assert await desk.set_aside() == ["nonce_reused"]
    assert (await desk.message(account))["status"] == "sent"


async def test_a_query_that_was_changed_is_other_content(desk: Desk, account: int) -> None:
    url = "https://hooks.example.com/callbacks/k?MessageUUID=m1&Status="
    first = raw_callback(account, b"", nonce="n1", method="GET", url=url + "sent")
    await desk.track(first, first._replace(url=url + "delivered"))

    assert await desk.set_aside() == ["nonce_reused"]
    assert (await desk.message(account))["status"] == "sent"


async def test_a_nonce_of_another_account_or_of_a_signature_over_the_body_is_no_concern(
    desk: Desk, account: int
) -> None:
    other = await desk.account()
    await desk.track(
        callback(account, Status="sent", nonce="n1"),
        callback(other, Status="delivered", nonce="n1"),
        callback(account, Status="delivered", nonce="n1")._replace(verified_by="x-plivo-signature-v3"),
    )

    assert await desk.set_aside() == []
    assert (await desk.message(account))["status"] == (await desk.message(other))["status"] == "delivered"


async def test_leaving_out_the_signature_over_the_body_does_not_get_a_forgery_in(desk: Desk, account: int) -> None:
    both = "x-plivo-signature-v2,x-plivo-signature-v3"
    await desk.track(callback(account, Status="sent", nonce="n1")._replace(verified_by=both))
    await desk.track(callback(account, Status="delivered", nonce="n1"))

    assert await desk.set_aside() == ["nonce_reused"]
    assert (await desk.message(account))["status"] == "sent"


async def test_a_forgery_stays_set_aside_when_it_is_replayed(desk: Desk, account: int) -> None:
    await desk.track(callback(account, Status="sent", nonce="n1"), callback(account, Status="delivered", nonce="n1"))
    before = await desk.everything()

    assert await replay(desk) == 1
    assert await desk.everything() == before


async def test_callbacks_older_than_the_ledger_are_tracked_and_replayed_all_the_same(desk: Desk, account: int) -> None:
    long_ago = NOON - timedelta(days=60)
    await partitions.make(desk.connection, long_ago.date())
    await partitions.drop_old(desk.connection, NOON.date(), retention_days=90)  # the ledger keeps two weeks
    await desk.track(callback(account, Status="sent", nonce="n1")._replace(received_at=long_ago))

    assert await desk.set_aside() == []
    assert await replay(desk) == 0
    assert (await desk.message(account))["status"] == "sent"


async def test_a_forgery_older_than_the_ledger_stays_set_aside_when_it_is_replayed(desk: Desk, account: int) -> None:
    long_ago = NOON - timedelta(days=60)
    await partitions.make(desk.connection, long_ago.date())
    first = callback(account, Status="sent", nonce="n1")._replace(received_at=long_ago)
    await desk.append(first, first._replace(body=first.body.replace(b"sent", b"delivered")))
    await (await desk.tracker(now=long_ago)).drain(range(LANES))
    assert await desk.set_aside() == ["nonce_reused"]
    await partitions.drop_old(desk.connection, NOON.date(), retention_days=90)

    assert await replay(desk) == 1

    assert await desk.set_aside() == ["nonce_reused"]
    assert (await desk.message(account))["status"] == "sent"


# --- leases --------------------------------------------------------------------------------------------------------


class Interrupting:
    """A journal that lets something happen right after its first read."""

    def __init__(self, journal: Journal, interrupt: Callable[[], Awaitable[Any]]) -> None:
        self.lanes = journal.lanes
        self._journal = journal
        self._interrupts = iter([interrupt])

    async def read(self, lane: int, after: str, limit: int) -> Batch:
        batch = await self._journal.read(lane, after, limit)
        for interrupt in self._interrupts:
            await interrupt()
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


EXPIRE = (
    "UPDATE lanes SET leased_until = now() - interval '1 second'",
    "UPDATE trackers SET alive_until = now() - interval '1 second'",
)


async def expire_leases(desk: Desk) -> None:
    """As if the trackers that hold them had been silent for long enough."""
    for statement in EXPIRE:
        await desk.connection.execute(statement)


async def test_a_tracker_that_lost_its_lease_while_it_was_parsing_writes_nothing(desk: Desk, account: int) -> None:
    await desk.append(*(callback(account, Status="sent", MessageUUID=f"m{number}") for number in range(20)))
    successor = await desk.tracker("successor")

    async def take_over() -> None:
        await expire_leases(desk)
        assert await successor.drain(range(LANES)) == 20

    slow = await desk.tracker("slow", journal=Interrupting(desk.journal, take_over))
    before = len(desk.pools)

    assert await slow.drain(range(LANES)) == 0
    assert slow.tally.changed == 0
    assert len(desk.pools) == before
    assert {row["facts_count"] for row in await desk.messages(account)} == {1}
    assert await recount(desk.connection) == []


async def test_a_tracker_whose_lane_was_moved_on_by_another_takes_it_from_there(desk: Desk, account: int) -> None:
    await desk.append(*(callback(account, Status="sent", MessageUUID=f"m{number}") for number in range(20)))
    quick = await desk.tracker("one", batch_max=5)

    slow = await desk.tracker("one", journal=Interrupting(desk.journal, lambda: quick.drain(range(LANES))))

    assert await slow.drain(range(LANES)) == 0
    assert quick.tally.changed == 20
    assert await recount(desk.connection) == []


async def test_a_dead_trackers_lanes_are_taken_over_when_its_lease_is_over_and_not_before(
    desk: Desk, account: int
) -> None:
    await desk.append(callback(account, Status="sent"))
    dead, heir = await desk.tracker("dead"), await desk.tracker("heir")
    await dead.drain(range(LANES))
    await desk.append(callback(account, Status="delivered"))

    assert await heir.drain(range(LANES)) == 0
    await expire_leases(desk)
    assert await heir.drain(range(LANES)) == 1
    assert (await desk.message(account))["status"] == "delivered"


async def test_a_tracker_that_goes_home_leaves_its_lanes_at_once(desk: Desk, account: int) -> None:
    first, second = await desk.tracker("first"), await desk.tracker("second")
    await first.drain(range(LANES))
    await first.stop()
    await desk.append(callback(account, Status="sent"))

    assert await second.drain(range(LANES)) == 1


@pytest.mark.parametrize("joins", ["any", "by nested loops"])
async def test_trackers_share_the_lanes_evenly_and_none_is_left_out(desk: Desk, joins: str) -> None:
    if joins != "any":  # what statistics may well make of it
        for way in ("hashjoin", "mergejoin", "hashagg", "material", "sort"):
            await desk.connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = off").format(
                    sql.Identifier(desk.connection.info.dbname), sql.Identifier(f"enable_{way}")
                )
            )
    names = ["a", "b", "c"]
    team = {name: await desk.tracker(name) for name in names}
    await team["a"].drain(range(LANES))
    held: dict[str, list[int]] = {}
    for name in [*names, *names]:
        held[name] = await lanes.lease(desk.pools[0], name, LEASE_S)

    assert sorted(lane for own in held.values() for lane in own) == list(range(LANES))
    assert max(map(len, held.values())) <= 2


async def test_renewing_while_the_tracker_itself_is_writing_keeps_its_lanes(desk: Desk) -> None:
    tracker = await desk.tracker("busy")
    await tracker.drain(range(LANES))
    pool = desk.pools[-1]
    async with await AsyncConnection.connect(desk.database, autocommit=True) as writing, writing.transaction():
        assert len(await lanes.lock(writing, range(LANES), "busy")) == LANES
        renewing = asyncio.create_task(lanes.lease(pool, "busy", LEASE_S))
        await until(lambda: somebody_waits_for_a_lock(desk))

    assert await renewing == list(range(LANES))
    assert {row["leased_by"] for row in await desk.rows("SELECT leased_by FROM lanes")} == {"busy"}


async def test_a_tracker_that_holds_no_lane_tracks_nothing(desk: Desk, account: int) -> None:
    holder, idle = await desk.tracker("holder"), await desk.tracker("idle")
    await holder.drain(range(LANES))
    await desk.append(callback(account, Status="sent"))

    assert await idle.drain(range(LANES)) == 0
    assert await desk.messages(account) == []


async def test_lanes_taken_over_have_their_turn_while_the_own_ones_do_not_run_dry(desk: Desk, account: int) -> None:
    for _ in range(LANES):
        await desk.append(*[callback(account, Status="sent")] * 4_000)
    heir, dead = await desk.team(2, batch_max=LANES)
    held = await desk.rows("SELECT lane FROM lanes WHERE leased_by = %s", dead.name)
    running = asyncio.create_task(heir.run())
    await until(lambda: any_moved(desk, heir.name))
    await desk.connection.execute(EXPIRE[0] + " WHERE leased_by = %s", [dead.name])
    await desk.connection.execute(EXPIRE[1] + " WHERE name = %s", [dead.name])
    await until(lambda: any_moved(desk, heir.name, held[0]["lane"]))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert not await nothing_waits(desk)


async def any_moved(desk: Desk, tracker: str, lane: int | None = None) -> bool:
    """Whether a tracker has got on in that lane, or in any."""
    moved = "SELECT 1 FROM lanes WHERE leased_by = %s AND position <> '' AND coalesce(lane = %s, true)"
    return bool(await desk.rows(moved, tracker, lane))


async def test_the_database_going_away_while_tracking_loses_and_repeats_nothing(desk: Desk, account: int) -> None:
    callbacks = traffic(17, account)
    tracker = await desk.tracker("one", batch_max=5)
    running = asyncio.create_task(tracker.run())
    for start in range(0, len(callbacks), 50):
        await desk.journal.append(callbacks[start : start + 50])
        await desk.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'landed'"
        )
    await until(lambda: nothing_waits(desk))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    straight = await desk.account()
    await tracker.stop()
    await desk.track(*on_account(callbacks, straight))

    assert await desk.state(account) == await desk.state(straight)
    assert await recount(desk.connection) == []


def test_statuses_are_all_used_by_the_traffic_of_these_tests() -> None:
    words = {each.body.partition(b"Status=")[2].partition(b"&")[0].decode() for each in traffic(1, 1)}

    ours = {Status.SCHEDULED, Status.SENDING, Status.UNKNOWN_OUTCOME, Status.EXPIRED}
    assert set(Status) - ours - {Status.RECEIVED} <= words
