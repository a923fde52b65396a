"""Simulated time: fast, slow, standing, and set ahead."""

import asyncio
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from landed.simulator.carrier.clock import Agenda, Clock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Real:
    """Our time, as the test sets it."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_it_starts_where_it_is_told_and_passes_at_its_speed() -> None:
    real = Real()
    clock = Clock(speed=60, started_at=NOON, real=real)

    real.pass_s(2)

    assert clock.now() == NOON + timedelta(minutes=2)
    assert clock.real_s_until(NOON + timedelta(minutes=5)) == 3


def test_it_can_be_set_ahead() -> None:
    clock = Clock(started_at=NOON, real=Real())

    clock.advance(timedelta(days=1))

    assert clock.now() == NOON + timedelta(days=1)
    assert clock.real_s_until(NOON) == 0


def test_another_speed_does_not_change_the_time_it_is() -> None:
    real = Real()
    clock = Clock(speed=100, started_at=NOON, real=real)
    real.pass_s(1)

    clock.change_speed(2)
    real.pass_s(10)

    assert clock.now() == NOON + timedelta(seconds=120)


def test_a_clock_without_speed_stands_until_it_is_set_ahead() -> None:
    real = Real()
    clock = Clock(speed=0, started_at=NOON, real=real)

    real.pass_s(1000)

    assert clock.now() == NOON
    assert clock.real_s_until(NOON + timedelta(seconds=1)) == inf
    assert clock.real_s_until(NOON) == 0


@pytest.mark.anyio
async def test_what_is_planned_is_done_in_order_of_its_time_and_then_of_planning() -> None:
    clock = Clock(speed=0, started_at=NOON)
    agenda, done = Agenda(clock), list[str]()
    agenda.on("note", done.append)
    for seconds, name in ((3, "last"), (1, "first"), (2, "second"), (2, "third")):
        agenda.add(NOON + timedelta(seconds=seconds), "note", name)

    agenda.advance(timedelta(seconds=2))
    await agenda.do_due()

    assert done == ["first", "second", "third"]
    assert agenda.next_at == NOON + timedelta(seconds=3)


@pytest.mark.anyio
async def test_what_fails_does_not_keep_the_rest_from_being_done() -> None:
    agenda, done = Agenda(Clock(speed=0, started_at=NOON)), list[str]()

    def fail(_: object) -> None:
        raise ValueError

    agenda.on("fail", fail)
    agenda.on("note", done.append)
    agenda.add(NOON, "fail", None)
    agenda.add(NOON, "note", "after")
    await agenda.do_due()

    assert (done, agenda.waiting) == (["after"], 0)


@pytest.mark.anyio
async def test_what_fails_while_it_is_waited_for_does_not_end_the_agenda() -> None:
    agenda, done = Agenda(Clock(speed=1)), asyncio.Event()

    async def fail(_: object) -> None:
        await asyncio.sleep(0)
        raise ValueError

    agenda.on("fail", fail)
    agenda.on("note", lambda _: done.set())
    agenda.add(agenda.clock.now(), "fail", None)
    agenda.add(agenda.clock.now() + timedelta(milliseconds=5), "note", None)
    running = asyncio.create_task(agenda.run())

    async with asyncio.timeout(5):
        await done.wait()
    assert not running.done()
    running.cancel()


@pytest.mark.anyio
async def test_it_wakes_up_for_what_is_planned_before_all_else() -> None:
    agenda, done = Agenda(Clock(speed=1)), asyncio.Event()
    agenda.on("long", lambda _: None)
    agenda.on("note", lambda _: done.set())
    agenda.add(agenda.clock.now() + timedelta(hours=1), "long", None)
    running = asyncio.create_task(agenda.run())
    await asyncio.sleep(0)

    agenda.add(agenda.clock.now() + timedelta(milliseconds=5), "note", None)

    async with asyncio.timeout(5):
        await done.wait()
    assert agenda.waiting == 1
    running.cancel()


@pytest.mark.anyio
async def test_a_faster_clock_does_sooner_what_is_planned() -> None:
    agenda, done = Agenda(Clock(speed=0.001)), asyncio.Event()
    agenda.on("note", lambda _: done.set())
    agenda.add(agenda.clock.now() + timedelta(hours=1), "note", None)
    running = asyncio.create_task(agenda.run())
    await asyncio.sleep(0)

    agenda.change_speed(1_000_000)

    async with asyncio.timeout(5):
        await done.wait()
    running.cancel()


@pytest.mark.anyio
async def test_restored_plans_are_those_of_then() -> None:
    agenda, done = Agenda(Clock(speed=0, started_at=NOON)), list[str]()
    agenda.on("note", done.append)
    agenda.add(NOON, "note", "kept")
    plans = agenda.snapshot()
    agenda.add(NOON, "note", "later")
    await agenda.do_due()

    agenda.restore(plans)
    agenda.restore(plans)
    await agenda.do_due()

    assert done == ["kept", "later", "kept"]
