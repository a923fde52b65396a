"""How Plivo writes what its callbacks of every kind share: status words, channels, numbers, counts, money, moments."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from landed.domain import money
from landed.domain.numbers import normalise
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.providers.plivo import error_codes

#: Plivo's word -> our status. A word missing here becomes `status=None`, never an error.
STATUSES: Final = {
    "queued": Status.QUEUED,
    "sent": Status.SENT,
    "failed": Status.FAILED,
    "rejected": Status.FAILED,  # old pages and SDK lists only: Plivo refused it
    "undelivered": Status.UNDELIVERED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}
CHANNELS: Final = {channel.value: channel for channel in Channel}
#: Plivo charges in US dollars; no callback names the currency.
CURRENCY: Final = "USD"
ID_CHARACTERS_MAX: Final = 255
WORD_CHARACTERS_MAX: Final = 64
#: More than this is no text's: columns and sums of them have room for it.
UNITS_MAX: Final = 65_535


@lru_cache(maxsize=16_384)
def number(text: str | None) -> str | None:
    """E.164 with the plus, or the sender as it is; None for what is longer than any."""
    found = normalise(text)
    return found if found is None or len(found) <= WORD_CHARACTERS_MAX else None


@lru_cache(maxsize=1024)
def count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) <= 9 else None


def units(text: str | None) -> int | None:
    """How many messages it counts for."""
    found = count(text)
    return found if found is None or found <= UNITS_MAX else None


nanos = lru_cache(maxsize=4096)(money.nanos)


def error_code(text: str | None) -> str | None:
    """The code as text; None where there is no error."""
    return (error_codes.normalise(text) or "")[:WORD_CHARACTERS_MAX] or None


def moment(text: str | None) -> datetime | None:
    """`2024-08-21 12:58:49.244057` or `2026-03-02T10:00:00.363253Z`: without an offset it is UTC, as far as anyone
    knows. None for anything else."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text + "+00:00")
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def left_over(fields: dict[str, str], placed: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The fields without a place that say anything, by name."""
    return tuple(sorted((name, value) for name, value in fields.items() if value and name not in placed))
