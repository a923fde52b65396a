"""The API, put together."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncEngine

import landed
from landed.domain.accounts import Scope
from landed.domain.addresses import Network
from landed.providers.base import Provider
from landed.services.auditing import Auditor
from landed.services.broadcasts import BroadcastReader
from landed.services.converting import Converter
from landed.services.diagnosing import Diagnoser
from landed.services.funnel import FunnelReporter
from landed.services.idempotency import Pool
from landed.services.inbound import InboundReader
from landed.services.inspecting import Inspector
from landed.services.message_export import MessageExporter
from landed.services.opt_outs import OptOutChanger, OptOutReader
from landed.services.overview import Overviewer
from landed.services.reading import Reader
from landed.services.registering import ProfileReader, Registrar
from landed.services.registration_ages import RegistrationAging
from landed.services.registrations import RegistrationReader
from landed.services.replaying import Replayer
from landed.services.reporting import Reporter
from landed.services.sending import Sending
from landed.services.sessions import SessionReader
from landed.services.streaming import CallbackStream
from landed.services.verifying import Verifier
from landed.store.media_files import MediaFiles
from landed.web import problems
from landed.web.api import accounts as account_routes
from landed.web.api import alerts as alert_routes
from landed.web.api import (
    analytics,
    broadcasts,
    callbacks,
    conversions,
    documentation,
    exports,
    inbound,
    messages,
    operations,
    streaming,
    tendlc,
    verify,
)
from landed.web.api import auditing as audit_routes
from landed.web.api import opt_outs as opt_out_routes
from landed.web.api import sending as sending_routes
from landed.web.api.auditing import Audited
from landed.web.api.bodies import BodyLimit
from landed.web.api.keys import Authenticate, permitted


def create_api(
    *,
    engine: AsyncEngine,
    providers: Mapping[str, Provider],
    authenticate: Authenticate,
    accounts: account_routes.Accounts,
    public_url: str,
    health: operations.Health,
    metrics: operations.Metrics,
    opt_outs: OptOutChanger | None = None,
    media_files: MediaFiles | None = None,
    verifier: Verifier | None = None,
    registrar: Registrar | None = None,
    sending: Sending | None = None,
    pool: Pool | None = None,
    converter: Converter | None = None,
    check_account: account_routes.Check | None = None,
    diagnoser: Diagnoser | None = None,
    replayer: Replayer | None = None,
    callback_stream: CallbackStream | None = None,
    stopping: asyncio.Event | None = None,
    alerting: alert_routes.Alerting | None = None,
    auditor: Auditor | None = None,
    trusted_proxies: Sequence[Network] = (),
    more: Sequence[APIRouter] = (),
) -> FastAPI:
    """The application behind /v1, /health, /metrics and /docs.

    Args:
        opt_outs: without it they can only be read.
        media_files: without them no file of a message is given out.
        verifier: without it verify sessions can only be read.
        registrar: without it what is registered for 10DLC can only be read.
        sending: without it nothing can be sent.
        pool: where answers to requests with an Idempotency-Key are kept; what sends needs it.
        converter: without it no conversion can be reported.
        check_account: without it no account can be looked at.
        diagnoser: without it nobody is told why a callback was refused.
        replayer: without it no callback is taken in again.
        callback_stream: without it there is no stream of callbacks.
        stopping: ends what would go on for ever; what streams needs it.
        alerting: without it there are no alerts.
        auditor: without it what keys change is not written down.
        trusted_proxies: whose word on where a request comes from is taken.
        more: routers of others.
    """
    api = FastAPI(
        title="Landed",
        version=landed.__version__,
        description="What became of every message you sent.",
        docs_url=None,  # the framework's page loads its scripts from elsewhere: documentation.py has ours
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(api)
    api.add_middleware(BodyLimit)
    if auditor is not None:
        api.add_middleware(Audited, note=auditor.note, trusted_proxies=trusted_proxies)
    readers = permitted(authenticate, Scope.READ)
    senders = permitted(authenticate, Scope.SEND)
    reader, sessions = Reader(engine, providers), SessionReader(engine, providers)
    registrations, profiles = RegistrationReader(engine), ProfileReader(engine)
    inspector = Inspector(engine, providers)
    for routes in (
        exports.router(MessageExporter(reader), readers),  # before messages, whose ids could be called "export"
        messages.router(reader, readers),
        *([sending_routes.router(sending, reader, senders)] if sending else []),
        *([conversions.router(converter, senders)] if converter else []),
        *([streaming.router(callback_stream, stopping, readers)] if callback_stream and stopping else []),
        callbacks.router(inspector, readers),
        *([callbacks.diagnosing_router(diagnoser, permitted(authenticate, Scope.ADMIN))] if diagnoser else []),
        *([callbacks.replaying_router(inspector, replayer, senders)] if replayer else []),
        account_routes.router(accounts, public_url, readers),
        *(
            [account_routes.checking_router(accounts, check_account, permitted(authenticate, Scope.ADMIN))]
            if check_account
            else []
        ),
        analytics.router(
            Reporter(engine, providers), Overviewer(engine, providers), RegistrationAging(engine), readers
        ),
        verify.router(sessions, FunnelReporter(engine), readers),
        *([verify.changing_router(sessions, verifier, pool, senders)] if verifier and pool else []),
        tendlc.router(registrations, profiles, readers),
        *([tendlc.changing_router(registrations, profiles, registrar, pool, senders)] if registrar and pool else []),
        inbound.router(InboundReader(engine, providers, media_files), readers),
        opt_out_routes.router(OptOutReader(engine), readers),
        *([_changing(OptOutReader(engine), opt_outs, authenticate)] if opt_outs else []),
        broadcasts.router(BroadcastReader(engine), readers),
        *([alert_routes.router(alerting, readers, permitted(authenticate, Scope.ADMIN))] if alerting else []),
        *([audit_routes.router(pool, permitted(authenticate, Scope.ADMIN))] if pool else []),
        *more,
    ):
        api.include_router(routes, responses=problems.RESPONSES)
    api.include_router(operations.router(health, metrics), responses={503: problems.RESPONSES[503]})
    _describe_problems(api)
    page = ""

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        nonlocal page
        page = page or documentation.page(api.openapi())
        return HTMLResponse(page, headers=documentation.HEADERS)

    return api


def _changing(reader: OptOutReader, opt_outs: OptOutChanger, authenticate: Authenticate) -> APIRouter:
    senders, admins = permitted(authenticate, Scope.SEND), permitted(authenticate, Scope.ADMIN)
    return opt_out_routes.changing_router(reader, opt_outs, senders, admins)


def _describe_problems(api: FastAPI) -> None:
    """Put the one shape of errors into the description, in place of the framework's own."""
    described = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            schemas = described()["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}), Problem=problem)
        assert api.openapi_schema is not None  # noqa: S101  it was made just now
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
