"""Sending: what `POST Message/` takes, what it refuses, and what it makes of it: a message for each destination."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from landed.domain import segments
from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.domain.segments import TextLimits
from landed.domain.statuses import Status
from landed.simulator.callbacks.addresses import is_url
from landed.simulator.callbacks.plivo import Conversation, digits
from landed.simulator.carrier.fate import place
from landed.simulator.carrier.scenario import Outcome
from landed.simulator.carrier.views import Direction
from landed.simulator.plivo.answers import Refused, Reply
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.delivering import Delivery, truth
from landed.simulator.plivo.numbers import Numbers
from landed.simulator.plivo.parameters import Parameters, is_number, is_person
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Media, Message, Part

DESTINATIONS_MAX: Final = 1000
EXPIRY_S: Final = (5, 10_799)
MEDIA_MAX: Final = 10
LOGS: Final = ("true", "false", "content_only", "number_only")
DLT: Final = ("dlt_entity_id", "dlt_template_id", "dlt_template_category")
DLT_CATEGORIES: Final = ("transactional", "promotional", "service_implicit", "service_explicit")
LOCATION: Final = ("latitude", "longitude", "name", "address")
INTERACTIVE: Final = ("button", "list", "cta_url", "flow", "location_request_message", "product", "product_list")
SENDER_CHARACTERS_MAX: Final = 11
_LIMITS: Final = TextLimits()
_WINDOW: Final = timedelta(hours=24)  #: a conversation in WhatsApp
_CONTENT_TYPE: Final = "application/octet-stream"  #: as long as nobody has looked
_OPTED_OUT: Final = Outcome(status=Status.FAILED, error_code="200")
#: Of WhatsApp alone.
_RICH: Final = ("template", "interactive", "location")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A request that can be said. `sender` is empty where a powerpack chooses."""

    sender: str
    powerpack_uuid: str
    destinations: Sequence[str]
    invalid: Sequence[str]
    channel: Channel
    text: str | None
    units: int
    url: str | None
    method: str
    log: str
    is_trackable: bool
    media_urls: Sequence[str]
    media_ids: Sequence[str]  #: of what was uploaded before, which this stand-in knows nothing of
    origin: str | None  #: of a conversation in WhatsApp
    dlt: dict[str, str]


class Messages:
    def __init__(self, shared: Shared, delivery: Delivery, numbers: Numbers) -> None:
        self._shared = shared
        self._delivery = delivery
        self._numbers = numbers
        self.resources = (Resource("POST", "Message/", self.send),)

    def send(self, ask: Ask) -> Reply:
        wanted = _read(ask.parameters)
        how = self._shared.refuse_by_magic(*wanted.destinations)
        self._check_places(wanted)
        if self._shared.main_of(ask.account).balance <= 0:
            raise Refused(400, "Insufficient Credit")
        uuids = [self._take(ask, wanted, destination) for destination in wanted.destinations]
        content: dict[str, Any] = {"message": "message(s) queued", "message_uuid": uuids}
        if wanted.invalid:
            content["invalid_number"] = list(wanted.invalid)
        return Reply(status=202, content=content, how=how)

    def _check_places(self, wanted: _Wanted) -> None:
        """Raises Refused: a place has no MMS."""
        if wanted.channel is not Channel.MMS:
            return
        for destination in wanted.destinations:
            country, _ = place(self._shared.carrier.scenario, destination)
            if country.mms_rate is None:
                raise Refused(400, f"MMS is not supported for the destination country {country.iso2 or 'of dst'}")

    def _take(self, ask: Ask, wanted: _Wanted, recipient: str) -> str:
        """Queue the message to one destination; its id."""
        shared, account = self._shared, ask.account
        key = ("message", account.id, recipient)
        nth = shared.number_of(*key)
        uuid, random = shared.uuid(*key, nth), shared.random(*key, nth)
        sender = wanted.sender or self._numbers.of_pool(account.id, recipient)
        outcome = shared.outcome(recipient)
        if (account.id, sender, recipient) in shared.state.opted_out and wanted.channel is not Channel.WHATSAPP:
            outcome = _OPTED_OUT
        fate = shared.carrier.fate(random, recipient, wanted.channel, outcome)
        now = shared.now()
        message = Message(
            uuid=uuid,
            account_id=account.id,
            direction=Direction.OUTBOUND,
            channel=wanted.channel,
            sender=sender,
            recipient=recipient,
            text=wanted.text,
            units=wanted.units,
            rate=fate.rate,
            country=fate.country.iso2,
            mcc=fate.network.mcc,
            mnc=fate.network.mnc,
            network=fate.network.name,
            created_at=now,
            asked_at=shared.carrier.clock.real_now(),
            state="queued",
            url=wanted.url,
            method=wanted.method,
            log=wanted.log,
            is_trackable=wanted.is_trackable,
            requester_ip=ask.requester_ip,
            powerpack_uuid=wanted.powerpack_uuid,
            conversation=None
            if wanted.origin is None
            else Conversation(id=shared.uuid("conversation", uuid), origin=wanted.origin, expires_at=now + _WINDOW),
            dlt=wanted.dlt,
            media=[
                *(
                    Media(id=shared.uuid("media", uuid, place), content_type=_CONTENT_TYPE, url=url)
                    for place, url in enumerate(wanted.media_urls)
                ),
                *(
                    Media(
                        id=media_id,
                        content_type=_CONTENT_TYPE,
                        url=f"{shared.base_url}/Account/{account.id}/Media/{quote(media_id, safe='')}",
                    )
                    for media_id in wanted.media_ids
                ),
            ],
            chaos=outcome.chaos if outcome else None,
        )
        if account.options.reports_parts and wanted.units > 1:
            message.parts = [
                Part(uuid=shared.uuid("part", uuid, number), number=number) for number in range(1, wanted.units + 1)
            ]
        shared.keep(shared.state.messages, uuid, message)
        if not message.parts:  # the answer says no more than that it is queued
            shared.carrier.told_by_api(replace(truth(message, "queued", None), units=0, cost_nanos=0))
        shared.state.senders[sender] = account.id
        self._delivery.plan(message, fate, random)
        return uuid


def _read(given: Parameters) -> _Wanted:
    """Raises Refused: the request is none that Plivo takes."""
    channel = Channel(given.one_of("type", [channel.value for channel in Channel], "sms"))
    sender = _sender(given, channel)
    given.need("dst")
    between = given.text("dst", characters_max=20 * DESTINATIONS_MAX).split("<")
    named = [each.strip() for each in between if each.strip()]
    destinations = [digits(each) for each in named if is_person(each)]
    invalid = [each for each in named if not is_person(each)]
    if not destinations or len(named) > DESTINATIONS_MAX:
        raise Refused(400, f"dst should be 1 to {DESTINATIONS_MAX} numbers in E.164 format, with < between them")
    if sender and sender in destinations:
        raise Refused(400, "src and dst cannot be same")
    text = given.text("text", characters_max=50_000) or None
    media_urls, media_ids = _media(given, channel)
    _check_rich(given, channel)
    if text is None and not _has_content(given, channel):
        raise Refused(400, "text parameter not present")
    given.whole("message_expiry", *EXPIRY_S)
    if "dlt_template_category" in given:
        given.one_of("dlt_template_category", DLT_CATEGORIES)
    return _Wanted(
        sender=sender,
        powerpack_uuid=given.text("powerpack_uuid", characters_max=100),
        destinations=destinations,
        invalid=invalid,
        channel=channel,
        text=text,
        units=_units(text or "", channel),
        url=given.url(),
        method=given.method(),
        log=_log(given),
        is_trackable=given.flag("trackable"),
        media_urls=media_urls,
        media_ids=media_ids,
        origin=None if channel is not Channel.WHATSAPP else "utility" if "template" in given else "service",
        dlt={name: given.text(name, characters_max=200) for name in DLT if name in given},
    )


def _sender(given: Parameters, channel: Channel) -> str:
    sender = given.text("src", characters_max=100)
    if "src" in given and "powerpack_uuid" in given:
        raise Refused(400, "Both powerpack_uuid and src cannot be specified. Specify either powerpack_uuid or src")
    if channel is Channel.WHATSAPP:
        given.need("src")
    elif not sender and "powerpack_uuid" not in given:
        raise Refused(400, "Specify either powerpack_uuid or src in request params to send a message")
    is_name = sender.isascii() and len(sender) <= SENDER_CHARACTERS_MAX and any(char.isalpha() for char in sender)
    if sender and not is_number(sender) and (not is_name or channel is not Channel.SMS):
        raise Refused(400, "src should be a number in E.164 format, a short code or an alphanumeric sender id")
    return digits(sender)


def _media(given: Parameters, channel: Channel) -> tuple[list[str], list[str]]:
    """Addresses and ids."""
    most = 1 if channel is Channel.WHATSAPP else MEDIA_MAX
    urls, ids = given.texts("media_urls"), given.texts("media_ids")
    if (urls or ids) and channel is Channel.SMS:
        raise Refused(400, "media_urls and media_ids are only applicable when type is mms or whatsapp")
    if len(urls) + len(ids) > most:
        raise Refused(400, f"media_urls should have {most} at most")
    if not all(map(is_url, urls)):
        raise Refused(400, "media_urls should be addresses that begin with http:// or https://")
    return urls, ids


def _check_rich(given: Parameters, channel: Channel) -> None:
    """Templates and the like: of WhatsApp alone, and with all that they need."""
    for name in _RICH:
        if name in given and channel is not Channel.WHATSAPP:
            raise Refused(400, f"{name} parameter is only applicable when type is whatsapp")
    if template := given.table("template"):
        Parameters(template).need("name", "language")
    if interactive := given.table("interactive"):
        Parameters(interactive).one_of("type", INTERACTIVE)
        Parameters(interactive).need("action")
    if location := given.table("location"):
        Parameters(location).need(*LOCATION)


def _has_content(given: Parameters, channel: Channel) -> bool:
    names = ("media_urls", "media_ids", *(_RICH if channel is Channel.WHATSAPP else ()))
    return channel is not Channel.SMS and any(name in given for name in names)


def _units(text: str, channel: Channel) -> int:
    """Segments of a text; 1 of what is sent whole.

    Raises:
        Refused: it is too long.
    """
    try:
        measured = segments.measure(text)
        segments.check_length(measured, channel, _LIMITS)
    except InputInvalid as error:
        raise Refused(400, str(error)) from None
    return len(measured.parts) if channel is Channel.SMS else 1


def _log(given: Parameters) -> str:
    value = given.content.get("log", "true")
    text = str(value).lower()
    if text not in LOGS:
        raise Refused(400, f"log should be one of {', '.join(LOGS)}")
    return text
