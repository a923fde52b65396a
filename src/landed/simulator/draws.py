"""What is drawn by lot, and how Plivo writes it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar
from uuid import UUID

Thing = TypeVar("Thing")


def pick(random: Random, things: Sequence[Thing], weights: Sequence[int]) -> Thing:
    return random.choices(things, weights)[0]


def number(random: Random, patterns: Sequence[str]) -> str:
    """A number of one of the patterns, in which every `#` is a random digit."""
    return "".join(str(random.randrange(10)) if char == "#" else char for char in random.choice(patterns))


def seconds(random: Random, median_s: float, spread: float) -> timedelta:
    return timedelta(seconds=median_s * random.lognormvariate(0, spread))


def uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def written(at: datetime) -> str:
    """As Plivo writes times: UTC without saying so."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
