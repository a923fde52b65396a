"""Lengths of time on the command line: 45s, 30m, 24h, 7d."""

import re
from datetime import timedelta
from typing import Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")


def duration(text: str | timedelta) -> timedelta:
    """A parser for typer, which also gives it the default, already parsed."""
    if isinstance(text, timedelta):
        return text
    if not (match := _DURATION.fullmatch(text)):
        raise typer.BadParameter(f"{text!r} is no length of time; give a number and s, m, h or d, such as 24h.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
