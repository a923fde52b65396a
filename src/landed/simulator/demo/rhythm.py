"""Busier and quieter minutes, days and nights; and now and then a network that is out."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from math import cos, pi
from random import Random
from typing import Any, Final, NamedTuple

from landed.simulator import draws, world
from landed.simulator.carrier import scenario as scenarios
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.world import Country, Network

#: One swing of the live rate, from a quiet minute over a busy one to the next quiet one.
SWING_S: Final = 300.0
#: An incident comes after so long, and lasts so long, in seconds.
FIRST_AFTER_S: Final = 150.0
AFTER_S: Final = (420.0, 900.0)
LASTS_S: Final = (120.0, 240.0)
_OUT: Final[dict[str, Any]] = {"latency_s": 25, "spread": 0.7, "silent": 0.08, "failures": {"70": 0.75}}


class Incident(NamedTuple):
    """A network takes messages and delivers hardly any."""

    country: Country
    network: Network

    def __str__(self) -> str:
        return f"{self.network.name} in {self.country.iso2}"


def live_share(running_s: float) -> float:
    """How busy it is, around 1: from half to one and a half."""
    return 1 - 0.5 * cos(2 * pi * running_s / SWING_S)


def daily_share(at: datetime) -> float:
    """The same for a moment of the past: most at noon and little at night, and less at the weekend."""
    hour = at.hour + at.minute / 60
    return (0.15 + 0.85 * (1 - cos(2 * pi * (hour - 4) / 24))) * (0.6 if at.weekday() >= 5 else 1.0)


def draw_incident(random: Random) -> Incident:
    """A network of the larger countries, so that it shows."""
    countries = [country for country in world.COUNTRIES if country.weight >= 4]
    country = draws.pick(random, countries, [each.weight for each in countries])
    return Incident(country, draws.pick(random, country.networks, [network.weight for network in country.networks]))


async def incidents(carrier: Carrier, random: Random, say: Callable[[str], None]) -> None:
    """One after the other, until cancelled; each ends as it began."""
    await asyncio.sleep(FIRST_AFTER_S * random.uniform(0.7, 1.3))
    while True:
        incident = draw_incident(random)
        code = f"{incident.network.mcc}-{incident.network.mnc}"
        was = carrier.scenario
        carrier.scenario = scenarios.change(
            was, {"countries": {incident.country.iso2: {"networks": {code: _OUT}}}}, source="the demo"
        )
        say(f"{incident} goes out")
        await asyncio.sleep(random.uniform(*LASTS_S))
        carrier.scenario = was
        say(f"{incident} is back")
        await asyncio.sleep(random.uniform(*AFTER_S))


def in_the_past(random: Random, since: datetime, until: datetime) -> list[tuple[datetime, datetime, Incident]]:
    """A network out for an hour or three, about every third day."""
    found = []
    at = since + timedelta(hours=random.uniform(6, 30))
    while at < until:
        ended_at = at + timedelta(hours=random.uniform(1, 3))
        found.append((at, ended_at, draw_incident(random)))
        at = ended_at + timedelta(hours=random.uniform(40, 90))
    return found
