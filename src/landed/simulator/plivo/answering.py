"""People who write to numbers of ours: on demand, or back to a message, as the scenario has it; STOP is taken at its
word. Their messages are told to the application of the number, or to the address of the account."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from landed.domain import segments
from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.simulator import draws
from landed.simulator.callbacks import plivo as callbacks
from landed.simulator.callbacks.addresses import is_url
from landed.simulator.callbacks.plivo import digits
from landed.simulator.carrier.calls import Making, State
from landed.simulator.carrier.fate import place
from landed.simulator.carrier.views import Direction
from landed.simulator.items import InboundTruth, Kind
from landed.simulator.plivo.numbers import Numbers
from landed.simulator.plivo.parameters import METHODS, is_number
from landed.simulator.plivo.shared import NAME, Shared
from landed.simulator.plivo.state import Account, Media, Message

_REPLY: Final = "plivo.reply"
_KEY: Final = f"{NAME}/inbound/"
#: What Plivo takes for leaving, coming back and asking, in any case.
INTENTS: Final = {
    **dict.fromkeys(("STOP", "END", "QUIT", "CANCEL", "UNSUBSCRIBE", "UNSUB", "STOP ALL", "STOPALL"), "optout"),
    **dict.fromkeys(("START", "UNSTOP"), "optin"),
    "HELP": "help",
}
MEDIA_MAX: Final = 10
TEXT_CHARACTERS_MAX: Final = 10_000
_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,100}")
#: People answer after so long, in the median.
_TYPED_S: Final = 4.0
#: Plivo tells the intent on long codes and toll-free numbers.
_SHORT_CODE_DIGITS_MAX: Final = 6
#: A picture of one pixel, and what else people send.
_SAMPLES: Final = {
    "image/png": base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    ),
    "image/gif": base64.b64decode("R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="),
    "text/vcard": b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Alice Example\r\nTEL:+12025550123\r\nEND:VCARD\r\n",
}


class Where(NamedTuple):
    """Where an account wants its inbound messages; no `url`: nowhere."""

    url: str | None
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a person sends. `media`: addresses, which are told as they are, or types such as `image/png`, which the
    stand-in has a sample of and serves."""

    sender: str
    recipient: str
    text: str
    channel: Channel = Channel.SMS
    media: Sequence[str] = ()


class Answering:
    def __init__(self, shared: Shared, numbers: Numbers) -> None:
        self._shared = shared
        self._numbers = numbers
        shared.carrier.on(_REPLY, self._reply)
        shared.carrier.watchers.append(self._watch)

    # --- back to a message -----------------------------------------------------------------------------------------

    def delivered(self, message: Message) -> None:
        """Somebody has the message, and may answer it."""
        replies = self._shared.carrier.scenario.replies
        reply = replies.get((message.text or "").strip().upper(), replies.get("*"))
        if reply is None or not is_number(message.sender):
            return
        random = self._shared.random("reply", message.uuid)
        self._shared.carrier.plan(draws.seconds(random, _TYPED_S, 0.5).total_seconds(), _REPLY, (message.uuid, reply))

    def _reply(self, due: tuple[str, str]) -> None:
        uuid, text = due
        message = self._shared.state.messages.get(uuid)
        account = self._shared.known(message.account_id) if message else None
        if message is None or account is None:
            return
        channel = Channel.WHATSAPP if message.channel is Channel.WHATSAPP else Channel.SMS
        written = Written(sender=message.recipient, recipient=message.sender, text=text, channel=channel)
        self._take(account, written, self._where(account, message.sender))

    # --- on demand -------------------------------------------------------------------------------------------------

    def receive(
        self, written: Written, *, account_id: str | None = None, url: str | None = None, method: str = "POST"
    ) -> str:
        """A message from a person; its id. It goes to `url`, or where the account of the number wants it.

        Raises:
            InputInvalid: it cannot be such a message, or nobody wants it.
        """
        _check(written, url, method)
        account = self._account_of(digits(written.recipient), account_id)
        where = Where(url, method) if url else self._where(account, digits(written.recipient))
        if where.url is None:
            raise InputInvalid(
                f"The account {account.id} has no address for inbound messages: give one (url), or its number an "
                "application with a message_url.",
                field="url",
            )
        return self._take(account, written, where)

    def _account_of(self, number: str, account_id: str | None) -> Account:
        state = self._shared.state
        if account_id is not None:
            account = self._shared.known(account_id)
            if account is None:
                raise InputInvalid(f"No account {account_id} has turned up here.", field="account")
            return account
        accounts = self._shared.accounts()
        renting = [account for account in accounts if number in state.numbers.get(account.id, {})]
        sender = self._shared.known(state.senders.get(number, ""))
        wanting = [account for account in accounts if self._where(account, number).url]
        found = renting[0] if renting else sender or (wanting[0] if len(wanting) == 1 else None)
        if found is None and len(accounts) == 1:
            found = accounts[0]
        if found is None:
            raise InputInvalid(f"No account has the number {number}: name one (account).", field="recipient")
        return found

    def _where(self, account: Account, number: str) -> Where:
        application = self._numbers.application_of(account.id, number)
        if application and application.record.get("message_url"):
            return Where(str(application.record["message_url"]), str(application.record["message_method"]))
        return Where(account.options.message_url or None, account.options.message_method)

    def _take(self, account: Account, written: Written, where: Where) -> str:
        shared = self._shared
        person, ours = digits(written.sender), digits(written.recipient)
        key = ("inbound", account.id, ours, person)
        uuid = shared.uuid(*key, shared.number_of(*key))
        country, network = place(shared.carrier.scenario, person)
        is_sms = written.channel is Channel.SMS
        message = Message(
            uuid=uuid,
            account_id=account.id,
            direction=Direction.INBOUND,
            channel=written.channel,
            sender=person,
            recipient=ours,
            text=written.text,
            units=len(segments.measure(written.text).parts) if is_sms else 1,
            rate="0.00000",
            country=country.iso2,
            mcc=network.mcc,
            mnc=network.mnc,
            network=network.name,
            created_at=shared.now(),
            asked_at=shared.carrier.clock.real_now(),
            state="received",
            url=where.url,
            method=where.method,
            media=[self._media(account, uuid, number, given) for number, given in enumerate(written.media)],
        )
        shared.keep(shared.state.messages, uuid, message)
        self._heed(message)
        self._tell(message)
        return uuid

    def _heed(self, message: Message) -> None:
        """Who says STOP gets no more from that number until they say START."""
        intent = _intent(message)
        line = (message.account_id, message.recipient, message.sender)
        if message.channel is Channel.WHATSAPP:
            return
        if intent == "optout":
            self._shared.state.opted_out.add(line)
        elif intent == "optin":
            self._shared.state.opted_out.discard(line)

    def _media(self, account: Account, uuid: str, number: int, given: str) -> Media:
        media_id = self._shared.uuid("media", uuid, number)
        if is_url(given):
            return Media(id=media_id, content_type="application/octet-stream", url=given)
        content = _SAMPLES.get(given) or f"A sample of {given}.\n".encode()
        url = f"{self._shared.base_url}/Account/{account.id}/Message/{uuid}/Media/{media_id}"
        return Media(id=media_id, content_type=given, url=url, content=content)

    def _tell(self, message: Message) -> None:
        is_short = len(message.recipient) <= _SHORT_CODE_DIGITS_MAX
        fields = callbacks.inbound_message(
            callbacks.Inbound(
                uuid=message.uuid,
                sender=message.sender,
                recipient=message.recipient,
                type=message.channel.value,
                text=message.text or "",
                units=message.units,
                rate=message.rate,
                intent=None if is_short else _intent(message),
                media=tuple(media.url for media in message.media),
                mime_type=message.media[0].content_type if message.media else "",
            )
        )
        self._shared.tell(
            f"inbound/{message.uuid}",
            "message.received",
            account_id=message.account_id,
            url=message.url,
            method=message.method,
            fields=fields,
            truth=truth(message),
        )

    def _watch(self, making: Making) -> None:
        """The record says whether the application took it."""
        if not making.call.key.startswith(_KEY):
            return
        message = self._shared.state.messages.get(making.call.key.removeprefix(_KEY))
        if message and making.state is State.TAKEN:
            message.state = "delivered"
        elif message and making.state is State.GIVEN_UP and message.state == "received":
            message.state = "undelivered"


def truth(message: Message) -> InboundTruth:
    return InboundTruth(
        kind=Kind.GENUINE,
        message_id=message.uuid,
        country=message.country,
        channel=message.channel,
        text=message.text or "",
        units=message.units,
        cost_nanos=0,
    )


def _intent(message: Message) -> str:
    return INTENTS.get((message.text or "").strip().upper(), "")


def _is_media(given: object) -> bool:
    return is_url(given) or (isinstance(given, str) and _TYPE.fullmatch(given) is not None)


def _check(written: Written, url: str | None, method: str) -> None:
    """Raises InputInvalid."""
    for name, number in (("sender", written.sender), ("recipient", written.recipient)):
        if not is_number(number):
            raise InputInvalid(f"{name} is {number[:40]!r}: give a number.", field=name)
    if written.channel is Channel.SMS and written.media:
        raise InputInvalid("An SMS has no media: say that it is mms or whatsapp (type).", field="media")
    most = 1 if written.channel is Channel.WHATSAPP else MEDIA_MAX
    if len(written.media) > most:
        raise InputInvalid(f"It can have {most} media at most.", field="media")
    if len(written.text) > TEXT_CHARACTERS_MAX:
        raise InputInvalid(f"The text is over {TEXT_CHARACTERS_MAX} characters.", field="text")
    segments.measure(written.text)
    if isinstance(written.media, str) or not all(map(_is_media, written.media)):
        raise InputInvalid("media is a list of addresses, or of types such as image/png.", field="media")
    if url is not None and not is_url(url):
        raise InputInvalid(
            f"url is {str(url)[:100]!r}: give an address that begins with http:// or https://.", field="url"
        )
    if method not in METHODS:
        raise InputInvalid(f"method is {method[:20]!r}: give GET or POST.", field="method")
