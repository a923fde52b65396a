"""What people write back: questions, thanks, now and then a picture, and some of them STOP and later START."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from landed.domain import money
from landed.domain.receipts import Channel
from landed.simulator import draws, world
from landed.simulator.callbacks import plivo
from landed.simulator.items import InboundTruth, Kind, Told
from landed.simulator.world import Country

PER_MESSAGE: Final = 0.07  #: inbound messages for each one that is sent
#: What people write, and how often.
TEXTS: Final = (
    ("Thanks!", 30),
    ("C", 14),
    ("Where is my order?", 12),
    ("Can I come at 3 instead?", 10),
    ("Ok 👍", 10),
    ("Who is this?", 6),
    ("STOP", 9),
    ("Stop.", 3),
    ("unsubscribe", 1),
    ("HELP", 4),
    ("yes", 6),
)
#: What makes whoever writes it hear no more.
STOPS: Final = frozenset({"STOP", "Stop.", "unsubscribe"})
_INTENTS: Final = {"STOP": "optout", "Stop.": "optout", "unsubscribe": "optout", "START": "optin", "HELP": "help"}
COMEBACKS: Final = 0.05  #: share of texts that are a START, once somebody has stopped
#: Somebody who stopped waits at least so long; what was said is tracked by then, in this order.
COMEBACK_AFTER: Final = timedelta(seconds=30)
MEDIA: Final = 0.06  #: share of MMS where there is MMS, and of WhatsApp with a picture
_RATE: Final = "0.00550"
_MMS_RATE: Final = "0.01600"


class _Line(NamedTuple):
    """A person and the number of ours that they write to, as on the wire."""

    person: str
    ours: str
    country: Country


class People:
    """All who write. They remember whom they told to stop."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._stopped: list[tuple[datetime, _Line]] = []

    def write(self, at: datetime) -> Iterator[Told]:
        random = self._random
        if self._stopped and self._stopped[0][0] + COMEBACK_AFTER <= at and random.random() < COMEBACKS:
            yield self._told(at, self._stopped.pop(0)[1], Channel.SMS, "START", has_media=False)
            return
        line = self._line()
        channel, has_media = Channel.SMS, random.random() < MEDIA
        if random.random() < line.country.whatsapp:
            channel = Channel.WHATSAPP
            line = line._replace(ours=world.WHATSAPP_SENDER)
        elif has_media and line.country.mms_rate:
            channel = Channel.MMS
        text = draws.pick(random, *zip(*TEXTS, strict=True))
        if channel is Channel.SMS and _INTENTS.get(text) == "optout":
            self._stopped.append((at, line))
        yield self._told(at, line, channel, text, has_media=has_media and channel is not Channel.SMS)

    def _line(self) -> _Line:
        """Nobody can answer a sender with a name."""
        random = self._random
        country = draws.pick(random, _ANSWERING, [country.weight for country in _ANSWERING])
        ours = [(sender, weight) for sender, weight in country.senders if sender.isdecimal()]
        return _Line(draws.number(random, country.numbers), draws.pick(random, *zip(*ours, strict=True)), country)

    def _told(self, at: datetime, line: _Line, channel: Channel, text: str, *, has_media: bool) -> Told:
        random = self._random
        message_id = draws.uuid(random)
        rate = {Channel.SMS: _RATE, Channel.MMS: _MMS_RATE}.get(channel, "0.00000")
        is_long = len(line.ours) > _SHORT_CODE_DIGITS_MAX  # Plivo tells the intent on long codes and toll-free numbers
        inbound = plivo.Inbound(
            uuid=message_id,
            sender=line.person,
            recipient=line.ours,
            type=channel.value,
            text=text,
            rate=rate,
            intent=_INTENTS.get(text, "") if is_long else None,
            media=(f"https://media.example.com/{message_id}.jpg",) if has_media else (),
        )
        return Told(
            due_at=at + draws.seconds(random, 0.3, 0.5),
            truth=InboundTruth(
                kind=Kind.GENUINE,
                message_id=message_id,
                country=line.country.iso2,
                channel=channel,
                text=text,
                units=1,
                cost_nanos=money.nanos(rate) or 0,
            ),
            fields=plivo.inbound_message(inbound),
            lie={"Text": "START", "Body": "START", "MessageIntent": "optin"},
            with_v3=random.random() < 0.5,
        )


_ANSWERING: Final = tuple(
    country for country in world.COUNTRIES if any(sender.isdecimal() for sender, _ in country.senders)
)
_SHORT_CODE_DIGITS_MAX: Final = 6
