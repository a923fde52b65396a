"""Weeks, as people of one time zone have them: from Monday to Monday, and told of on Monday morning."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from landed.domain.periods import Period

#: By then people are at work, and the night's receipts are in.
TOLD_AT: Final = time(8)


def last_due(now: datetime, zone: ZoneInfo) -> datetime:
    """The latest Monday, 8 o'clock there, that is not ahead."""
    here = now.astimezone(zone)
    monday = here.date() - timedelta(days=here.weekday())
    due = datetime.combine(monday, TOLD_AT, zone)
    return due if due <= now else datetime.combine(monday - timedelta(days=7), TOLD_AT, zone)


def week_before(due: datetime, zone: ZoneInfo, *, back: int = 1) -> Period:
    """The week that ended before that Monday; `back` 2: the one before it."""
    monday = due.astimezone(zone).date()
    since, until = monday - timedelta(days=7 * back), monday - timedelta(days=7 * (back - 1))
    return Period(datetime.combine(since, time(0), zone), datetime.combine(until, time(0), zone))
