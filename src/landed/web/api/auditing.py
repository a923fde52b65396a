"""The audit log: what API keys change goes in, and administrators read it at /v1/audit."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Query
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landed.domain.accounts import ApiKey
from landed.domain.addresses import Network
from landed.domain.errors import NotAllowed
from landed.services import auditing
from landed.services.auditing import AuditList
from landed.store.accounts import Pool
from landed.web.api.fields import LIMIT, Cursor, Limit, Since, Text, Until
from landed.web.api.keys import Permitted
from landed.web.callers import address_of

#: Keeps actor, action, target and address.
Note: TypeAlias = Callable[[str, str, str | None, str | None], None]
_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Audited:
    """Notes each request by which a key changed something, or tried to: method, route as declared, and status.

    Neither body nor query, and no values of the path: they may hold phone numbers and texts.
    """

    def __init__(self, app: ASGIApp, note: Note, trusted_proxies: Sequence[Network]) -> None:
        self._app = app
        self._note = note
        self._trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _CHANGING:
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        state = scope.setdefault("state", {})
        try:
            await self._app(scope, receive, send_and_see)
        finally:
            key: ApiKey | None = state.get("api_key")
            if key is not None:
                route = getattr(scope.get("route"), "path", "unknown")
                target = f"{route} {status or 'no answer'}"
                action, address = f"api.{scope['method'].lower()}", address_of(scope, self._trusted_proxies)
                self._note(f"key:{key.name}", action, target, address)


def router(pool: Pool, admins: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/audit", tags=["audit"])

    @routes.get("", summary="Who did what, newest first")
    async def list_deeds(
        key: Annotated[ApiKey, Depends(admins)],
        since: Since,
        until: Until,
        actor: Annotated[
            Text | None, Query(description="user:NAME, key:NAME or cli:NAME; or user:, key:, cli: for all")
        ] = None,
        action: Annotated[Text | None, Query(description="such as user.signed_in")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> AuditList:
        """What people did in the pages, what API keys changed, and commands that changed something."""
        if key.account_id is not None:
            raise NotAllowed("This key is bound to an account; the audit log is about all of them.", known=True)
        return await auditing.page(
            pool, since=since, until=until, actor=actor, action=action, cursor=cursor, limit=limit
        )

    return routes
