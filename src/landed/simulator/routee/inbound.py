"""What people write to numbers of the stand-in for Routee: on demand, and in answer to what they got."""

from typing import TYPE_CHECKING, Final, NamedTuple

from landed.domain.countries import country_of
from landed.domain.errors import InputInvalid
from landed.domain.numbers import normalise
from landed.domain.receipts import Channel
from landed.domain.segments import measure
from landed.simulator import draws
from landed.simulator.callbacks import routee as callbacks
from landed.simulator.callbacks.addresses import is_url
from landed.simulator.carrier.calls import Call
from landed.simulator.items import InboundTruth, Kind
from landed.simulator.routee.asking import is_number
from landed.simulator.routee.state import ANY_NUMBER, Message, Received

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

_REPLY: Final = "routee.inbound.reply"
_REPLY_AFTER_S, _REPLY_SPREAD = 20.0, 0.6


class _Wanted(NamedTuple):
    application_id: str
    url: str


class Inbound:
    def __init__(self, stand_in: "RouteeStandIn") -> None:
        self._stand_in = stand_in
        self._carrier = stand_in.carrier
        self._carrier.on(_REPLY, self._reply)

    def receive(
        self, *, sender: str, recipient: str, text: str, account: str | None = None, url: str | None = None
    ) -> str:
        """As Shown.receive; `account` is one of several applications, `url` where it goes this once.

        Raises:
            InputInvalid
        """
        sender, recipient = normalise(sender) or "", normalise(recipient) or ""
        if not is_number(sender):
            raise InputInvalid("Give the number of who writes in E.164 form, such as +306912345678.", field="sender")
        if url is not None and not is_url(url):
            raise InputInvalid("Give a URL of http or https.", field="url")
        if url is not None and account is not None:
            wanted: _Wanted | None = _Wanted(account, url)
        else:
            wanted = self._wanted(recipient, account)
        if wanted is None:
            raise InputInvalid(
                f"No application of Routee's wants what comes to {recipient!r}: give it an address for inbound SMS"
                " first.",
                field="recipient",
            )
        segments = measure(text)
        key = ("routee", *self._stand_in.state.next_key("inbound", sender, recipient))
        received = Received(
            id=self._carrier.uuid(*key),
            application_id=wanted.application_id,
            sender=sender,
            recipient=recipient,
            text=text,
            parts=len(segments.parts),
            url=url or wanted.url,
            created_at=self._carrier.now(),
        )
        self._stand_in.state.keep(self._stand_in.state.received, received.id, received)
        self._tell(received)
        return received.id

    def reply(self, message: Message) -> None:
        """A person may answer what reached them, where the number it came from wants to hear it."""
        replies = self._carrier.scenario.replies
        text = replies.get(message.text.strip().upper()) or replies.get("*")
        sender = normalise(message.sender) or ""
        is_name = not sender.removeprefix("+").isdecimal()
        if text is None or is_name or self._wanted(sender, message.application_id) is None:
            return
        random = self._carrier.random("routee", "reply", message.id)
        after_s = draws.seconds(random, _REPLY_AFTER_S, _REPLY_SPREAD).total_seconds()
        self._carrier.plan(after_s, _REPLY, (message.application_id, message.recipient, sender, text))

    def _reply(self, details: tuple[str, str, str, str]) -> None:
        account, sender, recipient, text = details
        if self._wanted(recipient, account) is not None:
            self.receive(sender=sender, recipient=recipient, text=text, account=account)

    def _wanted(self, recipient: str, account: str | None) -> _Wanted | None:
        """Who wants it: an application that has the number, before one that takes any."""
        applications = [
            each for each in self._stand_in.state.applications.values() if account is None or each.id == account
        ]
        for number in (recipient, ANY_NUMBER):
            for application in applications:
                if number in application.inbound_urls:
                    return _Wanted(application.id, application.inbound_urls[number])
        return None

    def _tell(self, received: Received) -> None:
        content = callbacks.inbound_message(
            received.id,
            received.sender,
            received.recipient,
            received.text,
            received_at=received.created_at,
            parts=received.parts,
        )
        truth = InboundTruth(
            kind=Kind.GENUINE,
            message_id=received.id,
            country=country_of(received.sender) or "",
            channel=Channel.SMS,
            text=received.text,
            units=received.parts,
            cost_nanos=0,
        )
        self._stand_in.call(
            Call(
                key=f"routee/inbound/{received.id}",
                name="routee.inbound",
                provider=self._stand_in.name,
                account=received.application_id,
                method="POST",
                url=received.url,
                content=content,
                truth=truth,
            )
        )
