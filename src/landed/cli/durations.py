"""Lengths of time on the command line: 45s, 30m, 24h, 7d."""

import re
from datetime import timedelta
from typing import Final

import typer


class Duration(timedelta):
    """Written as it is given: a default shows in the help as `7d`."""

    def __str__(self) -> str:
        seconds = int(self.total_seconds())
        for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
            if seconds and seconds % length == 0:
                return f"{seconds // length}{unit}"
        return f"{seconds}s"


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")


def duration(text: str | Duration) -> Duration:
    """A parser for typer, which also gives it the default, already parsed."""
    if isinstance(text, Duration):
        return text
    if not (match := _DURATION.fullmatch(text)):
        raise typer.BadParameter(f"{text!r} is no length of time; give a number and s, m, h or d, such as 24h.")
    return Duration(**{_UNITS[match[2]]: int(match[1])})
