"""A house with alerts in it: a real database, journal and tracker, a clock to move, a mail server and a hook."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from aiosmtpd.smtp import SMTP
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.mail import MailServer
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.providers.base import Provider
from landed.providers.http import open_client
from landed.providers.plivo.provider import Plivo
from landed.services import watching
from landed.services.alert_rules import Rules
from landed.services.alert_sending import Sender
from landed.services.alert_targets import Targets
from landed.services.alerting import Watch
from landed.services.alerts import Alerts
from landed.services.mailing import Mailer
from landed.services.notifying import Notifier
from landed.services.tracking import Tracker
from landed.store import connect, partitions, reading
from landed.store.sealing import Sealer

#: Today, so that there are counters by the minute.
MORNING: Final = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0)
LANES: Final = 2
PUBLIC_URL: Final = "https://landed.example.com"
PROVIDERS: Final[dict[str, Provider]] = {"plivo": Plivo()}
SECRET_KEY: Final = "for tests, and nothing else: 0123456789"
T_MOBILE: Final = ("310", "260")
ATT: Final = ("310", "410")
VODAFONE: Final = ("262", "02")
_NUMBERS: Final = {"310": "14155550123", "262": "4915112345678"}


#: Gives messages that tell their parts apart.
_MODERN: Final = EmailPolicy()


class MailBox:
    """A mail server that keeps what it gets, for all recipients but those that it is told to answer otherwise."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Any, address: str, options: Sequence[str]
    ) -> str:
        if address not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get(address, "250 OK")

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content, policy=_MODERN))
        self.recipients.append(envelope.rcpt_tos)
        return "250 kept"


class Hook:
    """A server that keeps what is posted to it, and answers as it is told; 0: not at all."""

    def __init__(self) -> None:
        self.answer = 200
        self.answer_headers = ""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    def bodies(self, path: str) -> list[Any]:
        return [json.loads(body) for at, _, body in self.requests if at == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append((first.split()[1], headers, body))
            if self.answer == 0:
                await asyncio.sleep(60)
            writer.write(f"HTTP/1.1 {self.answer} X\r\n{self.answer_headers}Content-Length: 2\r\n\r\nok".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass
class House:
    database: str
    pool: AsyncConnectionPool[AsyncConnection[Any]]
    engine: AsyncEngine
    journal: PostgresJournal
    http: httpx.AsyncClient
    box: MailBox
    mail_port: int
    hook: Hook
    now: datetime = MORNING
    sent: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(6))
    late: list[Accepted] = field(default_factory=list)
    account_id: int = 0

    def clock(self) -> datetime:
        return self.now

    def watch(self) -> Watch:
        async def lag(at: datetime) -> tuple[int, float]:
            return await watching.lag(self.journal, self.pool, at)

        return Watch(
            pool=self.pool,
            engine=self.engine,
            lag=lag,
            providers=PROVIDERS,
            public_url=PUBLIC_URL,
            clock=self.clock,
        )

    def sender(self) -> Sender:
        server = MailServer.of(f"smtp://127.0.0.1:{self.mail_port}")
        return Sender(sealer=Sealer(SECRET_KEY), http=self.http, mailer=Mailer(server, "landed@example.com"))

    def notifier(self) -> Notifier:
        return Notifier(pool=self.pool, sender=self.sender(), clock=self.clock)

    def targets(self) -> Targets:
        return Targets(pool=self.pool, sealer=Sealer(SECRET_KEY), sender=self.sender(), clock=self.clock)

    def rules(self) -> Rules:
        return Rules(pool=self.pool, public_url=PUBLIC_URL, clock=self.clock)

    def alerts(self) -> Alerts:
        return Alerts(pool=self.pool, public_url=PUBLIC_URL, clock=self.clock)

    async def account(self, name: str = "shop") -> int:
        (row,) = await self.rows(
            "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES (%s, 'plivo', 'MA', 'x')"
            " RETURNING id",
            name,
        )
        self.account_id = row["id"]
        return self.account_id

    async def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    def told(self, message: str, network: tuple[str, str], at: datetime, word: str, **fields: str) -> Accepted:
        """A callback about a message that was submitted at that time."""
        mcc, mnc = network
        body = {
            "MessageUUID": message,
            "From": "14155550100",
            "To": _NUMBERS[mcc],
            "MCC": mcc,
            "MNC": mnc,
            "Status": word,
            "MessageTime": f"{at:%Y-%m-%d %H:%M:%S}",
            **fields,
        }
        return Accepted(
            received_at=at + timedelta(seconds=1),
            account_id=self.account_id,
            method="POST",
            url="https://hooks.example.com/callbacks/k",
            kind=None,
            our_id=None,
            headers=b"content-type: application/x-www-form-urlencoded\n",
            body=urlencode(body).encode(),
            verified_by="x-plivo-signature-v3",
        )

    def minute(self, networks: dict[tuple[str, str], tuple[int, int]], **fields: str) -> list[Accepted]:
        """The callbacks of a minute's messages: of each network so many, of which so many fail."""
        callbacks = []
        for network, (messages, failed) in networks.items():
            for number in range(messages):
                self.sent += 1
                message, at = f"m{self.sent}", self.now + timedelta(seconds=number % 50)
                done = f"{at + timedelta(seconds=5):%Y-%m-%d %H:%M:%S}"
                callbacks.append(self.told(message, network, at, "sent", **fields))
                if number < failed:
                    end = self.told(message, network, at, "undelivered", ErrorCode="30", DeliveryReportTime=done)
                else:
                    end = self.told(message, network, at, "delivered", DeliveryReportTime=done, **fields)
                callbacks.append(end)
        return callbacks

    async def track(self, callbacks: Sequence[Accepted], *, disturbed: bool = True) -> None:
        """Append them, some twice, some a minute late, in any order; and track all that is there."""
        if disturbed:
            late, self.late = self.late, [each for each in callbacks if self.chance.random() < 0.05]
            held = {id(each) for each in self.late}
            callbacks = [*(each for each in callbacks if id(each) not in held), *late]
            callbacks += self.chance.choices(callbacks, k=len(callbacks) // 5) if callbacks else []
            self.chance.shuffle(callbacks)
        if callbacks:
            await self.journal.append(callbacks)
        tracker = Tracker(
            name="one",
            journal=self.journal,
            pool=self.pool,
            provider_of=lambda _: PROVIDERS["plivo"],
            clock=self.clock,
        )
        await tracker.drain(range(LANES))
        await tracker.stop()

    async def live(self, minutes: int, networks: dict[tuple[str, str], tuple[int, int]], watch: Watch) -> int:
        """Let that time pass, with this traffic; how many alerts began or ended."""
        changed = 0
        for _ in range(minutes):
            callbacks = self.minute(networks)
            self.now += timedelta(minutes=1)
            await self.track(callbacks)
            changed += await watch.look()
        return changed


@asynccontextmanager
async def opened_house(database: str) -> AsyncIterator[House]:
    journal = PostgresJournal(database, lanes=LANES)
    await journal.open()
    box, hook = MailBox(), Hook()
    mail = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    hook.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    engine = reading.engine(database)
    try:
        async with (
            connect.pool(database, connections_max=6) as pool,
            open_client(connect_s_max=10, read_s_max=2) as http,
        ):
            async with pool.connection() as connection:
                await partitions.make(connection, MORNING.date())
            mail_port = mail.sockets[0].getsockname()[1]
            yield House(database, pool, engine, journal, http, box, mail_port, hook)
    finally:
        server.close()
        mail.close()
        await engine.dispose()
        await journal.close()
