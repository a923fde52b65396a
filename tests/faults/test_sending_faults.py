"""Whatever goes wrong between us and a provider, and whichever worker is killed: each message is sent exactly once, or
refused with a reason. The ledger of the stand-in is the judge.

LANDED_FAULTS_SEED repeats the faults and the choice of victims of a failed run, as far as timing allows.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from random import Random, SystemRandom
from typing import Any, Final

import httpx
import psycopg
import pytest

from landed.providers.http import open_client
from tests.acting import House, opened_house
from tests.doubles.api import (
    CLOSED_LATER,
    EMPTY_ANSWER,
    ERROR_AFTER,
    ERROR_BEFORE,
    HALF_ANSWER,
    HANG_AFTER,
    HANG_BEFORE,
    HANG_UP_AFTER,
    HANG_UP_BEFORE,
    RESET_AFTER,
    RESET_BEFORE,
    STALLED_ANSWER,
    THROTTLED,
    WRONG_JSON,
    WRONG_SHAPE,
    Arrived,
    Double,
    Fault,
    Reply,
    in_thread,
)
from tests.doubles.plivo import PlivoDouble
from tests.faults.house import house as landed_house
from tests.faults.house import until
from tests.outgoing import Worker, until_settled
from tests.recount import recount

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280)]

FAULTS: Final = (
    HANG_BEFORE, HANG_AFTER, RESET_BEFORE, RESET_AFTER, HANG_UP_BEFORE, HANG_UP_AFTER, ERROR_BEFORE, ERROR_AFTER,
    THROTTLED._replace(retry_after="0.1"), HALF_ANSWER, STALLED_ANSWER, WRONG_JSON, WRONG_SHAPE, EMPTY_ANSWER,
    CLOSED_LATER,
)  # fmt: skip
#: The provider does not take messages to these.
REFUSED_NUMBERS: Final = ("+14155550177", "+14155550188")
NUMBERS: Final = tuple(f"+141555501{number}" for number in range(10, 40))
MESSAGES: Final = 60
KILLS: Final = 6
READ_S_MAX: Final = 0.25
#: The lease of a killed worker and the last look-up, and as long again: where it dies between mark and request.
SETTLED_S_MAX: Final = 200.0


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("LANDED_FAULTS_SEED") or SystemRandom().randrange(10**6))
    print(f"LANDED_FAULTS_SEED={chosen}")  # noqa: T201  shown where the test fails
    return chosen


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened, open_client(connect_s_max=10, read_s_max=READ_S_MAX) as http:
        opened.http = http
        await opened.add("shop", "plivo")
        await opened.add("bank", "routee")
        yield opened


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("account", ["shop", "bank"])
async def test_each_message_is_sent_once_or_refused_whatever_fails_and_whoever_is_killed(
    house: House, seed: int, number: int, account: str
) -> None:
    random = Random(seed + number)
    double: Double = house.plivo if account == "shop" else house.routee
    _refuse(double)
    double.choose = _choosing(random)
    double.before_answer = _calling_back(house, account, random)

    accepted: dict[str, tuple[str, str]] = {}
    workers = [Worker(house), Worker(house)]
    for index in range(MESSAGES):
        accepted |= await _send(house, account, random, index)
        if random.random() < KILLS / MESSAGES:
            await workers.pop(random.randrange(len(workers))).kill()
            workers.append(Worker(house))
        await asyncio.sleep(random.uniform(0, 0.04))
    await _away(double, random)
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0, 0.5))
        await workers.pop(random.randrange(len(workers))).kill()
        workers.append(Worker(house))
    await asyncio.sleep(0.5)
    double.choose = lambda arrived: None
    await until_settled(house)
    for worker in workers:
        await worker.stop()

    counted = {row["outcome"]: row["messages"] for row in await house.rows("SELECT * FROM outbox_counts")}
    print(counted)  # noqa: T201  what it went through
    sent = _ledger(house, account)
    rows = await house.rows("SELECT id::text, status, provider_message_id, error_code, recipient FROM messages")
    assert {row["id"] for row in rows} == accepted.keys()
    for row in rows:
        taken = sent.get(row["id"], [])
        if row["recipient"] in REFUSED_NUMBERS:
            assert (row["status"], taken) == ("failed", []), row
            assert row["error_code"] is not None
        else:
            assert [row["provider_message_id"]] == taken, row
            assert row["status"] == "queued", row
    assert _texts(house, account) == Counter(
        text for number, text in accepted.values() if number not in REFUSED_NUMBERS
    )
    async with house.pool.connection() as connection:
        assert await recount(connection) == []


async def test_killed_workers_lose_and_double_nothing(seed: int) -> None:
    """The real program, killed twice while it sends; what it left is looked up after its lease."""
    random = Random(seed)
    with (
        in_thread(PlivoDouble()) as plivo,
        landed_house(LANDED_PROVIDER_URLS=f"plivo={plivo.base_url}", LANDED_SEND_RATE_PER_ACCOUNT="100") as landed,
    ):
        plivo.before_answer = _slowly
        landed.start("web")
        await landed.until_ready()
        landed.add_account(plivo.auth_token, "/plivo/status", auth_id=plivo.auth_id)
        worker = landed.start("worker")
        to = [option for number in NUMBERS for option in ("--to", number)]
        sent: set[str] = set()
        for _ in range(2):
            command = ("messages", "send", "--from", "+14155550100", "--text", "hello", *to)
            sent |= {message["id"] for message in landed.run(*command)["data"]}
            taken = len(plivo.messages) + 5
            await until("some sent", lambda: len(plivo.messages) >= taken, SETTLED_S_MAX)  # noqa: B023  asked in this round only
            await asyncio.sleep(random.uniform(0, 0.3))
            worker.kill()
            worker = landed.start("worker")
        with psycopg.connect(landed.database_url, autocommit=True) as connection:

            def is_settled() -> bool:
                return connection.execute("SELECT 1 FROM outbox").fetchone() is None

            await until("all settled", is_settled, SETTLED_S_MAX)
            rows = connection.execute("SELECT id::text, provider_message_id FROM messages").fetchall()

        assert {our_id for our_id, _ in rows} == sent
        ledger = [(each.body["url"].rpartition("/")[2], each.uuid) for each in plivo.messages.values()]
        assert sorted(ledger) == sorted(rows)


async def _slowly(arrived: Arrived, reply: Reply) -> None:
    """So that there are answers to wait for when the worker is killed."""
    await asyncio.sleep(0.2)


async def _send(house: House, account: str, random: Random, index: int) -> dict[str, tuple[str, str]]:
    """Ask for a message, now and then twice with the same key; id -> number and text."""
    number = random.choice(REFUSED_NUMBERS if random.random() < 0.1 else NUMBERS)
    asked = {"account": account, "from": "+14155550100", "to": number, "text": f"number {index}"}
    answers: list[httpx.Response] = []
    for _ in range(random.choice((1, 1, 2))):
        headers = {"Idempotency-Key": f"key-{index}"}
        answers.append(await house.ask("POST", "/v1/messages", json=asked, headers=headers))
    assert all(answer.status_code == 202 for answer in answers), answers[-1].text
    ids = {answer.json()["data"][0]["id"] for answer in answers}
    assert len(ids) == 1
    return {ids.pop(): (number, asked["text"])}


async def _away(double: Double, random: Random) -> None:
    """For a moment nobody listens there."""
    await double.stop()
    await asyncio.sleep(random.uniform(0, 0.5))
    await double.start(double.port)


def _refuse(double: Double) -> None:
    act = double.act

    def acting(arrived: Arrived) -> Reply:
        if arrived.method == "POST" and any(f'"{number}"'.encode() in arrived.body for number in REFUSED_NUMBERS):
            return Reply(status=400, content={"error": "dst is not valid", "code": "400005000"})
        return act(arrived)

    double.act = acting  # type: ignore[method-assign]


def _choosing(random: Random) -> Any:
    def choose(arrived: Arrived) -> Fault | None:
        if arrived.path.endswith("/oauth/token"):
            return None
        return random.choice(FAULTS) if random.random() < 0.5 else None

    return choose


def _calling_back(house: House, account: str, random: Random) -> Any:
    """Some messages are called back for before the answer to the request."""

    async def call_back(arrived: Arrived, reply: Reply) -> None:
        if arrived.method != "POST" or random.random() < 0.6 or not isinstance(reply.content, dict):
            return
        if account == "shop" and "message_uuid" in reply.content:
            call = house.plivo.status_call(reply.content["message_uuid"][0], "queued")
        elif account == "bank" and "trackingId" in reply.content:
            call = house.routee.status_call(reply.content["trackingId"], "Queued")
        else:
            return
        await house.track(account, call)

    return call_back


def _ledger(house: House, account: str) -> dict[str, list[str]]:
    """The provider's ids of all messages that it took, by our id, which is in the callback's URL."""
    found: dict[str, list[str]] = {}
    if account == "shop":
        for sent in house.plivo.messages.values():
            found.setdefault(sent.body["url"].rpartition("/")[2], []).append(sent.uuid)
    else:
        for each in house.routee.messages.values():
            found.setdefault(each.body["callback"]["url"].rpartition("/")[2], []).append(each.message_id)
    return found


def _texts(house: House, account: str) -> Counter[str]:
    if account == "shop":
        return Counter(sent.body["text"] for sent in house.plivo.messages.values())
    return Counter(each.body["body"] for each in house.routee.messages.values())
