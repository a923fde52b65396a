"""How it ends: in order when it is told to, and completely when its parent is killed."""

import asyncio
import os
import signal
import subprocess

import pytest

from tests.faults.holding import assert_nothing_lost_nothing_twice
from tests.faults.house import START_S_MAX, House, house, until
from tests.faults.sending import AUTH_TOKEN, PATH, Sender

#: Under load, on two slow cores.
STOPPED_S_MAX = 15.0

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


async def _end_under_load(landed: House, sender: Sender, number: signal.Signals) -> subprocess.Popen[bytes]:
    """Send the parent a signal while callbacks come in; it has ended when this returns."""
    serve = landed.start()
    await landed.until_ready()
    landed.add_account(AUTH_TOKEN, PATH)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as running:
        running.create_task(sender.run(stopping))
        await until("callbacks come in", lambda: len(sender.acknowledged) >= 200, START_S_MAX)
        os.kill(serve.pid, number)
        await until("serve ended", lambda: serve.poll() is not None, STOPPED_S_MAX)
        sender.giving_up.set()
        stopping.set()
    return serve


async def test_sigterm_ends_all_in_order_and_loses_nothing() -> None:
    with house() as landed:
        sender = Sender(landed.url, seed=1)
        serve = await _end_under_load(landed, sender, signal.SIGTERM)
        await landed.until_gone(STOPPED_S_MAX)

        assert serve.returncode == 0
        landed.start()
        await landed.until_ready()
        await landed.until_tracked()
        await assert_nothing_lost_nothing_twice(landed.database_url, sender)


async def test_killing_the_parent_ends_its_children_and_then_the_database() -> None:
    with house() as landed:
        sender = Sender(landed.url, seed=1)
        await _end_under_load(landed, sender, signal.SIGKILL)
        await until("its children ended", lambda: not landed.parts(), STOPPED_S_MAX)
        await landed.until_gone(STOPPED_S_MAX)

        assert "database system is shut down" in (landed.home / "postgres.log").read_text().splitlines()[-1]


async def test_ctrl_c_while_the_database_is_made_ends_it_without_a_word() -> None:
    with house() as landed:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in background
        serve = landed.start()
        signal.signal(signal.SIGINT, before)
        await until("the database is being made", (landed.home / "cluster.partial").exists, START_S_MAX)

        os.killpg(serve.pid, signal.SIGINT)
        await until("serve ended", lambda: serve.poll() is not None, STOPPED_S_MAX)

        assert serve.returncode == 130
        assert "Traceback" not in landed.log()


async def test_an_interrupted_demo_compares_when_all_that_was_acknowledged_is_tracked() -> None:
    with house() as landed:
        demo = landed.start("demo")
        await until("traffic is told of", lambda: "sent " in landed.log(), START_S_MAX + STOPPED_S_MAX)

        demo.send_signal(signal.SIGINT)
        await until("the demo ended", lambda: demo.poll() is not None, STOPPED_S_MAX)

        assert "All that was told of is counted, once, where it ended" in landed.log()
