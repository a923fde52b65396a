"""Counters added up by the database are what the rows say, whatever slots are asked for; and no more than a limit."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain import latency
from landed.domain.counters import MINUTES, Resolution
from landed.domain.periods import Slot, start_of
from landed.store import analytics, partitions, reading
from landed.store.analytics import Sums, TooManyRows
from tests.databases import Databases

pytestmark = pytest.mark.anyio

NOW: Final = datetime.now(UTC)
SINCE: Final = start_of(Resolution.DAY, NOW - timedelta(days=2))
SEED: Final = 11
#: More are there than are asked about, and their ids have gaps.
DIMENSIONS: Final = (3, 4, 7, 20)
#: Buckets that may have a counter, from SINCE on.
BUCKETS: Final = 40

#: (resolution, dimension id, number of the bucket) -> messages, and the bucket of their time to deliver
Rows = Mapping[tuple[Resolution, int, int], tuple[int, int]]


def bucket_at(resolution: Resolution, number: int) -> datetime:
    return SINCE + timedelta(minutes=number * MINUTES[resolution])


@pytest.fixture(scope="module")
def rows() -> Rows:
    random = Random(SEED)
    return {
        (resolution, dimension, number): (random.randrange(1, 1000), random.randrange(100))
        for resolution in Resolution
        for dimension in DIMENSIONS
        for number in range(BUCKETS)
        if random.random() < 0.7
    }


@pytest.fixture(scope="module")
async def filled(databases: Databases, rows: Rows) -> AsyncIterator[str]:
    with databases.fresh() as database:
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await partitions.make(connection, NOW.date())
            for (resolution, dimension, number), (messages, delivered) in rows.items():
                key = [bucket_at(resolution, number), dimension]
                await connection.execute(
                    f"INSERT INTO counters_{resolution} VALUES (%s, %s, %s, 2, 3, 4, 5, 6, 7)",
                    [*key, messages],
                )
                await connection.execute(
                    f"INSERT INTO latencies_{resolution} VALUES (%s, %s, %s)",
                    [*key, latency.pack(latency.one(delivered))],
                )
        yield database


@pytest.fixture
async def engine(filled: str) -> AsyncIterator[AsyncEngine]:
    engine = reading.engine(filled)
    yield engine
    await engine.dispose()


def drawn(random: Random) -> dict[Resolution, list[Slot]]:
    """One, few or many slots of one resolution or several; in two places at once, and taken out again."""
    return {
        resolution: [
            Slot(bucket_at(resolution, number), place, random.choice([-1, 1]))
            for number in random.sample(range(-2, BUCKETS + 2), random.choice([1, 2, 5, 20, BUCKETS]))
            for place in random.sample(range(3), random.choice([1, 1, 2]))
        ]
        for resolution in random.sample([*Resolution], random.randint(1, 3))
    }


def counted(
    rows: Rows, slots: Mapping[Resolution, Sequence[Slot]], numbers: Mapping[int, int]
) -> Iterator[tuple[tuple[int, int], int, int, int]]:
    """Slot by slot: number and place, sign, messages, bucket of time to deliver."""
    for (resolution, dimension, number), (messages, delivered) in rows.items():
        for slot in slots.get(resolution, ()):
            if dimension in numbers and slot.at == bucket_at(resolution, number):
                yield (numbers[dimension], slot.place), slot.sign, messages, delivered


async def test_sums_and_histograms_are_those_of_the_slots(engine: AsyncEngine, rows: Rows) -> None:
    random = Random(SEED)
    for _ in range(150):
        slots = drawn(random)
        numbers = {dimension: random.randrange(2) for dimension in random.sample(DIMENSIONS, random.randint(1, 3))}
        sums: dict[tuple[int, int], Sums] = {}
        histograms: dict[tuple[int, int], int] = {}
        for key, sign, messages, delivered in counted(rows, slots, numbers):
            before = sums.get(key, Sums(0, 0, 0, 0, 0, 0, 0))
            sums[key] = Sums(*(a + sign * b for a, b in zip(before, (messages, 2, 3, 4, 5, 6, 7), strict=True)))
            histograms[key] = histograms.get(key, 0) + sign * latency.one(delivered)

        asked = (slots, numbers)
        assert (await analytics.sums(engine, *asked), asked) == (
            {key: each for key, each in sums.items() if any(each)},
            asked,
        )
        assert (await analytics.latencies(engine, *asked), asked) == (
            {key: each for key, each in histograms.items() if each}, asked
        )  # fmt: skip


async def test_the_limit_is_for_all_resolutions_together(engine: AsyncEngine, rows: Rows) -> None:
    """Of each resolution all buckets in one stretch, so that there is a row for each of two numbers."""
    slots = {
        resolution: [Slot(bucket_at(resolution, number), 0, 1) for number in range(BUCKETS)]
        for resolution in (Resolution.HOUR, Resolution.DAY)
    }
    numbers = {3: 0, 4: 1, 7: 1}

    found = await analytics.sums(engine, slots, numbers, limit=4)
    with pytest.raises(TooManyRows):
        await analytics.sums(engine, slots, numbers, limit=3)

    assert found == await analytics.sums(engine, slots, numbers)
    assert found.keys() == {(0, 0), (1, 0)}
