"""The carrier: decides what becomes of things, keeps their time, tells of them, and remembers what it told."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Protocol
from uuid import UUID

from landed.domain.receipts import Channel
from landed.simulator.callbacks.signing import Request
from landed.simulator.carrier import chaos
from landed.simulator.carrier.caller import Answer
from landed.simulator.carrier.calls import Attempt, Call, Making, Rules, State
from landed.simulator.carrier.chaos import Flaw
from landed.simulator.carrier.clock import Agenda, Clock, Plans
from landed.simulator.carrier.fate import Fate, fate
from landed.simulator.carrier.scenario import Outcome, Scenario
from landed.simulator.items import AnyTruth, Kind
from landed.simulator.ledger import Ledger

#: Callbacks that ended are remembered up to here, the oldest forgotten first.
ENDED_MAX: Final = 100_000
#: Callbacks under way at one time; beyond it the carrier waits, as one with so many lines does.
UNDER_WAY_MAX: Final = 64
_MAKE: Final = "carrier.make"
_FORGED: Final = {Flaw.WRONG_SIGNATURE: Kind.BAD_SIGNATURE, Flaw.MISSING_SIGNATURE: Kind.UNSIGNED}


class Calls(Protocol):
    """What makes the request of a callback: caller.Caller."""

    async def call(self, request: Request, flaw: Flaw, timeout_s: float) -> Answer: ...


class StandIn(Protocol):
    """A provider that is stood in for. `state` is plain data, which snapshots copy; `reset` makes it new."""

    state: Any

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> Rules: ...

    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    scenario: Scenario
    seed: int
    began_at: datetime
    now: datetime
    plans: Plans
    states: dict[str, Any]
    makings: "OrderedDict[int, Making]"
    ledger: Ledger
    let_in: int
    numbers: int


class Carrier:
    """One world. Stand-ins ask it for fates and let it call back; whoever watches asks it what it told.

    `let_in` counts callbacks with a wrong or missing signature that were taken all the same.
    """

    def __init__(self, *, scenario: Scenario, seed: int, clock: Clock, caller: Calls) -> None:
        self.scenario = scenario
        self.seed = seed
        self.clock = clock
        self.began_at = clock.now()
        self.agenda = Agenda(clock)
        self.ledger = Ledger()
        self.makings: OrderedDict[int, Making] = OrderedDict()
        self.let_in = 0
        #: Called with each callback after each of its attempts.
        self.watchers: list[Callable[[Making], None]] = []
        self._caller = caller
        self._stand_ins: dict[str, StandIn] = {}
        self._free = asyncio.Semaphore(UNDER_WAY_MAX)
        self._under_way: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._worlds = 0
        self.agenda.on(_MAKE, self._make)

    def add(self, stand_in: StandIn) -> None:
        self._stand_ins[stand_in.name] = stand_in

    def on(self, name: str, handler: Callable[[Any], Awaitable[None] | None]) -> None:
        """What to do when something falls due that was planned under this name."""
        self.agenda.on(name, handler)

    # --- deciding --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    def random(self, *key: object) -> Random:
        """The lots of one thing, whatever else happens in this world."""
        return Random(":".join(map(str, (self.seed, *key))))  # noqa: S311  no secret

    def uuid(self, *key: object) -> str:
        """The id of one thing: the same in each world of this seed."""
        return str(UUID(int=self.random("uuid", *key).getrandbits(128), version=4))

    def fate(self, random: Random, recipient: str, channel: Channel, outcome: Outcome | None = None) -> Fate:
        """What becomes of a message; magic numbers have their way where no outcome is given."""
        return fate(self.scenario, random, recipient, channel, outcome or self.scenario.outcome(recipient))

    # --- time ------------------------------------------------------------------------------------------------------

    def plan(self, after_s: float, name: str, details: Any) -> None:
        """Let the handler `name` have the details then; they must be plain data."""
        self.agenda.add(self.now() + timedelta(seconds=after_s), name, details)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self.agenda.run()
        finally:
            await self._stop_calls()

    async def advance(self, by: timedelta) -> None:
        """Let time jump from one thing that is planned to the next, and wait for the callbacks of each: what follows
        from it is reckoned from its own time, as if no time had been skipped. Ends where another world begins."""
        world, until = self._worlds, self.now() + by
        while (at := self.agenda.next_at) is not None and at <= until:
            self.agenda.advance(max(at - self.now(), timedelta(0)))
            await self.agenda.do_due()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            if world != self._worlds:
                return
        self.agenda.advance(max(until - self.now(), timedelta(0)))

    @property
    def under_way(self) -> int:
        """Callbacks that wait for their turn, or for their answer."""
        return len(self._under_way)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is planned or under way."""
        return not self.agenda.waiting and not self._under_way

    async def finish(self) -> None:
        """Nothing more happens. Where nobody knows whether a callback was taken it is made once more, now."""
        self.agenda.clear()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for making in [making for making in self.makings.values() if making.may_have_arrived]:
            self._make(making.id)
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self.agenda.clear()

    # --- telling ---------------------------------------------------------------------------------------------------

    def tell(self, call: Call) -> None:
        """Make a callback, as well or as badly as chaos wants."""
        how = call.chaos or self.scenario.chaos
        world = chaos.World(self.seed, self.began_at)
        tellings = list(chaos.tell(how, self.random("telling", call.key), self.now(), world))
        for telling in tellings:
            making = self._note(Making(id=self._number(), call=call, telling=telling))
            self.agenda.add(telling.at, _MAKE, making.id)
        if not tellings:
            nothing = chaos.Telling(self.now(), Flaw.NONE, 0, is_repeat=False)
            self._note(Making(id=self._number(), call=call, telling=nothing, state=State.LOST))

    def told_by_api(self, truth: AnyTruth) -> None:
        """Somebody asked, and was answered: that was told, too."""
        self.ledger.learn(replace(truth, kind=Kind.DUPLICATE))

    def _make(self, making_id: int) -> None:
        making = self.makings.get(making_id)
        if making is None:
            return
        task = asyncio.create_task(self._attempt_in_turn(making))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.result()  # an error of ours ends nothing but is not hidden

    def request(self, making: Making, flaw: Flaw = Flaw.NONE) -> Request:
        """The request that a callback is made by; the same whenever it is asked for."""
        call = making.call
        lots = self.random("nonce", call.key, making.telling.nonce)
        return self._stand_ins[call.provider].rules.write(call, flaw, lots)

    async def _attempt_in_turn(self, making: Making) -> None:
        """At the limit callbacks wait for one another, in the order in which they fell due; all else goes on."""
        async with self._free:
            await self._attempt(making)

    async def _attempt(self, making: Making) -> None:
        rules = self._stand_ins[making.call.provider].rules
        flaw = making.telling.flaw if not making.attempts else Flaw.NONE
        request = self.request(making, flaw)
        began, started_s = self.now(), asyncio.get_running_loop().time()
        status, problem = await self._caller.call(request, flaw, rules.timeout_s)
        real_ms = (asyncio.get_running_loop().time() - started_s) * 1000
        making.attempts.append(Attempt(began, flaw, status, problem, round(real_ms, 1)))
        self._record(making, flaw, is_taken=status is not None and rules.is_taken(status))
        for watch in self.watchers:
            watch(making)

    def _record(self, making: Making, flaw: Flaw, *, is_taken: bool) -> None:
        call = making.call
        if flaw in _FORGED:
            self.let_in += is_taken
            if call.truth is not None:
                self.ledger.tell(replace(call.truth, kind=_FORGED[flaw]))
        if is_taken:
            making.state = State.TAKEN
            if call.truth is not None:
                self.ledger.tell(replace(call.truth, kind=Kind.DUPLICATE) if making.telling.is_repeat else call.truth)
            return
        pause_s = self.pause_s(making)
        if pause_s is None:
            making.state = State.GIVEN_UP
        else:
            self.plan(pause_s, _MAKE, making.id)

    def pause_s(self, making: Making) -> float | None:
        """Simulated seconds from the last attempt to the next; None: there will be none."""
        pauses_s = self._stand_ins[making.call.provider].rules.pauses_s
        is_waiting = making.state is State.WAITING and 0 < len(making.attempts) <= len(pauses_s)
        return pauses_s[len(making.attempts) - 1] if is_waiting else None

    def _note(self, making: Making) -> Making:
        self.makings[making.id] = making
        while len(self.makings) > ENDED_MAX and next(iter(self.makings.values())).state is not State.WAITING:
            self.makings.popitem(last=False)
        return making

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # --- watching and changing -------------------------------------------------------------------------------------

    def callbacks(self) -> Iterator[Making]:
        """All that is remembered, the latest first."""
        return reversed(self.makings.values())

    def counts(self) -> Counter[State]:
        return Counter(making.state for making in self.makings.values())

    async def reset(self, *, seed: int | None = None, scenario: Scenario | None = None) -> None:
        """A new world; what was under way is broken off."""
        self._worlds += 1
        self.agenda.clear()  # at once: what is due goes on falling due while calls are stopped
        await self._stop_calls()
        self.seed = self.seed if seed is None else seed
        self.scenario = scenario or self.scenario
        self.began_at = self.now()
        self.agenda.clear()  # of what was asked for meanwhile
        self.ledger, self.makings, self.let_in, self._numbers = Ledger(), OrderedDict(), 0, 0
        for stand_in in self._stand_ins.values():
            stand_in.reset()

    def snapshot(self) -> Snapshot:
        """This world as it is now. What is under way counts as not yet tried."""
        plans = self.agenda.snapshot()
        return Snapshot(
            scenario=self.scenario,
            seed=self.seed,
            began_at=self.began_at,
            now=self.now(),
            plans=plans,
            states={name: deepcopy(stand_in.state) for name, stand_in in self._stand_ins.items()},
            makings=deepcopy(self.makings),
            ledger=deepcopy(self.ledger),
            let_in=self.let_in,
            numbers=self._numbers,
        )

    async def restore(self, snapshot: Snapshot) -> None:
        """The world as it was then, its clock too; whatever was waiting is waiting again."""
        self._worlds += 1
        self.agenda.clear()  # at once: what is due goes on falling due while calls are stopped
        await self._stop_calls()
        self.scenario, self.seed, self.let_in = snapshot.scenario, snapshot.seed, snapshot.let_in
        self.began_at = snapshot.began_at
        self._numbers = snapshot.numbers
        for name, state in snapshot.states.items():
            self._stand_ins[name].state = deepcopy(state)
        self.makings, self.ledger = deepcopy(snapshot.makings), deepcopy(snapshot.ledger)
        self.clock.advance(snapshot.now - self.now())
        self.agenda.restore(snapshot.plans)
        planned = {due.details for due in snapshot.plans.due if due.name == _MAKE}
        for making in self.makings.values():
            if making.state is State.WAITING and making.id not in planned:
                self.agenda.add(self.now(), _MAKE, making.id)

    async def _stop_calls(self) -> None:
        """Also those that begin meanwhile."""
        while self._under_way:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
