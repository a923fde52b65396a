"""`landed serve | web | worker`: run it."""

import asyncio
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landed.cli.opening import bring_up_to_date, opened_database
from landed.cli.speaking import say
from landed.domain.errors import LandedError, SettingInvalid

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from landed.processes import Part
    from landed.settings import Settings

#: A database that takes longer than this to start is likely being made, and will have to be upgraded.
_READY_S: Final = 0.5

Parent = Annotated[int | None, typer.Option(hidden=True, help="A pipe that ends with the process that started this.")]
Prepared = Annotated[bool, typer.Option("--prepared", hidden=True, help="The database was looked at already.")]


def serve() -> None:
    """Example: landed serve

    Run everything on this machine: web processes, a worker, and the embedded database if none is set.
    """
    from landed import logs
    from landed.processes import supervise
    from landed.settings import read

    settings = read()
    logs.configure(settings.log_level, role="serve")
    with (
        preparation(settings, with_pages=True) as prepare,
        opened_database(settings, outlives_exec=True) as database_url,
        # Before it is told where the first administrator comes in, which nobody should be told of a start that fails.
        listening(settings) as listener,
        tempfile.TemporaryDirectory(prefix="landed-") as shared,
    ):
        prepare(database_url)
        say(f"Landed listens on http://{settings.host}:{settings.port} and is called at {settings.public_url}")
        supervise(parts(settings, listener, Path(shared)), log_level=settings.log_level, shared=Path(shared))


def web(
    parent: Parent = None,
    prepared: Prepared = False,
    listener: Annotated[int | None, typer.Option(hidden=True, help="A listening socket.")] = None,
    shared: Annotated[Path | None, typer.Option(hidden=True, help="Where web processes share their counts.")] = None,
) -> None:
    """Example: landed web

    Take callbacks and serve the API, in one process.
    """
    from landed import app, logs
    from landed.settings import read

    settings = read()
    logs.configure(settings.log_level, role="web")
    with (
        nullcontext() if prepared else preparation(settings, with_pages=True) as prepare,
        opened_database(settings) as database_url,
        listening(settings) if listener is None else socket.socket(fileno=listener) as bound,
    ):
        if prepare is not None:
            prepare(database_url)

        async def main(stopping: asyncio.Event) -> None:
            await app.run_web(settings, database_url, sockets=[bound], stopping=stopping, shared=shared)

        _run(main, parent)


def worker(parent: Parent = None, prepared: Prepared = False) -> None:
    """Example: landed worker

    Track callbacks, in one process. Several workers share the work.
    """
    from landed import app, logs
    from landed.settings import read

    settings = read()
    logs.configure(settings.log_level, role="worker")
    with (
        nullcontext() if prepared else preparation(settings) as prepare,
        opened_database(settings) as database_url,
    ):
        if prepare is not None:
            prepare(database_url)

        async def main(stopping: asyncio.Event) -> None:
            await app.run_worker(settings, database_url, stopping=stopping)

        _run(main, parent)


def _prepare(settings: "Settings", database_url: str, *, with_pages: bool) -> None:
    """Bring the embedded database up to date, refuse any other that is behind, and a secret key that does not fit.

    Where the process will have pages, and nobody can sign in to them, say where the first user comes in.

    Raises:
        SchemaBehind, SettingInvalid, StoreUnavailable
    """
    from landed.services import users
    from landed.settings import secret_key
    from landed.store import accounts, connect
    from landed.store.sealing import Sealer

    bring_up_to_date(database_url, embedded=settings.database_url is None)

    async def prove() -> str | None:
        async with connect.pool(database_url, connections_max=1) as pool:
            await accounts.prove_key(pool, Sealer(secret_key(settings)))
            return await users.start_link(pool, datetime.now(UTC)) if with_pages else None

    if (token := asyncio.run(prove())) is not None:
        say(f"Nobody can sign in yet. Within the hour the first administrator comes in at {_start_at(settings, token)}")


def _start_at(settings: "Settings", token: str) -> str:
    """At the public address and, where that is another machine's, at the one we listen on."""
    urls = [f"{settings.public_url}/start/{token}"]
    if not settings.public_url.startswith("http://"):
        urls.append(f"http://127.0.0.1:{settings.port}/start/{token} on this machine")
    return ", or ".join(urls)


@contextmanager
def preparation(settings: "Settings", *, with_pages: bool = False) -> "Iterator[Callable[[str], None]]":
    """What prepares the database whose address it is given: a process of its own, since what migrations load, 40 MB, is
    of no more use afterwards. It loads that while a new database is made.

    Raises:
        SystemExit: it cannot be used; the process has said why.
    """
    from multiprocessing import get_context

    fork = get_context("fork")
    theirs, ours = fork.Pipe(duplex=False)
    process = fork.Process(target=_prepare_when_told, args=(settings, theirs, ours, with_pages))
    process.start()
    theirs.close()

    def prepare(database_url: str) -> None:
        with suppress(BrokenPipeError):  # it is dead: see below
            ours.send(database_url)
        process.join()
        code = process.exitcode or 0
        if code < 0:
            say(f"The process that prepares the database was ended by signal {-code}.")
        if code:
            raise typer.Exit(1 if code < 0 else code)

    try:
        yield prepare
    finally:
        ours.close()
        process.join()


def _prepare_when_told(settings: "Settings", told: "Connection", others: "Connection", with_pages: bool) -> None:
    # Ctrl-C comes to us too. Until there is something to break off, the end of our parent is enough.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    from landed.store import migrate

    others.close()  # or its end would never come to us
    if not told.poll(_READY_S):
        migrate.load_ahead()
    try:
        database_url = told.recv()
    except EOFError:
        return  # it does not start
    signal.signal(signal.SIGINT, signal.SIG_IGN if before == signal.SIG_IGN else signal.SIG_DFL)
    try:
        _prepare(settings, database_url, with_pages=with_pages)
    except LandedError as error:
        say(str(error))
        raise SystemExit(2 if isinstance(error, SettingInvalid) else 1) from None


def listening(settings: "Settings") -> socket.socket:
    """The socket to listen on, which all web processes of this machine share.

    Raises:
        SettingInvalid: the address is taken, or is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise SettingInvalid(
            f"LANDED_HOST {settings.host} and LANDED_PORT {settings.port} cannot be listened on: {error.strerror}."
            " Stop what listens there, or give another port."
        ) from error
    bound.listen(2048)
    return bound


def parts(settings: "Settings", listener: socket.socket, shared: Path) -> "list[Part]":
    """The processes of `landed serve`."""
    from landed.processes import Part

    fd = listener.fileno()
    web_command = ("web", "--prepared", "--listener", str(fd), "--shared", str(shared))
    webs = [Part(name=f"web-{n}", command=web_command, descriptors=(fd,)) for n in range(settings.web_processes)]
    return [*webs, Part(name="worker", command=("worker", "--prepared"))]


def _run(main: Callable[[asyncio.Event], Awaitable[None]], parent: int | None) -> None:
    import uvloop

    from landed.processes import stop_on_signals

    async def stoppable() -> None:
        stopping = asyncio.Event()
        stop_on_signals(stopping, parent)
        await main(stopping)

    uvloop.run(stoppable())
