"""The dashboard, put together."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from landed.providers.base import Provider
from landed.services.auditing import Auditor
from landed.services.diagnosing import Diagnoser
from landed.services.funnel import FunnelReporter
from landed.services.inbound import InboundReader
from landed.services.inspecting import Inspector
from landed.services.live import Live
from landed.services.opt_outs import OptOutChanger, OptOutReader
from landed.services.overview import Overviewer
from landed.services.reading import Reader
from landed.services.registration_ages import RegistrationAging
from landed.services.registrations import RegistrationReader
from landed.services.replaying import Replayer
from landed.services.replaying_several import SeveralReplayer
from landed.services.sessions import SessionReader
from landed.services.signing_in import SigningIn
from landed.services.streaming import CallbackStream
from landed.store.accounts import Pool
from landed.store.media_files import MediaFiles
from landed.store.sealing import Sealer
from landed.web.api.accounts import Accounts
from landed.web.api.alerts import Alerting
from landed.web.dashboard import (
    account,
    alerts,
    callbacks,
    errors,
    inbound,
    live,
    messages,
    opt_outs,
    overview,
    sharing,
    sign_in,
    tendlc,
    verify,
)
from landed.web.dashboard.gate import Gate, Hosts
from landed.web.dashboard.pages import Page, Pages, shareable_paths
from landed.web.dashboard.settings import health, keys, users
from landed.web.dashboard.settings import more as more_settings
from landed.web.dashboard.settings.more import ShownSetting

_READING: Final = ["GET", "HEAD"]


def create_dashboard(
    *,
    engine: AsyncEngine,
    providers: Mapping[str, Provider],
    signing_in: SigningIn,
    auditor: Auditor,
    public_url: str,
    pool: Pool,
    sealer: Sealer,
    accounts: Accounts,
    condition: health.Ask,
    settings: Callable[[], Sequence[ShownSetting]],
    retention_days: int,
    callback_stream: CallbackStream,
    replayer: Replayer,
    diagnoser: Diagnoser,
    stopping: asyncio.Event,
    media_files: MediaFiles | None = None,
    alerting: Alerting | None = None,
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = (),
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    more: Sequence[Callable[[Pages], APIRouter]] = (),
) -> Gate:
    """The application behind all that is neither a callback nor the API's.

    Args:
        accounts: every account, disabled ones too.
        condition: how tracking and sending stand.
        settings: as `landed settings` prints them.
        stopping: ends what would go on for ever: streams.
        media_files: without them no file of a message is given out.
        alerting: without it there are no alerts.
        more: further pages, each a function that gives their router.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    hosts = Hosts(public_url)
    pages = Pages(
        signing_in=signing_in,
        auditor=auditor,
        hosts=hosts,
        public_url=public_url,
        trusted_proxies=trusted_proxies,
        clock=clock,
    )
    errors.install(app, pages)
    inspector = Inspector(engine, providers)
    routers = (
        overview.router(pages, Overviewer(engine, providers)),
        messages.router(pages, Reader(engine, providers)),
        live.router(pages, Live(engine, providers, callback_stream), pool, stopping, providers),
        callbacks.router(pages, inspector, SeveralReplayer(inspector, replayer), diagnoser),
        verify.router(pages, FunnelReporter(engine), SessionReader(engine, providers)),
        tendlc.router(pages, RegistrationReader(engine), RegistrationAging(engine)),
        inbound.router(pages, InboundReader(engine, providers, media_files)),
        opt_outs.router(pages, OptOutReader(engine), OptOutChanger(pool)),
        *([alerts.router(pages, alerting)] if alerting else []),
        sign_in.router(pages),
        sharing.router(pages, pool, shown_by=app),
        account.router(pages),
        health.router(pages, pool, condition, retention_days),
        users.router(pages, pool, signing_in.passwords),
        keys.router(pages, pool, sealer, accounts),
        more_settings.router(pages, pool, accounts, settings),
        *(pages_of(pages) for pages_of in more),
    )
    for routes in routers:
        _answer_heads(routes)
        app.include_router(routes)
    pages.shareable = shareable_paths(route for routes in routers for route in routes.routes)
    _add_static(app, pages)
    _add_nowhere(app, pages)
    return Gate(app, hosts)


def _answer_heads(routes: APIRouter) -> None:
    """Whoever asks for the head of a page gets that of a GET; the server leaves the rest away."""
    for route in routes.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")


def _add_static(app: FastAPI, pages: Pages) -> None:
    @app.api_route("/static/{version}/{name}", methods=_READING)
    async def static(request: Request, version: str, name: str) -> Response:
        return await pages.static_files.answer(request, version, name)


def _add_nowhere(app: FastAPI, pages: Pages) -> None:
    """What is no page says so with the navigation around it, for whoever is signed in."""

    @app.api_route("/{rest:path}", methods=_READING)
    async def nowhere(page: Annotated[Page, Depends(pages.everybody)], rest: str) -> Response:
        raise HTTPException(404)

    @app.api_route("/{rest:path}", methods=["POST", "PUT", "PATCH", "DELETE"])
    async def nothing(rest: str) -> Response:
        """A provider that calls an address which is no account's, most likely: it is not told to send a form."""
        return Response("There is nothing at this address.\n", 404, media_type="text/plain")
