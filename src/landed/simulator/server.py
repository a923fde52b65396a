"""Serves the stand-ins and `/_sim` on one port: for the command, the demo and the test fixture alike."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from landed.domain.errors import InputInvalid, LandedError
from landed.simulator.control import guard
from landed.simulator.control.changing import Changing
from landed.simulator.control.watching import Watching
from landed.simulator.simulation import Simulation

_BACKLOG: Final = 2048
#: Longer than clients keep connections: else one is closed just as a request goes out on it, which looks like a fault.
_KEEP_ALIVE_S: Final = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """`ended` is done only when something of ours has failed; it raises what."""

    base_url: str
    ended: "asyncio.Future[Any]"


def application(simulation: Simulation, *, hosts: Collection[str] = ()) -> Starlette:
    """The ASGI application. `hosts`: names and addresses besides those of the loopback that it may be called by."""
    watching = Watching(simulation)
    control = [*watching.routes(), *Changing(simulation, watching).routes()]

    async def index(request: Request) -> JSONResponse:
        offered = [(method, route.path) for route in control for method in sorted((route.methods or set()) - {"HEAD"})]
        return JSONResponse({"data": [f"{method} {guard.PREFIX}{path}" for method, path in offered]})

    return Starlette(
        routes=[
            Route(guard.PREFIX, index, methods=["GET"]),
            Mount(guard.PREFIX, routes=control),
            *(route for stand_in in simulation.stand_ins.values() for route in stand_in.routes()),
        ],
        middleware=[Middleware(guard.Guard, simulation=simulation, hosts=hosts)],
        exception_handlers={
            LandedError: guard.landed_error,
            HTTPException: guard.http_error,
            Exception: guard.unexpected,
        },
    )


@asynccontextmanager
async def serving(
    simulation: Simulation, *, listener: socket.socket, hosts: Collection[str] = ()
) -> AsyncIterator[Serving]:
    """Takes requests and makes callbacks, on this loop, for as long as it is open. Whatever hangs then is dropped."""
    host, port = listener.getsockname()[:2]
    base_url = _url(host, port)
    for stand_in in simulation.stand_ins.values():
        stand_in.base_url = _url(_reached_at(host, hosts), port)
    app = application(simulation, hosts={host, *hosts})
    options = uvicorn.Config(
        app,
        loop="none",
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",  # an answer that never comes is meant
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    server = _Server(options)
    tasks = [asyncio.create_task(server.serve(sockets=[listener])), asyncio.create_task(simulation.carrier.run())]
    ended: asyncio.Future[Any] = asyncio.gather(*tasks)
    try:
        ready: asyncio.Future[Any] = asyncio.ensure_future(server.ready.wait())
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        yield Serving(base_url=base_url, ended=ended)
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.wait(tasks[:1])
        ended.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended
        await simulation.caller.close()


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _reached_at(host: str, names: Collection[str]) -> str:
    """How others reach what listens on this address. On all of this machine's: by the first of the names that it may be
    called by, or else by the address that it would write to strangers from."""
    if not ip_address(host).is_unspecified:
        return host
    if names:
        return next(iter(names))
    family, stranger = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as unsent:
        unsent.connect((stranger, 9))  # sends nothing: addresses for documentation, of RFC 5737 and 3849
        return str(unsent.getsockname()[0])
    return "::1" if ":" in host else "127.0.0.1"


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket to listen on; port 0: any that is free.

    Raises:
        InputInvalid: it is taken, or no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its name, or asyncio does not know it for TCP, and answers wait 40 ms for an acknowledgement (Nagle).
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise InputInvalid(
            f"Port {port} of {host} cannot be listened on: {error.strerror}."
            " Stop what listens there, or give another by --port.",
            field="port",
        ) from error
    return bound


class _Server(uvicorn.Server):
    """Signals belong to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
