"""The dashboard over a test's database, and visitors of it, without a server in between."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import APIRouter

from landed.domain.users import Role
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services import auditing
from landed.services.alert_rules import Rules
from landed.services.alert_sending import Sender
from landed.services.alert_targets import Targets
from landed.services.alerts import Alerts
from landed.services.auditing import Auditor
from landed.services.diagnosing import Diagnoser
from landed.services.inspecting import Inspector
from landed.services.passwords import Passwords
from landed.services.replaying import Again, Replayer
from landed.services.signing_in import SigningIn
from landed.services.streaming import CallbackStream
from landed.services.watching import Watcher
from landed.store import accounts, connect, lanes, reading, users
from landed.store.sealing import Sealer
from landed.web.api.alerts import Alerting
from landed.web.dashboard.application import create_dashboard
from landed.web.dashboard.pages import Pages
from landed.web.dashboard.settings.more import ShownSetting

PUBLIC_URL = "https://landed.test"
PASSWORD = "correct horse battery staple"
SECRET_KEY = "a secret key of tests, long enough"
_TOKEN = re.compile(r'name="csrf-token" content="([^"]*)"')


class Visitor:
    """A browser: cookies, and forms that carry the token of the page before."""

    def __init__(self, house: "House", **options: Any) -> None:
        self._house = house
        given: dict[str, Any] = {"transport": house.transport, "base_url": PUBLIC_URL} | options
        self._client = httpx.AsyncClient(**given)
        self.cookies = self._client.cookies

    def get(self, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = self._house.run(self._client.get(path, **options))
        return answer

    def head(self, path: str, **options: Any) -> httpx.Response:
        answer: httpx.Response = self._house.run(self._client.head(path, **options))
        return answer

    def page(self, path: str) -> str:
        """What a page says, which has to be there."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return answer.text

    def token(self, path: str = "/account") -> str:
        """The token for forms, as a page of this visitor has it."""
        found = _TOKEN.search(self.get(path, follow_redirects=True).text)
        assert found is not None
        return found[1]

    def post(self, path: str, /, *, token_from: str = "/account", **fields: Any) -> httpx.Response:
        """Send a form as the pages do."""
        return self.send(path, {"csrf_token": self.token(token_from), **fields})

    def send(self, path: str, fields: dict[str, Any], **options: Any) -> httpx.Response:
        """Send a form with exactly these fields."""
        answer: httpx.Response = self._house.run(self._client.post(path, data=fields, **options))
        return answer


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **by: float) -> None:
        self.now += timedelta(**by)


class House:
    """A dashboard. `visitor("viewer")` is signed in with that role; `visitor()` is nobody."""

    def __init__(
        self,
        database_url: str,
        clock: Callable[[], datetime],
        more: Sequence[Callable[[Pages], APIRouter]],
        public_url: str,
    ) -> None:
        self.database_url = database_url
        self.providers = registry.load()
        self.stopping = asyncio.Event()
        #: What the door answers to refused callbacks that are replayed: status and body.
        self.door = (403, b'{"code": "signature_mismatch", "detail": "It is signed with another token."}')
        self._runner = asyncio.Runner()
        self._visitors: list[Visitor] = []
        self.run(self._open(clock, more, public_url))

    async def _open(
        self, clock: Callable[[], datetime], more: Sequence[Callable[[Pages], APIRouter]], public_url: str
    ) -> None:
        self.sealer = Sealer(SECRET_KEY)
        self.engine = reading.engine(self.database_url)
        self.pool = connect.pool(self.database_url, connections_max=4)
        await self.pool.open()
        await lanes.make(self.pool, 1)
        # Weak and quick: what argon2 is good for is not tested here.
        self.passwords = Passwords(memory_kib=64, passes=1)
        self.signing_in = SigningIn(self.pool, self.sealer, self.passwords, clock)
        self.auditor = Auditor(self.pool, clock)
        self.http = httpx.AsyncClient(trust_env=False)
        self.alerting = Alerting(
            Alerts(pool=self.pool, public_url=public_url, clock=clock),
            Rules(pool=self.pool, public_url=public_url, clock=clock),
            Targets(pool=self.pool, sealer=self.sealer, sender=Sender(sealer=self.sealer, http=self.http, mailer=None)),
            public_url,
        )
        self.app = create_dashboard(
            engine=self.engine,
            providers=self.providers,
            signing_in=self.signing_in,
            auditor=self.auditor,
            pool=self.pool,
            sealer=self.sealer,
            accounts=lambda: accounts.every(self.pool, self.sealer, clock()),
            condition=Watcher(PostgresJournal(self.database_url, lanes=1), self.pool).condition,
            settings=lambda: [ShownSetting("LANDED_SECRET_KEY", "********", "environment", "what it means")],
            retention_days=90,
            callback_stream=CallbackStream(self.engine, self.providers, lanes=1),
            replayer=Replayer(
                pool=self.pool,
                journal=PostgresJournal(self.database_url, lanes=1),
                providers=self.providers,
                admit=self._admit,
            ),
            diagnoser=Diagnoser(
                known=lambda: accounts.every(self.pool, self.sealer, datetime.min.replace(tzinfo=UTC)),
                providers=self.providers,
                public_url=public_url,
                inspector=Inspector(self.engine, self.providers),
            ),
            stopping=self.stopping,
            alerting=self.alerting,
            public_url=public_url,
            clock=clock,
            more=more,
        )
        self.transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)

    async def _admit(self, again: Again) -> tuple[int, bytes]:
        return self.door

    def close(self) -> None:
        async def close() -> None:
            await self.http.aclose()
            await self.pool.close()
            await self.engine.dispose()

        self.run(close())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def visitor(self, role: str | None = None, name: str | None = None, **options: Any) -> Visitor:
        """A browser of its own; with a role it is signed in as a user who is called like that.

        Args:
            options: of its client, such as headers.
        """
        visitor = Visitor(self, **options)
        if role is not None:
            visitor.cookies.set("__Host-landed-session", self.run(self._signed_in(name or role, Role(role))))
        return visitor

    def transport_from(self, address: str) -> httpx.ASGITransport:
        """As a browser at that address."""
        return httpx.ASGITransport(self.app, raise_app_exceptions=True, client=(address, 4711))

    def add_user(self, name: str, role: str, password: str = PASSWORD) -> None:
        async def add() -> None:
            password_hash = await self.passwords.hash(password)
            await users.add(self.pool, name=name, role=Role(role), password_hash=password_hash)

        self.run(add())

    def audit(self) -> list[tuple[str, str, str | None]]:
        """What was done, the newest first: actor, action, target."""
        found = self.run(auditing.page(self.pool, limit=200))
        return [(each.actor, each.action, each.target) for each in found.data]

    async def _signed_in(self, name: str, role: Role) -> str:
        found = await users.find(self.pool, name)
        if found is None:
            password_hash = await self.passwords.hash(PASSWORD)
            user = await users.add(self.pool, name=name, role=role, password_hash=password_hash)
        else:
            user = found[0]
        return (await self.signing_in.open_session(user, address=None, browser="test")).token


@contextmanager
def dashboard(
    database_url: str,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    more: Sequence[Callable[[Pages], APIRouter]] = (),
    public_url: str = PUBLIC_URL,
) -> Iterator[House]:
    """A dashboard over this database."""
    house = House(database_url, clock, more, public_url)
    try:
        yield house
    finally:
        house.close()
