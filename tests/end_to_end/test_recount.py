"""Every figure of analytics equals a recount from the messages, sessions and registrations, whatever is asked."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Final

import psycopg
import pytest

from landed.store import reading
from tests import asked_at_random, chaos
from tests.asked_at_random import Recount
from tests.databases import Databases
from tests.recount import recount
from tests.session_recount import recount_sessions

pytestmark = pytest.mark.anyio

MESSAGES: Final = 3_000
DAYS: Final = 40
SEED: Final = 6
QUESTIONS: Final = 60


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def chaotic(databases: Databases) -> Iterator[str]:
    with databases.fresh() as database:
        yield database


@pytest.fixture(scope="module")
async def filled(chaotic: str, now: datetime) -> str:
    await chaos.fill(chaotic, MESSAGES, now=now, days=DAYS, seed=SEED)
    return chaotic


@pytest.fixture
async def rows(filled: str, now: datetime) -> AsyncIterator[Recount]:
    engine = reading.engine(filled)
    async with await psycopg.AsyncConnection.connect(filled) as connection:
        loaded = Recount(engine, now)
        await loaded.load(connection)
        yield loaded
    await engine.dispose()


async def test_counters_are_what_the_rows_add_up_to(filled: str) -> None:
    async with await psycopg.AsyncConnection.connect(filled) as connection:
        assert await recount(connection) == []
        assert await recount_sessions(connection) == []


async def test_answers_about_messages_are_what_the_rows_say(rows: Recount) -> None:
    random = Random(SEED)
    for asked in islice(asked_at_random.questions(random, rows.messages, rows.now, DAYS), QUESTIONS):
        assert (await rows.analytics(asked), asked) == ([], asked)


async def test_overviews_are_what_the_rows_say(rows: Recount) -> None:
    random = Random(SEED + 1)
    for asked in islice(asked_at_random.questions(random, rows.messages, rows.now, DAYS), QUESTIONS):
        assert (await rows.overview(asked), asked) == ([], asked)


async def test_funnels_are_what_the_sessions_say(rows: Recount) -> None:
    random = Random(SEED + 2)
    for asked in islice(asked_at_random.funnel_questions(random, rows.sessions, rows.now, DAYS), QUESTIONS):
        assert (await rows.funnel(asked), asked) == ([], asked)


async def test_registrations_by_age_are_what_they_say(rows: Recount) -> None:
    assert await rows.registrations() == []
