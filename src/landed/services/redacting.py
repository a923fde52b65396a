"""Redacting: what of a callback people see who may see neither whole numbers nor texts.

Nothing is let through but what is known to be harmless: words, codes, ids and times in fields that carry such things.
A number is masked where a field is known to hold one; everything else is hidden, whatever it looks like.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from landed.domain import numbers
from landed.domain.callbacks import PATH_KINDS
from landed.services.inspecting_shapes import ComparedRow, Comparison, FieldShape, InspectedCallback
from landed.services.reading import MASKED
from landed.services.shapes import CallbackShape

HIDDEN: Final = "hidden"
#: Fields of providers that hold a word, a code, an id, a time or an amount; of JSON the last name of the path.
_HARMLESS: Final = frozenset({
    "messageuuid", "parentmessageuuid", "status", "errorcode", "units", "type", "totalrate", "totalamount", "mcc",
    "mnc", "messagetime", "queuedtime", "senttime", "deliveryreporttime", "partinfo", "sequence", "powerpackuuid",
    "mediacount", "messageintent", "sessionuuid", "sessionstatus", "channel", "channelstatus", "channelerrorcode",
    "attemptuuid", "attemptsequence", "requesttime", "brandid", "brandstatus", "campaignid", "campaignstatus",
    "registrationstatus", "event", "messageid", "smsid", "trackingid", "detailedstatus", "reason", "country",
    "price", "bodyanalysis", "parts", "part", "encoding", "updateddate", "date", "campaigntrackingid", "latency",
    "final", "mnp", "operator",
})  # fmt: skip
#: The same by the whole path, where its last name alone may be a person's.
_HARMLESS_PATHS: Final = frozenset({"status.name", "status.status"})
_NUMBERS: Final = frozenset({"from", "to", "src", "dst", "number", "phonenumber", "recipient", "phone", "sender"})
_HEADERS: Final = frozenset({"accept", "content-length", "content-type", "host", "user-agent", "x-forwarded-proto"})
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME: Final = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|UTC|[+-]\d\d:?\d\d))?", re.ASCII)
_WORDS: Final = re.compile(r"[A-Za-z0-9_ .:/-]{0,60}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]() -]{0,60}")
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ().-]{2,24}")
#: Digits in a row, however they are parted, that may be somebody's number.
_DIGITS: Final = re.compile(r"\+?\d(?:[\s._,/()\-\u2010-\u2015\u2212]{0,3}\d){7,}")
_REPEATED: Final = re.compile(r" \(\d+\)$")


def text(value: str) -> str:
    """A sentence or an id, without the numbers in it."""
    return value if _UUID.fullmatch(value) else _DIGITS.sub(lambda found: numbers.mask(found[0]), value)


def name(value: str) -> str:
    """The name of a field or header."""
    return value if _NAME.fullmatch(value) and _is_short_of_a_number(value) else HIDDEN


def field(field_name: str, value: str) -> str:
    """The value of a field."""
    whole = field_name.lower()
    last = whole.rpartition(".")[2]
    is_harmless = last in _HARMLESS or whole in _HARMLESS_PATHS
    if is_harmless and (_UUID.fullmatch(value) or _TIME.fullmatch(value) or _is_a_word(value)):
        return value
    if last in _NUMBERS and _NUMBER.fullmatch(value.strip()):
        return numbers.mask(value.strip())
    return HIDDEN if value else ""


def header(header_name: str, value: str) -> str:
    """The value of a header."""
    is_shown = header_name.lower() in _HEADERS and "%" not in value and value.isascii()
    return text(value) if is_shown or value == MASKED else HIDDEN


def path(value: str) -> str:
    """The path of a URL: our own words and ids stay."""
    return "/".join(each if _is_of_path(each) else HIDDEN for each in value.split("/"))


def url(value: str) -> str:
    """A URL without what its path and query tell."""
    parts = urlsplit(value)
    return urlunsplit((parts.scheme, parts.netloc, path(parts.path), HIDDEN if parts.query else "", ""))


def inspected(callback: InspectedCallback) -> InspectedCallback:
    """The whole of a callback, without texts and whole numbers; its body is gone."""
    target = urlsplit(url(callback.url))
    query = f"?{target.query}" if target.query else ""
    return callback.model_copy(
        update=_common(callback)
        | {
            "headers": {},
            "body": None,
            "body_base64": None,
            "request_line": f"{text(callback.method)} {target.path or '/'}{query} HTTP/1.1",
            "header_lines": [
                FieldShape(name=name(each.name), value=header(each.name, each.value), source=each.source)
                for each in callback.header_lines
            ],
            "fields": [
                FieldShape(name=name(each.name), value=field(each.name, each.value), source=each.source)
                for each in callback.fields
            ],
            "fields_problem": callback.fields_problem and text(callback.fields_problem),
            "parse_problem": callback.parse_problem and text(callback.parse_problem),
            "receipts": [
                told.model_copy(
                    update={
                        "provider_id": told.provider_id and text(told.provider_id),
                        "our_id": told.our_id and text(told.our_id),
                        "provider_status": text(told.provider_status),
                    }
                )
                for told in callback.receipts
            ],
            "neighbours": [each.model_copy(update=_common(each)) for each in callback.neighbours],
        }
    )


def comparison(both: Comparison) -> Comparison:
    """Two beside each other; whether they differ is told of what is hidden, too."""
    return both.model_copy(
        update={
            "a": both.a.model_copy(update=_common(both.a)),
            "b": both.b.model_copy(update=_common(both.b)),
            "rows": list(_rows(both.rows)),
        }
    )


def _rows(rows: Iterable[ComparedRow]) -> Iterable[ComparedRow]:
    for row in rows:
        bare = _REPEATED.sub("", row.name)

        def shown(value: str | None, part: str = row.part, bare: str = bare) -> str | None:
            return value and _compared(part, bare, value)

        yield row.model_copy(update={"name": name(row.name), "a": shown(row.a), "b": shown(row.b)})


def _compared(part: str, bare: str, value: str) -> str:
    match part, bare:
        case "field", _:
            return field(bare, value)
        case "header", _:
            return header(bare, value)
        case "request", "path":
            return path(value)
        case "request", "query":
            return HIDDEN
    return text(value)


def _common(callback: CallbackShape) -> dict[str, str | None]:
    return {
        "method": text(callback.method),
        "url": url(callback.url),
        "our_id": callback.our_id and text(callback.our_id),
        "detail": callback.detail and text(callback.detail),
    }


def _is_of_path(segment: str) -> bool:
    return segment in ("", "callbacks", MASKED) or segment in PATH_KINDS or _UUID.fullmatch(segment) is not None


def _is_a_word(value: str) -> bool:
    return _WORDS.fullmatch(value) is not None and _is_short_of_a_number(value)


def _is_short_of_a_number(value: str) -> bool:
    return sum(map(str.isdigit, value)) < numbers.DIGITS_MIN
