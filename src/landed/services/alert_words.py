"""How figures of alerts read: titles, where it goes wrong, and the address of the page that shows it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from landed.domain.alerting import SHARES, Filter, Kind, Rule
from landed.domain.counters import Resolution
from landed.domain.countries import country_of_mcc
from landed.domain.countries import name_of as country_name
from landed.domain.explaining import Counted, Where
from landed.domain.networks import network_name
from landed.domain.periods import end_of
from landed.services.observing import Seen

#: What callbacks show, one by one; all else is counted.
_LIVE: Final = frozenset({Kind.UNKNOWN_STATUSES, Kind.REFUSED_SIGNATURES})
_WORDS_MAX: Final = 20
_NOT_LETTERS: Final = re.compile(r"[-_ ]")
#: Of so many messages, what was wrong with the bad ones.
_DID: Final = {
    Kind.FAILURE_SHARE: "failed",
    Kind.SLOW_SHARE: "took longer than {after}",
    Kind.MISSING_SHARE: "have no receipt after {after}",
    Kind.OTP_CONVERSION: "were verified",
}


def title(rule: Rule, seen: Seen) -> str:
    """What is wrong, in a line: the rule's name, the figure, and the limit."""
    return f"{rule.name}: {figure(rule, seen)}, the limit is {limit(rule, seen.currency)}"


def figure(rule: Rule, seen: Seen) -> str:
    value = seen.observation.value or 0.0
    if rule.kind in _DID:
        return f"{percent(value)} of {seen.observation.of:,} {_did(rule)}"
    if rule.kind is Kind.TRACKING_LAG:
        return f"{length(value)} behind, with {_many(int(seen.counted.of), 'callback')} waiting"
    if rule.kind is Kind.SPEND:
        spent = f"{money(seen.counted.bad, seen.currency)} in {length(rule.window.total_seconds())}"
        return f"{spent}, {value:.1f} times what is usual" if rule.against_usual else spent
    if rule.kind is Kind.UNKNOWN_STATUSES:
        return f"{_many(int(value), 'receipt')} with a status that has no mapping"
    return f"{_many(int(value), 'callback')} refused in {length(rule.window.total_seconds())}"


def limit(rule: Rule, currency: str | None) -> str:
    if rule.kind in _DID:
        return percent(rule.threshold)
    if rule.kind is Kind.TRACKING_LAG:
        return length(rule.threshold)
    if rule.kind is Kind.SPEND:
        return f"{rule.threshold:g} times" if rule.against_usual else money(rule.threshold, currency)
    return f"{rule.threshold:g}"


def where(rule: Rule, found: Where, currency: str | None) -> str:
    """`T-Mobile, US (310-260): 62 % of 412 failed, all others 3 %`."""
    called = name(found.dimension, found.value)
    if rule.kind is Kind.SPEND:
        usual = f", usually {money(found.before.bad, currency)}" if found.before.bad or rule.against_usual else ""
        others = f"; all others {money(found.others.bad, currency)}" if found.others.bad else ""
        return f"{called}: {money(found.counted.bad, currency)}{usual}{others}"
    text = f"{called}: {percent(_told(rule, found.counted))} of {int(found.counted.of):,} {_did(rule)}"
    if found.others.of:
        return f"{text}, all others {percent(_told(rule, found.others))}"
    if found.before.of:
        return f"{text}, and {percent(_told(rule, found.before))} in the day before"
    return text


def number(kind: Kind, figure: float) -> str:
    """A figure of a rule of that kind, but of spend."""
    if kind in SHARES:
        return percent(figure)
    return length(figure) if kind is Kind.TRACKING_LAG else f"{figure:,.0f}"


def share(rule: Rule, counted: Counted) -> float | None:
    """As the rule has it: of verify sessions the good ones."""
    return round(_told(rule, counted), 6) if counted.of and rule.kind in _DID else None


def name(dimension: str, value: str) -> str:
    """As people say it."""
    if dimension == "network":
        mcc, _, mnc = value.partition("-")
        known = [part for part in (network_name(mcc, mnc), country_of_mcc(mcc)) if part]
        return f"{', '.join(known)} ({value})" if known else f"Network {value}"
    if dimension == "country":
        known_as = country_name(value)
        return f"{known_as} ({value})" if known_as else value
    return f"{dimension.capitalize()} {value}"


def path(rule: Rule, seen: Seen, since: datetime, also: Mapping[str, str]) -> str:
    """The page that shows it, filtered to what it is about: parameters are called as the API's filters.

    It ends where the window does, so that the figures there are those that are told.
    """
    if rule.kind is Kind.TRACKING_LAG:
        return "/settings"
    is_counted = rule.kind not in _LIVE
    until = seen.period.until if is_counted else end_of(Resolution.MINUTE, seen.period.until)
    values: list[tuple[str, str]] = [("since", exact(min(since, seen.period.since))), ("until", exact(until))]
    values += [(each.value, value) for each in Filter for value in rule.filters.get(each, ()) if each.value not in also]
    values += [*also.items(), *([] if is_counted else _of_callbacks(rule, seen))]
    page = "/verify" if rule.kind is Kind.OTP_CONVERSION else "/" if is_counted else "/live"
    return f"{page}?{urlencode(values)}"


def _of_callbacks(rule: Rule, seen: Seen) -> list[tuple[str, str]]:
    """What the list of callbacks is filtered by: why they were refused, or the words they tell."""
    words = list(dict.fromkeys(each.word for each in seen.words))
    if rule.kind is Kind.REFUSED_SIGNATURES:
        return [("verdict", "refused"), *(("reason", word) for word in words)]
    # That list is for words. Where one looks like something else it is shown whole.
    are_words = len(words) <= _WORDS_MAX and all(_NOT_LETTERS.sub("", word).isalpha() for word in words)
    return [("status", word) for word in words] if are_words else []


def percent(value: float) -> str:
    if 0 < value < 0.001:
        return "<0.1 %"
    tenths = f"{100 * value:.1f}"
    return f"{tenths.removesuffix('.0')} %" if value < 0.1 or value > 0.9 else f"{100 * value:.0f} %"


def money(amount: float, currency: str | None) -> str:
    return f"{amount:,.2f} {currency or ''}".rstrip()


def length(seconds: float) -> str:
    """`45 s`, `15 min`, `1 h`, `3 days`."""
    whole = round(seconds)
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if whole >= size and (whole % size == 0 or whole >= 3 * size):
            number = round(whole / size)
            return f"{number} {'day' if unit == 'days' and number == 1 else unit}"
    return f"{whole} s"


def moment(at: datetime) -> str:
    """For people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _told(rule: Rule, counted: Counted) -> float:
    return 1 - counted.share if rule.kind is Kind.OTP_CONVERSION else counted.share


def _did(rule: Rule) -> str:
    return _DID[rule.kind].format(after=length((rule.after or timedelta(0)).total_seconds()))


def exact(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
