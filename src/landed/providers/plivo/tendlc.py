"""10DLC: callbacks about brands, campaigns, and numbers that are linked to a campaign or unlinked from it.

Plivo's page "10DLC Callbacks" (read 2026-11) gives the words of the events and statuses, and the payloads as
screenshots only: the names of the fields are guesses here, after Plivo's REST names and house style. So names are taken
in any case, with or without underscores, also one level down in an object; the path of the callback tells what it is
about where the content does not; and what has no place is kept as it came. The words of REST are understood, too.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackNotUnderstood
from landed.domain.receipts import Registration, RegistrationReceipt
from landed.domain.receipts import RegistrationStatus as Status
from landed.providers.plivo import values

#: The kinds of our own callback paths.
PATHS: Final = {
    "brands": Registration.BRAND,
    "campaigns": Registration.CAMPAIGN,
    "number-links": Registration.NUMBER_LINK,
    "number-unlinks": Registration.NUMBER_UNLINK,
}
NUMBERS: Final = frozenset({Registration.NUMBER_LINK, Registration.NUMBER_UNLINK})

_REGISTERED: Final = {
    "created": Status.PENDING,
    "processing": Status.PENDING,  # a word of REST, as are the others in capitals on Plivo's pages
    "pending": Status.PENDING,
    "rejected": Status.REJECTED,
    "failed": Status.REJECTED,
    "registered": Status.REGISTERED,
    "completed": Status.REGISTERED,
    "active": Status.REGISTERED,
}
_LINKED: Final = {
    "created": Status.PENDING,
    "processing": Status.PENDING,
    "pending": Status.PENDING,
    "failed": Status.FAILED,
    "rejected": Status.FAILED,
}
#: Plivo's word, in lower case -> our status. A word missing here becomes `status=None`, never an error.
STATUSES: Final[dict[Registration, dict[str, Status]]] = {
    Registration.BRAND: _REGISTERED,
    Registration.CAMPAIGN: _REGISTERED,
    Registration.NUMBER_LINK: _LINKED | dict.fromkeys(("success", "completed", "linked"), Status.LINKED),
    Registration.NUMBER_UNLINK: _LINKED | dict.fromkeys(("success", "completed", "unlinked"), Status.UNLINKED),
}

# The names we look for, without case and underscores; the first that tells anything counts.
_KIND: Final = ("event", "endpoint", "eventtype", "eventname", "type", "kind", "entity", "resource")
_BRAND: Final = ("brandid", "branduuid")
_CAMPAIGN: Final = ("campaignid", "campaignuuid", "tendlccampaignid")
_NUMBER: Final = ("number", "phonenumber", "numbers", "phonenumbers")
_STATUS: Final = ("status", "registrationstatus", "eventstatus")
_REASON: Final = (
    "reason", "rejectionreason", "rejectreason", "failurereason", "declinedreasons", "declinereason", "statusreason",
    "errorreason", "errordescription", "errormessage", "reasondescription",
)  # fmt: skip
#: Of a refusal they tell why; of anything else they are small talk.
_PERHAPS_REASON: Final = ("message", "error")
_ERROR_CODE: Final = ("errorcode", "reasoncode")
_AT: Final = ("eventtime", "occurredat", "statustime", "timestamp", "time", "updatedat", "updatetime", "eventdate")

_REASON_CHARACTERS_MAX: Final = 2000
#: `brand`, `brands`, `number_linking`, `NumberUnlink`, `brand_rejected`: a kind, and perhaps a status behind it.
_KIND_WORD: Final = re.compile(r"(?:10dlc_|tendlc_)?(brand|campaign|number_?(?:un)?link)(?:s|ing)?(?:_(\w+))?")
_KINDS: Final = {
    "brand": Registration.BRAND,
    "campaign": Registration.CAMPAIGN,
    "numberlink": Registration.NUMBER_LINK,
    "numberunlink": Registration.NUMBER_UNLINK,
}

#: The fields of a callback, repeated ones as often as they came.
Pairs = Sequence[tuple[str, str]]


def is_registration(request: CallbackRequest, pairs: Pairs) -> bool:
    """Whether it is about 10DLC: by a word for its kind, an id, or the path. Whatever names a message or a session
    is not, wherever it comes."""
    found = _Found(pairs)
    if not pairs or any(found.at_top(("messageuuid", "sessionuuid"))):
        return False
    return bool(request.kind in PATHS or _told_kind(found)[0] or found.text(*_BRAND, *_CAMPAIGN))


def receipts(request: CallbackRequest, pairs: Pairs) -> list[RegistrationReceipt]:
    """One receipt, or one for each of several numbers.

    Raises:
        CallbackNotUnderstood: it does not say which brand, campaign or number it is about, and neither does the path.
    """
    found = _Found(pairs)
    registration, tail = _registration(request, found)
    statuses = STATUSES[registration]
    subject = _Subject(
        our_id=_our_id(request, registration),
        brand_id=_id(found, _BRAND),
        campaign_id=None if registration is Registration.BRAND else _id(found, _CAMPAIGN),
    )
    numbers = _numbers(found) if registration in NUMBERS else []
    if not (subject.our_id or numbers or _provider_id(registration, subject)):
        raise CallbackNotUnderstood(
            f"It is about a {registration.replace('_', ' ')}, but neither a field nor the path says which."
        )
    word = _status_word(found, registration) or (tail if tail in statuses else "")
    told = _Told(word, found.text(*_REASON), found.text(*_ERROR_CODE))
    if not told.reason and statuses.get(word.lower()) in (None, Status.REJECTED, Status.FAILED):
        told = told._replace(reason=found.text(*_PERHAPS_REASON))
    occurred_at = _occurred_at(found)
    extra = found.left()
    return [
        _receipt(registration, subject, each.number, each.told.over(told), occurred_at, extra)
        for each in numbers or [_Number(None, _Told())]
    ]


class _Told(NamedTuple):
    """What is told of one thing."""

    word: str = ""
    reason: str | None = None
    error_code: str | None = None

    def over(self, other: "_Told") -> "_Told":
        return _Told(self.word or other.word, self.reason or other.reason, self.error_code or other.error_code)


class _Number(NamedTuple):
    """A number, and what is told of it alone where there are several."""

    number: str | None
    told: _Told


class _Subject(NamedTuple):
    our_id: str | None
    brand_id: str | None
    campaign_id: str | None


def _receipt(
    registration: Registration,
    subject: _Subject,
    number: str | None,
    told: _Told,
    occurred_at: datetime | None,
    extra: tuple[tuple[str, str], ...],
) -> RegistrationReceipt:
    return RegistrationReceipt(
        registration=registration,
        provider_status=told.word[: values.WORD_CHARACTERS_MAX],
        status=STATUSES[registration].get(told.word.lower()),
        provider_brand_id=subject.brand_id,
        provider_campaign_id=subject.campaign_id,
        number=number,
        reason=(told.reason or "")[:_REASON_CHARACTERS_MAX] or None,
        error_code=values.error_code(told.error_code),
        occurred_at=occurred_at,
        our_id=subject.our_id,
        extra=extra,
    )


class _Found:
    """The values by plain name, those at the top and those one level down, and which fields were put to use.

    One level down are the members of a JSON object, and those of `data[brand_id]` as some write forms; they go by their
    own name and by both (`brandid` of `{"brand": {"id": …}}`). A field that holds an object is never used up.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)
        self._used: set[str] = set()
        self._top: dict[str, list[tuple[str, str]]] = {}
        self._below: dict[str, list[tuple[str, str]]] = {}
        for name, value in self._pairs:
            outer, _, inner = name.rstrip("]").partition("[")
            if inner and not inner.isdecimal():  # `numbers[0]` is one of several
                self._add_below(outer, inner, name, value)
            else:
                self._top.setdefault(_plain(outer), []).append((name, value))
            for member, text in _members(value):
                self._add_below(outer, member, "", text)

    def _add_below(self, outer: str, inner: str, source: str, value: str) -> None:
        for plain in (_plain(inner), _plain(outer + inner)):
            self._below.setdefault(plain, []).append((source, value))

    def at_top(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Source and value of all that go by these names and are not blank, in the order of the names."""
        return self._told(self._top, names)

    def every(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The same, and then those one level down; the source of a member of an object is blank."""
        names = tuple(names)
        yield from self._told(self._top, names)
        yield from self._told(self._below, names)

    def text(self, *names: str) -> str | None:
        """The first of them that is text or a list of texts, which is put to use."""
        for source, value in self.every(names):
            if (text := _joined(value.strip())) is not None:
                self.use(source)
                return text
        return None

    def use(self, source: str) -> None:
        self._used.add(source)

    def left(self) -> tuple[tuple[str, str], ...]:
        """What was not put to use and says anything."""
        return tuple(sorted({(name, value) for name, value in self._pairs if value and name not in self._used}))

    @staticmethod
    def _told(values_of: Mapping[str, list[tuple[str, str]]], names: Iterable[str]) -> Iterator[tuple[str, str]]:
        return ((source, value) for name in names for source, value in values_of.get(name, ()) if value.strip())


def _registration(request: CallbackRequest, found: _Found) -> tuple[Registration, str]:
    """What it is about, and what follows the word for it: by that word, else the path, else the ids.

    Linking and unlinking cannot be told apart by ids; without a word and a path it is taken for linking.
    """
    told, tail = _told_kind(found)
    if told is None:
        told = PATHS.get(request.kind or "")
    if told is None:
        told = Registration.BRAND
        if any(found.every(_CAMPAIGN)):
            told = Registration.NUMBER_LINK if any(found.every(_NUMBER)) else Registration.CAMPAIGN
    return told, tail


def _told_kind(found: _Found) -> tuple[Registration | None, str]:
    """What the word for the kind says, and what follows it: `brand_rejected`."""
    for source, value in found.every(_KIND):
        # `NumberLinking`, `number-linking` and `number.linking` are one word.
        word = re.sub(r"(?<=[a-z])(?=[A-Z])|\W+", "_", value.strip()).lower()
        if known := _KIND_WORD.fullmatch(word):
            if not known[2]:
                found.use(source)
            return _KINDS[known[1].replace("_", "")], known[2] or ""
    return None, ""


def _our_id(request: CallbackRequest, registration: Registration) -> str | None:
    """Our id in the path, unless the content is about another kind of thing than the path."""
    of_path = PATHS.get(request.kind or "")
    same = of_path is registration or (of_path in NUMBERS and registration in NUMBERS)
    return request.our_id if same else None


def _provider_id(registration: Registration, subject: _Subject) -> str | None:
    if registration in NUMBERS:
        return None  # a campaign has many numbers: it names none of them
    return subject.brand_id if registration is Registration.BRAND else subject.campaign_id


def _id(found: _Found, names: tuple[str, ...]) -> str | None:
    value = found.text(*names)
    if value is not None and len(value) > values.ID_CHARACTERS_MAX:
        raise CallbackNotUnderstood(f"An id of 10DLC has {len(value)} characters; Plivo's have 7.")
    return value


def _status_word(found: _Found, registration: Registration) -> str:
    """The first status word at the top that we know, else the first there is. Only where there is none at the top it is
    one of those below, which may be of something else."""
    of_kind = "numberstatus" if registration in NUMBERS else f"{registration}status"
    names = (of_kind, *_STATUS)
    told = [(source, value) for source, value in found.at_top(names) if not value.startswith(("{", "["))]
    told = told or [(source, value) for source, value in found.every(names) if not value.startswith(("{", "["))]
    known = [(source, value) for source, value in told if value.strip().lower() in STATUSES[registration]]
    for source, value in (known or told)[:1]:
        found.use(source)
        return value.strip()
    return ""


def _numbers(found: _Found) -> list[_Number]:
    """The numbers, each once: one, several by commas or in a list, or records with a status of their own."""
    numbers: dict[str, _Number] = {}
    for source, value in found.every(_NUMBER):
        listed = _json(value) if value.startswith("[") else None
        for item in listed if isinstance(listed, list) else re.split(r"[,;<]", value):
            each = _of_record(item) if isinstance(item, dict) else _Number(values.number(_text(item)), _Told())
            if each.number and each.number.removeprefix("+").isdecimal():
                found.use(source)
                numbers.setdefault(each.number, each)
    return list(numbers.values())


def _of_record(record: Mapping[str, Any]) -> _Number:
    """One of REST's `phone_numbers`: `{"number": …, "status": …}`."""
    found = _Found((name, _text(member)) for name, member in record.items() if member is not None)
    told = _Told(found.text(*_STATUS) or "", found.text(*_REASON), found.text(*_ERROR_CODE))
    return _Number(values.number(found.text(*_NUMBER)), told)


def _occurred_at(found: _Found) -> datetime | None:
    for source, value in found.every(_AT):
        if (at := _moment(value.strip())) is not None:
            found.use(source)
            return at
    return None


def _moment(text: str) -> datetime | None:
    """A date and time as Plivo writes them, or seconds or milliseconds since 1970."""
    if re.fullmatch(r"[0-9]{10}(?:\.[0-9]+)?|[0-9]{13}", text):
        seconds = int(text) / 1000 if len(text) == 13 and "." not in text else float(text)
        return datetime.fromtimestamp(seconds, UTC)
    return values.moment(text) if ":" in text else None


def _members(value: str) -> Iterator[tuple[str, str]]:
    if value.startswith("{") and isinstance(inner := _json(value), dict):
        for name, member in inner.items():
            if member is not None:
                yield name, _text(member)


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _joined(value: str) -> str | None:
    """Text as it is, a list of texts as one (several reasons for one refusal), and None for anything else."""
    if not value.startswith(("{", "[")):
        return value
    listed = _json(value)
    if isinstance(listed, list) and listed and all(isinstance(item, str) for item in listed):
        return "; ".join(listed)
    return value if listed is None else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
