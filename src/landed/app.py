"""The composition root: the only file that knows all. It builds a role's parts, starts them, and stops them.

Two roles, one program. `web` takes callbacks and serves the API; `worker` tracks. Each is a list of tasks that run
until the process is told to stop; if one of them dies, the process ends, and whoever started it starts it again.
Each imports what it needs and no more: a worker has no use for a web framework.
"""

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from psycopg_pool import AsyncConnectionPool

from landed.domain.accounts import Account
from landed.domain.errors import StoreUnavailable
from landed.journal.base import Journal
from landed.journal.postgres import PostgresJournal
from landed.processes import calm_collector
from landed.providers import registry
from landed.providers.base import Provider
from landed.settings import Settings, describe, secret_key
from landed.store import accounts, connect, listening
from landed.store.sealing import Sealer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from landed.services.calling import Clients
    from landed.services.mailing import Mailer
    from landed.services.receiving import Committer, Directory
    from landed.services.registering import Registrar
    from landed.services.replaying import Admit
    from landed.services.summaries import Summaries
    from landed.services.verifying import Verifier
    from landed.web.callbacks import Keeper
    from landed.web.dashboard.settings.more import ShownSetting

_log = structlog.get_logger()
_WEB_CONNECTIONS_MAX: Final = 8
_WORKER_CONNECTIONS_MAX: Final = 6
_SENDING_CONNECTIONS_MAX: Final = 6
_CANCEL_AGAIN_S: Final = 5.0
#: As the time of now: every token and path is live then, also those that have expired since.
_EVER: Final = datetime.min.replace(tzinfo=UTC)
#: Of the data directory: what was downloaded.
MEDIA: Final = "media"


async def run_web(
    settings: Settings,
    database_url: str,
    *,
    sockets: list[socket.socket],
    stopping: asyncio.Event,
    shared: Path | None = None,
) -> None:
    """Take callbacks and serve the API on these sockets, until told to stop; what waits is still committed.

    `shared` is a directory where the web processes of this machine write down their counts for each other.
    """
    from landed.providers.http import open_client
    from landed.services import checking
    from landed.services.alert_rules import Rules
    from landed.services.alert_sending import Sender
    from landed.services.alert_targets import Targets
    from landed.services.alerts import Alerts
    from landed.services.arrivals import AcceptedCounter
    from landed.services.auditing import Auditor
    from landed.services.callers import HostKeeper
    from landed.services.calling import Clients
    from landed.services.converting import Converter
    from landed.services.diagnosing import Diagnoser
    from landed.services.inspecting import Inspector
    from landed.services.opt_outs import OptOutChanger
    from landed.services.passwords import Passwords
    from landed.services.receiving import Committer, Directory, DirectoryKeeper, Refusals
    from landed.services.replaying import Replayer
    from landed.services.sending import Sending
    from landed.services.signing_in import SigningIn
    from landed.services.streaming import CallbackStream
    from landed.services.watching import Watcher
    from landed.store import api_keys, oddities, reading, refusals
    from landed.store.media_files import MediaFiles
    from landed.web.api.alerts import Alerting
    from landed.web.api.application import create_api
    from landed.web.callbacks import Receiver
    from landed.web.dashboard.application import create_dashboard
    from landed.web.entrance import Entrance
    from landed.web.metrics import Metrics
    from landed.web.protocol import make_server

    providers = registry.load()
    sealer = Sealer(secret_key(settings))
    pool = connect.pool(database_url, connections_max=_WEB_CONNECTIONS_MAX)
    engine = reading.engine(database_url)
    journal = make_journal(settings, database_url)
    directory = Directory(providers)

    async def live_accounts() -> list[Account]:
        return await accounts.all_live(pool, sealer, datetime.now(UTC))

    keeper = DirectoryKeeper(directory, live_accounts, database_url)
    hosts = HostKeeper(lambda: directory.host_names, directory.host_names_changed, directory.resolve)
    committer = Committer(
        journal, waiting_max=settings.waiting_callbacks_max, waiting_bytes_max=settings.waiting_bytes_max
    )
    refused = Refusals(
        partial(refusals.keep, pool), lambda counts: oddities.add_refused(pool, counts, datetime.now(UTC))
    )
    watcher = Watcher(make_journal(settings, database_url), pool)
    http = open_client()
    clients = Clients(live_accounts, providers, http, settings.provider_urls)

    async def health() -> Mapping[str, Any]:
        condition = await watcher.condition() if committer.available else None
        if condition is None:
            raise StoreUnavailable("The database is away: callbacks are answered 503 until it is back.")
        return {
            "database": "ok",
            "tracking_lag_rows": condition.lag_rows,
            "tracking_lag_s": round(condition.lag_s, 3),
            "outbox_waiting": condition.outbox.waiting,
            "outbox_oldest_due_s": round(condition.outbox.oldest_due_s, 3),
        }

    auditor = Auditor(pool)
    diagnoser = Diagnoser(
        known=partial(accounts.every, pool, sealer, _EVER),
        providers=providers,
        public_url=settings.public_url,
        inspector=Inspector(engine, providers),
    )
    replayer = Replayer(
        pool=pool,
        journal=make_journal(settings, database_url),
        providers=providers,
        admit=make_admit(settings, directory, keeper, committer),
    )
    callback_stream = CallbackStream(engine, providers, lanes=settings.lanes)
    alerting = Alerting(
        Alerts(pool=pool, public_url=settings.public_url),
        Rules(pool=pool, public_url=settings.public_url),
        Targets(pool=pool, sealer=sealer, sender=Sender(sealer=sealer, http=http, mailer=make_mailer(settings))),
        settings.public_url,
    )
    api = create_api(
        engine=engine,
        providers=providers,
        authenticate=partial(api_keys.find, pool),
        accounts=lambda: accounts.every(pool, sealer, datetime.now(UTC)),
        public_url=settings.public_url,
        health=health,
        metrics=lambda: metrics.text(),
        opt_outs=OptOutChanger(pool),
        media_files=MediaFiles(settings.data_dir / MEDIA),
        verifier=make_verifier(settings, pool, clients),
        registrar=make_registrar(settings, pool, clients),
        sending=Sending(pool, clients, region=settings.default_region),
        pool=pool,
        converter=Converter(pool),
        alerting=alerting,
        callback_stream=callback_stream,
        stopping=stopping,
        auditor=auditor,
        trusted_proxies=settings.trusted_proxies,
        check_account=partial(
            checking.check,
            providers=providers,
            public_url=settings.public_url,
            http=http,
            base_urls=settings.provider_urls,
        ),
        diagnoser=diagnoser,
        replayer=replayer,
    )
    dashboard = create_dashboard(
        engine=engine,
        providers=providers,
        signing_in=SigningIn(pool, sealer, Passwords()),
        auditor=auditor,
        pool=pool,
        sealer=sealer,
        accounts=lambda: accounts.every(pool, sealer, datetime.now(UTC)),
        condition=watcher.condition,
        settings=partial(_shown_settings, settings),
        retention_days=settings.retention_days,
        callback_stream=callback_stream,
        replayer=replayer,
        diagnoser=diagnoser,
        stopping=stopping,
        alerting=alerting,
        media_files=MediaFiles(settings.data_dir / MEDIA),
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
    )
    receiver = Receiver(
        directory=directory,
        keeper=keeper,
        committer=committer,
        refusals=refused,
        public_url=settings.public_url,
        body_bytes_max=settings.body_bytes_max,
        trusted_proxies=settings.trusted_proxies,
        fallback=Entrance(api=api, dashboard=dashboard, public_url=settings.public_url),
    )
    metrics = Metrics(
        receiver=receiver,
        committer=committer,
        refusals=refused,
        condition=watcher.condition,
        account_name=directory.name_of,
        shared=shared,
        data_dir=settings.data_dir,
    )
    server = make_server(receiver, host=settings.host, port=settings.port)

    async with _opened(pool):
        try:
            async with _running(
                committer=committer.run,
                accounts=keeper.run,
                hosts=hosts.run,
                refusals=refused.run,
                arrivals=AcceptedCounter(lambda: receiver.stored, pool).run,
                metrics=metrics.run,
                auditing=auditor.run,
                exit=partial(_exit_with, stopping, lambda: setattr(server, "should_exit", True)),
            ) as died:
                await _until(server.serve(sockets=sockets), died)
        finally:
            await http.aclose()
            await engine.dispose()
            await journal.close()


def make_admit(settings: Settings, directory: "Directory", keeper: "Keeper", committer: "Committer") -> "Admit":
    """The door, for refused callbacks that are to prove themselves anew: if they fail, they are not kept again."""
    from landed.web.callbacks import Receiver
    from landed.web.readmitting import Forgetful, admitting, nowhere

    return admitting(
        Receiver(
            directory=directory,
            keeper=keeper,
            committer=committer,
            refusals=Forgetful(),
            public_url=settings.public_url,
            body_bytes_max=settings.body_bytes_max,
            fallback=nowhere,
        )
    )


@contextlib.asynccontextmanager
async def opened_admit(
    settings: Settings, database_url: str, load: Callable[[], Awaitable[list[Account]]]
) -> "AsyncIterator[Admit]":
    """The same door for a command, with a journal of its own."""
    from landed.services.callers import HostKeeper
    from landed.services.receiving import Committer, Directory, DirectoryKeeper

    directory = Directory(registry.load())
    keeper = DirectoryKeeper(directory, load, database_url)
    await keeper.load()
    await HostKeeper(lambda: directory.host_names, directory.host_names_changed, directory.resolve).refresh()
    journal = make_journal(settings, database_url)
    committer = Committer(
        journal, waiting_max=settings.waiting_callbacks_max, waiting_bytes_max=settings.waiting_bytes_max
    )
    await journal.open()
    committer.available = True
    try:
        async with _running(committer=committer.run):
            yield make_admit(settings, directory, keeper, committer)
    finally:
        await journal.close()


def _shown_settings(settings: Settings) -> "list[ShownSetting]":
    from landed.web.dashboard.settings.more import ShownSetting

    return [ShownSetting(each.variable, each.value, each.source, each.meaning) for each in describe(settings)]


async def run_worker(settings: Settings, database_url: str, *, stopping: asyncio.Event) -> None:
    """Track, until told to stop; the lanes are given back, so that another worker goes on at once."""
    from landed.services.converting import SessionConverter, Teller
    from landed.services.idempotency import Forgetting
    from landed.services.outgoing import Dispatcher, Rates
    from landed.services.reconciling import Reconciler
    from landed.services.retention import Retention
    from landed.services.tracking import Tracker

    providers = registry.load()
    pool = connect.pool(database_url, connections_max=_WORKER_CONNECTIONS_MAX)
    journal = make_journal(settings, database_url)
    known = _KnownAccounts(pool, providers)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    tracker = Tracker(
        name=name,
        journal=journal,
        pool=pool,
        provider_of=known.provider_of,
        refresh=known.load,
    )
    calm_collector()
    # Apart from the tracker's: what was sent must not wait for connections that it holds.
    sending_pool = connect.pool(database_url, connections_max=_SENDING_CONNECTIONS_MAX)
    async with (
        _opened(pool),
        _opened(sending_pool),
        _calling(settings, pool, providers) as clients,
        _alerting(settings, database_url, pool, providers) as alerting,
    ):
        reconciler = Reconciler(
            pool=pool,
            clients=clients,
            explainer_of=known.provider_of,
            after_s=settings.reconcile_after_s,
            expire_after_s=settings.expire_after_s,
            lookups_per_s=settings.lookups_per_s,
        )
        dispatcher = Dispatcher(
            name=name,
            pool=sending_pool,
            clients=clients,
            public_url=settings.public_url,
            default_rates=Rates(settings.send_rate_per_account, settings.send_rate_per_sender),
            database_url=database_url,
        )
        try:
            async with _running(
                tracker=tracker.run,
                sending=dispatcher.run,
                forgetting=Forgetting(pool).run,
                accounts=partial(known.listen, database_url),
                retention=Retention(pool, retention_days=settings.retention_days).run,
                reconciling=reconciler.run,
                conversions=Teller(pool=pool, clients=clients).run,
                **({"sessions": SessionConverter(pool=pool).run} if settings.report_conversions else {}),
                verifying=make_verifier(settings, pool, clients).run,
                **_downloading(settings, pool, providers),
                **alerting,
            ) as died:
                await _until(_ended(stopping), died)
        finally:
            await dispatcher.stop()
            await tracker.stop()
            await journal.close()


def make_verifier(settings: Settings, pool: accounts.Pool, clients: "Clients") -> "Verifier":
    """What starts verify sessions, within the limits that settings name."""
    from landed.domain.limits import ShareLimit
    from landed.services.verifying import Verifier, VerifyRules
    from landed.store.verify_starts import Side

    rules = VerifyRules(
        limits={
            Side.RECIPIENT: settings.verify_recipient_limits,
            Side.COUNTRY: settings.verify_country_limits,
            Side.CALLER: settings.verify_caller_limits,
        },
        share=ShareLimit(
            settings.verify_share_percent_min,
            settings.verify_share_sessions_min,
            timedelta(hours=settings.verify_share_hours),
        ),
        tries_max=settings.verify_tries_max,
        region=settings.default_region,
    )
    return Verifier(pool=pool, clients=clients, public_url=settings.public_url, rules=rules)


def make_registrar(settings: Settings, pool: accounts.Pool, clients: "Clients") -> "Registrar":
    """What registers things for 10DLC."""
    from landed.services.registering import Registrar

    return Registrar(
        pool=pool,
        clients=clients,
        public_url=settings.public_url,
        region=settings.default_region,
    )


def make_journal(settings: Settings, database_url: str) -> Journal:
    """The journal that LANDED_JOURNAL names; PostgreSQL's is the only one so far."""
    return PostgresJournal(database_url, lanes=settings.lanes)


@contextlib.asynccontextmanager
async def _calling(
    settings: Settings, pool: accounts.Pool, providers: Mapping[str, Provider]
) -> "AsyncIterator[Clients]":
    """What calls the providers' APIs."""
    from landed.providers.http import open_client
    from landed.services.calling import Clients

    sealer = Sealer(secret_key(settings))

    async def live_accounts() -> list[Account]:
        return await accounts.all_live(pool, sealer, datetime.now(UTC))

    async with open_client() as http:
        yield Clients(live_accounts, providers, http, settings.provider_urls)


def _downloading(
    settings: Settings, pool: accounts.Pool, providers: Mapping[str, Provider]
) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What downloads media, where that is switched on."""
    if not settings.media_download:
        return {}
    from landed.services.downloading import Downloader, login
    from landed.services.fetching import Fetcher, Login
    from landed.store.media_files import MediaFiles

    sealer = Sealer(secret_key(settings))

    async def login_of(account_id: int) -> Login | None:
        live = await accounts.all_live(pool, sealer, datetime.now(UTC))
        account = next((account for account in live if account.id == account_id), None)
        return login(account, providers.get(account.provider)) if account else None

    downloader = Downloader(
        pool=pool,
        fetcher=Fetcher(bytes_max=settings.media_bytes_max),
        files=MediaFiles(settings.data_dir / MEDIA),
        login_of=login_of,
    )
    return {"media": downloader.run}


def make_mailer(settings: Settings) -> "Mailer | None":
    """What hands mail over; None where no mail server is set."""
    if settings.smtp_url is None:
        return None
    from landed.domain.mail import MailServer
    from landed.services.mailing import Mailer

    sender = settings.mail_from or f"landed@{urlsplit(settings.public_url).hostname}"
    return Mailer(MailServer.of(settings.smtp_url.get_secret_value()), sender)


def make_summaries(
    settings: Settings, pool: accounts.Pool, engine: "AsyncEngine", providers: Mapping[str, Provider]
) -> "Summaries":
    """What tells of the week."""
    from landed.services.summaries import Summaries

    return Summaries(
        pool=pool,
        engine=engine,
        providers=providers,
        public_url=settings.public_url,
        zone=ZoneInfo(settings.weekly_summary_zone),
        recipients=settings.weekly_summary,
    )


@contextlib.asynccontextmanager
async def _alerting(
    settings: Settings,
    database_url: str,
    pool: accounts.Pool,
    providers: Mapping[str, Provider],
) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """What looks at the rules of alerts, tells of them, and sums the week up."""
    from landed.providers.http import open_client
    from landed.services import watching
    from landed.services.alert_sending import Sender
    from landed.services.alerting import Watch
    from landed.services.notifying import Notifier
    from landed.store import reading

    engine = reading.engine(database_url)
    journal = make_journal(settings, database_url)  # apart from the tracker's, which it need not wait for
    watch = Watch(
        pool=pool,
        engine=engine,
        lag=partial(watching.lag, journal, pool),
        providers=providers,
        public_url=settings.public_url,
    )
    try:
        async with open_client() as http:
            sender = Sender(sealer=Sealer(secret_key(settings)), http=http, mailer=make_mailer(settings))
            yield {
                "alerts": watch.run,
                "notifications": Notifier(pool=pool, sender=sender).run,
                "summaries": make_summaries(settings, pool, engine, providers).run,
            }
    finally:
        await engine.dispose()
        await journal.close()


class _KnownAccounts:
    """Which provider each account belongs to, for tracking."""

    def __init__(self, pool: accounts.Pool, providers: Mapping[str, Provider]) -> None:
        self._pool = pool
        self._providers = providers
        self._by_account: dict[int, Provider] = {}

    def provider_of(self, account_id: int) -> Provider | None:
        return self._by_account.get(account_id)

    async def load(self) -> None:
        names = await accounts.providers(self._pool)
        self._by_account = {
            account_id: self._providers[name] for account_id, name in names.items() if name in self._providers
        }

    async def listen(self, database_url: str) -> None:
        while True:
            with contextlib.suppress(StoreUnavailable):
                async for _ in listening.notifications(database_url, accounts.CHANGED):
                    await self.load()
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def _opened(pool: AsyncConnectionPool[Any]) -> AsyncIterator[None]:
    await pool.open()
    try:
        yield
    finally:
        await pool.close(timeout=2)


@contextlib.asynccontextmanager
async def _running(**parts: Callable[[], Awaitable[Any]]) -> AsyncIterator[asyncio.Future[Any]]:
    """Run these in the background, and cancel them on leaving, first named last.

    Gives a future that fails when one of them does, or ends.
    """
    died: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    tasks = {name: asyncio.ensure_future(start()) for name, start in parts.items()}

    def note(name: str, task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not died.done():
            _log.error("task_died", task=name, error=type(error).__name__)
            died.set_exception(error)

    for name, task in tasks.items():
        task.add_done_callback(partial(note, name))
    try:
        yield died
    finally:
        for task in reversed(tasks.values()):
            await _cancelled(task)
        died.cancel()


async def _cancelled(task: asyncio.Future[Any]) -> None:
    """Cancel it and wait for its end. Python's `wait_for` may lose a cancellation that meets its result (before 3.12),
    so it is told again."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)


async def _until(main: Awaitable[None], died: asyncio.Future[Any]) -> None:
    """Wait for the main thing to end. Where a part dies before that, it is stopped, and the error goes on."""
    task = asyncio.ensure_future(main)
    await asyncio.wait({task, died}, return_when=asyncio.FIRST_COMPLETED)
    if died.done():
        await _cancelled(task)
        died.result()
    await task


async def _ended(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def _exit_with(stopping: asyncio.Event, stop: Callable[[], None]) -> None:
    await stopping.wait()
    stop()
