"""The stand-in as a whole: its resources behind one API, and what can be asked of it besides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.simulator.carrier.calls import Rules
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.carrier.views import MessageView, RegistrationView, SessionView
from landed.simulator.plivo import console, showing
from landed.simulator.plivo.account import Accounts
from landed.simulator.plivo.answering import Answering, Written
from landed.simulator.plivo.answers import Refused
from landed.simulator.plivo.api import CHALLENGE, Api
from landed.simulator.plivo.applications import Applications
from landed.simulator.plivo.brands import Brands
from landed.simulator.plivo.campaigns import Campaigns
from landed.simulator.plivo.conversions import Conversions
from landed.simulator.plivo.delivering import Delivery
from landed.simulator.plivo.links import Links
from landed.simulator.plivo.messages import Messages
from landed.simulator.plivo.numbers import Numbers
from landed.simulator.plivo.profiles import Profiles
from landed.simulator.plivo.records import Records
from landed.simulator.plivo.shared import NAME, Shared
from landed.simulator.plivo.state import Account, AccountOptions, State
from landed.simulator.plivo.verify import Verify

_TYPES = {channel.value: channel for channel in Channel}


class PlivoStandIn:
    """Add it to a carrier, and serve its routes."""

    name = NAME

    def __init__(
        self,
        carrier: Carrier,
        *,
        accounts: Mapping[str, str | AccountOptions] | None = None,
        others: AccountOptions = AccountOptions(),  # noqa: B008  frozen
    ) -> None:
        """
        Args:
            accounts: the only ones that are let in, by id: their tokens, or more of what they are like; None: any
                whose credentials are of the right form.
            others: what the accounts are like of which nothing more is said.
        """
        given = {
            auth_id: account if isinstance(account, AccountOptions) else replace(others, auth_token=account)
            for auth_id, account in (accounts or {}).items()
        }
        self._shared = Shared(carrier, accounts=given, others=others if accounts is None else None)
        numbers = Numbers(self._shared)
        self._answering = Answering(self._shared, numbers)
        delivery = Delivery(self._shared, self._answering)
        messages = Messages(self._shared, delivery, numbers)
        records = Records(self._shared)
        profiles = Profiles(self._shared)
        brands = Brands(self._shared, profiles)
        campaigns = Campaigns(self._shared, brands)
        parts = (
            messages, records, numbers, Verify(self._shared), profiles, brands, campaigns,
            Links(self._shared, campaigns), Applications(self._shared), Accounts(self._shared),
        )  # fmt: skip
        resources = [resource for part in parts for resource in part.resources]
        self._api = Api(self._shared, resources, Conversions(self._shared).resources)

    @property
    def state(self) -> State:
        return self._shared.state

    @state.setter
    def state(self, state: State) -> None:
        self._shared.state = state

    @property
    def rules(self) -> Rules:
        return self._shared.rules

    @property
    def base_url(self) -> str:
        """Where it is reached: media that it serves are told as being there."""
        return self._shared.base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._shared.base_url = base_url.rstrip("/")

    def reset(self) -> None:
        self._shared.state = State()

    def routes(self) -> list[BaseRoute]:
        media = "/Account/{auth_id}/Message/{uuid}/Media/{media_id}"
        return [*self._api.routes(), Route(media, self._serve_media)]

    async def _serve_media(self, request: Request) -> Response:
        path = request.path_params
        message = self.state.messages.get(path["uuid"])
        account = self._shared.known(path["auth_id"])
        media = next((each for each in message.media if each.id == path["media_id"]), None) if message else None
        if account is None or message is None or message.account_id != account.id:
            return Response(status_code=404)
        if account.options.guards_media and not self._may_read(request, account):
            return Response(status_code=401, headers=CHALLENGE)
        if media is None or media.content is None:
            return Response(status_code=404)
        return Response(media.content, media_type=media.content_type)

    def _may_read(self, request: Request, account: Account) -> bool:
        try:
            return self._api.authenticated(request, account.id) is account
        except Refused:
            return False

    # --- what its console has --------------------------------------------------------------------------------------

    def set_up(
        self,
        account_id: str,
        *,
        balance: str | None = None,
        only_v2: bool | None = None,
        reports_parts: bool | None = None,
        guards_media: bool | None = None,
        requests_max: int | None = None,
        message_url: str | None = None,
        message_method: str | None = None,
    ) -> None:
        """What is set for an account, which may not have asked for anything yet; None leaves it as it is. See
        AccountOptions; an empty `message_url` is none.

        Raises:
            InputInvalid: no such account is let in, or a value is none that it may be.
        """
        given = {
            "balance": balance,
            "only_v2": only_v2,
            "reports_parts": reports_parts,
            "guards_media": guards_media,
            "requests_max": requests_max,
            "message_url": message_url,
            "message_method": message_method,
        }
        console.set_up(self._shared, account_id, {name: value for name, value in given.items() if value is not None})

    # --- what can be asked of it -----------------------------------------------------------------------------------

    def messages(self) -> Iterator[MessageView]:
        """In the order in which they were made."""
        return showing.messages(self.state)

    def sessions(self) -> Iterator[SessionView]:
        return map(showing.session, list(self.state.sessions.values()))

    def registrations(self) -> Iterator[RegistrationView]:
        """Brands, campaigns, and numbers of campaigns."""
        return showing.registrations(self.state)

    def receive(
        self,
        *,
        sender: str,
        recipient: str,
        text: str,
        type: str = "sms",  # noqa: A002  Plivo's own word
        media: Sequence[str] = (),
        account: str | None = None,
        url: str | None = None,
        method: str = "POST",
    ) -> str:
        """Somebody writes to a number of ours; the message's id.

        Args:
            type: sms, mms or whatsapp.
            media: addresses, told as they are, or types such as `image/png`, of which it serves a sample.
            account: the id of the account, where the number does not say whose it is.
            url: where to call instead of where the account wants it.

        Raises:
            InputInvalid: it cannot be such a message, or no account wants messages to that number.
        """
        if type not in _TYPES:
            raise InputInvalid(f"type is {type[:20]!r}: give {', '.join(_TYPES)}.", field="type")
        written = Written(sender=sender, recipient=recipient, text=text, channel=_TYPES[type], media=media)
        return self._answering.receive(written, account_id=account, url=url, method=method)
