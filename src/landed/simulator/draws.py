"""What is drawn by lot."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from string import ascii_uppercase, digits
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


def tcr_id(random: Random, first: str) -> str:
    """As The Campaign Registry makes them: `BMIORKY`, `CY5NVUA`."""
    return first + "".join(random.choices(ascii_uppercase + digits, k=6))
