"""Who may ask the stand-in for Routee: applications, their tokens, and how often they may ask."""

import secrets
import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from re import fullmatch
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from landed.domain.money import NANOS
from landed.simulator.routee.answers import AccessProblem, form_of, throttled
from landed.simulator.routee.state import Application, Token

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

#: Of a token that was asked for without naming any, and what each of them allows.
SCOPES: Final[Mapping[str, str]] = {
    "sms": "MT_ROLE_SMS",
    "2step": "MT_ROLE_2STEP",
    "account": "MT_ROLE_ACCOUNT_FINANCE",
    "report": "MT_ROLE_REPORT",
}
BALANCE_NANOS: Final = 100_000 * NANOS


class Access:
    """Without `accounts` any credentials are taken: the secret that an application comes with first is its own.

    Args:
        accounts: secrets by application; nobody else is let in.
    """

    def __init__(self, stand_in: "RouteeStandIn", accounts: Mapping[str, str] | None) -> None:
        self._stand_in = stand_in
        self._accounts = accounts
        self._windows: dict[str, tuple[int, int]] = {}

    def application(self, application_id: str) -> Application | None:
        """The application, made where it may be; its secret may not be known yet. None: it is not let in."""
        state = self._stand_in.state
        if (known := state.applications.get(application_id)) is not None:
            return known
        secret = None if self._accounts is None else self._accounts.get(application_id)
        if not fullmatch(r"[\w-]{1,64}", application_id) or (self._accounts is not None and secret is None):
            return None
        application = Application(id=application_id, secret=secret, balance_nanos=BALANCE_NANOS)
        state.applications[application_id] = application
        return application

    def asking(self, request: Request, scope: str) -> Application:
        """Who asks.

        Raises:
            Problem: no token that holds now and allows it, or too many requests. Routee refuses tokens by 401 and 403:
                here 403 are those that were revoked, and those that do not allow it.
        """
        state = self._stand_in.state
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        token = state.tokens.get(value.strip()) if kind.lower() == "bearer" else None
        if token is None or token.expires_at <= self._stand_in.carrier.now():
            raise AccessProblem(401, "invalid_token", "The token is unknown or has expired")
        if token.is_revoked:
            raise AccessProblem(403, "invalid_token", "The token was revoked")
        if scope not in token.scopes:
            raise AccessProblem(403, "insufficient_scope", f"The token does not allow {scope}")
        application = state.applications[token.application_id]
        self._count(application)
        return application

    def revoke_tokens(self, application_id: str) -> None:
        for token in self._stand_in.state.tokens.values():
            token.is_revoked |= token.application_id == application_id

    async def give_token(self, request: Request) -> Response:
        """POST /oauth/token"""
        asked = await form_of(request)
        application = self._by_basic(request.headers.get("authorization", ""))
        if application is None:
            raise AccessProblem(401, "invalid_client", "Bad credentials")
        if asked.get("grant_type") != "client_credentials":
            raise AccessProblem(400, "unsupported_grant_type", "The grant_type is client_credentials")
        scopes = tuple(asked["scope"].split()) if asked.get("scope") else tuple(SCOPES)
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise AccessProblem(400, "invalid_scope", f"Invalid scope: {' '.join(unknown)[:100]}")
        self._count(application)
        carrier, state = self._stand_in.carrier, self._stand_in.state
        token = Token(
            value=carrier.uuid("routee", *state.next_key("token", application.id)),
            application_id=application.id,
            scopes=scopes,
            expires_at=carrier.now() + timedelta(seconds=application.token_lifetime_s),
        )
        state.keep(state.tokens, token.value, token)
        content = {
            "access_token": token.value,
            "token_type": "Bearer",
            "expires_in": application.token_lifetime_s,
            "scope": " ".join(scopes),
            "permissions": [SCOPES[scope] for scope in scopes],
        }
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    def _by_basic(self, header: str) -> Application | None:
        kind, _, told = header.partition(" ")
        try:
            application_id, _, secret = b64decode(told, validate=True).decode().partition(":")
        except ValueError:
            return None
        application = self.application(application_id) if kind.lower() == "basic" and secret else None
        if application is None:
            return None
        application.secret = application.secret or secret
        return application if secrets.compare_digest(application.secret.encode(), secret.encode()) else None

    def _count(self, application: Application) -> None:
        """By our clock: how fast a client asks has nothing to do with how fast the carrier's time passes."""
        now = int(time.monotonic())
        window, count = self._windows.get(application.id, (now, 0))
        count = count + 1 if window == now else 1
        self._windows[application.id] = now, count
        if count > application.requests_max:
            raise throttled(1)
