"""Callbacks: when they are tried again, what is written down of them, and what the ledger holds in the end."""

import asyncio
from datetime import timedelta

import pytest

from landed.domain.statuses import Status
from landed.simulator.carrier.caller import Answer
from landed.simulator.carrier.calls import Making, State
from landed.simulator.carrier.carrier import UNDER_WAY_MAX
from landed.simulator.carrier.chaos import Flaw
from landed.simulator.items import Kind
from tests.unit.simulator.carrier.acme import Receiver, pass_time, world

pytestmark = pytest.mark.anyio

AT_ONCE = "+15005550000"


async def _first(receiver: Receiver, chaos: dict[str, float] | None = None) -> Making:
    """What became of the first callback to this receiver."""
    carrier, acme = world(receiver, chaos=chaos)
    acme.send(AT_ONCE)
    await pass_time(carrier)
    return next(iter(carrier.makings.values()))


async def test_a_callback_that_is_not_taken_is_tried_again_after_60_120_and_240_simulated_seconds() -> None:
    making = await _first(Receiver(503))

    waits = [later.at - earlier.at for earlier, later in zip(making.attempts, making.attempts[1:], strict=False)]
    assert [wait.total_seconds() for wait in waits] == [60, 120, 240]
    assert (making.state, making.may_have_arrived) == (State.GIVEN_UP, False)


async def test_it_ends_when_it_is_taken() -> None:
    making = await _first(Receiver(503, 503, 503, 500, 500, 500, 200))

    assert [attempt.status for attempt in making.attempts] == [503, 500, 200]
    assert making.state is State.TAKEN


async def test_what_is_given_up_was_not_told() -> None:
    carrier, acme = world(Receiver(503))
    acme.send(AT_ONCE)
    await pass_time(carrier)

    assert carrier.ledger.summary().messages == 0
    assert carrier.counts() == {State.GIVEN_UP: 3}


async def test_only_the_first_attempt_is_flawed_and_a_forgery_is_not_told() -> None:
    carrier, acme = world(Receiver(200, looks=True), chaos={"wrong_signatures": 1.0})
    message_id = acme.send(AT_ONCE)
    await pass_time(carrier)

    for making in carrier.makings.values():
        assert [attempt.flaw for attempt in making.attempts] == [Flaw.WRONG_SIGNATURE, Flaw.NONE]
        assert [attempt.status for attempt in making.attempts] == [403, 200]
    told = carrier.ledger.summary()
    assert (told.callbacks, told.forged[Kind.BAD_SIGNATURE], carrier.let_in) == (3, 3, 0)
    end = carrier.ledger.end(message_id)
    assert end is not None
    assert end.status == "delivered"


async def test_who_takes_forgeries_is_found_out() -> None:
    carrier, acme = world(Receiver(200), chaos={"missing_signatures": 1.0})
    acme.send(AT_ONCE)
    await pass_time(carrier)

    assert carrier.let_in == 3


async def test_a_repeat_counts_as_one() -> None:
    carrier, acme = world(chaos={"duplicates": 1.0})
    acme.send(AT_ONCE)
    await pass_time(carrier)

    told = carrier.ledger.summary()
    assert (told.messages, told.callbacks, told.duplicates) == (1, 3, 3)


async def test_a_lost_receipt_is_never_called_and_is_seen_as_lost() -> None:
    receiver = Receiver()
    carrier, acme = world(receiver, chaos={"lost": 1.0})
    message_id = acme.send(AT_ONCE)
    await pass_time(carrier)

    assert receiver.requests == []
    assert carrier.counts() == {State.LOST: 3}
    assert acme.state.messages[message_id].status == "delivered"
    assert carrier.ledger.end(message_id) is None


async def test_the_request_of_a_callback_can_be_seen_as_it_was_made() -> None:
    receiver = Receiver()
    carrier, acme = world(receiver)
    acme.send(AT_ONCE)
    await pass_time(carrier)

    for making, sent in zip(carrier.makings.values(), receiver.requests, strict=True):
        shown = carrier.request(making)
        assert (shown.url, shown.body) == (str(sent.url), sent.content)
        assert shown.headers["X-Signature"] == sent.headers["x-signature"]


async def test_whoever_watches_hears_of_each_attempt() -> None:
    carrier, acme = world(Receiver(503, 503, 503, 200))
    seen: list[tuple[str, int]] = []
    carrier.watchers.append(lambda making: seen.append((making.call.name, len(making.attempts))))
    acme.send(AT_ONCE)
    await pass_time(carrier)

    assert seen.count(("acme.message.queued", 1)) == seen.count(("acme.message.queued", 2)) == 1


async def test_time_set_ahead_leaves_nothing_behind_that_was_due() -> None:
    carrier, acme = world(Receiver(503))
    acme.send(AT_ONCE)
    began = carrier.now()

    await pass_time(carrier, 1000)

    assert carrier.is_quiet
    assert carrier.now() == began + timedelta(seconds=1000)


async def test_no_more_are_under_way_than_there_are_lines() -> None:
    most, under_way, go_on = 0, 0, asyncio.Event()
    carrier, acme = world()

    class Slow:
        async def call(self, *_: object) -> Answer:
            nonlocal most, under_way
            under_way += 1
            most = max(most, under_way)
            if under_way == UNDER_WAY_MAX:
                go_on.set()
            await go_on.wait()
            under_way -= 1
            return Answer(200)

    carrier._caller = Slow()
    for _ in range(UNDER_WAY_MAX):
        acme.send(AT_ONCE)
    carrier.clock.advance(timedelta(hours=1))
    async with asyncio.timeout(20):
        await pass_time(carrier, 1)

    assert most == UNDER_WAY_MAX
    assert len(carrier.makings) == 3 * UNDER_WAY_MAX


async def test_receivers_that_never_answer_hold_up_no_message() -> None:
    carrier, acme = world()
    given_up = asyncio.Event()

    class Silent:
        async def call(self, *_: object) -> Answer:
            await given_up.wait()
            return Answer(None, "no answer")

    carrier._caller = Silent()
    for _ in range(UNDER_WAY_MAX):
        acme.send(AT_ONCE)
    other = acme.send(AT_ONCE, url=None)
    carrier.clock.advance(timedelta(hours=1))
    async with asyncio.timeout(5):
        await carrier.agenda.do_due()

    assert acme.state.messages[other].status is Status.DELIVERED
    given_up.set()


async def test_at_the_end_what_may_have_arrived_is_made_once_more_and_nothing_else_happens() -> None:
    carrier, acme = world()
    answers = iter([Answer(200), Answer(None, "hung up"), Answer(503), Answer(200)])

    class Deaf:
        async def call(self, *_: object) -> Answer:
            return next(answers)

    carrier._caller = Deaf()
    for _ in range(3):
        acme.send("+15005559001")
    await pass_time(carrier, 0.15)  # each is queued, and none is sent yet
    assert [len(making.attempts) for making in carrier.makings.values()] == [1, 1, 1]

    await carrier.finish()

    assert carrier.is_quiet
    assert [making.state for making in carrier.makings.values()] == [State.TAKEN, State.TAKEN, State.WAITING]
    assert carrier.ledger.summary().callbacks == 2


async def test_a_reset_breaks_off_what_is_under_way() -> None:
    carrier, acme = world()
    called = asyncio.Event()

    class Never:
        async def call(self, *_: object) -> Answer:
            called.set()
            await asyncio.Event().wait()
            return Answer(200)

    carrier._caller = Never()
    acme.send(AT_ONCE)
    running = asyncio.create_task(carrier.run())
    carrier.agenda.advance(timedelta(seconds=10))
    async with asyncio.timeout(5):
        await called.wait()

    await carrier.reset()

    assert carrier.is_quiet
    assert carrier.ledger.summary().messages == 0
    running.cancel()
