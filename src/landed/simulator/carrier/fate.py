"""What becomes of a message: decided the moment it is taken, from the seed, the number and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple

from landed.domain.countries import country_of
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator import draws, world
from landed.simulator.carrier.scenario import Outcome, Scenario
from landed.simulator.world import Country, Network

#: Statuses that end a message; `read` comes after its `delivered`.
FINAL: Final = frozenset({Status.DELIVERED, Status.UNDELIVERED, Status.FAILED})
_READ: Final = 0.7  #: share of delivered WhatsApp messages that are read
_SLOW_FACTOR: Final = 25.0  #: how much longer a handset takes that was off
_AT_ONCE_S: Final = 0.05
#: What contradicts what, and the error code that goes with it.
_OPPOSITE: Final = {Status.DELIVERED: Status.UNDELIVERED, Status.UNDELIVERED: Status.DELIVERED, Status.FAILED: None}
_OPPOSITE_CODE: Final = "80"


class Step(NamedTuple):
    """A message, or one of its parts, comes to a status. `word`: our status, or a word that nobody explains."""

    after_s: float  #: since it was taken
    word: str
    error_code: str | None = None  #: Plivo's code, whichever provider tells of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Where it goes, what a unit costs there, and what happens, in order of time."""

    country: Country
    network: Network
    rate: str
    steps: tuple[Step, ...]

    @property
    def final(self) -> Step | None:
        """The first word that ends it; None: it never hears back."""
        return next((step for step in self.steps if step.word in FINAL), None)


def fate(scenario: Scenario, random: Random, recipient: str, channel: Channel, outcome: Outcome | None = None) -> Fate:
    """What becomes of a message to that number.

    Args:
        random: of this message alone.
        recipient: digits, with or without the plus.
        outcome: what a magic number, or whoever sends, wants; None: drawn by lot.
    """
    country, network = place(scenario, recipient)
    rate = _rate(country, channel)
    steps = _steps(scenario, random, country, network, channel, outcome)
    return Fate(country=country, network=network, rate=rate, steps=tuple(sorted(steps)))


def part_fate(whole: Fate, random: Random) -> Fate:
    """What becomes of a part whose sisters fail: it gets through, at its own pace."""
    final = whole.final
    if final is None or final.word == Status.DELIVERED:
        return whole
    steps = [step for step in whole.steps if step.word not in FINAL]
    after_s = final.after_s + draws.seconds(random, whole.network.latency_s, whole.network.spread).total_seconds()
    if not any(step.word == Status.SENT for step in steps):
        steps.append(Step(final.after_s, Status.SENT))
    return replace(whole, steps=tuple(sorted([*steps, Step(after_s, Status.DELIVERED)])))


def place(scenario: Scenario, recipient: str) -> tuple[Country, Network]:
    """A number's country and network: the same for as long as the scenario lasts, as with a subscriber."""
    number = "+" + recipient.removeprefix("+")
    iso2 = country_of(number)
    country = scenario.countries.get(iso2 or "", scenario.elsewhere)
    if country is scenario.elsewhere and iso2:
        country = replace(country, iso2=iso2)
    subscriber = Random(f"subscriber:{number}")  # noqa: S311  no secret
    return country, draws.pick(subscriber, country.networks, [network.weight for network in country.networks])


def _rate(country: Country, channel: Channel) -> str:
    if channel is Channel.MMS:
        return country.mms_rate or country.rate
    return country.whatsapp_rate if channel is Channel.WHATSAPP else country.rate


def _steps(
    scenario: Scenario, random: Random, country: Country, network: Network, channel: Channel, wanted: Outcome | None
) -> Sequence[Step]:
    final, code = _drawn(random, country, network, channel)
    unknown, contradicts = random.random(), random.random()
    queued = Step(draws.seconds(random, 0.06, 0.5).total_seconds(), Status.QUEUED)
    sent_s = queued.after_s + draws.seconds(random, 0.35, 0.6).total_seconds()
    latency_s = _latency_s(random, network)
    read_s = draws.seconds(random, 9.0, 1.0).total_seconds()
    reads = random.random() < _READ
    if wanted is not None:
        if wanted.status is not None or wanted.is_silent:
            final, code = wanted.status, wanted.error_code
        latency_s = wanted.latency_s if wanted.latency_s is not None else latency_s
    steps = [queued]
    if final is not Status.FAILED:
        steps.append(Step(sent_s, Status.SENT))
    if final is not None:
        started_s = queued.after_s if final is Status.FAILED else sent_s
        steps.append(Step(started_s + (_AT_ONCE_S if final is Status.FAILED else latency_s), final, code))
    if final is Status.DELIVERED and channel is Channel.WHATSAPP and reads:
        steps.append(Step(steps[-1].after_s + read_s, Status.READ))
    if (wanted and wanted.contradicts) or contradicts < scenario.chaos.contradicting:
        steps += _contradiction(steps, latency_s)
    if (wanted and wanted.unknown_status) or unknown < scenario.chaos.unknown_statuses:
        word = (wanted and wanted.unknown_status) or random.choice(world.UNKNOWN_STATUSES)
        steps.append(Step(sent_s + _AT_ONCE_S, word))
    return steps


def _drawn(random: Random, country: Country, network: Network, channel: Channel) -> tuple[Status | None, str | None]:
    """The final status and error code. (None, None): the carrier never says."""
    silent = country.silent if network.silent is None else network.silent
    failures = country.failures if network.failures is None else network.failures
    drawn = random.random()
    if drawn < silent and channel is not Channel.WHATSAPP:
        return None, None
    drawn -= silent
    for code, share in failures:
        if 0 <= drawn < share and (channel is Channel.SMS or code in world.CODES_OF_ANY_CHANNEL):
            return status_of(code), code
        drawn -= share
    return Status.DELIVERED, None


def status_of(error_code: str) -> Status:
    """What a message ends as with that code of Plivo's: never handed over, or given up by the carrier."""
    return Status.FAILED if error_code in world.FAILED_CODES else Status.UNDELIVERED


def _latency_s(random: Random, network: Network) -> float:
    slow = _SLOW_FACTOR if random.random() < network.slow else 1.0
    return draws.seconds(random, network.latency_s * slow, network.spread).total_seconds()


def _contradiction(steps: Sequence[Step], latency_s: float) -> Sequence[Step]:
    final = next((step for step in steps if step.word in FINAL), None)
    opposite = _OPPOSITE[Status(final.word)] if final else None
    if final is None or opposite is None:
        return ()
    code = _OPPOSITE_CODE if opposite is Status.UNDELIVERED else None
    return (Step(final.after_s + latency_s, opposite, code),)
