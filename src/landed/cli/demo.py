"""`landed demo`: all of it on one machine, with simulated traffic and its progress in the terminal."""

import asyncio
import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from landed.cli.opening import bring_up_to_date, opened_database
from landed.cli.serve import listening, parts
from landed.cli.speaking import say
from landed.domain.errors import InputInvalid, LandedError, SettingInvalid

if TYPE_CHECKING:
    from rich.console import RenderableType

    from landed.settings import Settings
    from landed.simulator.ledger import Ledger
    from landed.simulator.sender import Sender
    from landed.store.accounts import Pool

#: The account simulated traffic comes for. The demo does not run beside any other account.
ACCOUNT: Final = "demo"
_READY_S_MAX: Final = 60.0
#: What is under way at the end may take this long; a callback that is answered but not noted would look like a fault.
_ANSWERS_S_MAX: Final = 10.0
_REFRESH_S: Final = 0.5
_LINE_EVERY_S: Final = 10.0

_MESSAGES: Final = ("queued", "sent", "failed", "undelivered", "delivered", "read", "received")
_SESSIONS: Final = ("in_progress", "expired", "verified")
_REGISTRATIONS: Final = (
    *("brand pending", "brand rejected", "brand registered"),
    *("campaign pending", "campaign rejected", "campaign registered"),
    *("number pending", "number failed", "number linked", "number unlinked"),
)


def demo(
    rate: Annotated[float, typer.Option(help="Messages per second.", min=0.1, max=1000.0)] = 20.0,
    seconds: Annotated[float | None, typer.Option("--for", help="Stop by itself after so many seconds.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same traffic; else it differs.")] = None,
) -> None:
    """Example: landed demo --rate 50

    Run Landed with simulated traffic: messages out and in, verify sessions and 10DLC; genuine, repeated, disordered and
    forged callbacks. Ctrl-C ends it. It keeps everything where `landed serve` does, so it does not start where there
    are accounts other than its own.
    """
    from landed import logs
    from landed.settings import read

    # Its parts are quiet, so that the picture stays whole.
    os.environ.setdefault("LANDED_LOG_LEVEL", "warning")
    # The demo's accounts are made up: no provider is to be asked about them.
    os.environ.setdefault("LANDED_PROVIDER_URLS", "plivo=http://127.0.0.1:1,routee=http://127.0.0.1:1")
    settings = read()
    logs.configure(settings.log_level, role="demo")
    listener, settings = _listener(settings)
    with listener, opened_database(settings) as database_url, tempfile.TemporaryDirectory(prefix="landed-") as shared:
        bring_up_to_date(database_url, embedded=settings.database_url is None)
        asyncio.run(_run(settings, database_url, listener, Path(shared), rate, seconds, seed))


def _listener(settings: "Settings") -> "tuple[socket.socket, Settings]":
    """The socket to listen on, and the settings that go with it: another port where the usual one is taken."""
    from landed.settings import read

    try:
        return listening(settings), settings
    except SettingInvalid:
        if os.environ.get("LANDED_PORT"):
            raise
    with socket.socket() as free:
        free.bind((settings.host, 0))
        os.environ["LANDED_PORT"] = str(free.getsockname()[1])  # for the parts, too
    say(f"Port {settings.port} is taken; the demo takes {os.environ['LANDED_PORT']}.")
    settings = read()
    return listening(settings), settings


async def _run(
    settings: "Settings",
    database_url: str,
    listener: socket.socket,
    shared: Path,
    rate: float,
    seconds: float | None,
    seed: int | None,
) -> None:
    from landed.processes import Processes, log_death, stop_on_signals
    from landed.simulator.ledger import Ledger
    from landed.simulator.sender import Sender
    from landed.simulator.traffic import stream
    from landed.store import connect

    stopping, settled = asyncio.Event(), asyncio.Event()
    stop_on_signals(stopping)  # the traffic; Landed goes on until it has tracked what was acknowledged
    async with connect.pool(database_url, connections_max=2) as pool:
        account, key = await _prepare(settings, pool)
        base_url = f"http://{settings.host}:{settings.port}"
        ledger = Ledger()
        sender = Sender(base_url, ledger=ledger)
        picture = _Picture(sender=sender, ledger=ledger, tracked=_Tracked(pool))
        await picture.tracked.begin()
        processes = asyncio.create_task(Processes(parts(settings, listener, shared), log_death).run(settled))
        try:
            await _until_ready(base_url, stopping)
            _say_where(base_url, key)
            seed = secrets.randbelow(2**31) if seed is None else seed
            items = stream(account, seed=seed, messages_per_s=rate, clock=lambda: datetime.now(UTC), every_kind=True)
            sending = asyncio.create_task(sender.run(items))
            showing = asyncio.create_task(_show(picture))
            stop = asyncio.create_task(stopping.wait())
            await asyncio.wait({sending, stop, processes}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            sender.stop()
            await asyncio.wait({sending}, timeout=_ANSWERS_S_MAX)
            for task in (sending, stop):
                task.cancel()
            await asyncio.wait({sending, stop})
            await picture.settle()
            showing.cancel()
            await asyncio.wait({showing})
            picture.conclude()
        finally:
            settled.set()
            await processes


async def _prepare(settings: "Settings", pool: "Pool") -> tuple[Any, str]:
    """The simulated account with its tokens, and an API key for whoever watches."""
    from landed.domain.accounts import Scope, TokenRole
    from landed.providers import registry
    from landed.services import accounts, api_keys
    from landed.settings import secret_key
    from landed.simulator.items import Account
    from landed.store import accounts as account_rows
    from landed.store.sealing import Sealer

    sealer = Sealer(secret_key(settings))
    await account_rows.prove_key(pool, sealer)
    now = datetime.now(UTC)
    kept = await account_rows.every(pool, sealer, now)
    if others := [account.name for account in kept if account.name != ACCOUNT]:
        raise InputInvalid(
            f"There are accounts here already ({', '.join(others)}), and simulated messages must not mix with theirs."
            " Set LANDED_DATA_DIR to an empty directory for the demo."
        )
    if not kept:
        token, main_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        await accounts.add(
            pool,
            sealer,
            registry.load(),
            provider="plivo",
            name=ACCOUNT,
            provider_account_id="MA" + "DEMO" * 4 + "00",
            auth_token=token,
            main_token=main_token,
            paths=(),
            policy=None,
            now=now,
        )
    account = await account_rows.find(pool, sealer, ACCOUNT, now)
    tokens = {token.role: token.value for token in account.tokens}
    _, key = await api_keys.create(
        pool, sealer, name=f"demo-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}", scope=Scope.READ, account=None, now=now
    )
    return (
        Account(
            callback_url=accounts.callback_url(settings.public_url, account),
            auth_token=tokens[TokenRole.ACCOUNT],
            main_auth_token=tokens[TokenRole.MAIN],
        ),
        key,
    )


async def _until_ready(base_url: str, stopping: asyncio.Event) -> None:
    import httpx

    loop = asyncio.get_running_loop()
    deadline = loop.time() + _READY_S_MAX
    async with httpx.AsyncClient(trust_env=False) as client:
        while not stopping.is_set():
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{base_url}/health/ready")).status_code == 200:
                    return
            if loop.time() > deadline:
                raise LandedError(f"Landed did not get ready within {_READY_S_MAX:.0f} seconds.")
            await asyncio.sleep(0.05)


def _say_where(base_url: str, key: str) -> None:
    from rich.console import Console

    landed = _command()
    Console(stderr=True, highlight=False).print(
        f"\n[bold]Landed runs at[/bold] {base_url}   (API: {base_url}/docs, figures: {base_url}/metrics)\n"
        f"[bold]API key[/bold]        {key}\n\n"
        "Try in another terminal:\n"
        f"  {landed} report\n"
        f"  {landed} messages list --status undelivered\n"
        f"  {landed} inbound list\n"
        f"  {landed} verify list\n"
        f"  {landed} callbacks list --verdict refused\n"
        f"  curl -s -H 'Authorization: Bearer {key}' '{base_url}/v1/messages?limit=3'\n",
        soft_wrap=True,
    )


def _command() -> str:
    """How to call us from where the demo was called."""
    import sys

    called = Path(sys.argv[0])
    if called.name != "landed":
        return f"{sys.executable} -m landed"
    with contextlib.suppress(ValueError):
        return str(called.resolve().relative_to(Path.cwd()))
    return "landed"


class _Counts(NamedTuple):
    """How many there are of what, by status; and how many callbacks were set aside: those with a used nonce."""

    messages: Mapping[str, int]
    sessions: Mapping[str, int]
    registrations: Mapping[str, int]
    set_aside: int


class _Tracked:
    """What Landed knows of since the demo began."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._before = _Counts({}, {}, {}, 0)

    async def begin(self) -> None:
        self._before = await self._all()

    async def counts(self) -> _Counts:
        now, before = await self._all(), self._before
        return _Counts(
            _more(now.messages, before.messages),
            _more(now.sessions, before.sessions),
            _more(now.registrations, before.registrations),
            now.set_aside - before.set_aside,
        )

    async def _all(self) -> _Counts:
        from landed.store import health

        return _Counts(
            await health.messages_by_status(self._pool),
            await health.sessions_by_status(self._pool),
            await health.registrations_by_status(self._pool),
            sum((await health.oddities(self._pool))[0].values()),
        )


def _more(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """What there is more of, and what there is less of."""
    more = {name: now.get(name, 0) - before.get(name, 0) for name in {**before, **now}}
    return {name: count for name, count in more.items() if count}


@dataclass(slots=True)
class _Picture:
    """What the terminal shows: what was sent, and what Landed made of it."""

    sender: "Sender"
    ledger: "Ledger"
    tracked: _Tracked
    counts: _Counts = field(default_factory=lambda: _Counts({}, {}, {}, 0))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def look(self) -> None:
        with contextlib.suppress(LandedError):
            self.counts = await self.tracked.counts()

    async def settle(self) -> None:
        """Wait until all that was acknowledged is tracked."""
        for _ in range(100):
            await self.look()
            if not self._differences():
                return
            await asyncio.sleep(0.1)

    def render(self) -> "RenderableType":
        from rich.table import Table

        told = self.ledger.summary()
        table = Table(title=f"Simulated traffic, {_since(self.started_at)}", title_justify="left", pad_edge=False)
        table.add_column("")
        table.add_column("sent", justify="right")
        table.add_column("Landed", justify="right")
        for title, statuses, sent, counted in (
            ("messages", _MESSAGES, told.by_status, self.counts.messages),
            ("verify sessions", _SESSIONS, told.sessions, self.counts.sessions),
            ("10DLC", _REGISTRATIONS, told.registrations, self.counts.registrations),
        ):
            table.add_row(title, f"{sum(sent.values()):,}", f"{sum(counted.values()):,}")
            for status in statuses:
                name = f"  {status.replace('_', ' ')}"
                table.add_row(name, f"{sent.get(status, 0):,}", f"{counted.get(status, 0):,}")
            table.add_section()
        table.add_row("callbacks", f"{told.callbacks:,}", "")
        table.add_row("  repeated", f"{told.duplicates:,}", "")
        table.add_row(
            "  forged",
            f"{sum(told.forged.values()):,}",
            f"{self.sender.answers[403]:,} refused, {self.counts.set_aside:,} found out",
        )
        return table

    def line(self) -> str:
        told = self.ledger.summary()
        return (
            f"{_since(self.started_at)}: sent {told.callbacks:,} callbacks about {told.messages:,} messages,"
            f" {sum(told.sessions.values()):,} verify sessions and {sum(told.registrations.values()):,} registrations,"
            f" {told.duplicates:,} repeated and {sum(told.forged.values()):,} forged; Landed counts"
            f" {sum(self.counts.messages.values()):,} messages, {self.counts.messages.get('delivered', 0):,} delivered"
        )

    def _differences(self) -> list[str]:
        told, counts = self.ledger.summary(), self.counts
        return [
            f"{name}: Landed counts {dict(sorted(counted.items()))}, and {dict(sorted(sent.items()))} were told"
            for name, counted, sent in (
                ("messages", counts.messages, told.by_status),
                ("verify sessions", counts.sessions, told.sessions),
                ("10DLC", counts.registrations, told.registrations),
            )
            if dict(counted) != dict(sent)
        ]

    def conclude(self) -> None:
        told = self.ledger.summary()
        if differences := self._differences():
            say("; ".join(differences) + ".")
            return
        say(
            f"All that was told of is counted, once, where it ended: {told.messages:,} messages,"
            f" {sum(told.sessions.values()):,} verify sessions, and {sum(told.registrations.values()):,} brands,"
            " campaigns and numbers."
        )


def _since(moment: datetime) -> str:
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    return f"{seconds // 60} min {seconds % 60:02} s"


async def _show(picture: _Picture) -> None:
    """A picture that changes in place on a terminal, and a line now and then anywhere else."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        await _each(_LINE_EVERY_S, picture, lambda: say(picture.line()))
        return
    with Live(picture.render(), console=console, auto_refresh=False) as live:
        try:
            await _each(_REFRESH_S, picture, lambda: live.update(picture.render(), refresh=True))
        finally:
            live.update(picture.render(), refresh=True)  # the end, as `settle` found it


async def _each(pause_s: float, picture: _Picture, show: Callable[[], Any]) -> None:
    while True:
        await asyncio.sleep(pause_s)
        await picture.look()
        show()
