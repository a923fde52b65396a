"""What people type to find messages: words, and terms such as `status:failed latency:>30s`.

    to:+14155550100 from:ACME status:failed,undelivered code:30 country:US network:310-260 tag:otp account:main
    provider:plivo channel:sms direction:inbound currency:USD segments:>1 latency:>30s is:contradictory is:missing
    is:converted "a message's id, or a number"

Of several values of one term, by commas or written twice, one has to hold; different terms all have to.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.domain.words import Word
from landed.services.reading import MessageQuestion
from landed.store.message_queries import COMPARISONS, Bound

TEXT_CHARACTERS_MAX: Final = 1000
#: A term with its name, which may be quoted from the colon on; or a word.
_TERM: Final = re.compile(r'([A-Za-z_]+):("[^"]*"|\S*)|("[^"]*"|\S+)')
_BOUND: Final = re.compile(r"(>=|<=|>|<|=)?\s*(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|min|h|d)?", re.ASCII)
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
#: Other names that people try.
_ALSO: Final = {
    "code": "error_code", "error": "error_code", "sender": "from", "recipient": "to",
    "units": "segments", "parts": "segments", "took": "latency", "delay": "latency",
}  # fmt: skip
_IS: Final[Mapping[str, Mapping[str, bool]]] = {
    "contradictory": {"contradictory": True},
    "missing": {"receipt_missing": True},
    "converted": {"converted": True},
    "unconverted": {"converted": False},
}
_WORDS: Final[Mapping[str, tuple[str, type[Word]]]] = {
    "status": ("statuses", Status),
    "channel": ("channels", Channel),
    "direction": ("direction", Direction),
}
_TEXTS: Final = {
    "from": "senders", "country": "countries", "network": "networks", "error_code": "error_codes", "tag": "tags",
    "account": "accounts", "provider": "providers", "currency": "currencies",
}  # fmt: skip
_ONE_ONLY: Final = {"to": "recipient"}
TERMS: Final = (
    "to", "from", "status", "code", "country", "network", "tag", "account", "provider", "channel", "direction",
    "currency", "segments", "latency", "is",
)  # fmt: skip


def narrowed(question: MessageQuestion, text: str) -> MessageQuestion:
    """The question, and what was typed besides. Where both name the same, what was typed goes.

    Raises:
        InputInvalid: a term cannot be read; the sentence says how it is written.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InputInvalid(f"This search is over {TEXT_CHARACTERS_MAX} characters long.", field="q")
    found, words = parted(text)
    changes: dict[str, Any] = {}
    for name, values in found.items():
        changes |= _read(name, [value for value in values if value])
    for name in ("units", "latency_ms"):
        if name in changes:
            changes[name] = [*getattr(question, name), *changes[name]]
    return replace(question, **{**changes, **({} if words is None else {"text": words})})


def parted(text: str) -> tuple[Mapping[str, list[str]], str | None]:
    """The values of each term, and the words besides, which are one text; None: there are none."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    words: list[str] = []
    for name, value, word in _TERM.findall(text):
        value = value.strip('"')
        if word:
            words.append(word.strip('"'))
        else:
            found[_ALSO.get(name.lower(), name.lower())] += [value] if name.lower() == "tag" else value.split(",")
    return found, " ".join(words) if words else None


def _read(name: str, values: Sequence[str]) -> dict[str, Any]:
    """The fields of the question that a term sets."""
    if not values:
        raise InputInvalid(f"Behind {name}: something is missing.", field="q")
    if name in _TEXTS:
        return {_TEXTS[name]: values}
    if name in _WORDS:
        return _of_words(name, values)
    if name in _ONE_ONLY:
        return {_ONE_ONLY[name]: _only(name, values)}
    if name == "segments":
        return {"units": [_bound(name, value, _count) for value in values]}
    if name == "latency":
        return {"latency_ms": [_bound(name, value, _milliseconds) for value in values]}
    if name == "is":
        return {field: holds for value in values for field, holds in _standing(value).items()}
    raise InputInvalid(f"There is no term {name}:, there are {', '.join(f'{each}:' for each in TERMS)}.", field="q")


def _of_words(name: str, values: Sequence[str]) -> dict[str, Any]:
    field, kind = _WORDS[name]
    try:
        read = [kind(value.lower()) for value in values]
    except ValueError as error:
        known = ", ".join(each.value for each in kind)
        raise InputInvalid(f"{name}:{','.join(values)[:60]} is not known; there are {known}.", field="q") from error
    return {field: _only(name, read) if field == name else read}


def _only(name: str, values: Sequence[Any]) -> Any:
    if len(values) > 1:
        raise InputInvalid(f"{name}: takes one value.", field="q")
    return values[0]


def _bound(name: str, text: str, read: Callable[[str, float, str], int]) -> Bound:
    told = _BOUND.fullmatch(text)
    if told is None:
        raise InputInvalid(f"{name}:{text[:40]} is not written like {name}:>{_EXAMPLES[name]}.", field="q")
    comparison, figure, unit = told.groups()
    assert comparison is None or comparison in COMPARISONS  # noqa: S101  by the pattern
    return Bound(comparison or "=", min(read(text, float(figure), unit or ""), 2**31 - 1))


_EXAMPLES: Final = {"segments": "1", "latency": "30s"}


def _count(text: str, figure: float, unit: str) -> int:
    if unit or figure != int(figure):
        raise InputInvalid(f"segments:{text[:40]} is no whole number; write it like segments:>1.", field="q")
    return int(figure)


def _milliseconds(text: str, figure: float, unit: str) -> int:
    return round(figure * _UNIT_MS[unit or "s"])


def _standing(value: str) -> Mapping[str, bool]:
    if value.lower() not in _IS:
        raise InputInvalid(f"is:{value[:40]} is not known; there are {', '.join(_IS)}.", field="q")
    return _IS[value.lower()]
