"""People who write to the company: questions, thanks, and some of them STOP and later START."""

import asyncio
import contextlib
from random import Random
from typing import Final

from landed.domain.errors import InputInvalid
from landed.simulator import draws, world
from landed.simulator.carrier.views import Shown
from landed.simulator.demo.company import SAYS_STOP
from landed.simulator.inbound import COMEBACKS, PER_MESSAGE, STOPS, TEXTS


async def write(stand_in: Shown, random: Random, messages_per_s: float) -> None:
    """Until cancelled."""
    stopped: list[tuple[str, str]] = []
    while True:
        await asyncio.sleep(random.expovariate(messages_per_s * PER_MESSAGE))
        if stopped and random.random() < COMEBACKS:
            (person, ours), text = stopped.pop(0), "START"
        else:
            text = draws.pick(random, *zip(*TEXTS, strict=True))
            person, ours = _line(random)
            if text in STOPS:
                person = f"{person[:-1]}{SAYS_STOP}"
                stopped.append((person, ours))
        with contextlib.suppress(InputInvalid):
            stand_in.receive(sender=person, recipient=ours, text=text)


def _line(random: Random) -> tuple[str, str]:
    """A person, and a number of ours that can be answered."""
    country = draws.pick(random, _ANSWERING, [country.weight for country in _ANSWERING])
    ours = [(sender, weight) for sender, weight in country.senders if sender.isdecimal()]
    return f"+{draws.number(random, country.numbers)}", draws.pick(random, *zip(*ours, strict=True))


_ANSWERING: Final = tuple(
    country for country in world.COUNTRIES if any(sender.isdecimal() for sender, _ in country.senders)
)
