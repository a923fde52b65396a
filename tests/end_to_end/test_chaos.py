"""Messages, verify sessions and inbound texts with all chaos on, through the stand-ins into Landed and back: what
Landed has at the end is what the carrier's own ledger says it was told, exactly.

`make chaos` does it with 10,000 messages; `SEED=7 MESSAGES=500 make chaos` repeats a failure.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import pytest

from landed.domain.accounts import Account
from landed.providers import registry
from landed.providers.http import open_client
from landed.services.calling import Clients
from landed.services.reconciling import Reconciler
from landed.simulator.carrier import chaos
from landed.simulator.carrier.calls import State as CallState
from landed.simulator.carrier.scenario import EVERYDAY, Answer, Outcome, Scenario
from landed.simulator.carrier.views import Direction
from landed.store import accounts, connect
from landed.store.sealing import Sealer
from tests.carrying import ACCOUNTS, KNOWN, SECRET_KEY, Carried, carried
from tests.simulating import opened_world

SEED: Final = int(os.environ.get("SEED") or 1)
MESSAGES: Final = int(os.environ.get("MESSAGES") or 200)
#: Simulated seconds in each of ours: retries and late receipts come within seconds, sessions outlast their answers.
#: Slower with many, so that Plivo's three retries outlast a moment in which this machine is overloaded.
SPEED: Final = 600.0 if MESSAGES <= 1000 else 120.0
CHAOS: Final = replace(chaos.ALL, late_s=900.0)
#: For each so many messages there is a verify session, and an inbound text.
PER_SESSION: Final = 12
VERIFIED_AT_ONCE: Final = 8
TO_ONE_REQUEST: Final = 50
#: Every so many messages, one whose request is taken and then cut off, so that Landed has to look for it. Odd, for both
#: providers to have some.
PER_CUT_OFF: Final = 61
NUMBERS: Final = ("+1212555", "+44770090", "+49176040", "+9190000", "+23480000", "+55119000", "+3069733")
DIGITS: Final = {"+1": 11, "+44": 12, "+49": 13, "+91": 12, "+23": 13, "+55": 13, "+30": 12}
TEXTS: Final = ("Hello.", "A text of two parts. " * 10, "Four parts with a sign that GSM-7 has not: ’ " * 5)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600 + MESSAGES)]


def number(place: int) -> str:
    """The same number for the same place, and another for each."""
    prefix = NUMBERS[place % len(NUMBERS)]
    digits = DIGITS[next(start for start in (prefix[:3], prefix[:2]) if start in DIGITS)]
    return prefix + f"{place // len(NUMBERS):0{digits + 1 - len(prefix)}d}"


def scenario(messages: int, *, how: chaos.Chaos) -> Scenario:
    cut_off = {number(place): Outcome(answer=Answer.HANG_UP) for place in range(1, messages, PER_CUT_OFF)}
    return replace(EVERYDAY, chaos=how, magic=cut_off)


async def until(what: str, condition: Callable[[], Awaitable[Any]], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not await condition():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.2)


async def until_quiet(all_: Carried) -> None:
    try:
        await until("all is sent and told", all_.is_quiet, 90 + MESSAGES / 10)
    except AssertionError as error:
        waiting = await all_.rows("SELECT state, attempts, looks, problem, account_id FROM outbox LIMIT 20")
        raise AssertionError(f"{error}\nin the outbox: {waiting}\n{how_calls_went(all_)}") from None


def how_calls_went(all_: Carried) -> str:
    """How many callbacks came to what, and with which answers on the way."""
    makings = list(all_.world.carrier.callbacks())
    answers = Counter(
        (making.call.provider, str(attempt.flaw), attempt.status, attempt.problem)
        for making in makings
        for attempt in making.attempts
    )
    lines = [f"{count} x {answer}" for answer, count in answers.most_common(30)]
    return "\n".join([f"callbacks: {Counter(str(making.state) for making in makings)}", *lines])


async def send_all(all_: Carried, messages: int, random: Random) -> None:
    """Each number one message; every second at the one provider, the others at the other."""
    for first, account in enumerate(ACCOUNTS):
        numbers = [number(place) for place in range(first, messages, len(ACCOUNTS))]
        for start in range(0, len(numbers), TO_ONE_REQUEST):
            await all_.send(account, numbers[start : start + TO_ONE_REQUEST], random.choice(TEXTS))


async def verify_some(all_: Carried, places: Sequence[int]) -> None:
    """People answer rightly, rightly in the end, wrongly until it ends, or never."""
    at_once = asyncio.Semaphore(VERIFIED_AT_ONCE)

    async def verify(place: int) -> None:
        async with at_once:
            account, options = (("shop", {}), ("mall", {"text": "Your code is {code}", "lifetime_s": 3600}))[place % 2]
            asked = {"account": account, "to": number(place), **options}
            started = await all_.api.post("/v1/verify/sessions", json=asked)
            assert started.status_code == 201, started.text
            session = started.json()
            views = all_.world.simulation.stand_ins[ACCOUNTS[account][0]].sessions()
            code = next(view.code for view in views if view.id == session["provider_session_id"])
            for given in ([code], ["0000", code], ["0000", "0001", "0002"], [])[place // 2 % 4]:
                answer = await all_.api.post(f"/v1/verify/sessions/{session['id']}/check", json={"code": given})
                assert answer.status_code < 500, answer.text

    await asyncio.gather(*map(verify, places))


async def hear_from_some(all_: Carried, places: Sequence[int]) -> None:
    for place in places:
        for account, (provider, provider_id, _) in ACCOUNTS.items():
            all_.world.simulation.stand_ins[provider].receive(
                sender=number(place),
                recipient="+14155550100",
                text=TEXTS[place % 2],
                account=provider_id,
                url=all_.callback_urls[account],
            )


async def assert_all_is_as_told(all_: Carried) -> None:
    """Waits for what Landed has still to track; then each difference is an error, with how to repeat it."""
    found: list[str] = []

    async def is_same() -> bool:
        found[:] = await all_.differences()
        return not found

    try:
        await until("Landed has what the ledger says", is_same, 60)
    except AssertionError:
        lines = "\n".join(found)
        raise AssertionError(
            f"{len(found)} differences; repeat with SEED={SEED} MESSAGES={MESSAGES} make chaos\n{lines}"
        ) from None
    assert all_.world.carrier.let_in == 0, "something forged was taken"
    assert await all_.miscounted() == []


async def test_what_landed_has_is_what_the_carrier_told() -> None:
    sys.stderr.write(f"SEED={SEED} MESSAGES={MESSAGES}\n")
    random = Random(SEED)
    world_of = scenario(MESSAGES, how=CHAOS)
    async with opened_world(scenario=world_of, seed=SEED, speed=SPEED, accounts=KNOWN) as world, carried(world) as all_:
        others = range(MESSAGES, MESSAGES + MESSAGES // PER_SESSION)
        await send_all(all_, MESSAGES, random)
        await verify_some(all_, others)
        await hear_from_some(all_, others)
        await until_quiet(all_)
        await assert_all_is_as_told(all_)
        told, calls = all_.told(), world.carrier.counts()
        known = Counter(
            view.direction for stand_in in world.simulation.stand_ins.values() for view in stand_in.messages()
        )
    assert known == {Direction.OUTBOUND: MESSAGES, Direction.INBOUND: 2 * len(others)}
    assert MESSAGES < len(told) <= MESSAGES + 2 * len(others)  # of inbound texts, some got lost
    assert calls[CallState.LOST] > 0
    assert calls[CallState.TAKEN] + calls[CallState.LOST] == calls.total(), calls


async def test_what_was_lost_is_found_out_by_asking() -> None:
    """Half of all receipts get lost; then Landed asks for what did not end, and has what it was answered, too."""
    messages = min(MESSAGES, 60)
    world_of = scenario(messages, how=replace(CHAOS, lost=0.5))
    async with opened_world(scenario=world_of, seed=SEED, speed=SPEED, accounts=KNOWN) as world, carried(world) as all_:
        await send_all(all_, messages, Random(SEED))
        await verify_some(all_, range(messages, messages + 8))
        await until_quiet(all_)
        await assert_all_is_as_told(all_)

        await ask_for_what_did_not_end(all_)

        await assert_all_is_as_told(all_)
        (silent,) = await all_.rows("SELECT count(*) AS count FROM messages WHERE NOT final")
        known = [view for stand_in in world.simulation.stand_ins.values() for view in stand_in.messages()]
        assert silent["count"] == sum(view.status in ("queued", "sent") for view in known)


async def ask_for_what_did_not_end(all_: Carried) -> None:
    """As the worker does, by a clock that is ahead of the carrier's."""
    now = max(all_.world.carrier.now(), datetime.now(UTC)) + timedelta(hours=2)
    sealer = Sealer(SECRET_KEY)
    async with connect.pool(all_.house.database_url, connections_max=4) as pool, open_client() as http:

        async def load() -> Sequence[Account]:
            return await accounts.all_live(pool, sealer, datetime.now(UTC))

        urls = {"plivo": all_.world.base_url, "routee": all_.world.base_url}
        reconciler = Reconciler(
            pool=pool,
            clients=Clients(load, registry.load(), http, urls),
            explainer_of=lambda account_id: None,
            after_s=3600,
            expire_after_s=30 * 86_400,
            lookups_per_s=50,
            clock=lambda: now,
        )
        await reconciler.find()
        while await reconciler.ask_due():
            pass
