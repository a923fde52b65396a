"""Simulated time, which may run faster than ours and jump ahead, and what is to be done when."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Final, NamedTuple

import structlog

#: Nothing is slept for longer in one go, so that a clock that was set ahead is noticed even so.
_SLEEP_S_MAX: Final = 60.0

_log = structlog.get_logger()


class Clock:
    """Simulated time: from `started_at` on, `speed` seconds pass in each of ours; at 0 it stands until set ahead."""

    def __init__(
        self,
        *,
        speed: float = 1.0,
        started_at: datetime | None = None,
        real: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.speed = speed
        self._real = real
        self._real_start = real()
        self._start = started_at or self._real_start

    def now(self) -> datetime:
        return self._start + (self._real() - self._real_start) * self.speed

    def real_now(self) -> datetime:
        """Our time, whatever this clock shows."""
        return self._real()

    def advance(self, by: timedelta) -> None:
        self._start += by

    def change_speed(self, speed: float) -> None:
        """From now on; the time stays as it is."""
        self._start, self._real_start = self.now(), self._real()
        self.speed = speed

    def real_s_until(self, at: datetime) -> float:
        """Our seconds until then; 0 where it has come, infinite where it never will by itself."""
        left_s = (at - self.now()).total_seconds()
        if left_s <= 0:
            return 0.0
        return left_s / self.speed if self.speed else inf


class Due(NamedTuple):
    """`name` says which handler gets the `details`; both are plain data, so that a snapshot can hold them."""

    at: datetime
    place: int  #: the order among those of one moment
    name: str
    details: Any


@dataclass(slots=True)
class Plans:
    """What is still to come, as a heap; `place` is that of the next to be added."""

    due: list[Due] = field(default_factory=list)
    place: int = 0


class Agenda:
    """Does what is due, in order of its time, by the handlers that it was given."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._plans = Plans()
        self._handlers: dict[str, Callable[[Any], Awaitable[None] | None]] = {}
        self._changed = asyncio.Event()
        self._doing = asyncio.Lock()

    def on(self, name: str, handler: Callable[[Any], Awaitable[None] | None]) -> None:
        """`handler` may be called with details that were added under this name; it must not wait for long."""
        self._handlers[name] = handler

    def add(self, at: datetime, name: str, details: Any) -> None:
        heapq.heappush(self._plans.due, Due(at, self._plans.place, name, details))
        self._plans.place += 1
        self._changed.set()

    def advance(self, by: timedelta) -> None:
        """Let time jump ahead; what falls due meanwhile is done in its order."""
        self.clock.advance(by)
        self._changed.set()

    def change_speed(self, speed: float) -> None:
        self.clock.change_speed(speed)
        self._changed.set()

    @property
    def waiting(self) -> int:
        return len(self._plans.due)

    @property
    def next_at(self) -> datetime | None:
        return self._plans.due[0].at if self._plans.due else None

    def clear(self) -> None:
        self._plans = Plans()

    def snapshot(self) -> Plans:
        return deepcopy(self._plans)

    def restore(self, plans: Plans) -> None:
        self._plans = deepcopy(plans)
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wait()
            await self.do_due()

    async def do_due(self) -> None:
        """All that is due by now, and what falls due meanwhile."""
        async with self._doing:
            while self._plans.due and self._plans.due[0].at <= self.clock.now():
                due = heapq.heappop(self._plans.due)
                try:
                    outcome = self._handlers[due.name](due.details)
                    if outcome is not None:
                        await outcome
                except Exception:  # an error of ours ends nothing but is not hidden
                    _log.exception("not_done", what=due.name)
                await asyncio.sleep(0)  # however much is due, others get their turn

    async def _wait(self) -> None:
        self._changed.clear()
        pause_s = self.clock.real_s_until(self._plans.due[0].at) if self._plans.due else _SLEEP_S_MAX
        if pause_s <= 0:
            return
        try:
            async with asyncio.timeout(min(pause_s, _SLEEP_S_MAX)):
                await self._changed.wait()
        except TimeoutError:
            return
