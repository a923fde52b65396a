"""Moments as people write them: `2026-11-01`, `2026-11-01T09:30:00Z`, or back from now: `24h`, `7d`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from landed.domain.errors import InputInvalid

_BACK: Final = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
WAY_OUT: Final = "Give a date (2026-11-01), a time (2026-11-01T09:30:00Z), or how far back (30m, 24h, 7d, 2w)."


def moment(text: str, now: datetime, *, field: str) -> datetime:
    """The moment that is meant, aware and UTC. A time without an offset is taken for UTC.

    Raises:
        InputInvalid: it is none; names the field.
    """
    text = text.strip()
    if text == "now":
        return now
    try:
        if back := _BACK.fullmatch(text):
            return now - timedelta(**{_UNITS[back[2]]: int(back[1])})
        # In a query, an unescaped plus before the offset arrives as a space.
        at = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if "T" in text else text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputInvalid(f"{text[:40]!r} is no moment. {WAY_OUT}", field=field) from error
