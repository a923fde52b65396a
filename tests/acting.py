"""A database with accounts at stand-ins for the providers, and the API over it: what acts through providers is tried
with it. Callbacks of the stand-ins are tracked as if they had come in."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import Account, ApiKey, Scope
from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.limits import ShareLimit
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.providers.http import open_client
from landed.services import accounts as account_service
from landed.services.calling import Clients
from landed.services.registering import Registrar
from landed.services.sending import Sending
from landed.services.tracking import Tracker
from landed.services.verifying import Verifier, VerifyRules
from landed.store import accounts, connect, lanes, partitions, reading
from landed.store.connect import transaction
from landed.store.sealing import Sealer
from landed.web.api.application import create_api
from tests.calling import PUBLIC_URL, Call
from tests.doubles.plivo import PlivoDouble
from tests.doubles.routee import RouteeDouble

Pool = AsyncConnectionPool[AsyncConnection[Any]]
#: Keys of the API by what they are called: scope, and the name of the account they are bound to.
KEYS: Final[Mapping[str, tuple[Scope, str | None]]] = {
    "sends": (Scope.SEND, None),
    "sends-too": (Scope.SEND, None),
    "sends-shop": (Scope.SEND, "shop"),
    "sends-bank": (Scope.SEND, "bank"),
    "reads": (Scope.READ, None),
}
NO_LIMITS: Final = VerifyRules(limits={}, share=ShareLimit(0, 1, timedelta(hours=6)), tries_max=3)


@dataclass
class House:
    """`shop` is an account at Plivo, `bank` one at Routee; each test adds what it needs."""

    pool: Pool
    engine: AsyncEngine
    plivo: PlivoDouble
    routee: RouteeDouble
    http: httpx.AsyncClient
    tracker: Tracker
    sealer: Sealer
    accounts: dict[str, Account] = field(default_factory=dict)
    rules: VerifyRules = NO_LIMITS
    ahead: timedelta = timedelta()  #: how far our clock is ahead of the real one
    numbers: int = 0
    _apis: list[FastAPI] = field(default_factory=list, repr=False)
    _made_with: VerifyRules | None = None  #: they keep the rules they began with, as processes do

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def add(self, name: str, provider: str, *, secret: str | None = None) -> Account:
        """An account; its secret is the stand-in's where none is given, and none where it is empty."""
        at_plivo, at_routee = self.plivo, self.routee
        account_id, token = (
            (at_plivo.auth_id, at_plivo.auth_token)
            if provider == "plivo"
            else (at_routee.application_id, at_routee.secret)
        )
        account = await account_service.add(
            self.pool,
            self.sealer,
            registry.load(),
            provider=provider,
            name=name,
            provider_account_id=account_id,
            auth_token=None if secret == "" else (secret or token),
            now=datetime.now(UTC),
        )
        self.accounts[name] = account
        return account

    @property
    def clients(self) -> Clients:
        async def load() -> Sequence[Account]:
            return await accounts.all_live(self.pool, self.sealer, datetime.now(UTC))

        urls = {"plivo": self.plivo.base_url, "routee": self.routee.base_url}
        return Clients(load, registry.load(), self.http, urls)

    @property
    def verifier(self) -> Verifier:
        return Verifier(pool=self.pool, clients=self.clients, public_url=PUBLIC_URL, rules=self.rules, clock=self.clock)

    @property
    def registrar(self) -> Registrar:
        return Registrar(pool=self.pool, clients=self.clients, public_url=PUBLIC_URL, clock=self.clock)

    async def _authenticate(self, key: str) -> ApiKey | None:
        if key not in KEYS:
            return None
        scope, name = KEYS[key]
        account_id = self.accounts[name].id if name else None
        number = list(KEYS).index(key) + 1
        return ApiKey(id=number, name=key, hint="", scope=scope, account_id=account_id, created_at=datetime.now(UTC))

    def _next_api(self) -> FastAPI:
        """Two processes have one each and answer in turn: nothing may rest on what one of them alone knows."""
        if self._made_with is not self.rules:
            self._made_with, self._apis = self.rules, []
        if len(self._apis) < 2:
            self._apis.append(self._made_api())
        else:
            self._apis.reverse()
        return self._apis[-1]

    def _made_api(self) -> FastAPI:
        async def every() -> Sequence[Account]:
            return list(self.accounts.values())

        async def health() -> Mapping[str, Any]:
            return {}

        async def metrics() -> bytes:
            return b""

        return create_api(
            engine=self.engine,
            providers=registry.load(),
            authenticate=self._authenticate,
            accounts=every,
            public_url=PUBLIC_URL,
            health=health,
            metrics=metrics,
            verifier=self.verifier,
            registrar=self.registrar,
            sending=Sending(self.pool, self.clients, clock=self.clock),
            pool=self.pool,
        )

    async def ask(self, method: str, path: str, key: str = "sends", **options: Any) -> httpx.Response:
        """Ask the API of the next process."""
        transport = httpx.ASGITransport(self._next_api(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://landed.test", timeout=60) as client:
            headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
            return await client.request(method, path, headers=headers, **options)

    async def get(self, path: str, key: str = "sends") -> Any:
        response = await self.ask("GET", path, key)
        assert response.status_code == 200, response.text
        return response.json()

    async def track(self, account: str, *calls: Call) -> None:
        """What a stand-in calls us with, tracked."""
        callbacks = []
        for call in calls:
            self.numbers += 1
            request = CallbackRequest(
                method=call.method,
                url=call.url,
                headers={name.lower(): value for name, value in call.headers.items()},
                body=call.body,
                **_named(call.url),
            )
            callbacks.append(
                Callback(
                    id=self.numbers,
                    account_id=self.accounts[account].id,
                    received_at=self.clock(),
                    request=request,
                    verified_by=(),
                )
            )
        assert await self.tracker.replay(callbacks) == 0, "something was set aside"

    async def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        async with transaction(self.pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()


def _named(url: str) -> dict[str, str]:
    """Kind and id of ours, from the long form of a path."""
    parts = url.partition("?")[0].split("/callbacks/")[-1].split("/")
    return {"kind": parts[1], "our_id": parts[2]} if len(parts) == 3 else {}


@asynccontextmanager
async def opened_house(database: str) -> AsyncIterator[House]:
    providers = registry.load()
    async with (
        connect.pool(database, connections_max=8) as pool,
        PlivoDouble() as plivo,
        RouteeDouble() as routee,
        open_client(connect_s_max=10, read_s_max=1) as http,
    ):
        async with pool.connection() as connection:
            await partitions.make(connection, datetime.now(UTC).date())
        journal = PostgresJournal(database, lanes=1)
        await journal.open()
        await lanes.make(pool, 1)
        engine = reading.engine(database)
        by_account: dict[int, str] = {}

        async def load() -> None:
            by_account.update(await accounts.providers(pool))

        tracker = Tracker(
            name="test",
            journal=journal,
            pool=pool,
            provider_of=lambda account_id: providers.get(by_account.get(account_id, "")),
            refresh=load,
        )
        house = House(pool, engine, plivo, routee, http, tracker, Sealer("x" * 32))
        try:
            yield house
        finally:
            await engine.dispose()
            await journal.close()
