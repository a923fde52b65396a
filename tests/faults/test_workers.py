"""Workers share the lanes, and one takes over from another that is killed, or that sleeps for too long."""

import asyncio
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

import psutil
import psycopg
import pytest

from landed.services.tracking import LEASE_S
from tests.faults.holding import assert_complete, assert_nothing_lost_nothing_twice
from tests.faults.house import START_S_MAX, House, house, kill, until
from tests.faults.sending import AUTH_TOKEN, PATH, Sender

LANES = 4
#: The lease has to end, and it is looked at four times as often.
TAKEN_OVER_S_MAX = LEASE_S * 1.25 + 10.0
#: For the lanes that were taken over, while new callbacks come in all the time.
GOES_ON_S_MAX = 15.0

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


class Lanes:
    """Who holds which lane, and how far it is tracked. A tracker's name holds its process id."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def held_by(self, worker: subprocess.Popen[bytes]) -> list[int]:
        return [lane for lane, (holder, _) in self._all().items() if holder and f"-{worker.pid}-" in holder]

    def positions(self) -> dict[int, str]:
        return {lane: position for lane, (_, position) in self._all().items()}

    def all_moved(self, before: Mapping[int, str]) -> bool:
        return all(position != before[lane] for lane, position in self.positions().items())

    def _all(self) -> dict[int, tuple[str | None, str]]:
        rows = self._connection.execute("SELECT lane, leased_by, position FROM lanes ORDER BY lane").fetchall()
        return {int(lane): (holder, position) for lane, holder, position in rows}


async def _share(landed: House, lanes: Lanes, *workers: subprocess.Popen[bytes]) -> None:
    await until(
        "the lanes are shared evenly",
        lambda: [len(lanes.held_by(worker)) for worker in workers] == [LANES // len(workers)] * len(workers),
        START_S_MAX,
    )


async def test_workers_share_lanes_and_take_over_from_one_that_is_killed_or_asleep() -> None:
    with house(LANDED_LANES=str(LANES)) as landed:
        landed.start("web")
        await landed.until_ready()
        landed.add_account(AUTH_TOKEN, PATH)
        first, second = landed.start("worker"), landed.start("worker")
        sender, stopping = Sender(landed.url, seed=1, rate_per_s=100), asyncio.Event()
        with psycopg.connect(landed.database_url, autocommit=True) as connection:
            lanes = Lanes(connection)
            async with asyncio.TaskGroup() as running:
                running.create_task(sender.run(stopping))
                await _share(landed, lanes, first, second)
                before = lanes.positions()
                await until("both track", lambda: lanes.all_moved(before), GOES_ON_S_MAX)

                first.kill()
                await until("taken over", lambda: len(lanes.held_by(second)) == LANES, TAKEN_OVER_S_MAX)
                before = lanes.positions()
                await until("tracked by the other", lambda: lanes.all_moved(before), GOES_ON_S_MAX)

                third = landed.start("worker")
                await _share(landed, lanes, second, third)
                asleep = psutil.Process(second.pid)
                kill(asleep, signal.SIGSTOP)
                await until("taken over", lambda: len(lanes.held_by(third)) == LANES, TAKEN_OVER_S_MAX)
                kill(asleep, signal.SIGCONT)  # it goes on where it stopped, with lanes that are no longer its own
                await _share(landed, lanes, second, third)
                before = lanes.positions()
                await until("both track again", lambda: lanes.all_moved(before), GOES_ON_S_MAX)
                stopping.set()
        await landed.until_tracked()

        await assert_nothing_lost_nothing_twice(landed.database_url, sender)
        assert_complete(landed.database_url, sender)
