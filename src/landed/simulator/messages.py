"""What becomes of simulated messages: who they go to, what is told of them, and when."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from landed.domain import money
from landed.domain.receipts import Channel
from landed.simulator import draws, world
from landed.simulator.callbacks import plivo
from landed.simulator.items import Kind, Told, Truth
from landed.simulator.world import Country, Network

LATE: Final = 0.03  #: share of callbacks that are overtaken by the ones after them
BY_GET: Final = 0.03  #: share of messages reported by GET
WITH_V3: Final = 0.25  #: share of messages whose callbacks carry both signature families
LEGACY_PARTS: Final = 0.15  #: share of texts of several units that are reported part by part
UNKNOWN: Final = 0.003  #: share of messages with a status that nobody explains
READ: Final = 0.7  #: share of delivered WhatsApp messages that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What will become of one message: decided when it is sent."""

    id: str
    at: datetime
    country: Country
    network: Network
    channel: Channel
    sender: str
    recipient: str
    rate: str
    units: int
    in_parts: bool
    by_get: bool
    with_v3: bool
    final: str | None
    error_code: str | None


def begin(random: Random, at: datetime) -> Message:
    country = draws.pick(random, world.COUNTRIES, [country.weight for country in world.COUNTRIES])
    network = draws.pick(random, country.networks, [network.weight for network in country.networks])
    channel, rate = _channel(random, country)
    sender = draws.pick(random, [sender for sender, _ in country.senders], [weight for _, weight in country.senders])
    units = draws.pick(random, *zip(*world.UNITS, strict=True)) if channel is Channel.SMS else 1
    final, error_code = _outcome(random, country, channel)
    return Message(
        id=draws.uuid(random),
        at=at,
        country=country,
        network=network,
        channel=channel,
        sender=world.WHATSAPP_SENDER if channel is Channel.WHATSAPP else sender,
        recipient=draws.number(random, country.numbers),
        rate=rate,
        units=units,
        in_parts=units > 1 and random.random() < LEGACY_PARTS,
        by_get=random.random() < BY_GET,
        with_v3=random.random() < WITH_V3,
        final=final,
        error_code=error_code,
    )


def _channel(random: Random, country: Country) -> tuple[Channel, str]:
    """The channel and what a unit costs there."""
    drawn = random.random()
    if drawn < country.whatsapp:
        return Channel.WHATSAPP, country.whatsapp_rate
    if country.mms_rate and drawn < world.MMS:
        return Channel.MMS, country.mms_rate
    return Channel.SMS, country.rate


def _outcome(random: Random, country: Country, channel: Channel) -> tuple[str | None, str | None]:
    """The final status and error code. (None, None): the carrier never says."""
    drawn = random.random()
    if drawn < country.silent and channel is not Channel.WHATSAPP:
        return None, None
    drawn -= country.silent
    for code, share in country.failures:
        if 0 <= drawn < share and (channel is Channel.SMS or code in world.CODES_OF_ANY_CHANNEL):
            return ("failed" if code in world.FAILED_CODES else "undelivered"), code
        drawn -= share
    return "delivered", None


def tell(message: Message, random: Random) -> Iterator[Told]:
    """The status changes of a message, or of each of its parts, in no order."""
    if not message.in_parts:
        yield from _tell_one(message, random, message.final, message.error_code)
        return
    failing = random.randrange(message.units) + 1  # where a message in parts fails, one of them does
    for part in range(1, message.units + 1):
        if message.error_code and part != failing:
            yield from _tell_one(message, random, "delivered", None, part)
        else:
            yield from _tell_one(message, random, message.final, message.error_code, part)


def _tell_one(
    message: Message, random: Random, final: str | None, error_code: str | None, part: int | None = None
) -> Iterator[Told]:
    times = _times(message, random, final, error_code)
    part_id = draws.uuid(random) if part else message.id
    units = 1 if part else message.units
    described = _described(message, random)
    for sequence, (status, at) in enumerate(sorted(times.items(), key=lambda change: change[1]), start=1):
        code = error_code if status in ("failed", "undelivered") else None
        fields = plivo.message_status(
            described,
            status,
            sequence=sequence,
            times=_known_by(status, message, times),
            error_code=code or "",
            part=plivo.Part(uuid=part_id, number=part, of=message.units) if part else None,
        )
        late_s = random.uniform(1, 12) if random.random() < LATE else 0.0
        truth = Truth(
            kind=Kind.GENUINE,
            message_id=message.id,
            status=status,
            sequence=0 if part else sequence,
            country=message.country.iso2,
            mcc=message.network.mcc,
            mnc=message.network.mnc,
            channel=message.channel,
            sender=message.sender,
            error_code=code,
            units=units,
            cost_nanos=0 if status in plivo.UNCHARGED else (money.nanos(message.rate) or 0) * units,
            part=part,
        )
        due_at = at + draws.seconds(random, 0.12, 0.7) + timedelta(seconds=late_s)
        yield Told(
            due_at=due_at,
            truth=truth,
            fields=fields,
            lie={"Status": "undelivered" if status == "delivered" else "delivered"},
            by_get=message.by_get,
            with_v3=message.with_v3,
        )


def _times(message: Message, random: Random, final: str | None, error_code: str | None) -> dict[str, datetime]:
    """When each status is reached."""
    times = {"queued": message.at + draws.seconds(random, 0.06, 0.5)}
    if final != "failed":
        times["sent"] = times["queued"] + draws.seconds(random, 0.35, 0.6)
    if final is not None:
        times[final] = max(times.values()) + _until_final(random, message, final, error_code)
    if final == "delivered" and message.channel is Channel.WHATSAPP and random.random() < READ:
        times["read"] = times["delivered"] + draws.seconds(random, 9.0, 1.0)
    if random.random() < UNKNOWN:
        times[random.choice(world.UNKNOWN_STATUSES)] = times["queued"] + draws.seconds(random, 1.0, 0.5)
    return times


def _until_final(random: Random, message: Message, final: str, error_code: str | None) -> timedelta:
    """From hand-over (or queueing, for `failed`) to the final word."""
    if final == "failed":
        return draws.seconds(random, 12.0, 0.4) if error_code == "420" else draws.seconds(random, 0.25, 0.6)
    network = message.network
    slow = 25.0 if random.random() < network.slow else 1.0
    return draws.seconds(random, network.latency_s * slow, network.spread)


def _described(message: Message, random: Random) -> plivo.Message:
    conversation = None
    if message.channel is Channel.WHATSAPP:
        conversation = plivo.Conversation(
            id=str(UUID(bytes=bytes.fromhex(message.id.replace("-", ""))[::-1])),
            origin=random.choice(("utility", "authentication")),
            expires_at=message.at + timedelta(hours=24),
        )
    return plivo.Message(
        uuid=message.id,
        sender=message.sender,
        recipient=message.recipient,
        type=message.channel.value,
        units=message.units,
        rate=message.rate,
        mcc=message.network.mcc,
        mnc=message.network.mnc,
        conversation=conversation,
    )


def _known_by(status: str, message: Message, times: Mapping[str, datetime]) -> plivo.Times:
    """The times that are known when the message gets this status."""
    final = times.get("delivered") or times.get("undelivered") or times.get("failed")
    return plivo.Times(
        message=message.at,
        queued=times["queued"],
        sent=times.get("sent") if status != "queued" else None,
        delivery_report=final if final is not None and final <= times[status] else None,
    )
