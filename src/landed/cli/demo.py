"""`landed demo`: all of it on one machine: a company that sends, a carrier that calls back, and Landed between them.

Messages, codes and registrations go through Landed's own API and outbox to the local carrier (simulator/), which calls
back; some days of history are put in behind.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landed.cli.durations import Duration, duration
from landed.cli.opening import bring_up_to_date, opened_database
from landed.cli.serve import listening, parts
from landed.cli.speaking import say
from landed.domain.errors import InputInvalid, LandedError, SettingInvalid

if TYPE_CHECKING:
    from landed.cli.demo_picture import Picture
    from landed.domain.accounts import Account
    from landed.journal.base import Accepted
    from landed.settings import Settings
    from landed.simulator.carrier.scenario import Scenario
    from landed.simulator.items import Item
    from landed.simulator.ledger import Ledger
    from landed.simulator.simulation import Simulation
    from landed.store.accounts import Pool

#: The accounts simulated traffic comes for. The demo does not run beside any other account.
ACCOUNT: Final = "demo"
ROUTEE_ACCOUNT: Final = "demo-routee"
_PLIVO_ID: Final = "MADEMODEMODEMODEMO00"
_MAIN_ID: Final = "MADEMODEMODEMODEMO01"
_ROUTEE_ID: Final = "demo-application"
_READY_S_MAX: Final = 60.0
#: Nobody pays.
_BALANCE: Final = "1000000"
_REQUESTS_MAX: Final = 20_000  #: in five seconds
HISTORY_DAYS_MAX: Final = 14  #: the ledger of nonces reaches back so far
_HISTORY_MESSAGES: Final = 3_000  #: a day
_AT_ONCE: Final = 1_000
#: What the demo needs otherwise than a service that sends through real providers; who sets it has it so.
_SETTINGS: Final = {
    "LANDED_LOG_LEVEL": "error",  # its parts are quiet, so that the picture stays whole
    "LANDED_SEND_RATE_PER_ACCOUNT": "2000",
    "LANDED_SEND_RATE_PER_SENDER": "2000",
    "LANDED_VERIFY_RECIPIENT_LIMITS": "off",
    "LANDED_VERIFY_COUNTRY_LIMITS": "off",
    "LANDED_VERIFY_CALLER_LIMITS": "off",
    "LANDED_VERIFY_SHARE_PERCENT_MIN": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    rate: float
    seconds: float | None
    seed: int
    scenario: "Scenario"
    history: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """`account` at Plivo and the one at Routee; keys of the API, for whoever watches and for the company."""

    account: "Account"
    routee: "Account"
    key: str
    company_key: str


def _history(text: str | Duration) -> Duration:
    days = Duration() if text == "0" else duration(text)
    if days > timedelta(days=HISTORY_DAYS_MAX):
        raise typer.BadParameter(f"{text} is too long; give up to {HISTORY_DAYS_MAX}d.")
    return days


def demo(
    rate: Annotated[float, typer.Option(help="Messages per second, in the mean.", min=0.1, max=1000.0)] = 20.0,
    seconds: Annotated[float | None, typer.Option("--for", help="Stop by itself after so many seconds.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same carrier; else it differs.")] = None,
    history: Annotated[
        Duration, typer.Option(parser=_history, metavar="DURATION", help="What lies behind, up to 14d; 0 for nothing.")
    ] = Duration(days=7),  # noqa: B008  frozen
    chaos: Annotated[str, typer.Option(help="How badly the carrier tells: none, some or all.")] = "some",
    scenario: Annotated[str, typer.Option(help="What the carrier is like: see `landed simulate`.")] = "everyday",
) -> None:
    """Example: landed demo --rate 20

    Run Landed with a local carrier: messages, codes and registrations go out through Landed's own API, callbacks come
    back genuine, repeated, disordered and forged, and people write. Ctrl-C ends it. It keeps everything where
    `landed serve` does, so it does not start where there are accounts other than its own.
    """
    from landed import logs
    from landed.settings import read
    from landed.simulator import server
    from landed.simulator.carrier import scenario as scenarios

    wanted = _Wanted(
        rate=rate,
        seconds=seconds,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        scenario=scenarios.change(scenarios.load(scenario), {"chaos": chaos}, source="--chaos"),
        history=history,
    )
    with server.listen() as carrier_listener:
        carrier_url = f"http://127.0.0.1:{carrier_listener.getsockname()[1]}"
        os.environ |= {name: value for name, value in _SETTINGS.items() if name not in os.environ}
        os.environ["LANDED_PROVIDER_URLS"] = f"plivo={carrier_url},routee={carrier_url}"
        settings = read()
        logs.configure(settings.log_level, role="demo")
        listener, settings = _listener(settings)
        with listener, opened_database(settings) as url, tempfile.TemporaryDirectory(prefix="landed-") as shared:
            bring_up_to_date(url, embedded=settings.database_url is None)
            asyncio.run(_run(settings, url, listener, carrier_listener, Path(shared), wanted))


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
    carrier_listener: socket.socket,
    shared: Path,
    wanted: _Wanted,
) -> None:
    from landed.cli import demo_picture
    from landed.processes import Processes, log_death, stop_on_signals
    from landed.services import accounts
    from landed.simulator import server
    from landed.simulator.demo.forging import Forger
    from landed.simulator.ledger import Ledger
    from landed.store import connect

    stopping, settled = asyncio.Event(), asyncio.Event()
    stop_on_signals(stopping)  # the traffic; Landed goes on until it has tracked what was acknowledged
    async with connect.pool(database_url, connections_max=2) as pool:
        prepared = await _prepare(settings, pool)
        url, routee_url = (
            accounts.callback_url(settings.public_url, each) for each in (prepared.account, prepared.routee)
        )
        base_url = _base_url(settings)
        world = _world(prepared, wanted, url, routee_url, {settings.public_url: base_url})
        forger = Forger(world.carrier, world.caller, _lots(wanted, "forger"), provider="plivo")
        past = Ledger()
        picture = await demo_picture.begin(pool, world.carrier, forger, past)
        link = f"{base_url}/sign-in/{await _sign_in_token(pool)}"
        async with server.serving(world, listener=carrier_listener) as serving:
            processes = asyncio.create_task(Processes(parts(settings, listener, shared), log_death).run(settled))
            try:
                await _until_ready(base_url, stopping)
                _say_where(base_url, serving.base_url, prepared.key, link)
                filling: asyncio.Future[None] = asyncio.create_task(
                    _fill(settings, database_url, prepared, url, wanted, past, stopping)
                    if wanted.history and picture.is_first
                    else asyncio.sleep(0)
                )
                going_on = _going_on(world, picture, prepared, base_url, wanted)
                await _until_stopped({processes, serving.ended}, going_on, stopping, wanted.seconds)
                stopping.set()
                showing = asyncio.create_task(demo_picture.show(picture))
                await filling
                await forger.close()
                await picture.until_sent()
                await world.carrier.finish()
                await picture.settle()
                showing.cancel()
                await asyncio.wait({showing})
                picture.conclude()
            finally:
                settled.set()
                await processes


def _lots(wanted: _Wanted, whose: str) -> Random:
    return Random(f"{wanted.seed}:{whose}")  # noqa: S311  no secret


def _world(
    prepared: _Prepared, wanted: _Wanted, url: str, routee_url: str, reached_at: Mapping[str, str]
) -> "Simulation":
    """The carrier with our accounts at its providers, set up as their consoles would have it."""
    from landed.simulator import simulation
    from landed.simulator.plivo.state import AccountOptions

    token, main_token = _tokens(prepared.account)
    (secret, _) = _tokens(prepared.routee)
    given = {
        _PLIVO_ID: AccountOptions(auth_token=token, main_id=_MAIN_ID),
        _MAIN_ID: AccountOptions(auth_token=main_token or token, balance=_BALANCE),
    }
    accounts: dict[str, Any] = {"plivo": given, "routee": {_ROUTEE_ID: secret}}
    world = simulation.create(scenario=wanted.scenario, seed=wanted.seed, accounts=accounts, reached_at=reached_at)
    many: dict[str, Any] = {"balance": _BALANCE, "requests_max": _REQUESTS_MAX}
    world.stand_ins["plivo"].set_up(_PLIVO_ID, message_url=url, **many)
    world.stand_ins["routee"].set_up(_ROUTEE_ID, two_step_url=routee_url, inbound_url=routee_url, **many)
    return world


def _tokens(account: "Account") -> tuple[str, str | None]:
    """The account's own and its main account's."""
    from landed.domain.accounts import TokenRole

    tokens = {token.role: token.value for token in account.tokens}
    return tokens[TokenRole.ACCOUNT], tokens.get(TokenRole.MAIN)


def _going_on(
    world: "Simulation", picture: "Picture", prepared: _Prepared, base_url: str, wanted: _Wanted
) -> Coroutine[Any, Any, None]:
    """All that goes on until it is stopped: the company, the people, networks that go out, and the picture of it."""
    from landed.cli import demo_picture
    from landed.simulator.demo import people, rhythm
    from landed.simulator.demo.company import Company
    from landed.simulator.demo.landed_api import LandedApi

    async def go_on() -> None:
        api = LandedApi(base_url, prepared.company_key)
        company = Company(
            api,
            _lots(wanted, "company"),
            accounts=(ACCOUNT, ROUTEE_ACCOUNT),
            sessions=lambda: (view for each in world.stand_ins.values() for view in each.sessions()),
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(company.run(wanted.rate))
                group.create_task(people.write(world.stand_ins["plivo"], _lots(wanted, "people"), wanted.rate))
                group.create_task(rhythm.incidents(world.carrier, _lots(wanted, "incidents"), picture.hear))
                group.create_task(demo_picture.show(picture))
        finally:
            await api.close()

    return go_on()


async def _until_stopped(
    ends: "set[asyncio.Future[Any]]",
    going_on: Coroutine[Any, Any, None],
    stopping: asyncio.Event,
    seconds: float | None,
) -> None:
    """Until somebody says stop, the time is over, or one of these ends by itself; what goes on is ended."""
    task, stop = asyncio.create_task(going_on), asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop, *ends}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in (task, stop):
        each.cancel()
    await asyncio.wait({task, stop})
    if not task.cancelled():
        task.result()


# --- accounts and keys ---------------------------------------------------------------------------------------------


async def _prepare(settings: "Settings", pool: "Pool") -> _Prepared:
    """The simulated accounts with their tokens, and API keys."""
    from landed.domain.accounts import Scope
    from landed.providers import registry
    from landed.services import accounts, api_keys
    from landed.settings import secret_key
    from landed.store import accounts as account_rows
    from landed.store.sealing import Sealer

    sealer = Sealer(secret_key(settings))
    await account_rows.prove_key(pool, sealer)
    now = datetime.now(UTC)
    kept = {account.name for account in await account_rows.every(pool, sealer, now)}
    if others := kept - {ACCOUNT, ROUTEE_ACCOUNT}:
        raise InputInvalid(
            f"There are accounts here already ({', '.join(sorted(others))}), and simulated messages must not mix with"
            " theirs. Set LANDED_DATA_DIR to an empty directory for the demo."
        )
    for name, provider, provider_account_id in (
        (ACCOUNT, "plivo", _PLIVO_ID),
        (ROUTEE_ACCOUNT, "routee", _ROUTEE_ID),
    ):
        if name not in kept:
            await accounts.add(
                pool,
                sealer,
                registry.load(),
                provider=provider,
                name=name,
                provider_account_id=provider_account_id,
                auth_token=secrets.token_urlsafe(24),
                main_token=secrets.token_urlsafe(24) if provider == "plivo" else None,
                now=now,
            )
    named = f"demo-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    _, key = await api_keys.create(pool, sealer, name=named, scope=Scope.READ, account=None, now=now)
    _, company_key = await api_keys.create(
        pool, sealer, name=f"{named}-company", scope=Scope.SEND, account=None, now=now
    )
    return _Prepared(
        account=await account_rows.find(pool, sealer, ACCOUNT, now),
        routee=await account_rows.find(pool, sealer, ROUTEE_ACCOUNT, now),
        key=key,
        company_key=company_key,
    )


async def _sign_in_token(pool: "Pool") -> str:
    """Of a link that signs in, once, as the demo's administrator, who has no password."""
    from landed.domain.users import Role
    from landed.services import users
    from landed.services.passwords import Passwords
    from landed.store import users as user_rows

    now = datetime.now(UTC)
    if await user_rows.find(pool, ACCOUNT) is None:
        await users.add(pool, Passwords(), name=ACCOUNT, role=Role.ADMIN, password=None)
    return await users.link(pool, ACCOUNT, now)


# --- history -------------------------------------------------------------------------------------------------------


async def _fill(
    settings: "Settings",
    database_url: str,
    prepared: _Prepared,
    callback_url: str,
    wanted: _Wanted,
    past: "Ledger",
    stopping: asyncio.Event,
) -> None:
    """Put the callbacks of the days before into the journal, for the worker to track; when stopped, what is in is told.
    An earlier demo's messages are history enough.
    """
    from landed.journal.postgres import PostgresJournal
    from landed.simulator.demo import history
    from landed.simulator.items import Account as Called
    from landed.store import connect, partitions

    now = datetime.now(UTC)
    token, main_token = _tokens(prepared.account)
    called = Called(callback_url=callback_url, auth_token=token, main_auth_token=main_token or token)
    items = history.tell(
        called,
        seed=wanted.seed,
        messages_about=round(_HISTORY_MESSAGES * (wanted.history / timedelta(days=1))),
        since=now - wanted.history,
        until=now,
    )
    days = wanted.history.days + 1
    async with connect.pool(database_url, connections_max=1) as pool, pool.connection() as connection:
        await partitions.make(connection, now.date() - timedelta(days=days), ahead_days=days)
    journal = PostgresJournal(database_url, lanes=settings.lanes)
    await journal.open()
    try:
        while not stopping.is_set() and (batch := await asyncio.to_thread(_next, items)):
            await journal.append([_accepted(item, prepared.account.id) for item in batch])
            for item in batch:
                past.tell(item.truth)
    finally:
        await journal.close()


def _next(items: "Iterator[Item]") -> "list[Item]":
    return list(islice(items, _AT_ONCE))


def _accepted(item: "Item", account_id: int) -> "Accepted":
    """As the door would have let it in."""
    from landed.journal.base import Accepted

    path = item.url.partition("/callbacks/")[2].partition("?")[0].split("/")
    kind, our_id = path[1:] if len(path) == 3 else (None, None)
    proofs = (f"{name.lower()}" for name in item.headers if "-Ma-" in name)
    return Accepted(
        received_at=item.due_at,
        account_id=account_id,
        method=item.method,
        url=item.url,
        kind=kind,
        our_id=our_id,
        headers="".join(f"{name.lower()}: {value}\n" for name, value in item.headers.items()).encode(),
        body=item.body,
        verified_by=",".join(proofs),
    )


# --- saying where it is --------------------------------------------------------------------------------------------


def _base_url(settings: "Settings") -> str:
    """Where this machine reaches it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  to listen on
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


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


def _say_where(base_url: str, carrier_url: str, key: str, link: str) -> None:
    from rich.console import Console

    landed = _command()
    Console(stderr=True, highlight=False).print(
        f"\n[bold]Landed runs at[/bold] {base_url}   (API: {base_url}/docs, figures: {base_url}/metrics)\n"
        f"[bold]Sign in[/bold]        {link}   (once, within the hour)\n"
        f"[bold]API key[/bold]        {key}\n"
        f"[bold]The carrier[/bold]    {carrier_url}/_sim\n\n"
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
