"""A database full of messages, sessions and registrations told in every way that is wrong: twice, out of order, in
parts, contradicting itself, by strangers' words, only when asked, or never.

One part is the simulated traffic of Plivo as it comes in; the other is made of receipts: what we sent ourselves, with
tags and conversions, and what Routee says, with reasons in words and other currencies.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.receipts import Channel, Direction, PartOf, Receipt, Source, Telling
from landed.domain.statuses import Status
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services.keeping.base import Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.tracking import Tracker
from landed.simulator.items import FORGED, Account, Item
from landed.simulator.traffic import stream
from landed.store import connect, lanes, partitions

ACCOUNTS: Final = {1: ("shop", "plivo"), 2: ("bank", "plivo"), 3: ("mall", "routee")}
#: Of all messages those of the simulated traffic, which takes longer to make than receipts.
STREAMED: Final = 0.6
STREAMED_MAX: Final = 100_000
#: Half of what is made of receipts is so young that counters of it are kept by the minute.
_YOUNG: Final = timedelta(days=2)
_AT_ONCE: Final = 4_000
_CALLED: Final = Account(callback_url="https://sms.example.com/x", auth_token="a" * 40, main_auth_token="b" * 40)
_RECIPIENTS: Final = ("+1415555", "+4917055", "+4478009", "+3069733", "+9198200")
_SENDERS: Final = ("+14155550100", "+14155550101", "+4917012345", "LANDED", "=SUM(A1)")
_NETWORKS: Final = (("310", "260"), ("262", "01"), ("262", None), (None, None), ("234", "15"), ("404", "10"))
_TAGS: Final = ("otp", "news", "a, b", "-1")
Each = TypeVar("Each")
_CODES: Final = ("30", "80", "200", "420", "999", "Invalid number", "=cmd()")


async def fill(database_url: str, messages: int, *, now: datetime, days: int, seed: int) -> None:
    """An empty database with the schema gets that many messages, or some more, submitted in these days before now."""
    random = Random(seed)
    providers = registry.load()
    streamed = min(round(messages * STREAMED), STREAMED_MAX)
    journal = PostgresJournal(database_url, lanes=1)
    async with connect.pool(database_url, connections_max=4) as pool:
        await journal.open()
        try:
            await lanes.make(pool, 1)
            await _make_accounts(pool, now)
            tracker = Tracker(
                name="chaos",
                journal=journal,
                pool=pool,
                provider_of=lambda account_id: providers[ACCOUNTS[account_id][1]],
            )
            for callbacks in _batches(_streamed(random, streamed, now, days), random):
                await tracker.replay(callbacks)
        finally:
            await journal.close()
        await keep(pool, messages - streamed, now=now, days=days, random=random)


async def keep(
    pool: AsyncConnectionPool[AsyncConnection[Any]], messages: int, *, now: datetime, days: int, random: Random
) -> None:
    """Messages made of receipts alone, where `ACCOUNTS` are there."""
    keeper = MessageKeeper(pool)
    for batch in _batches(_told(random, messages, now, days), random):
        tags = {our_id: tags for _, our_id, tags in batch if tags}
        async with connect.transaction(pool) as connection:
            await keeper.keep(connection, [each for each, _, _ in batch], now, tags)


async def _make_accounts(pool: AsyncConnectionPool[AsyncConnection[Any]], now: datetime) -> None:
    async with pool.connection() as connection:
        await partitions.make(connection, now.date())
        for name, provider in ACCOUNTS.values():
            await connection.execute(
                "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES (%s, %s, %s, 'x')",
                [name, provider, f"id-{name}"],
            )


def _batches(things: Iterable[Each], random: Random) -> Iterator[Sequence[Each]]:
    """Batches of any size, each in any order: what belongs together comes apart."""
    things = iter(things)
    while batch := list(islice(things, random.randrange(_AT_ONCE // 4, _AT_ONCE))):
        random.shuffle(batch)
        yield batch


# --- the simulated traffic ---------------------------------------------------------------------------------------


def _streamed(random: Random, messages: int, now: datetime, days: int) -> Iterator[Callback]:
    began = now - timedelta(days=days)
    rate = messages / timedelta(days=days).total_seconds()
    items = stream(_CALLED, seed=random.randrange(2**32), messages_per_s=rate, clock=lambda: began, every_kind=True)
    genuine = (item for item in items if item.truth.kind not in FORGED)
    for number, item in enumerate(genuine, 1):
        if item.due_at >= now:
            return
        yield _callback(item, number)


def _callback(item: Item, number: int) -> Callback:
    request = CallbackRequest(
        method=item.method,
        url=item.url,
        headers={name.lower(): value for name, value in item.headers.items()},
        body=item.body,
    )
    return Callback(id=number, account_id=1, received_at=item.due_at, request=request)


# --- receipts ----------------------------------------------------------------------------------------------------

_Each = tuple[Told, str, tuple[str, ...]]


def _told(random: Random, messages: int, now: datetime, days: int) -> Iterator[_Each]:
    """What is told of messages, roughly in the order of submission: what is told of many goes through each other."""
    ages = (random.random() * (_YOUNG if random.random() < 0.5 else timedelta(days=days)) for _ in range(messages))
    waiting: list[_Each] = []
    for age in sorted(ages, reverse=True):
        waiting += _of_message(random, now - age, now)
        if len(waiting) > 10 * _AT_ONCE:
            random.shuffle(waiting)
            yield from (waiting.pop() for _ in range(5 * _AT_ONCE))
    random.shuffle(waiting)
    yield from waiting


def _of_message(random: Random, at: datetime, now: datetime) -> Iterator[_Each]:
    account_id = random.choice([2, 2, 3])
    provider_id, our_id = str(UUID(int=random.getrandbits(128))), str(UUID(int=random.getrandbits(128)))
    is_ours = random.random() < 0.4
    tags = tuple(random.sample(_TAGS, random.randrange(3))) if is_ours else ()
    for receipt in _receipts(random, at, provider_id, our_id if is_ours else None):
        for _ in range(1 + (random.random() < 0.1)):
            heard_at = min(now, at + timedelta(seconds=random.expovariate(1 / 60)))
            yield Told(account_id, Telling(receipt, heard_at, None)), our_id, tags


def _receipts(random: Random, at: datetime, provider_id: str, our_id: str | None) -> Iterator[Receipt]:
    mcc, mnc = random.choice(_NETWORKS)
    theirs, ours = random.choice(_RECIPIENTS) + f"{random.randrange(10_000):04d}", random.choice(_SENDERS)
    said = Receipt(
        provider_message_id=provider_id,
        provider_status="x",
        status=Status.QUEUED,
        channel=random.choice([None, *Channel]),
        sender=ours,
        recipient=theirs,
        mcc=mcc,
        mnc=mnc,
        submitted_at=at,
        our_id=our_id,
    )
    if our_id is None and random.random() < 0.1:
        yield said._replace(direction=Direction.INBOUND, status=Status.RECEIVED, sender=theirs, recipient=ours)
        return
    if our_id is not None:
        yield Receipt(
            provider_message_id="", provider_status="", status=Status.SCHEDULED, source=Source.OURS, our_id=our_id,
            sender=ours, recipient=theirs,
        )  # fmt: skip
    yield said._replace(source=Source.SEND if our_id else Source.CALLBACK)
    if random.random() < 0.2:
        yield said._replace(status=None, provider_status=random.choice(["limbo", "beamed"]))
    if random.random() < 0.8:
        yield said._replace(status=Status.SENT, sent_at=at + timedelta(milliseconds=random.randrange(900)))
    yield from _ends(random, said, at)
    if our_id is not None and random.random() < 0.3:
        yield Receipt(
            provider_message_id="", provider_status="", status=Status.SCHEDULED, source=Source.OURS, our_id=our_id,
            converted=random.random() < 0.6,
        )  # fmt: skip


def _ends(random: Random, said: Receipt, at: datetime) -> Iterator[Receipt]:
    final_at = at + timedelta(milliseconds=round(1000 * random.lognormvariate(1.5, 1.5)))
    charged = said._replace(
        final_at=final_at,
        units=random.choice([None, 1, 1, 2, 7]),
        cost_nanos=random.choice([None, 0, 5_500_000, 12_345_678]),
        currency=random.choice([None, "USD", "EUR"]),
        source=random.choice([Source.CALLBACK, Source.CALLBACK, Source.CALLBACK, Source.LOOKUP]),
    )
    failed = charged._replace(
        status=random.choice([Status.FAILED, Status.UNDELIVERED]), error_code=random.choice(_CODES)
    )
    delivered = charged._replace(status=random.choice([Status.DELIVERED] * 9 + [Status.READ]))
    way = random.random()
    if way < 0.1:
        return
    if way < 0.2:
        yield said._replace(status=Status.EXPIRED, source=Source.OURS)
        if random.random() < 0.3:
            yield delivered
    elif way < 0.4:
        yield failed
        if random.random() < 0.3:  # it contradicts itself
            yield delivered
    elif way < 0.55:
        of = random.randrange(2, 5)
        for number in range(1, of + 1):
            part = PartOf(f"{said.provider_message_id}-{number}", number, of)
            yield (failed if random.random() < 0.1 else delivered)._replace(part=part)
    else:
        yield delivered
