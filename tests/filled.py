"""A database as an operator finds it after some days: callbacks in the journal, refused ones beside it, all of it
tracked; messages of three accounts, sessions, registrations, inbound messages and opt-outs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from landed.domain.accounts import PathRole, TokenRole
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services.tracking import Tracker
from landed.simulator.items import REFUSED, Account, Item
from landed.simulator.traffic import stream
from landed.store import accounts, connect, lanes, partitions, refusals
from landed.store.refusals import Refused
from landed.store.sealing import Sealer
from tests import chaos
from tests.dashboard import SECRET_KEY

AUTH_TOKEN: Final = "a-token-of-the-shop-0123456789"
CALLBACK_PATH: Final = "the-key-of-shop-0123456789"


async def fill(database_url: str, *, now: datetime, days: int = 2, messages: int = 1_000, seed: int = 6) -> None:
    """An empty database with the schema gets so many messages, or some more, submitted in these days before now."""
    providers = registry.load()
    journal = PostgresJournal(database_url, lanes=1)
    await journal.open()
    try:
        async with connect.pool(database_url, connections_max=4) as pool:
            await lanes.make(pool, 1)
            await _make_accounts(pool, now, days)
            for is_refused, items in groupby(_items(messages // 2, now, days, seed), _is_refused):
                if is_refused:
                    await refusals.keep(pool, [_refused(item) for item in items])
                else:
                    await journal.append([_accepted(item) for item in items])
            tracker = Tracker(
                name="filling",
                journal=journal,
                pool=pool,
                provider_of=lambda account_id: providers[chaos.ACCOUNTS[account_id][1]],
            )
            await tracker.drain([0])
            await chaos.keep(pool, messages - messages // 2, now=now, days=days, random=Random(seed))
    finally:
        await journal.close()


async def _make_accounts(pool: AsyncConnectionPool[Any], now: datetime, days: int) -> None:
    for name, provider in chaos.ACCOUNTS.values():
        await accounts.add(
            pool,
            Sealer(SECRET_KEY),
            name=name,
            provider=provider,
            provider_account_id=f"id-{name}",
            policy="v3-preferred" if provider == "plivo" else "url-secret",
            tokens=[(TokenRole.MAIN, AUTH_TOKEN)] if provider == "plivo" else [],
            paths=[(PathRole.KEY, CALLBACK_PATH.replace("shop", name))],
        )
    async with pool.connection() as connection:
        for day in range(days + 1):
            await partitions.make(connection, (now - timedelta(days=day)).date())


def _items(messages: int, now: datetime, days: int, seed: int) -> Iterator[Item]:
    account = Account(
        callback_url=f"https://sms.example.com/callbacks/{CALLBACK_PATH}",
        auth_token=AUTH_TOKEN,
        main_auth_token=AUTH_TOKEN,
    )
    began, rate = now - timedelta(days=days), messages / timedelta(days=days).total_seconds()
    for item in stream(account, seed=seed, messages_per_s=rate, clock=lambda: began, every_kind=True):
        if item.due_at >= now:
            return
        yield item


def _is_refused(item: Item) -> bool:
    return item.truth.kind in REFUSED


def _headers(item: Item) -> bytes:
    return "".join(f"{name.lower()}: {value}\n" for name, value in item.headers.items()).encode()


def _accepted(item: Item) -> Accepted:
    by = "x-plivo-signature-v3" if "X-Plivo-Signature-V3" in item.headers else "x-plivo-signature-v2"
    return Accepted(item.due_at, 1, item.method, item.url, None, None, _headers(item), item.body, by)


def _refused(item: Item) -> Refused:
    return Refused(
        account_id=1,
        reason="signature_invalid",
        detail="x-plivo-signature-v2 does not match",
        received_at=item.due_at,
        method=item.method,
        url=item.url,
        headers=_headers(item),
        body=item.body,
        body_bytes=len(item.body),
    )
