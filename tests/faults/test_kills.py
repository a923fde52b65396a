"""Whatever is killed under load, at any moment: what got a 200 is tracked exactly once.

LANDED_FAULTS_SEED repeats the traffic and the choice of victims of a failed run, as far as timing allows.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from math import inf
from random import Random, SystemRandom

import psutil
import pytest

from tests.faults.holding import assert_complete, assert_nothing_lost_nothing_twice
from tests.faults.house import CATCH_UP_S_MAX, START_S_MAX, STOP_S_MAX, House, house, kill, until
from tests.faults.sending import AUTH_TOKEN, PATH, Sender

#: Each of them once per round, in any order. 3 rounds make 24 kills.
VICTIMS = ("web", "web", "worker", "worker", "postmaster", "backend", "keeper", "serve")
ROUNDS = 3
PAUSE_S = (0.0, 1.0)
#: One in three is killed while the one before may still be away; else callbacks are taken again first.
AT_ONCE = 0.3
UNDER_LOAD = 40

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("LANDED_FAULTS_SEED") or SystemRandom().randrange(10**6))
    print(f"LANDED_FAULTS_SEED={chosen}")  # noqa: T201  shown where the test fails
    return chosen


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_what_was_acknowledged_is_tracked_once_whatever_is_killed(seed: int, number: int) -> None:
    random = Random(seed + number)
    with house(is_deep=number == 2, LANDED_WEB_PROCESSES=str(1 + number % 2)) as landed:
        landed.add_account(AUTH_TOKEN, PATH)
        sender, stopping = Sender(landed.url, seed + number), asyncio.Event()
        async with asyncio.TaskGroup() as running:
            sending = running.create_task(sender.run(stopping))
            supervising = running.create_task(_supervise(landed))
            for victim in random.sample(VICTIMS, len(VICTIMS)):
                if random.random() >= AT_ONCE:
                    enough = len(sender.acknowledged) + UNDER_LOAD
                    await until("callbacks taken", partial(_has_taken, sender, enough), CATCH_UP_S_MAX)
                await asyncio.sleep(random.uniform(*PAUSE_S))
                await KILLS[victim](landed, random)
                print(f"{datetime.now(UTC):%H:%M:%S.%f} {victim} killed")  # noqa: T201  to be laid beside the logs
            stopping.set()
            async with asyncio.timeout(CATCH_UP_S_MAX):
                await sending
            await landed.until_ready()
            supervising.cancel()
        await landed.until_tracked()

        await assert_nothing_lost_nothing_twice(landed.database_url, sender)
        assert_complete(landed.database_url, sender)


def _has_taken(sender: Sender, callbacks: int) -> bool:
    return len(sender.acknowledged) >= callbacks


async def _supervise(landed: House) -> None:
    """Start `landed serve` again when it ends, as systemd would: it gives up if the database dies while it starts."""
    while True:
        serve = landed.start()
        await until("serve ended", lambda: serve.poll() is not None, inf)  # noqa: B023  called in this round only
        await until("its children ended", lambda: not landed.parts(), STOP_S_MAX)


async def _kill_web(landed: House, _: Random) -> None:
    await _kill("web", lambda: landed.part("web"))


async def _kill_worker(landed: House, _: Random) -> None:
    await _kill("worker", lambda: landed.part("worker"))


async def _kill_postmaster(landed: House, _: Random) -> None:
    await _kill("postmaster", landed.postmaster)


async def _kill_backend(landed: House, random: Random) -> None:
    """Any child of the server; it then ends all others and recovers."""
    await _kill("backend", lambda: random.choice(landed.backends() or [None]))


async def _kill_keeper(landed: House, _: Random) -> None:
    await _kill("keeper", landed.keeper)


async def _kill_serve(landed: House, _: Random) -> None:
    """The parent of all; whoever started it starts another."""
    serve = await until("serve runs", landed.serve, START_S_MAX)
    await _kill("serve", lambda: serve)
    await until("another serve", lambda: landed.serve() not in (None, serve), START_S_MAX)


async def _kill(name: str, find: Callable[[], psutil.Process | None]) -> None:
    def killed() -> bool:
        process = find()
        return process is not None and kill(process)

    await until(f"{name} is there to be killed", killed, START_S_MAX)


KILLS: dict[str, Callable[[House, Random], Awaitable[None]]] = {
    "web": _kill_web,
    "worker": _kill_worker,
    "postmaster": _kill_postmaster,
    "backend": _kill_backend,
    "keeper": _kill_keeper,
    "serve": _kill_serve,
}
