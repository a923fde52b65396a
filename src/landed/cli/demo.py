"""`landed demo`: all of it on one machine, with simulated traffic and its progress in the terminal."""

import asyncio
import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

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


def demo(
    rate: Annotated[float, typer.Option(help="Messages per second.", min=0.1, max=1000.0)] = 20.0,
    seconds: Annotated[float | None, typer.Option("--for", help="Stop by itself after so many seconds.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same traffic; else it differs.")] = None,
) -> None:
    """Example: landed demo --rate 50

    Run Landed with simulated traffic: genuine, repeated, disordered and forged callbacks. Ctrl-C ends it. It keeps
    everything where `landed serve` does, so it does not start where there are accounts other than its own.
    """
    from landed import logs
    from landed.settings import read

    # Its parts are quiet, so that the picture stays whole.
    os.environ.setdefault("LANDED_LOG_LEVEL", "warning")
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
    from landed.processes import Processes, stop_on_signals
    from landed.simulator.ledger import Ledger
    from landed.simulator.sender import Sender
    from landed.simulator.traffic import stream
    from landed.store import connect

    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with connect.pool(database_url, connections_max=2) as pool:
        account, key = await _prepare(settings, pool)
        base_url = f"http://{settings.host}:{settings.port}"
        ledger = Ledger()
        sender = Sender(base_url, ledger=ledger)
        picture = _Picture(sender=sender, ledger=ledger, tracked=_Tracked(pool))
        await picture.tracked.begin()
        processes = asyncio.create_task(Processes(parts(settings, listener, shared)).run(stopping))
        try:
            await _until_ready(base_url, stopping)
            _say_where(base_url, key)
            seed = secrets.randbelow(2**31) if seed is None else seed
            items = stream(account, seed=seed, messages_per_s=rate, clock=lambda: datetime.now(UTC))
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
            stopping.set()
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


class _Tracked:
    """How many messages Landed knows of, and how many nonces it found used twice, since the demo began."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._before: dict[str, int] = {}
        self._set_aside_before = 0

    async def begin(self) -> None:
        self._before = await self._all()
        self._set_aside_before = await self._set_aside()

    async def counts(self) -> dict[str, int]:
        now = await self._all()
        return {name: count - self._before.get(name, 0) for name, count in now.items()}

    async def set_aside(self) -> int:
        return (await self._set_aside()) - self._set_aside_before

    async def _all(self) -> dict[str, int]:
        from landed.store import health

        return await health.messages_by_status(self._pool)

    async def _set_aside(self) -> int:
        from landed.store import health

        return sum((await health.oddities(self._pool))[0].values())


@dataclass(slots=True)
class _Picture:
    """What the terminal shows: what was sent, and what Landed made of it."""

    sender: "Sender"
    ledger: "Ledger"
    tracked: _Tracked
    counts: dict[str, int] = field(default_factory=dict)
    set_aside: int = 0
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def look(self) -> None:
        with contextlib.suppress(LandedError):
            self.counts = await self.tracked.counts()
            self.set_aside = await self.tracked.set_aside()

    async def settle(self) -> None:
        """Wait until all that was acknowledged is tracked."""
        for _ in range(100):
            await self.look()
            if self._is_as_told():
                return
            await asyncio.sleep(0.1)

    def render(self) -> "RenderableType":
        from rich.table import Table

        told = self.ledger.summary()
        table = Table(title=f"Simulated traffic, {_since(self.started_at)}", title_justify="left", pad_edge=False)
        table.add_column("")
        table.add_column("sent", justify="right")
        table.add_column("Landed", justify="right")
        table.add_row("messages", f"{told.messages:,}", f"{sum(self.counts.values()):,}")
        for status in ("queued", "sent", "failed", "undelivered", "delivered", "read"):
            table.add_row(f"  {status}", f"{told.by_status.get(status, 0):,}", f"{self.counts.get(status, 0):,}")
        table.add_section()
        table.add_row("callbacks", f"{told.callbacks:,}", "")
        table.add_row("  repeated", f"{told.duplicates:,}", "")
        table.add_row(
            "  forged",
            f"{sum(told.forged.values()):,}",
            f"{self.sender.answers[403]:,} refused, {self.set_aside:,} found out",
        )
        return table

    def line(self) -> str:
        told = self.ledger.summary()
        return (
            f"{_since(self.started_at)}: sent {told.messages:,} messages in {told.callbacks:,} callbacks,"
            f" {told.duplicates:,} repeated and {sum(told.forged.values()):,} forged;"
            f" Landed counts {sum(self.counts.values()):,} messages, {self.counts.get('delivered', 0):,} delivered"
        )

    def _is_as_told(self) -> bool:
        counted = {status: count for status, count in self.counts.items() if count}
        return counted == dict(self.ledger.summary().by_status)

    def conclude(self) -> None:
        told = self.ledger.summary()
        counted = {status: count for status, count in self.counts.items() if count}
        if self._is_as_told():
            say(f"Every message that was told of is counted, once, where it ended: {told.messages:,} of them.")
        else:
            say(f"Landed counts {counted}, and {dict(told.by_status)} were told.")


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
