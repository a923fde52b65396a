"""Callbacks of the stand-ins: what is to be called, what came of each attempt, and the rules for trying again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from landed.domain.words import Word
from landed.simulator.callbacks.signing import Request
from landed.simulator.carrier.chaos import Chaos, Flaw, Telling
from landed.simulator.items import AnyTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Something to tell at an address. Plain data, so that a snapshot can hold it.

    `key` names it within its world, such as `plivo/message/UUID/3`; `name` what it is, such as
    `plivo.message.delivered`; `content` is what the provider's writer makes a request of.
    """

    key: str
    name: str
    provider: str
    account: str  #: the provider's id for it
    method: str
    url: str
    content: Any
    truth: AnyTruth | None = None  #: None: the ledger keeps nothing of it
    chaos: Chaos | None = None  #: in place of the scenario's


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a provider calls: how long it waits, what it takes for taken, and when it tries again."""

    timeout_s: float  #: in our seconds: how long a receiver may take
    pauses_s: Sequence[float]  #: before each further attempt, in simulated seconds
    is_taken: Callable[[int], bool]
    #: The request of a call. The `Random` gives the same nonce where it has to be the same.
    write: Callable[[Call, Flaw, Random], Request]


class State(Word):
    WAITING = "waiting"  #: its time has not come, or it is tried again
    TAKEN = "taken"
    GIVEN_UP = "given_up"
    LOST = "lost"  #: chaos took it


class Attempt(NamedTuple):
    """`status` is None where no answer was read; `problem` says why."""

    at: datetime
    flaw: Flaw
    status: int | None
    problem: str | None
    real_ms: float


@dataclass(slots=True, kw_only=True)
class Making:
    """A callback on its way: a call, told once; a repeat is another."""

    id: int
    call: Call
    telling: Telling
    state: State = State.WAITING
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def may_have_arrived(self) -> bool:
        """Whether it was sent and nobody knows whether it was taken."""
        return self.state is not State.TAKEN and any(attempt.status is None for attempt in self.attempts)
