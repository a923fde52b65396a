"""The API's frame: from an HTTP request to the resource that answers it, and back; who may ask, and how often."""

import asyncio
import binascii
import json
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from landed.domain.errors import RequestTooLarge
from landed.simulator.carrier.chaos import CALM
from landed.simulator.carrier.scenario import Answer
from landed.simulator.plivo import parameters
from landed.simulator.plivo.answers import Refused, Reply, not_found
from landed.simulator.plivo.parameters import Parameters
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Account

#: After this a hanging answer is given up.
HANG_S_MAX: Final = 120.0
#: Of the path only this is in small letters in the documentation of conversions.
CONVERSIONS: Final = "/v1/account/"
#: Several are one, as for Plivo: its SDK for Node asks for the account with two at the end.
_SLASHES: Final = re.compile("/+")
#: What a 401 asks for: some clients, such as wget and Java's own, give credentials only then.
CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Plivo"'}


class Resource(NamedTuple):
    """`path` below the account, with `{}` for what `act` gets besides the request; a slash at its end."""

    method: str
    path: str
    act: Callable[..., Reply]


class _Compiled(NamedTuple):
    method: str
    path: "re.Pattern[str]"
    act: Callable[..., Reply]


class Api:
    def __init__(self, shared: Shared, resources: Sequence[Resource], conversions: Sequence[Resource]) -> None:
        self._shared = shared
        self._resources = [_compiled(resource, end="") for resource in resources]
        self._conversions = [_compiled(resource, end="?") for resource in conversions]

    def routes(self) -> list[BaseRoute]:
        """Everything below an account, in its two ways to be written."""
        return [
            Route("/v1/Account/{auth_id}/{path:path}", _Endpoint(self, self._resources)),
            Route(CONVERSIONS + "{auth_id}/{path:path}", _Endpoint(self, self._conversions)),
        ]

    def authenticated(self, request: Request, auth_id: str) -> Account:
        """Who asks; a main account may ask in the name of its sub-accounts.

        Raises:
            Refused: 401.
        """
        user, password = _basic(request.headers.get("authorization", ""))
        account = self._shared.account(user, password)
        if account is not None and user != auth_id:
            named = self._shared.known(auth_id)
            account = named if named and named.main_id == account.id else None
        if account is None:
            raise Refused(401, "Could not verify your access level for that URL.")
        if not account.is_enabled:
            raise Refused(401, "The account is disabled.")
        return account

    async def answer(self, request: Request, resources: Sequence[_Compiled]) -> Reply:
        """Never raises for what was asked."""
        auth_id = request.path_params["auth_id"]
        path = _SLASHES.sub("/", request.path_params["path"]).removeprefix("/")
        self._shared.base_url = self._shared.base_url or str(request.base_url).rstrip("/")
        try:
            account = self.authenticated(request, auth_id)
            self._shared.count_request(account)
            act, ids = _found(resources, request.method, path)
            ask = Ask(
                account=account,
                parameters=await _parameters(request),
                query=dict(request.query_params),
                requester_ip=request.client.host if request.client else "",
            )
            return self._acted(ask, act, ids)
        except Refused as refused:
            return Reply(status=refused.status, content={"error": refused.error})
        except RequestTooLarge as error:
            return Reply(status=413, content={"error": str(error)})

    def _acted(self, ask: Ask, act: Callable[..., Reply], ids: Sequence[str]) -> Reply:
        asked = ask.parameters if ask.parameters.content else Parameters(ask.query)
        url = asked.url("callback_url")
        method = asked.method("callback_method")
        if url is None:
            return act(ask, *ids)
        try:
            reply = act(ask, *ids)
        except Refused as refused:
            reply = Reply(status=refused.status, content={"error": refused.error})
        api_id = self.api_id()
        self._shared.tell(
            f"response/{api_id}",
            "api.response",
            account_id=ask.account.id,
            url=url,
            method=method,
            fields=tuple((name, value) for name, value in {"api_id": api_id, **reply.content}.items()),
            truth=None,
            chaos=CALM,
            is_json=True,
        )
        return Reply(status=202, content={"message": "async api spawned", "api_id": api_id})

    def api_id(self) -> str:
        return self._shared.uuid("api", self._shared.number_of("api"))


class _Endpoint:
    """As an ASGI application, since it may end without an answer."""

    def __init__(self, api: Api, resources: Sequence[_Compiled]) -> None:
        self._api = api
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            reply = await self._api.answer(request, self._resources)
        except ClientDisconnect:
            return
        if reply.how is Answer.HANG:
            await _hang(receive)
        elif reply.how is Answer.HANG_UP:
            await _hang_up(send)
        else:
            await self._response(reply)(scope, receive, send)

    def _response(self, reply: Reply) -> Response:
        if reply.status == 204:
            return Response(status_code=204)
        content = {"api_id": self._api.api_id(), **reply.content}
        headers = CHALLENGE if reply.status == 401 else None
        return Response(json.dumps(content).encode(), reply.status, headers, media_type="application/json")


async def _hang(receive: Receive) -> None:
    """Nothing, until the caller has gone."""
    try:
        async with asyncio.timeout(HANG_S_MAX):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _hang_up(send: Send) -> None:
    """The head of an answer whose body never comes: the server closes the connection."""
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"200")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _compiled(resource: Resource, *, end: str) -> _Compiled:
    pattern = re.escape(resource.path).replace(r"\{\}", "([^/]+)") + end
    return _Compiled(resource.method, re.compile(pattern), resource.act)


def _found(resources: Sequence[_Compiled], method: str, path: str) -> tuple[Callable[..., Reply], Sequence[str]]:
    matches = [(resource, match) for resource in resources if (match := resource.path.fullmatch(path))]
    for resource, match in matches:
        if resource.method == method:
            return resource.act, match.groups()
    if matches:
        raise Refused(405, f"{method} is not allowed here")
    raise not_found() if path.endswith("/") else Refused(404, "not found: paths end with a slash")


async def _parameters(request: Request) -> Parameters:
    body = await request.body()  # see control/guard.py for how much it may be
    if request.method == "GET":
        return Parameters({})  # Plivo's SDK for Node sends a body even so
    return parameters.read(request.headers.get("content-type", ""), body)


def _basic(header: str) -> tuple[str, str]:
    """User and password; empty ones where there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password
