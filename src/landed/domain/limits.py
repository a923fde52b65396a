"""Limits: so many of a thing within a time, as `5/10m,20/1d` says it; and the least share of good ones among many."""

import re
from datetime import timedelta
from typing import Final, NamedTuple

_LIMIT: Final = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,5})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
#: What stands for no limit at all.
OFF: Final = "off"


class Limit(NamedTuple):
    """At most so many within this time. It prints as it is written."""

    most: int
    within: timedelta
    written: str

    def __str__(self) -> str:
        return self.written


class ShareLimit(NamedTuple):
    """Of what ended within this time at least this share has to be good, once there are enough to tell."""

    percent_least: int  #: 0: no limit
    things_least: int
    within: timedelta


class Share(NamedTuple):
    """How many of them were good."""

    good: int
    of: int

    def is_below(self, limit: ShareLimit) -> bool:
        return self.of >= limit.things_least and self.good * 100 < limit.percent_least * self.of


def read(text: str) -> tuple[Limit, ...]:
    """Limits that hold together, by commas; none where it says `off`.

    Raises:
        ValueError: it is not written like `5/10m,20/1d`.
    """
    if text.strip().lower() == OFF:
        return ()
    found = []
    for part in text.split(","):
        match = _LIMIT.fullmatch(part.strip())
        if match is None:
            raise ValueError
        most, length, unit = match.groups()
        found.append(Limit(int(most), timedelta(**{_UNITS[unit]: int(length)}), match[0]))
    return tuple(found)
