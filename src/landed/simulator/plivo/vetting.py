"""How requests for 10DLC are answered: taken at once, submitted after a moment, granted or refused after a while.

Whoever wants a certain answer asks for it: a name (of company, brand or campaign) with the word `reject` in it, or the
EIN 00-0000000, is refused; one with `pending` is never answered; one with `approve` is granted whatever the lot says.
Numbers do as the scenario's magic numbers do. All others are refused by lot, as often as the scenario says.
"""

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from landed.domain.receipts import Registration
from landed.simulator import draws
from landed.simulator.items import Kind, RegistrationTruth
from landed.simulator.plivo.shared import Shared

#: Simulated seconds, in the median. It takes minutes to days in life.
SUBMITTED_S: Final = 1.5
ANSWERED_S: Final = 9.0
NO_EIN: Final = "000000000"
REJECT, PENDING, APPROVE = "reject", "pending", "approve"


class Verdict(NamedTuple):
    """`is_granted` None: there is never one."""

    is_granted: bool | None
    reason: str = ""


def by_name(names: str, random: Random, refused: float, reason: str) -> Verdict:
    """What names want, or the lot: the share that it refuses, and the reason that it gives."""
    said, drawn = names.lower(), random.random()
    if PENDING in said:
        return Verdict(None)
    if REJECT in said:
        return Verdict(is_granted=False, reason="The name asks to be rejected")
    if APPROVE in said or drawn >= refused:
        return Verdict(is_granted=True)
    return Verdict(is_granted=False, reason=reason)


class Due(NamedTuple):
    id: str
    status: str  #: created, and then what it came to
    reason: str = ""


class Vetting:
    """Plans the news of one kind of thing; `tell` changes the thing and tells of it."""

    def __init__(self, shared: Shared, name: str, tell: Callable[[Due], None]) -> None:
        self._shared = shared
        self._name = f"plivo.{name}.step"
        shared.carrier.on(self._name, tell)

    def plan(self, key: str, random: Random, verdict: Verdict, yes: str, no: str) -> None:
        submitted_s = draws.seconds(random, SUBMITTED_S, 0.4).total_seconds()
        answered_s = submitted_s + draws.seconds(random, ANSWERED_S, 0.5).total_seconds()
        self._shared.carrier.plan(submitted_s, self._name, Due(key, "created"))
        if verdict.is_granted is not None:
            due = Due(key, yes if verdict.is_granted else no, verdict.reason)
            self._shared.carrier.plan(answered_s, self._name, due)


def truth(registration: Registration, subject: str, status: str) -> RegistrationTruth:
    return RegistrationTruth(kind=Kind.GENUINE, registration=registration, subject=subject, status=status)
