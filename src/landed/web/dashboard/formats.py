"""Figures, times and numbers as pages show them: the filters of the templates, each by its name there."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from landed.domain.countries import name_of

NOTHING: Final = "–"
_THIN: Final = "\u202f"


def count(value: float | None) -> str:
    """1234567 -> 1,234,567."""
    return NOTHING if value is None else f"{value:,.0f}"


def short(value: float | None) -> str:
    """1234567 -> 1.2 M; for cards and axes."""
    if value is None:
        return NOTHING
    for limit, sign in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            unit = 1e3 if sign == "k" else limit
            return f"{value / unit:.1f}{_THIN}{sign}"
    return f"{value:,.0f}"


def share(value: float | None, digits: int = 1) -> str:
    """0.9312 -> 93.1 %. What is not all is never shown as 100 %, and what is not nothing never as 0 %."""
    if value is None:
        return NOTHING
    least = 10**-digits
    percent = round(value * 100, digits)
    if percent >= 100 and value < 1:
        percent = 100 - least
    if percent <= 0 and value > 0:
        return f"<{_THIN}{least:g}{_THIN}%"
    return f"{percent:.{digits}f}{_THIN}%"


def seconds(value: float | None) -> str:
    """0.42 -> 420 ms, 4.2 -> 4.2 s, 90 -> 1 min 30 s, 7300 -> 2 h 2 min, 200000 -> 2 d 8 h."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value * 1000:.0f}{_THIN}ms"
    if value < 60:
        return f"{value:.1f}{_THIN}s"
    whole = round(value)
    for big, big_sign, small, small_sign in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= big:
            rest = whole % big // small
            return f"{whole // big}{_THIN}{big_sign}" + (f" {rest}{_THIN}{small_sign}" if rest else "")
    return f"{whole}{_THIN}s"


def money(amount: Any) -> str:
    """A `Money` of the shapes, or several: 12.3400 USD."""
    if not amount:
        return NOTHING
    if isinstance(amount, list | tuple):
        return ", ".join(map(money, amount))
    value = float(amount.amount)
    digits = 2 if abs(value) >= 1 else 4
    return f"{value:,.{digits}f}{_THIN}{amount.currency or ''}".rstrip()


def spend(amounts: Sequence[Any]) -> str:
    """Of sums in several currencies the largest: 829.65 USD."""
    return money(_largest(amounts))


def main_currency(amounts: Sequence[Any]) -> str | None:
    """Which currency that is in; None: that was not told."""
    largest = _largest(amounts)
    return None if largest is None else str(largest.currency or "") or None


def _largest(amounts: Sequence[Any]) -> Any:
    return max(amounts, key=lambda each: (each.currency is not None, abs(float(each.amount))), default=None)


def size(value: float | None) -> str:
    """Bytes: 2048 -> 2.0 KB."""
    if value is None:
        return NOTHING
    for limit, sign in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if abs(value) >= limit:
            return f"{value / limit:.1f}{_THIN}{sign}"
    return f"{value:.0f}{_THIN}B"


def country(code: str | None) -> str:
    """US -> United States; a code nobody knows stays."""
    return "unknown country" if code in (None, "", "none") else name_of(str(code)) or str(code)


def words(text: Any) -> str:
    """unknown_outcome -> unknown outcome."""
    return NOTHING if text is None else str(text).replace("_", " ")


def moment(at: datetime | None, zone: ZoneInfo, form: str = "%-d %b %Y, %H:%M:%S") -> str:
    """In the viewer's zone, with the moment itself for machines."""
    if at is None:
        return NOTHING
    exact = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    local = at.astimezone(zone)
    return Markup('<time datetime="{}" title="{} {}">{}</time>').format(
        exact, local.isoformat(sep=" ", timespec="milliseconds"), zone.key, local.strftime(form)
    )


def ago(at: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """How long before now; the moment itself is shown on pointing at it."""
    if at is None:
        return NOTHING
    passed_s = (now - at).total_seconds()
    text = "just now" if abs(passed_s) < 5 else f"{_rough(abs(passed_s))} {'ago' if passed_s > 0 else 'from now'}"
    exact = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = at.astimezone(zone).strftime("%-d %b %Y, %H:%M:%S")
    return Markup('<time datetime="{}" title="{} {}">{}</time>').format(exact, shown, zone.key, text)


def _rough(passed_s: float) -> str:
    for unit_s, sign in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed_s >= unit_s:
            return f"{passed_s // unit_s:.0f}{_THIN}{sign}"
    return f"{passed_s:.0f}{_THIN}s"


#: Those that need to know nothing of who looks.
PLAIN: Final[Mapping[str, Callable[..., str | None]]] = {
    "count": count,
    "short": short,
    "share": share,
    "seconds": seconds,
    "money": money,
    "spend": spend,
    "main_currency": main_currency,
    "size": size,
    "country": country,
    "words": words,
}
