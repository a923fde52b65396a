"""A database with an account at a stand-in for its provider: what asks the provider is tried with it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from landed.domain.accounts import Account, Token, TokenRole
from landed.domain.receipts import AnyReceipt, Receipt, Source, Telling
from landed.domain.statuses import Status
from landed.providers.base import Provider
from landed.providers.http import open_client
from landed.providers.plivo.provider import Plivo
from landed.providers.routee.provider import Routee
from landed.services.calling import Clients
from landed.services.keeping import sessions
from landed.services.keeping.base import Keeper, Told
from landed.services.keeping.messages import MessageKeeper
from landed.services.keeping.recording import keep_and_record
from landed.services.reconciling import Reconciler
from landed.store import connect, partitions
from landed.store.connect import transaction
from tests.doubles.plivo import PlivoDouble, SentMessage
from tests.doubles.routee import RouteeDouble
from tests.recount import recount

NOW: Final = datetime.now(UTC).replace(microsecond=0)
AFTER_S: Final = 3600.0
EXPIRE_AFTER_S: Final = 72 * 3600.0
PROVIDERS: Final[Mapping[str, Provider]] = {"plivo": Plivo(), "routee": Routee()}

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@dataclass
class Desk:
    """`now` is what the clock of everything shows; tests move it."""

    pool: Pool
    plivo: PlivoDouble
    http: httpx.AsyncClient
    accounts: list[Account] = field(default_factory=list)
    now: datetime = NOW

    def clock(self) -> datetime:
        return self.now

    async def account(
        self,
        name: str = "shop",
        provider: str = "plivo",
        *,
        secret: str | None = None,
        double: RouteeDouble | None = None,
    ) -> int:
        """An account; without a secret of its own it has that of the stand-in."""
        account_id = double.application_id if isinstance(double, RouteeDouble) else self.plivo.auth_id
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(
                "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES (%s, %s, %s, 'x')"
                " RETURNING id",
                [name, provider, account_id],
            )
            row = await cursor.fetchone()
        assert row is not None
        value = self.plivo.auth_token if secret is None else secret
        self.accounts.append(
            Account(
                id=row[0],
                name=name,
                provider=provider,
                provider_account_id=account_id,
                policy="x",
                tokens=(Token(id=1, role=TokenRole.ACCOUNT, value=value),) if value else (),
                paths=(),
                created_at=NOW,
            )
        )
        return int(row[0])

    def clients(self, **base_urls: str) -> Clients:
        async def load() -> Sequence[Account]:
            return self.accounts

        return Clients(load, PROVIDERS, self.http, {"plivo": self.plivo.base_url, **base_urls})

    def reconciler(self, *, lookups_per_s: int = 50, **base_urls: str) -> Reconciler:
        by_id = {account.id: PROVIDERS[account.provider] for account in self.accounts}
        return Reconciler(
            pool=self.pool,
            clients=self.clients(**base_urls),
            explainer_of=lambda account_id: by_id.get(account_id),
            after_s=AFTER_S,
            expire_after_s=EXPIRE_AFTER_S,
            lookups_per_s=lookups_per_s,
            clock=self.clock,
        )

    async def reconcile(self, reconciler: Reconciler | None = None) -> int:
        """Find and ask for all that is due now; how many things that were."""
        reconciler = reconciler or self.reconciler()
        await reconciler.find()
        total = 0
        while asked := await reconciler.ask_due():
            total += asked
        return total

    def sent(self, *, age: timedelta, state: str = "queued", **known: Any) -> SentMessage:
        """A message that the stand-in knows."""
        at = self.now - age
        message = SentMessage(
            uuid=str(uuid4()),
            body={"src": "+14155550100", "text": "hello"},
            to=known.pop("to", "+14155550123"),
            at=at,
            state=state,
            sent_at=at + timedelta(seconds=1),
            updated_at=at + timedelta(seconds=4),
            **known,
        )
        self.plivo.messages[message.uuid] = message
        return message

    async def told(self, account_id: int, *receipts: AnyReceipt, at: datetime | None = None) -> None:
        """Let these facts be known, heard at that time."""
        messages = MessageKeeper(self.pool)
        async with transaction(self.pool) as connection:
            for receipt in receipts:
                keeper: Keeper = messages if isinstance(receipt, Receipt) else sessions.keeper()
                telling = Told(account_id, Telling(receipt, at or self.now, None))
                await keep_and_record(connection, keeper, [telling], self.now)

    async def told_of(self, account_id: int, message: SentMessage, status: Status) -> None:
        """Let a callback say that the message has come to this status, at the time it was sent."""
        receipt = Receipt(
            provider_message_id=message.uuid,
            provider_status=status.value,
            status=status,
            source=Source.CALLBACK,
            sender=message.body["src"],
            recipient=message.to,
            submitted_at=message.at,
        )
        await self.told(account_id, receipt, at=message.at + timedelta(seconds=1))

    async def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        async with transaction(self.pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def message(self, provider_message_id: str) -> dict[str, Any]:
        (row,) = await self.rows("SELECT * FROM messages WHERE provider_message_id = %s", provider_message_id)
        return row

    async def differences(self) -> list[tuple[Any, ...]]:
        """Where counters and messages disagree."""
        async with transaction(self.pool) as connection:
            return await recount(connection)


@asynccontextmanager
async def opened_desk(database: str) -> AsyncIterator[Desk]:
    async with (
        connect.pool(database, connections_max=4) as pool,
        PlivoDouble() as plivo,
        open_client(connect_s_max=10, read_s_max=1) as http,
    ):
        async with pool.connection() as connection:
            await partitions.make(connection, NOW.date())
        yield Desk(pool, plivo, http)
