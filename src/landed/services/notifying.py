"""Delivering what the outbox of alerts holds, again and again until it arrives, ever more rarely, for 13 hours in all.

Several workers may do it at once. What a killed worker was just delivering is delivered again, with the same id. One
receiver that does not answer holds up nobody else.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from landed.domain.errors import LandedError, StoreUnavailable
from landed.services.alert_sending import NotDelivered, Sender
from landed.services.mailing import MAIL_S_MAX
from landed.store import alert_targets, alerts
from landed.store.alert_targets import TargetRow
from landed.store.alerts import Claimed, Delivery, Pool

#: 20 attempts, the second after 30 s and then each after twice as long, up to an hour: 13 hours in all.
ATTEMPTS_MAX: Final = 20
FIRST_S: Final = 30.0
MOST_S: Final = 3600.0
#: Longer than any attempt takes: so nobody else begins one meanwhile.
HELD_S: Final = MAIL_S_MAX + 15.0
AT_ONCE: Final = 16
#: To one target, so that one that does not answer does not take all of them.
OF_ONE: Final = 2
EVERY_S: Final = 2.0
_AWAY_S: Final = 5.0

_log = structlog.get_logger()


class Notifier:
    def __init__(
        self, *, pool: Pool, sender: Sender, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._clock = clock
        self._running: dict[asyncio.Task[None], UUID | None] = {}  #: with the target

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        try:
            while True:
                try:
                    await self.start_due()
                    await asyncio.sleep(EVERY_S)
                except StoreUnavailable:
                    await asyncio.sleep(_AWAY_S)
        finally:
            for task in self._running:
                task.cancel()

    async def deliver_due(self) -> int:
        """Deliver what is due now, and wait for what comes of it; how many that was.

        Raises:
            StoreUnavailable: nothing was taken.
        """
        started = await self.start_due()
        if self._running:
            await asyncio.wait(self._running)
        return started

    async def start_due(self) -> int:
        """Begin to deliver what is due, as far as there is room; how many that was.

        Raises:
            StoreUnavailable: nothing was taken.
        """
        room = AT_ONCE - len(self._running)
        if room <= 0:
            return 0
        claimed = await alerts.claim(
            self._pool,
            self._clock(),
            limit=room,
            each=OF_ONE,
            under_way=list(self._running.values()),
            held_s=HELD_S,
        )
        if claimed:
            targets = {row.id: row for row in await alert_targets.all_targets(self._pool)}
            for each in claimed:
                target = targets.get(each.target_id) if each.target_id else None
                task = asyncio.create_task(self._deliver(each, target))
                self._running[task] = each.target_id
                task.add_done_callback(self._running.pop)
        return len(claimed)

    async def _deliver(self, claimed: Claimed, target: TargetRow | None) -> None:
        """What goes wrong here is noted, or found again when it is due: it never ends the worker."""
        state, problem, left = Delivery.DELIVERED, None, None
        if claimed.target_id is not None and (target is None or not target.enabled):
            state, problem = Delivery.GIVEN_UP, "The target was switched off or removed."
        else:
            try:
                problem = await self._sender.send(target, claimed.addresses, claimed.id, claimed.content, self._clock())
            except (NotDelivered, LandedError) as error:
                is_over = getattr(error, "final", False) or claimed.attempts >= ATTEMPTS_MAX
                state, problem = (Delivery.GIVEN_UP if is_over else Delivery.WAITING), str(error)
                left = getattr(error, "left", None)
                _log.warning("alert_not_delivered", notification=str(claimed.id), given_up=is_over)
            except Exception as error:
                state, problem = Delivery.WAITING, f"A fault of ours: {type(error).__name__}."
                if claimed.attempts >= ATTEMPTS_MAX:
                    state = Delivery.GIVEN_UP
                _log.exception("alert_not_delivered", notification=str(claimed.id))
        try:
            await alerts.settle(
                self._pool, claimed.id, state, problem, self._clock(), first_s=FIRST_S, most_s=MOST_S, addresses=left
            )
        except StoreUnavailable:
            _log.warning("alert_not_settled", notification=str(claimed.id))
