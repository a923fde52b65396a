"""The stand-in for Routee, put together: its resources, how it calls back, and what can be asked of it besides."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import merge
from random import Random
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from landed.domain.errors import InputInvalid
from landed.domain.money import NANOS
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator.callbacks import signing
from landed.simulator.carrier.calls import Call, Rules
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.carrier.chaos import Flaw
from landed.simulator.carrier.views import Direction, MessageView, RegistrationView, SessionView
from landed.simulator.routee import console
from landed.simulator.routee import state as words
from landed.simulator.routee.access import Access
from landed.simulator.routee.answers import Problem
from landed.simulator.routee.campaigns import Campaigns
from landed.simulator.routee.inbound import Inbound
from landed.simulator.routee.outbound import Outbound
from landed.simulator.routee.sms import Sms
from landed.simulator.routee.state import Application, Message, Received, State
from landed.simulator.routee.tracking import Tracking
from landed.simulator.routee.two_step import TwoSteps

_MINUTE, _HOUR = 60.0, 3600.0
#: After 30 s, 1, 2, 5, 10, 15 and 30 min, 1, 2, 4, 8 and 24 h ("Callbacks (WebHooks)").
PAUSES_S: Final = (
    30.0, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 24 * _HOUR,
)  # fmt: skip
_STATUSES: Final = {
    words.QUEUED: Status.QUEUED,
    words.SENT: Status.SENT,
    words.FAILED: Status.FAILED,
    words.UNSENT: Status.FAILED,
    words.UNDELIVERED: Status.UNDELIVERED,
    words.DELIVERED: Status.DELIVERED,
}
Handler = Callable[[Request, Application], Awaitable[Response]]


class RouteeStandIn:
    """Routee as it looks from outside.

    Args:
        accounts: secrets by application id; None: any that comes.
    """

    name: Final = "routee"
    application_name: Final = "default"
    base_url: str = ""
    rules: Final = Rules(
        timeout_s=2.0,
        pauses_s=PAUSES_S,
        is_taken=lambda status: status == 200,
        write=lambda call, flaw, random: _write(call, flaw, random),
    )

    def __init__(self, carrier: Carrier, *, accounts: Mapping[str, str] | None = None) -> None:
        self.carrier = carrier
        self.state = State()
        self.access = Access(self, accounts)
        self.outbound = Outbound(self)
        self.campaigns = Campaigns(self)
        self.inbound = Inbound(self)
        self._sms, self._tracking, self._two_steps = Sms(self), Tracking(self), TwoSteps(self)

    def reset(self) -> None:
        self.state = State()

    def call(self, call: Call) -> None:
        """Routee signs nothing: a signature can be wrong or missing only where the URL has credentials."""
        if not _userinfo(call.url):
            how = call.chaos or self.carrier.scenario.chaos
            call = replace(call, chaos=replace(how, wrong_signatures=0.0, missing_signatures=0.0))
        self.carrier.tell(call)

    # --- the API ---------------------------------------------------------------------------------------------------

    def routes(self) -> list[BaseRoute]:
        def route(method: str, path: str, scope: str, handler: Handler) -> Route:
            return Route(path, self._endpoint(scope, handler), methods=[method])

        return [
            Route("/oauth/token", _answering(self.access.give_token), methods=["POST"]),
            route("POST", "/sms", "sms", self._sms.send),
            route("POST", "/sms/analyze", "sms", self._sms.analyze),
            route("POST", "/sms/campaign", "sms", self.campaigns.make),
            route("GET", "/sms/tracking/single/{message_id}", "report", self._tracking.single),
            route("POST", "/sms/tracking", "report", self._tracking.many),
            route("PUT", "/sms/{tracking_id}", "sms", self.campaigns.change),
            route("GET", "/campaigns/{tracking_id}", "report", self.campaigns.show),
            route("POST", "/2step", "2step", self._two_steps.start),
            route("POST", "/2step/{tracking_id}", "2step", self._two_steps.answer),
            route("GET", "/2step/{tracking_id}", "2step", self._two_steps.show),
            route("DELETE", "/2step/{tracking_id}", "2step", self._two_steps.cancel),
            route("GET", "/accounts/me/balance", "account", _balance),
        ]

    def _endpoint(self, scope: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def act(request: Request) -> Response:
            return await handler(request, self.access.asking(request, scope))

        return _answering(act)

    # --- what its console has --------------------------------------------------------------------------------------

    def set_up(
        self,
        account_id: str,
        *,
        balance: str | None = None,
        two_step_url: str | None = None,
        inbound_url: str | None = None,
        inbound_urls: Mapping[str, str] | None = None,
        token_lifetime_s: int | None = None,
        requests_max: int | None = None,
        revoke_tokens: bool = False,
    ) -> None:
        """What is set for an application, which may not have asked for anything yet; None leaves it as it is.

        Args:
            balance: in euros, as decimal text.
            two_step_url: where it is told of verifications; empty: nowhere.
            inbound_url: where it is told of what comes to any number; `inbound_urls`: by number, with the plus.
            token_lifetime_s: of tokens that it gets from now on.
            requests_max: in a second of ours; what is asked beyond it gets 429.
            revoke_tokens: whether those that it has are refused from now on.

        Raises:
            InputInvalid: no such application is let in, or a value is none that it may be.
        """
        application = self.access.application(account_id)
        if application is None:
            raise InputInvalid(f"There is no application {account_id[:64]!r}.", field="account")
        given = {
            "balance": balance,
            "two_step_url": two_step_url,
            "inbound_url": inbound_url,
            "inbound_urls": inbound_urls,
            "token_lifetime_s": token_lifetime_s,
            "requests_max": requests_max,
        }
        console.change(application, {name: value for name, value in given.items() if value is not None})
        if revoke_tokens:
            self.access.revoke_tokens(application.id)

    # --- what can be asked of it -----------------------------------------------------------------------------------

    def messages(self) -> Iterable[MessageView]:
        """In the order in which they were made."""
        sent, received = map(_sent, [*self.state.messages.values()]), map(_received, [*self.state.received.values()])
        return merge(sent, received, key=lambda view: view.created_at)

    def sessions(self) -> Iterator[SessionView]:
        for session in self.state.two_steps.values():
            yield SessionView(
                provider=self.name,
                account=session.application_id,
                id=session.id,
                recipient=session.recipient,
                code=session.code,
                status=session.status,
                tries=session.tries,
                created_at=session.created_at,
            )

    def registrations(self) -> Iterator[RegistrationView]:
        return iter(())

    def receive(self, *, sender: str, recipient: str, text: str, **options: Any) -> str:
        return self.inbound.receive(sender=sender, recipient=recipient, text=text, **options)


async def _balance(_: Request, application: Application) -> Response:
    currency = {"code": "EUR", "name": "Euro", "sign": "€"}
    return JSONResponse({"balance": application.balance_nanos / NANOS, "currency": currency})


def _answering(act: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await act(request)
        except Problem as problem:
            return problem.answer()

    return answer


def _userinfo(url: str) -> str | None:
    """`user:password` of a URL that has them."""
    userinfo, at, _ = urlsplit(url).netloc.rpartition("@")
    return unquote(userinfo) if at else None


def _write(call: Call, flaw: Flaw, random: Random) -> signing.Request:
    """With HTTP Basic where the URL has credentials; what is wrong with them is what stands for a bad signature."""
    parts = urlsplit(call.url)
    request = signing.routee(call.content, parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    credentials = _userinfo(call.url)
    if credentials is None or flaw is Flaw.MISSING_SIGNATURE:
        return request
    if flaw is Flaw.WRONG_SIGNATURE:
        credentials = f"{credentials.partition(':')[0]}:{random.getrandbits(64):016x}"
    basic = b64encode(credentials.encode()).decode()
    return replace(request, headers={**request.headers, "Authorization": f"Basic {basic}"})


def _sent(message: Message) -> MessageView:
    reasons = [part.reason.detailed for part in message.parts if part.reason and part.reason.detailed]
    return MessageView(
        provider="routee",
        account=message.application_id,
        id=message.id,
        direction=Direction.OUTBOUND,
        channel=Channel.SMS,
        sender=message.sender,
        recipient=message.recipient,
        text=message.text,
        units=len(message.parts),
        status=_STATUSES[message.status],
        error_code=reasons[0] if reasons else None,
        callback_url=message.callback.url if message.callback else None,
        created_at=message.created_at,
    )


def _received(message: Received) -> MessageView:
    return MessageView(
        provider="routee",
        account=message.application_id,
        id=message.id,
        direction=Direction.INBOUND,
        channel=Channel.SMS,
        sender=message.sender,
        recipient=message.recipient,
        text=message.text,
        units=message.parts,
        status=Status.RECEIVED,
        error_code=None,
        callback_url=message.url,
        created_at=message.created_at,
    )
