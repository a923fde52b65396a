"""Asking twice does nothing twice, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from landed.domain.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InputInvalid,
    OutcomeUnknown,
    ProviderUnreachable,
)
from landed.services import idempotency
from landed.services.idempotency import IN_PROGRESS_MAX, KEPT_FOR, Answer, Forgetting, Pool, claim, once
from landed.store import connect

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ASKED = {"to": "+14155550123", "tags": ["a"]}


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with connect.pool(database, connections_max=4) as opened:
        yield opened


class Work:
    """Something that must not be done twice."""

    def __init__(self, *ends: BaseException | None) -> None:
        self.done = 0
        self._ends = list(ends)

    async def __call__(self) -> Answer:
        self.done += 1
        if self._ends and (error := self._ends.pop(0)) is not None:
            raise error
        return Answer(201, {"number": self.done})


def key(name: str = "k1", asked: Any = None, api_key_id: int = 1) -> Any:
    return claim(api_key_id, name, "POST /v1/things", ASKED if asked is None else asked)


async def test_the_second_time_gives_the_first_answer(pool: Pool) -> None:
    work = Work()

    first = await once(pool, key(), work)
    again = await once(pool, key(asked={"tags": ["a"], "to": "+14155550123"}), work)

    assert (first, again) == (Answer(201, {"number": 1}), Answer(201, {"number": 1}, replayed=True))
    assert work.done == 1


async def test_without_a_key_it_is_done_each_time(pool: Pool) -> None:
    work = Work()

    await once(pool, claim(1, None, "POST /v1/things", ASKED), work)
    await once(pool, claim(1, None, "POST /v1/things", ASKED), work)

    assert work.done == 2


@pytest.mark.parametrize(
    "another",
    [key(asked={"to": "+14155550199"}), claim(1, "k1", "POST /v1/others", ASKED)],
    ids=["another body", "another route"],
)
async def test_another_request_with_the_same_key_is_refused(pool: Pool, another: Any) -> None:
    await once(pool, key(), Work())

    with pytest.raises(IdempotencyKeyReused):
        await once(pool, another, Work())


async def test_the_same_key_of_another_caller_is_another(pool: Pool) -> None:
    work = Work()

    await once(pool, key(), work)
    await once(pool, key(api_key_id=2), work)

    assert work.done == 2


async def test_while_it_is_being_done_asking_again_is_told_so(pool: Pool) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Answer:
        began.set()
        await go_on.wait()
        return Answer(201, None)

    first = asyncio.create_task(once(pool, key(), slow))
    await began.wait()
    with pytest.raises(IdempotencyInProgress):
        await once(pool, key(), Work())
    go_on.set()

    assert await first == Answer(201, None)
    assert await once(pool, key(), Work()) == Answer(201, None, replayed=True)


async def test_what_failed_may_be_done_again(pool: Pool) -> None:
    work = Work(ProviderUnreachable("away"))

    with pytest.raises(ProviderUnreachable):
        await once(pool, key(), work)

    assert await once(pool, key(), work) == Answer(201, {"number": 2})


@pytest.mark.parametrize("end", [OutcomeUnknown("?"), asyncio.CancelledError()], ids=["unknown", "cancelled"])
async def test_what_may_have_been_done_stays_in_progress_for_a_while(pool: Pool, end: BaseException) -> None:
    work = Work(end)
    with pytest.raises(type(end)):
        await once(pool, key(), work, lambda: NOW)

    with pytest.raises(IdempotencyInProgress):
        await once(pool, key(), work, lambda: NOW + IN_PROGRESS_MAX / 2)
    assert (await once(pool, key(), work, lambda: NOW + IN_PROGRESS_MAX)).status == 201


async def test_answers_are_forgotten_after_their_time(pool: Pool) -> None:
    for number in range(3):
        await once(pool, key(f"k{number}"), Work(), lambda: NOW)
    await once(pool, key("late"), Work(), lambda: NOW + timedelta(hours=1))
    work = Work()

    await Forgetting(pool, lambda: NOW + KEPT_FOR + timedelta(seconds=1)).forget()

    assert (await once(pool, key("k0"), work)).replayed is False
    assert (await once(pool, key("late"), work)).replayed is True


@pytest.mark.parametrize("name", ["", "with space", "é", "x" * 256])
def test_a_key_is_a_word_of_printable_ascii(name: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        idempotency.claim(1, name, "POST /v1/things", ASKED)

    assert refused.value.field == "Idempotency-Key"
