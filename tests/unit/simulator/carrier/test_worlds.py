"""A world is what its seed and scenario make it: whatever the order, and from any moment on that was kept."""

import asyncio
from itertools import groupby
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.simulator.carrier.calls import State
from landed.simulator.items import Truth
from tests.unit.simulator.carrier.acme import Receiver, pass_time, told, world

pytestmark = pytest.mark.anyio

PEOPLE = ("+12125550101", "+447700900123", "+4917604069001", "+23480000012345", "+919000012345")
ALL = {"duplicates": 0.3, "reordering": 0.3, "lost": 0.1, "late": 0.1, "contradicting": 0.2, "bursts": 0.2,
                 "unknown_statuses": 0.2, "wrong_signatures": 0.2, "missing_signatures": 0.1}  # fmt: skip


class Holding(Receiver):
    """Never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.called = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:  # type: ignore[override]
        self.called.set()
        await asyncio.Event().wait()
        return httpx.Response(200)


async def _world_of(order: list[str], seed: int = 7) -> Any:
    """All that becomes of messages to these people, sent in this order at one moment."""
    carrier, acme = world(Receiver(200, looks=True), seed=seed, chaos=ALL)
    for recipient in order:
        acme.send(recipient)
    await pass_time(carrier)
    return sorted(acme.state.messages.items()), told(carrier), carrier.ledger.summary()


@given(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=12), st.randoms(use_true_random=False))
async def test_the_same_seed_is_the_same_world_whatever_the_order_of_requests(order: list[str], random: Any) -> None:
    mixed = random.sample(order, len(order))

    assert await _world_of(mixed) == await _world_of(order)


async def test_another_seed_is_another_world() -> None:
    order = [*PEOPLE] * 5

    assert (await _world_of(order, seed=1))[1] != (await _world_of(order, seed=2))[1]


async def test_what_happens_to_one_message_is_nothing_to_another() -> None:
    alone, together = await _world_of([PEOPLE[0]]), await _world_of([*PEOPLE, *PEOPLE])

    assert alone[0][0] in together[0]
    assert all(each in together[1] for each in alone[1])


@pytest.mark.parametrize("seconds", [0, 0.3, 2, 30, 4000])
async def test_a_restored_world_goes_on_as_it_did(seconds: float) -> None:
    carrier, acme = world(Receiver(200, looks=True), chaos=ALL)
    for recipient in [*PEOPLE] * 6:
        acme.send(recipient)
    await pass_time(carrier, seconds)
    snapshot = carrier.snapshot()

    async def end() -> Any:
        acme.send(PEOPLE[0], "one more")
        await pass_time(carrier)
        return carrier.now(), acme.state, told(carrier), carrier.ledger.summary(), carrier.let_in, [*carrier.makings]

    first = await end()
    await carrier.restore(snapshot)
    assert carrier.now() == snapshot.now
    second = await end()
    await carrier.restore(snapshot)
    third = await end()

    assert first == second == third


async def test_a_snapshot_does_not_change_with_the_world() -> None:
    carrier, acme = world()
    acme.send(PEOPLE[0])
    snapshot = carrier.snapshot()

    await pass_time(carrier)

    assert not snapshot.makings
    assert [view.status for view in snapshot.states["acme"].messages.values()] == ["queued"]


async def test_after_a_reset_the_same_happens_again_from_then_on() -> None:
    carrier, acme = world(Receiver(200, looks=True), chaos=ALL)
    worlds = []
    for _ in range(2):
        began = carrier.now()
        for recipient in [*PEOPLE] * 4:
            acme.send(recipient)
        await pass_time(carrier, 4003)
        times = [making.telling.at - began for making in carrier.makings.values()]
        worlds.append((sorted(acme.state.messages), [making.call.key for making in carrier.makings.values()], times))
        await carrier.reset()
        assert (carrier.is_quiet, carrier.makings, carrier.ledger.summary().messages) == (True, {}, 0)

    assert worlds[0] == worlds[1]


async def test_a_world_restored_after_a_reset_goes_on_as_it_did() -> None:
    carrier, acme = world(chaos={"bursts": 0.5})
    snapshot = carrier.snapshot()

    async def end() -> Any:
        for recipient in [*PEOPLE] * 4:
            acme.send(recipient)
        await pass_time(carrier, 3)
        await pass_time(carrier)
        return told(carrier)

    first = await end()
    await carrier.reset()
    await carrier.restore(snapshot)

    assert await end() == first


@pytest.mark.parametrize("begins", ["reset", "restore"])
async def test_time_that_is_set_ahead_stops_where_another_world_begins(begins: str) -> None:
    receiver = Holding()
    carrier, acme = world(receiver)
    snapshot = carrier.snapshot()
    acme.send(PEOPLE[0])
    advancing = asyncio.create_task(pass_time(carrier))
    await receiver.called.wait()

    await (carrier.reset() if begins == "reset" else carrier.restore(snapshot))
    acme.send(PEOPLE[0])
    began_at, planned = carrier.now(), carrier.agenda.waiting
    await advancing

    assert (carrier.now(), carrier.agenda.waiting) == (began_at, planned)


async def test_a_reset_takes_another_seed_and_scenario() -> None:
    carrier, acme = world()
    first = acme.send(PEOPLE[0])

    await carrier.reset(seed=8)

    assert carrier.seed == 8
    assert acme.send(PEOPLE[0]) != first


async def test_ended_callbacks_are_forgotten_from_the_oldest_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landed.simulator.carrier.carrier.ENDED_MAX", 5)
    carrier, acme = world()
    for _ in range(10):
        acme.send("+15005550000")
    await pass_time(carrier)
    await pass_time(carrier, 1)

    assert len(carrier.makings) == 5
    assert {making.state for making in carrier.makings.values()} == {State.TAKEN}


async def test_steps_of_a_message_are_told_in_their_order() -> None:
    carrier, acme = world()
    for _ in range(30):
        acme.send("+12125550101")
    await pass_time(carrier)

    def by_message(making: Any) -> str:
        return str(making.call.truth.message_id)

    ordered = sorted(carrier.makings.values(), key=lambda making: (by_message(making), making.telling.at))
    for _, makings in groupby(ordered, by_message):
        sequences = [cast(Truth, making.call.truth).sequence for making in makings]
        assert sequences == sorted(sequences)
