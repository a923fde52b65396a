"""How badly what happened is told: receipts that get lost, come twice, late, in disorder, or wrongly signed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from landed.domain.words import Word


class Flaw(Word):
    """What is wrong with the first attempt of a callback; attempts after it are as they should be."""

    NONE = "none"
    WRONG_SIGNATURE = "wrong_signature"
    MISSING_SIGNATURE = "missing_signature"
    SLOW = "slow"  #: its body comes by drops
    HALF_CLOSED = "half_closed"  #: no more is sent after the request; the connection stays open to read
    HUNG_UP = "hung_up"  #: the connection is closed before the answer can be read


def _share(meaning: str) -> float:
    return field(default=0.0, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """How often what goes wrong: each a share from 0 to 1."""

    duplicates: float = _share("callbacks that are made twice")
    reordering: float = _share("callbacks that are held back until others have overtaken them")
    lost: float = _share("receipts that are never told; the API still knows")
    late: float = _share("receipts that are told hours later")
    contradicting: float = _share("messages with a second final receipt, which says the opposite of the first")
    unknown_statuses: float = _share("messages with a status that no page explains")
    wrong_signatures: float = _share("callbacks whose first attempt is signed with another token")
    missing_signatures: float = _share("callbacks whose first attempt is not signed")
    bursts: float = _share("windows of ten seconds whose callbacks are all made at the end of it")
    slow: float = _share("callbacks whose body comes by drops")
    half_closed: float = _share("callbacks whose sender closes its half of the connection")
    hung_up: float = _share("callbacks whose sender hangs up before it reads the answer")
    late_s: float = field(default=3600.0, metadata={"meaning": "how late those that are late come, in the median"})


SHARES: Final = tuple(each.name for each in fields(Chaos) if each.name != "late_s")

CALM: Final = Chaos()
#: A bad day: what happens in the demo.
SOME: Final = Chaos(
    duplicates=0.04,
    reordering=0.03,
    late=0.003,
    contradicting=0.002,
    unknown_statuses=0.003,
    wrong_signatures=0.01,
    missing_signatures=0.003,
    bursts=0.02,
    slow=0.002,
    half_closed=0.002,
    hung_up=0.002,
)
#: Everything at once.
ALL: Final = Chaos(
    duplicates=0.2,
    reordering=0.2,
    lost=0.05,
    late=0.05,
    contradicting=0.05,
    unknown_statuses=0.05,
    wrong_signatures=0.1,
    missing_signatures=0.05,
    bursts=0.1,
    slow=0.01,
    half_closed=0.01,
    hung_up=0.02,
)

_BURST: Final = timedelta(seconds=10)
_HELD_BACK_S: Final = (1.0, 12.0)
_AGAIN_AFTER_S: Final = (0.0, 20.0)
#: Share of duplicates that are the same request, nonce and all.
_SAME_NONCE: Final = 0.3
_FLAWS: Final = (
    (Flaw.WRONG_SIGNATURE, "wrong_signatures"),
    (Flaw.MISSING_SIGNATURE, "missing_signatures"),
    (Flaw.SLOW, "slow"),
    (Flaw.HALF_CLOSED, "half_closed"),
    (Flaw.HUNG_UP, "hung_up"),
)


class Telling(NamedTuple):
    """One callback to make for a receipt. `nonce` tells callbacks of a receipt apart: the same is signed alike."""

    at: datetime
    flaw: Flaw
    nonce: int
    is_repeat: bool


class World(NamedTuple):
    """What windows of bursts are drawn from and counted from: the same for all receipts of a world."""

    seed: object
    began_at: datetime


def tell(chaos: Chaos, random: Random, at: datetime, world: World) -> Iterator[Telling]:
    """The callbacks of a receipt that is there at that moment: none where it gets lost."""
    if random.random() < chaos.lost:
        return
    if random.random() < chaos.late:
        at += timedelta(seconds=chaos.late_s * random.lognormvariate(0, 0.5))
    elif random.random() < chaos.reordering:
        at += timedelta(seconds=random.uniform(*_HELD_BACK_S))
    yield Telling(_after_burst(chaos, world, at), _flaw(chaos, random), 0, is_repeat=False)
    if random.random() < chaos.duplicates:
        again_at = at + timedelta(seconds=random.uniform(*_AGAIN_AFTER_S))
        nonce = 0 if random.random() < _SAME_NONCE else 1
        yield Telling(_after_burst(chaos, world, again_at), Flaw.NONE, nonce, is_repeat=True)


def _flaw(chaos: Chaos, random: Random) -> Flaw:
    """One at most; shares that come to more than 1 together count in proportion."""
    shares = [(flaw, getattr(chaos, name)) for flaw, name in _FLAWS]
    drawn = random.random() * max(1.0, sum(share for _, share in shares))
    for flaw, share in shares:
        if drawn < share:
            return flaw
        drawn -= share
    return Flaw.NONE


def _after_burst(chaos: Chaos, world: World, at: datetime) -> datetime:
    """The moment itself, or the end of its window where callbacks pile up."""
    if not chaos.bursts:
        return at
    window = (at - world.began_at) // _BURST
    if Random(f"{world.seed}:burst:{window}").random() >= chaos.bursts:  # noqa: S311  no secret
        return at
    return world.began_at + (window + 1) * _BURST
